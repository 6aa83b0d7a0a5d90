"""`ddbio jobs set-cap`: a job at work takes another cap, and says so; another one is left alone."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Simulator
from tests.e2e.test_resume import jobs, kill
from tests.support.commands import CHECKOUT, Commands, Completed, Run, Running, Start, assert_holds
from tests.support.items import Item, plain_items

pytestmark = pytest.mark.fuller

DDBIO = (Path("-m"), "ddbio")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def set_cap(commands: Commands) -> Run:
    """`ddbio jobs set-cap`, while another command runs, which has temporary files."""

    def run(*arguments: object) -> Completed:
        with commands.start(*DDBIO, "jobs", "set-cap", *arguments) as command:
            return command.wait()

    return run


def capped(command: Running, simulator: Simulator, operation: str = "BatchWriteItem") -> None:
    """The job is at work."""
    command.until(lambda: simulator.requests().get(operation, 0) > 1)


def changes(path: Path) -> list[tuple[str, str, float]]:
    report: dict[str, Any] = json.loads(path.read_text())
    return [(each["role"], each["kind"], each["units_per_s"]) for each in report["cap_changes"]]


def test_an_import_takes_another_cap(
    start_import: Start,
    set_cap: Run,
    simulator: Simulator,
    many: list[Item],
    tmp_path: Path,
    environment: dict[str, str],
) -> None:
    simulator.create_table("Orders", "id:S", wcu=50_000, rcu=50)
    words = ("-t", "Orders", "-s", "orders.json", "-c", "50", "--report", "r.json", "--log-file", "run.log")
    with start_import(*words, "-p", "1") as command:
        capped(command, simulator)
        refused = set_cap("import", "60000")
        assert refused.code == 2 and "set-cap 60000 is more than the 50,000 WCU that table Orders has" in refused.err
        assert set_cap("import", "5", "--side", "source").code == 2
        finished = jobs(environment)[0].with_name("import-Orders-000000000000")
        finished.mkdir()
        (finished / "report.json").write_text('{"exit_code": 0}')
        done = set_cap("import-Orders", "80%")
        sentence = "Cap from now on: 40,000 WCU (80% of the table's provisioned units of 50,000)"
        assert (done.code, done.out) == (0, f"{sentence}\n")
        ended = command.wait()  # at 50 WCU it would take 90 s
    assert ended.code == 0 and sentence in ended.err and "(cap changed during the run)" in ended.out
    assert changes(tmp_path / "r.json") == [("target", "WCU", 40_000)]
    assert f" notice {sentence}\n" in (tmp_path / "run.log").read_text()
    assert_holds(simulator, "Orders", many)
    shutil.rmtree(finished)
    over = set_cap("import", "5")
    over.assert_one_line_error(2, "no process on this machine works on import-Orders-", "(finished)")


def test_a_lower_cap_holds(start_import: Start, set_cap: Run, simulator: Simulator, many: list[Item]) -> None:
    simulator.create_table("Orders", "id:S")
    with start_import("-t", "Orders", "-s", "orders.json", "-c", "400", "-p", "1") as command:
        capped(command, simulator)
        assert set_cap("import", "20").code == 0
        before = len(simulator.table("Orders").items())
        command.until(lambda: len(simulator.table("Orders").items()) > before + 20)
        assert len(simulator.table("Orders").items()) < len(many) / 2
        kill(command)
    set_cap("import", "5").assert_one_line_error(2, "(unfinished)", "else resume it, with -c 5 if you like")


def test_of_two_tables_one_is_named(commands: Commands, set_cap: Run, simulator: Simulator, tmp_path: Path) -> None:
    items = plain_items(2000)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.create_table("Copy", "id:S")
    words = ("copy", "-t", "Orders", "--to", "Copy", "--to-capacity", "50", "--report", "r.json")
    with commands.start(*DDBIO, *words) as command:
        capped(command, simulator)
        refused = set_cap("copy", "5000")
        assert refused.code == 2
        assert "two caps (source: RCU of Orders; target: WCU of Copy); say which one, with --side" in refused.err
        assert set_cap("copy", "5000", "--side", "target").out == "Cap of Copy from now on: 5,000 WCU (set-cap)\n"
        ended = command.wait()
    assert ended.code == 0 and re.search(r"RCU/s \(no cap\), .* \(cap changed during the run\)", ended.out)
    assert changes(tmp_path / "r.json") == [("target", "WCU", 5000)]
    assert_holds(simulator, "Copy", items)


def test_the_stage_at_work_of_a_job_and_later_ones_take_it(
    commands: Commands, set_cap: Run, simulator: Simulator
) -> None:
    items = plain_items(1500, padding=400)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.create_table("Copy", "id:S")
    with commands.start(*DDBIO, "sync", "-t", "Orders", "--to", "Copy", "-c", "5", "--yes") as command:
        capped(command, simulator, "Scan")
        done = set_cap("sync", "5000")
        said = r"Cap .*5,000 RCU \(set-cap\); it holds for this stage of the job, spill-Orders-\w+, and later .*\n"
        assert re.fullmatch(said, done.out), done.err
        ended = command.wait()  # at 5 RCU, to read each item again would take minutes
    assert ended.code == 0, ended.err
    assert (
        ended.err.count("from now on: 5,000 RCU") == 2
    )  # of both stages that read the first table, not of the second
    assert_holds(simulator, "Copy", items)


def test_the_first_scan_of_an_export_and_the_export_take_it(
    commands: Commands, set_cap: Run, simulator: Simulator
) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(1500, padding=400))
    with commands.start(*DDBIO, "export", "-t", "Orders", "-d", "out", "--format", "csv", "-c", "5") as command:
        capped(command, simulator, "Scan")
        assert set_cap("export", "5000").code == 0
        ended = command.wait()  # at 5 RCU either scan would take 15 s
    assert ended.code == 0 and ended.err.count("Cap from now on: 5,000 RCU") == 2, ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("import",), "set-cap needs a capacity after the id"),
        (("nothing", "5"), "there is no job 'nothing'"),
        (("import", "5", "--yes"), "--yes applies only to forget"),
    ],
)
def test_what_is_no_request(set_cap: Run, words: tuple[str, ...], message: str) -> None:
    set_cap(*words).assert_one_line_error(2, message)


def test_options_of_set_cap_are_no_others(commands: Commands) -> None:
    done = commands.run(*DDBIO, "jobs", "show", "x", "--side", "source")
    done.assert_one_line_error(2, "--side applies only to set-cap")
