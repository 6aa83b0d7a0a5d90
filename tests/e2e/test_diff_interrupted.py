"""`ddbio diff` that ends between its stages, or resumes with other files than it left. In this process, to choose the
instants."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.engines.inline import InlineEngine
from ddbio.errors import UsageError
from ddbio.job import stages
from ddbio.job.run import Caller
from ddbio.job.stages import Stages
from ddbio.simulator import Simulator
from ddbio.system.stop import StopFlag
from ddbio.verbs.diff import Diff, DiffResult
from ddbio.verbs.options import DiffOptions
from tests.e2e.test_diff_meanwhile import At, Said
from tests.endpoints import REGION
from tests.support.items import plain_items

pytestmark = pytest.mark.fuller

ITEMS, DIFFERENT = 600, 350

Compare = Callable[..., DiffResult]


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def diff(simulator: Simulator, tmp_path: Path) -> Compare:
    items = plain_items(ITEMS)
    second = [{**item, "n": {"N": "-1"}} if number < DIFFERENT else item for number, item in enumerate(items)]
    for name, these in (("First", items), ("Second", second)):
        simulator.create_table(name, "id:S").put_items(these)
    aws = AwsSettings(region=REGION, endpoint_url=simulator.url)

    def compare(stop: StopFlag | None = None, take_report: Any = None, **more: Any) -> DiffResult:
        state, output = str(tmp_path / "state"), str(tmp_path / "out.jsonl")
        same = {"table": "First", "to": "Second", "aws": aws, "to_aws": aws, "state_dir": state, "output": output}
        options = DiffOptions(**same, segments=10, lanes=1, processes=1, **more)  # type: ignore[arg-type]
        return Diff(options).perform(Caller(Said(), InlineEngine(), stop, take_report))

    return compare


def stopped_at(simulator: Simulator, diff: Compare, operation: str, number: int) -> None:
    """A comparison stopped at a request."""
    stop = StopFlag()

    def happens(each: str, at: int) -> None:
        if (each, at) == (operation, number):
            stop.ask()
            requests.latency_s = 0.5  # so that it is heard

    simulator.faults = requests = At(happens)
    assert diff(stop).error is not None
    simulator.faults = At(lambda each, at: None)


def assert_whole(result: DiffResult, output: Path) -> None:
    assert (result.error, result.differences, result.items) == (None, DIFFERENT, (ITEMS, ITEMS))
    assert len({*output.read_bytes().splitlines()}) == len(output.read_bytes().splitlines()) == DIFFERENT


@pytest.mark.parametrize("lost", ["first", "first/0003"])
def test_a_finished_side_without_its_digests_is_no_empty_side(
    simulator: Simulator, diff: Compare, tmp_path: Path, lost: str
) -> None:
    stopped_at(simulator, diff, "Scan", 15)
    (spill,) = (tmp_path / "state").rglob("spill")
    shutil.rmtree(spill / lost)
    with pytest.raises(UsageError, match=r"digests .* gone or changed") as refused:
        diff()
    assert "--fresh" in refused.value.hint
    assert_whole(diff(fresh=True), tmp_path / "out.jsonl")


@pytest.mark.parametrize("at", [("Scan", 5), ("Scan", 15), ("BatchGetItem", 2)])
def test_another_comparison_does_not_replace_an_unfinished_one(
    simulator: Simulator, diff: Compare, tmp_path: Path, at: tuple[str, int]
) -> None:
    stopped_at(simulator, diff, *at)
    with pytest.raises(UsageError, match=r"cannot be resumed: --ignore was"):
        diff(ignore=("n",))
    assert_whole(diff(), tmp_path / "out.jsonl")


def test_stages_of_a_job_whose_journal_is_lost_are_not_resumed(
    simulator: Simulator, diff: Compare, tmp_path: Path
) -> None:
    stopped_at(simulator, diff, "BatchGetItem", 3)
    (folder,) = (tmp_path / "state").glob("diff-*")
    for path in folder.glob("journal.sqlite*"):
        path.unlink()
    simulator.table("Second").put_items(plain_items(50))
    assert diff().differences == DIFFERENT - 50
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == DIFFERENT - 50


@pytest.mark.parametrize("stage", ["first", "second", "compare"])
def test_killed_when_a_stage_is_finished(
    simulator: Simulator, diff: Compare, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Stages.finish

    def killed(self: Stages, name: str, facts: Any = True) -> None:
        if name == stage:
            raise Killed
        finish(self, name, facts)

    monkeypatch.setattr(Stages, "finish", killed)
    simulator.faults = requests = At(lambda each, at: None)
    with pytest.raises(Killed):
        diff()
    monkeypatch.undo()
    assert_whole(diff(), tmp_path / "out.jsonl")
    assert requests.requests["Scan"] == 20, "each segment of both sides once"
    assert requests.requests["BatchGetItem"] == 128, "of both sides of each of 64 partitions"


def test_killed_while_its_files_are_removed(diff: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def removed(path: Path, **options: Any) -> None:
        remove(path, **options)
        raise Killed

    remove = shutil.rmtree
    monkeypatch.setattr(stages, "shutil", type("", (), {"rmtree": staticmethod(removed)}))
    with pytest.raises(Killed):
        diff()
    monkeypatch.undo()
    assert_whole(diff(), tmp_path / "out.jsonl")


def test_killed_before_its_report(simulator: Simulator, diff: Compare, tmp_path: Path) -> None:
    def kill(report: bytes) -> None:
        raise Killed

    simulator.faults = requests = At(lambda each, at: None)
    with pytest.raises(Killed):
        diff(take_report=kill, report="-")
    assert_whole(diff(take_report=lambda report: None, report="-"), tmp_path / "out.jsonl")
    assert requests.requests["Scan"] == 20
