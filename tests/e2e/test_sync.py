"""`ddbio sync`: the second table becomes equal to the first side, with writes for the differences alone, and without
writing over what someone else wrote meanwhile."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ddbio import export_table
from ddbio.aws.settings import AwsSettings
from ddbio.engines.inline import InlineEngine
from ddbio.errors import UsageError
from ddbio.job.progress import QuietProgress
from ddbio.job.run import Caller
from ddbio.simulator import FaultPlan, Simulator
from ddbio.verbs.options import ExportOptions, SyncOptions
from ddbio.verbs.sync import Sync, SyncResult
from tests.e2e.test_diff import none_lives
from tests.endpoints import REGION
from tests.support.commands import CHECKOUT, EXPORT, Commands, Run, descendants, wait_until
from tests.support.effort import examples
from tests.support.items import Item, contents, plain_items, rich_items

SYNC = (Path("-m"), "ddbio", "sync", "-p", 2, "--to", "Second")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def run_sync(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*SYNC, *arguments, **options)


@pytest.fixture
def tables(simulator: Simulator) -> Any:
    """Two tables that differ in about a tenth of their items."""
    first = [*rich_items(300), *plain_items(20, first=5000)]
    second = [
        {**item, "number": {"N": "-7"}, "more": {"S": "x"}} if number % 20 == 3 else item
        for number, item in enumerate(first[15:])
    ] + plain_items(12, first=9000)
    for name, items in (("First", first), ("Second", second)):
        simulator.create_table(name, "id:S").put_items(items)
    return first, second


@pytest.mark.fuller
def test_each_cap_names_the_option_that_sets_it(run_sync: Run, tables: Any) -> None:
    caps = ("-c", 20, "--to-capacity", 30, "--write-capacity", 40)
    planned = json.loads(run_sync("-t", "First", *caps, "--plan", "--json").out)["plan"]
    assert planned[-3:] == [
        "Cap of First: 20 RCU (-c)",
        "Cap of Second: 30 RCU (--to-capacity)",
        "Cap of the writes: 40 WCU (--write-capacity)",
    ]
    done = run_sync("-t", "First", "--yes", "--to-capacity", 3000, "--write-capacity", 4000)
    said = [line.partition("Cap of Second: ")[2] or line.partition("Cap: ")[2] for line in done.log]
    assert {*filter(None, said)} >= {"3,000 RCU (--to-capacity)", "4,000 WCU (--write-capacity)"}
    assert not any("RCU (-c)" in line or "WCU (-c)" in line for line in done.log)


@pytest.mark.fuller
def test_a_table_that_does_not_exist(commands: Commands, tables: Any) -> None:
    sync = (Path("-m"), "ddbio", "sync")
    commands.run(*sync, "-t", "First", "--to", "Nowhere").assert_error(
        2, '"Nowhere"', "check --to, --to-region, --to-profile"
    )
    commands.run(*sync, "-t", "Nowhere", "--to", "Second").assert_error(2, '"Nowhere"', "check --table, --region")


def test_the_second_becomes_equal_with_the_fewest_writes(run_sync: Run, simulator: Simulator, tables: Any) -> None:
    first, second = tables
    before = simulator.table("Second").consumed("write")
    done = run_sync("-t", "First", "--yes")
    assert done.code == 0, done.err
    changed = len([item for item in second if "more" in item])
    assert done.out.splitlines()[0] == f"{15 + changed:,} written, 12 deleted, 0 rejected"
    assert contents(simulator.table("Second").items()) == contents(first)
    assert contents(simulator.table("First").items()) == contents(first)
    assert simulator.table("Second").consumed("write") - before <= (15 + changed + 12) * 1.2
    again = run_sync("-t", "First", "--yes")
    assert again.out.splitlines()[0] == "0 written, 0 deleted, 0 rejected", again.err


def test_without_deletes_nothing_is_asked(run_sync: Run, simulator: Simulator, tables: Any) -> None:
    first, _ = tables
    done = run_sync("-t", "First", "--no-delete")
    assert done.code == 0, done.err
    assert "12 left that the first side lacks" in done.out
    assert contents(simulator.table("Second").items()) == contents([*first, *plain_items(12, first=9000)])


@pytest.mark.fuller
def test_it_is_impossible_by_accident(run_sync: Run, simulator: Simulator, tables: Any) -> None:
    _, second = tables
    run_sync("-t", "First").assert_error(2, "--yes")
    assert contents(simulator.table("Second").items()) == contents(second)
    assert simulator.table("First").consumed("read") <= 1, "a look whether it is empty"
    plan = run_sync("-t", "First", "--plan", "--write-capacity", 40)
    assert (plan.code, "those that it lacks will be deleted" in plan.out) == (0, True), plan.err
    assert "Cap of the writes: 40 WCU" in plan.out
    run_sync("-t", "First", "--yes", "--rejects", "/nowhere/x").assert_error(2, "/nowhere/x")


@pytest.mark.fuller
def test_a_table_goes_back_to_an_export(commands: Commands, run_sync: Run, simulator: Simulator, tables: Any) -> None:
    first, _ = tables
    assert commands.run(EXPORT, "-t", "First", "-d", "saved", "-p", 1).code == 0
    done = run_sync("-s", "saved", "--yes", "--overwrite")
    assert done.code == 0, done.err
    assert contents(simulator.table("Second").items()) == contents(first)
    commands.run(Path("-m"), "ddbio", "sync", "-t", "First", "--to", "./saved", "--yes").assert_error(2, "an export")


PARTS: dict[str, tuple[dict[str, Any], str]] = {  # how they are exported; the words of the refusal
    "limit": ({"limit": 10}, "(--limit); all other items would be deleted"),
    "filter": ({"filter": "attribute_exists(n)"}, "(--filter); all other"),
    "sample": ({"sample": 50.0}, "(--sample); all other"),
    "native": ({"limit": 10, "native_layout": True, "format": "dynamodb-json", "compress": "gzip"}, "(--limit); all"),
    "attributes": ({"attributes": "id"}, "(--attributes); attributes that it lacks would be removed"),
    "drop": ({"drop": ("number",)}, "(--drop)"),
    "set": ({"assign": ("a=1",)}, "(--set)"),
    "columns": ({"format": "csv", "columns": ("id", "n")}, "(--columns)"),
    "whole/_manifest.json": ({}, ""),
    "holed": ({}, "is missing"),
    "bare": ({}, "is not an export with a manifest"),
    "line.json": ({}, "is not an export with a manifest"),
    "empty.json": ({}, "is not an export with a manifest"),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.fuller
def test_what_may_not_be_the_whole_table_is_refused(
    simulator: Simulator, tables: Any, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, _ = tables
    made, words = PARTS[part]
    aws = AwsSettings(region=REGION, endpoint_url=simulator.url)
    (tmp_path / "line.json").write_text(f'{{"id": "{first[0]["id"]["S"]}"}}\n')
    (tmp_path / "empty.json").write_text("")
    folder = part.partition("/")[0]
    if not folder.endswith(".json"):
        options = ExportOptions(
            table="First", destination=folder, aws=aws, segments=2, **{"state_dir": "state", **made}
        )
        assert export_table(options, engine=InlineEngine()).error is None
    if part in ("bare", "holed"):
        next((tmp_path / part).glob({"bare": "_manifest.json", "holed": "First-0001-*"}[part])).unlink()

    def planned(**more: Any) -> list[str]:
        asked = SyncOptions(table=f"./{part}", to="Second", aws=aws, to_aws=aws, state_dir="state", **more)
        plan = Sync(asked).preview(Caller(QuietProgress()))
        return [*plan.sentences, *plan.forecast.warnings]

    if not words:
        assert "will be deleted" in " ".join(planned())
        return
    with pytest.raises(UsageError, match=re.escape(words)) as refused:
        planned()
    assert "--no-verify" not in str(refused.value), "an option of another verb"
    if "all" in words:
        assert "--no-delete" in str(refused.value)
        planned(no_delete=True)
    else:
        with pytest.raises(UsageError, match=re.escape(words)):
            planned(no_delete=True)
    if part != "holed":
        assert "that it lacks will be deleted (--allow-partial)" in " ".join(planned(allow_partial=True))


@pytest.mark.fuller
def test_a_source_that_is_not_whole_needs_a_permission(
    run_sync: Run, simulator: Simulator, tables: Any, tmp_path: Path
) -> None:
    first, second = tables
    (tmp_path / "line.json").write_text(f'{{"id": "{first[0]["id"]["S"]}"}}\n')
    run_sync("-s", "line.json", "--yes").assert_one_line_error(2)
    run_sync("-s", "line.json", "--allow-partial", "--no-delete").assert_error(2, "--yes")
    assert contents(simulator.table("Second").items()) == contents(second)
    done = run_sync("-s", "line.json", "--allow-partial", "--yes")
    assert done.code == 0, done.err
    assert "items and attributes that it lacks will be deleted (--allow-partial)" in done.err
    assert contents(simulator.table("Second").items()) == contents([{"id": first[0]["id"]}])


@pytest.mark.fuller
def test_an_empty_first_table_is_named(run_sync: Run, simulator: Simulator, tables: Any) -> None:
    simulator.create_table("Empty", "id:S")
    said = "Table Empty in us-east-1 has no items: all items of table Second in us-east-1 will be deleted, "
    count = len(simulator.table("Second").items())
    assert f"{said}about {count}" in run_sync("-t", "Empty", "--plan").out
    done = run_sync("-t", "Empty", "--yes")
    assert done.code == 0, done.err
    assert f"{said}about {count}\n" in done.err, "before the question"
    assert f"{said}{count}\n" in done.err, "before the writes"
    assert not simulator.table("Second").items()


class Meddler(QuietProgress):
    """Does something between the comparison and the writes."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        self._meddle = meddle

    def say(self, text: str) -> None:
        if text.startswith("Applying"):
            self._meddle()


def sync_and_meddle(simulator: Simulator, folder: Path, meddle: Callable[[], object], **options: Any) -> SyncResult:
    aws = AwsSettings(region=REGION, endpoint_url=simulator.url)
    asked = SyncOptions(table="First", to="Second", aws=aws, to_aws=aws, state_dir=str(folder), **options)
    return Sync(asked).perform(Caller(Meddler(meddle)))


def newer(simulator: Simulator, second: list[Item]) -> tuple[list[Item], Callable[[], object]]:
    """Writes of someone else to items that are about to be changed, deleted and put."""
    changed = next(item for item in second if "more" in item)
    deleted = second[-1]
    written: list[Item] = [
        {**changed, "number": {"N": "12345"}},
        {**deleted, "n": {"N": "12345"}},
        {"id": rich_items(15)[4]["id"], "mine": {"BOOL": True}},
    ]
    return written, lambda: simulator.table("Second").put_items(written)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.fuller
def test_a_newer_write_is_left_and_counted(
    simulator: Simulator, tables: Any, tmp_path: Path, overwrite: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = tables
    written, meddle = newer(simulator, second)
    result = sync_and_meddle(simulator, tmp_path / "state", meddle, overwrite=overwrite)
    assert result.error is None
    assert (result.exit_code, result.applied.skipped) == ((0, 0) if overwrite else (1, 3))
    left = {} if overwrite else {item["id"]["S"]: item for item in written}
    expected = [left.pop(item["id"]["S"], item) for item in first]
    assert contents(simulator.table("Second").items()) == contents([*expected, *left.values()])


def test_attributes_that_nobody_compared_are_kept(
    simulator: Simulator, tables: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = tables
    changed = next(item for item in second if "more" in item)
    meddle = partial(simulator.table("Second").put_items, [{**changed, "new here": {"S": "kept"}}])
    result = sync_and_meddle(simulator, tmp_path / "state", meddle)
    assert (result.exit_code, result.applied.skipped) == (0, 0)
    wanted = [{**i, "new here": {"S": "kept"}} if i["id"] == changed["id"] else i for i in first]
    assert contents(simulator.table("Second").items()) == contents(wanted)


@pytest.mark.fuller
def test_killed_at_any_instant_and_run_again(commands: Commands, run_sync: Run, simulator: Simulator) -> None:
    dice = random.Random(3)
    first = plain_items(4000)
    second = [{**item, "n": {"N": "-1"}} if dice.random() < 0.4 else item for item in first if dice.random() < 0.8]
    for name, items in (("First", first), ("Second", [*second, *plain_items(300, first=8000)])):
        simulator.create_table(name, "id:S").put_items(items)
    simulator.faults = FaultPlan(latency_s=0.02)
    asked = ("-t", "First", "--yes", "--segments", 20, "--lanes", 2, "--write-capacity", 300)
    for _ in range(examples(24)):
        with commands.start(*SYNC, *asked) as command:
            time.sleep(dice.uniform(1.0, 6.0))
            pids = descendants(command.pid)
            command.signal(signal.SIGKILL)
            command.wait(5)
            wait_until(partial(none_lives, pids), 5.0)
    simulator.faults = FaultPlan()
    done = run_sync(*asked)
    assert done.code == 0, done.err + done.out
    assert contents(simulator.table("Second").items()) == contents(first)
