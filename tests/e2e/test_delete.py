"""`ddbio delete`: exactly the items asked for, under two caps, never by accident, and with a way back."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import Fault, FaultPlan, Simulator, TableView
from ddbio.simulator.faults import PARTIAL
from tests.e2e.test_caps import NO_BURST, assert_held
from tests.support.commands import CHECKOUT, Commands, Completed, Run, Running, Start, wait_until
from tests.support.effort import examples
from tests.support.items import Item, contents, write_items

DELETE = (Path("-m"), "ddbio", "delete", "-t", "Orders")
OLD = ("--filter", "n < :old", "--values", '{"old": 600}')


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def run_delete(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*DELETE, *arguments, **options)


@pytest.fixture
def start_delete(commands: Commands) -> Start:
    return lambda *arguments, **options: commands.start(*DELETE, *arguments, **options)


def numbered(count: int, first: int = 0, **more: Any) -> list[Item]:
    return [{"id": {"S": f"{each:05}"}, "n": {"N": str(each)}, **more} for each in range(first, first + count)]


def old(items: list[Item]) -> list[Item]:
    return [item for item in items if int(item["n"]["N"]) < 600]


def new(items: list[Item]) -> list[Item]:
    return [item for item in items if int(item["n"]["N"]) >= 600]


@pytest.fixture
def items() -> list[Item]:
    return numbered(1000)


@pytest.fixture
def table(simulator: Simulator, items: list[Item]) -> TableView:
    table = simulator.create_table("Orders", "id:S")
    table.put_items(items)
    return table


def test_those_that_match_are_deleted_and_counted(run_delete: Run, table: TableView, items: list[Item]) -> None:
    done = run_delete(*OLD, "--yes", "-p", 2, "--json")
    assert done.code == 0, done.err
    assert contents(table.items()) == contents(new(items))
    report = json.loads(done.out)
    counts = report["counts"]
    assert (report["command"], counts["read"], counts["deleted"], counts["written"]) == ("delete", 1000, 600, 600)
    assert (counts["left_out"], counts["target_units"]) == (400, table.consumed("write"))
    assert counts["units"] - counts["target_units"] == table.consumed("read") - 1  # of two checks of the filter
    assert done.log[:3] == [
        "Table Orders in us-east-1, account 000000000000",
        "The items that the filter matches will be deleted",
        "Point-in-time recovery is off, and there is no --backup: items that are deleted cannot be restored",
    ]


def test_all_and_those_of_a_file(run_delete: Run, table: TableView, items: list[Item], tmp_path: Path) -> None:
    write_items(tmp_path / "old.json", old(items))
    done = run_delete("-s", "old.json", "--yes", "-p", 1)
    assert (done.code, done.counts["deleted"]) == (0, 600), done.err
    assert "The items listed in old.json will be deleted" in done.log
    assert contents(table.items()) == contents(new(items))
    assert run_delete("--all", "--yes", "-p", 1).out.startswith("400 deleted, 0 rejected, 400 read\n")
    assert table.items() == []


# --------------------------------------------------------------------------- never by accident


@pytest.mark.parametrize(
    "stdin", ["closed", "a pipe with the name", "nothing"], ids=lambda name: str(name).replace(" ", "-")
)
@pytest.mark.fuller
def test_without_a_terminal_it_needs_yes(
    run_delete: Run, simulator: Simulator, table: TableView, items: list[Item], stdin: str
) -> None:
    options: dict[str, Any] = {}
    reading, writing = os.pipe()
    os.write(writing, b"Orders\n")
    os.close(writing)
    if stdin == "closed":
        options = {"stdin": None, "preexec_fn": lambda: os.close(0)}
    elif stdin == "a pipe with the name":
        options = {"stdin": reading}
    done = run_delete("--all", **options)
    os.close(reading)
    done.assert_error(2, "asks first", "no terminal", "nothing was deleted", "--plan", "--yes")
    assert done.err.startswith("Table Orders in ") and " items " in done.err, "what would have happened"
    assert contents(table.items()) == contents(items)
    assert "BatchWriteItem" not in simulator.requests()


def at_terminal(start_delete: Start, answer: bytes, *arguments: object) -> tuple[int, str]:
    """The exit code, and all that a terminal showed."""
    ours, theirs = pty.openpty()
    with start_delete(*arguments, stdin=theirs, stdout=theirs, stderr=theirs) as command:
        os.close(theirs)
        shown = b""
        while b"type the name of the table" not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, answer)
        try:
            while part := os.read(ours, 1000):
                shown += part
        except OSError:  # the other end is closed
            pass
        code = command.process.wait(30)
    os.close(ours)
    return code, shown.decode()


@pytest.mark.parametrize("answer", [b"orders\n", b"yes\n", b"\n", b"\x04"])
@pytest.mark.fuller
def test_another_answer_than_the_name_deletes_nothing(
    start_delete: Start, simulator: Simulator, table: TableView, items: list[Item], answer: bytes
) -> None:
    code, shown = at_terminal(start_delete, answer, *OLD)
    assert code == 2, shown
    assert "600 of 1,000 items will be deleted" in shown and "nothing was deleted" in shown
    assert contents(table.items()) == contents(items)
    assert not {*simulator.requests()} & {"BatchWriteItem", "DeleteItem"}


def test_the_name_deletes_them(start_delete: Start, table: TableView, items: list[Item]) -> None:
    code, shown = at_terminal(start_delete, b"Orders\n", *OLD)
    assert code == 0, shown
    assert contents(table.items()) == contents(new(items))


def test_a_filter_that_matches_everything_says_so(start_delete: Start, table: TableView) -> None:
    code, shown = at_terminal(start_delete, b"\n", "--filter", "attribute_exists(id)")
    assert (code, "The filter matches every item" in shown) == (2, True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), ["filter is missing", "--all"]),
        (("--all", *OLD), ["--filter, --all and -s contradict"]),
        (("--all", "--if-unchanged"), ["--if-unchanged"]),
        (("-s", "old.json", "-c", 5), ["--capacity applies only"]),
        (("--filter", ""), ["--filter is empty", "--all for every item"]),
        (("--filter", " \n", "--values", "{}"), ["--filter is empty"]),
        (("--all", "--backup", ""), ["--backup is empty"]),
        (("--filter", "n < 5"), ["--filter compares with 5"]),
        (("--filter", "n <", "--values", "{}"), ["Scan", "Invalid FilterExpression"]),
        (("--filter", "n < :old", "--values", '{"old": 1, "odl": 2}'), ["'odl'"]),
    ],
)
@pytest.mark.fuller
def test_what_cannot_work_is_refused(
    run_delete: Run, table: TableView, items: list[Item], options: tuple[object, ...], words: list[str]
) -> None:
    run_delete(*options, "--yes").assert_error(2, *words)
    assert contents(table.items()) == contents(items)


def test_the_plan_deletes_nothing(run_delete: Run, table: TableView, items: list[Item]) -> None:
    done = run_delete(*OLD, "--plan", "-c", 100, "--write-capacity", 50)
    assert done.code == 0, done.err
    assert done.out.splitlines()[1] == "600 of 1,000 items will be deleted"
    assert "Cap of reads of Orders: 100 RCU (-c)" in done.out and "Cap of writes of Orders: 50 WCU" in done.out
    assert contents(table.items()) == contents(items)


@pytest.mark.fuller
def test_count_first_counts_all(run_delete: Run, simulator: Simulator) -> None:
    table = simulator.create_table("Orders", "id:S")
    table.put_items(numbered(6000))
    assert "About " in run_delete(*OLD).err, "which asks, without a terminal"
    done = run_delete(*OLD, "--yes", "-p", 1, "--count-first")
    assert "600 of 6,000 items will be deleted" in done.log
    assert (done.code, table.item_count()) == (0, 5400)


# --------------------------------------------------------------------------- a way back


def test_a_backup_is_complete_before_anything_is_deleted_and_restores_it(
    run_delete: Run, commands: Commands, table: TableView, items: list[Item], tmp_path: Path
) -> None:
    done = run_delete(*OLD, "--yes", "-p", 1, "--backup", "saved", "--report", "report.json")
    assert done.code == 0, done.err
    assert contents(table.items()) == contents(new(items))
    assert done.out.splitlines()[0] == "600 deleted, 0 rejected, 600 read"
    assert (
        "600 saved in saved; to restore them: ddbio import -t Orders -s saved\n" in done.out
        and "RCU consumed by the scan" in done.out
    )
    assert json.loads((tmp_path / "report.json").read_text())["counts"]["deleted"] == 600
    assert not any(line.startswith("Another job") for line in done.log)
    restored = commands.run(Path("-m"), "ddbio", "import", "-t", "Orders", "-s", "saved", "-p", 1)
    assert restored.code == 0, restored.err
    assert contents(table.items()) == contents(items)


def test_a_backup_that_cannot_be_written_deletes_nothing(
    run_delete: Run, table: TableView, items: list[Item], tmp_path: Path
) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "other.txt").write_text("x")
    run_delete(*OLD, "--yes", "--backup", "saved").assert_error(2, "saved")
    assert contents(table.items()) == contents(items)


# --------------------------------------------------------------------------- live traffic


@pytest.mark.parametrize("backup", [(), ("--backup", "saved")], ids=["filter", "as saved"])
@pytest.mark.fuller
def test_if_unchanged_leaves_what_changed_since_the_scan(
    start_delete: Start, simulator: Simulator, backup: tuple[str, ...]
) -> None:
    """A page has 250 items, so all of them are scanned before the first is deleted."""
    table = simulator.create_table("Orders", "id:S")
    table.put_items(numbered(200))
    slowly = ("-p", 1, "--lanes", 1, "--segments", 1, "--write-capacity", 60, "--yes")
    with start_delete(*slowly, *OLD, "--if-unchanged", *backup) as command:
        command.until(lambda: table.item_count() < 195, 30)
        changed = [{**item, "n": {"N": "9999"}} for item in table.items()[50:]]
        table.put_items(changed)
        done = command.wait()
    assert done.code == 0, done.err
    left = {item["id"]["S"] for item in table.items()}
    assert left >= {item["id"]["S"] for item in changed[50:]}, "perhaps the first of them were just being deleted"
    assert (done.counts["deleted"], done.counts["skipped"]) == (200 - len(left), len(left))


# --------------------------------------------------------------------------- caps, and the end of the world


@pytest.mark.parametrize("more", [(), ("--if-unchanged",)], ids=["batches", "single"])
@pytest.mark.fuller
def test_both_caps_hold(run_delete: Run, simulator: Simulator, more: tuple[str, ...]) -> None:
    table = simulator.create_table("Orders", "id:S", wcu=2000, rcu=2000, throughput=NO_BURST)
    table.put_items(numbered(400, padding={"S": "x" * 2000}))
    caps = ("-c", 80, "--write-capacity", 300)
    done = run_delete("--filter", "n >= :all", "--values", '{"all": 0}', "--yes", "-p", 2, *caps, *more)
    assert (done.code, table.item_count()) == (0, 0), done.err
    assert_held(table, 300, "write", step=75)
    assert_held(table, 80, "read", step=20)


DISTURBED = 4  # runs; the ones after them may end


def await_instant(command: Running, table: TableView, at: int, until_s: float) -> None:
    """Until the table has fewer items than that, or it is late, or the command has ended."""
    over = command.process.poll
    wait_until(lambda: table.item_count() < at or time.monotonic() > until_s or over() is not None, 60)


def disturbed(start_delete: Start, table: TableView, seed: int, *options: object) -> Completed:
    """Runs of which the parent or a worker is killed at random instants, then one that ends by itself."""
    dice = random.Random(seed)
    for number in range(2 * DISTURBED):
        with start_delete(*options, "-p", 2, "--lanes", 2, "--segments", 4, "--yes") as command:
            if number < DISTURBED:
                at, until_s = table.item_count() - dice.randrange(200), time.monotonic() + dice.uniform(2, 5)
                await_instant(command, table, at, until_s)
                workers = command.workers() if dice.random() < 0.5 else []
                with suppress(ProcessLookupError):
                    os.kill(dice.choice(workers or [command.pid]), signal.SIGKILL)
            done = command.wait()
        if done.code >= 0:
            return done
    raise AssertionError("it did not end by itself")


@pytest.mark.fuller
@pytest.mark.parametrize("seed", range(examples(2)))
@pytest.mark.parametrize(
    "more", [(), ("--if-unchanged",), ("--backup", "saved"), ("--backup", "saved", "--if-unchanged")], ids=str
)
def test_killed_at_random_it_ends_exactly(
    start_delete: Start,
    simulator: Simulator,
    table: TableView,
    items: list[Item],
    seed: int,
    more: tuple[str, ...],
    environment: dict[str, str],
) -> None:
    faults = [Fault(error="InternalServerError", status=500), Fault(error="ProvisionedThroughputExceededException")]
    simulator.faults = FaultPlan(faults, probability=0.05, seed=seed, latency_s=0.03)
    done = disturbed(start_delete, table, seed, *OLD, *more, "--json")
    assert done.code == 0, done.err
    assert contents(table.items()) == contents(new(items))
    counts = json.loads(done.out)["counts"]
    assert counts["read"] == counts["written"] + counts["dropped"] + counts["left_out"]
    if "--backup" in more:
        assert counts["read"] == 600
    assert not list(Path(environment["HOME"], ".local/state/ddbio").glob("*/journal.sqlite"))


@pytest.mark.fuller
@pytest.mark.parametrize("unprocessed", [False, True], ids=["", "unprocessed"])
@pytest.mark.parametrize("more", [("--all",), (*OLD, "--if-unchanged"), OLD], ids=["all", "single", "filter"])
def test_after_a_stop_in_order_everything_that_was_deleted_is_counted(
    start_delete: Start,
    run_delete: Run,
    simulator: Simulator,
    table: TableView,
    more: tuple[str, ...],
    unprocessed: bool,
) -> None:
    """Also the first part of a page, and of a batch of which the table leaves the other part unprocessed."""
    if unprocessed:
        simulator.faults = FaultPlan([PARTIAL], probability=0.9, operations=["BatchWriteItem"])
    options = (*more, "--yes", "-p", 2, "--json")
    before, deleted = table.item_count(), 0
    for _ in range(2):
        with start_delete(*options, "--write-capacity", 60) as command:
            at = table.item_count()
            command.until(lambda at=at: table.item_count() < at - 70, 30)
            command.process.send_signal(signal.SIGTERM)
            stopped = command.wait()
        assert stopped.code == 130, stopped.err
        counts = json.loads(stopped.out)["counts"]
        assert counts["deleted"] == before - table.item_count() > deleted
        deleted = counts["deleted"]
    simulator.faults = FaultPlan()
    counts = json.loads(run_delete(*options).out)["counts"]
    everything = "--all" in more
    assert counts["deleted"] == counts["written"] == (1000 if everything else 600)
    assert counts["read"] == counts["written"] + counts["left_out"]
    if everything:
        assert counts["read"] == 1000
    else:
        assert 600 <= counts["read"] <= 1000, "some of those that the filter omits are perhaps missing"


@pytest.mark.fuller
def test_what_a_killed_run_deleted_is_already_gone(
    start_delete: Start, run_delete: Run, table: TableView, items: list[Item]
) -> None:
    options = (*OLD, "--backup", "saved", "--if-unchanged", "--yes", "-p", 1)
    with start_delete(*options, "--write-capacity", 100) as command:
        command.until(lambda: table.item_count() < 950, 30)
        os.kill(command.pid, signal.SIGKILL)
        command.wait()
    done = run_delete(*options)
    assert done.code == 0, done.err
    assert contents(table.items()) == contents(new(items))
    assert "changed" not in done.out
