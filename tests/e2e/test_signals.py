"""Ctrl-C, SIGTERM, and processes killed at the worst moment: what was done is told, nothing lives on or is lost.

One predecessor left its workers and its refill process running for ever; another hung when a worker died.
"""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.support.commands import (
    Completed,
    Run,
    Running,
    Start,
    assert_holds,
    descendants,
    is_alive,
    wait_until,
    with_slack,
)
from tests.support.items import MANIFEST, Item, contents, plain_items, read_items, write_items

PROMPTLY_S = 5.0

Signals = signal.Signals
BOTH = pytest.mark.parametrize(
    "number",
    [
        pytest.param(Signals.SIGINT, id="SIGINT"),
        pytest.param(Signals.SIGTERM, id="SIGTERM", marks=pytest.mark.fuller),
    ],
)


# With 30 ms a request, 4 lanes write 3,000 items a second: one and a half seconds.
IMPORT = ("-t", "Orders", "-s", "orders.json", "-p", 2, "--lanes", 2)
# Under this cap a page is a quarter of a second's units: two seconds, a dozen pages or more.
EXPORT = ("-t", "Orders", "-d", "out", "-p", 2, "--lanes", 2, "--segments", 4, "-c", 200)


@pytest.fixture
def large(slow: Simulator) -> list[Item]:
    """3,000 items of 1,000 bytes, in the table: 375 read units."""
    items = plain_items(3000, padding=970)
    slow.table("Orders").put_items(items)
    return items


def written(simulator: Simulator) -> int:
    return simulator.table("Orders").item_count()


def assert_stopped(done: Completed, signalled_s: float, *words: str) -> None:
    assert time.monotonic() - signalled_s < with_slack(PROMPTLY_S)
    done.assert_error(130, "stopped", *words)


def assert_no_orphans(pids: list[int], timeout_s: float = 2.0) -> None:
    wait_until(lambda: not any(map(is_alive, pids)), timeout_s)


def remains(folder: Path) -> list[str]:
    """What is in an export, hidden names too."""
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


# --------------------------------------------------------------------------- stopped in order


@BOTH
def test_an_import_is_stopped(
    start_import: Start, run_import: Run, slow: Simulator, many: list[Item], number: signal.Signals
) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: written(slow) > 1000)
        pids = descendants(command.pid)
        command.signal(number)
        signalled_s = time.monotonic()
        done = command.wait(20)
    assert_stopped(done, signalled_s, "% of the source", "run the same command again")
    assert re.search(r"stopped after \d+% of the source", done.err)
    assert_no_orphans(pids)
    # What was in flight is settled: what is claimed is there, and what is there is claimed.
    in_table = written(slow)
    assert 1000 < done.counts["written"] <= in_table < len(many)
    assert done.counts["read"] == done.counts["written"]
    time.sleep(0.2)
    assert written(slow) == in_table, "somebody still writes"
    slow.faults = FaultPlan()
    assert run_import(*IMPORT).code == 0
    assert_holds(slow, "Orders", many)


@BOTH
def test_an_export_is_stopped(
    start_export: Start, run_export: Run, slow: Simulator, large: list[Item], tmp_path: Path, number: signal.Signals
) -> None:
    """Files that are complete stay and are counted; there is no manifest, so nobody takes them for the table."""
    with start_export(*EXPORT) as command:
        command.until(lambda: any(not name.startswith(".") for name in remains(tmp_path / "out")))
        pids = descendants(command.pid)
        command.signal(number)
        signalled_s = time.monotonic()
        done = command.wait(20)
    assert_stopped(done, signalled_s, " of 4 segments", "run the same command again")
    assert_no_orphans(pids)
    names = [name for name in remains(tmp_path / "out") if not name.startswith(".")]
    assert all(re.fullmatch(r"Orders-\d{4}-\d{5}\.json", name) for name in names), names
    assert 0 < done.counts["exported"] <= done.counts["read"] < len(large)
    assert "manifest" not in done.out
    in_segment = run_export(*EXPORT)  # the same command again
    assert in_segment.code == 0, in_segment.err
    assert any(line.startswith("Resuming: ") for line in in_segment.log)
    assert contents(read_items(tmp_path / "out")) == contents(large)
    assert in_segment.counts["read"] == in_segment.counts["exported"] == len(large)


def test_an_export_is_stopped_early(start_export: Start, slow: Simulator, large: list[Item], tmp_path: Path) -> None:
    with start_export(*EXPORT) as command:
        command.until(lambda: slow.table("Orders").consumed("read"))
        command.signal(Signals.SIGINT)
        done = command.wait(PROMPTLY_S)
    done.assert_error(130, " 0 of 4 segments")
    assert all(name.startswith(".") for name in remains(tmp_path / "out"))
    assert (done.counts["exported"], done.counts["files"]) == (0, 0)
    pending = done.counts["read"]
    assert (f"{pending:,} kept in files that are not finished" in done.out) == bool(pending)


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.1, 0.15, 0.2, 0.3])
def test_ctrl_c_at_once(start_import: Start, slow: Simulator, many: list[Item], after_s: float) -> None:
    """A terminal sends it to all processes of the group; at first Python itself is what it hits."""
    with start_import(*IMPORT, start_new_session=True) as command:
        time.sleep(after_s)
        os.killpg(command.pid, Signals.SIGINT)
        done = command.wait(PROMPTLY_S)
    # Before the program is loaded it ends like `python3` does: by the signal, or unable to start.
    if done.code != -Signals.SIGINT and "init_import_site" not in done.err:
        assert done.code == 130
        assert done.err.splitlines()[-1].startswith("DDBImport.py: error: stopped")
        assert "Traceback" not in done.err
    assert written(slow) <= len(many)


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.2])
@pytest.mark.fuller
def test_ctrl_c_while_the_workers_start(
    start_import: Start, slow: Simulator, many: list[Item], after_s: float
) -> None:
    """Workers of which Python has not yet read a line get it, too."""
    with start_import(*IMPORT, start_new_session=True) as command:
        command.until(lambda: descendants(command.pid))
        time.sleep(after_s)
        pids = descendants(command.pid)
        os.killpg(command.pid, Signals.SIGINT)
        signalled_s = time.monotonic()
        done = command.wait(20)
    assert_stopped(done, signalled_s)
    assert "Traceback" not in done.err
    assert len([line for line in done.err.splitlines() if "error:" in line]) == 1
    assert done.counts["written"] <= written(slow)
    assert_no_orphans(pids)


@pytest.mark.parametrize("number", [Signals.SIGINT, Signals.SIGTERM], ids=lambda each: each.name)
@pytest.mark.fuller
def test_a_whole_process_group_is_told_in_mid_run(
    start_import: Start, slow: Simulator, many: list[Item], number: signal.Signals
) -> None:
    with start_import(*IMPORT, start_new_session=True) as command:
        command.until(lambda: written(slow) > 500)
        pids = descendants(command.pid)
        os.killpg(command.pid, number)
        signalled_s = time.monotonic()
        done = command.wait(20)
    assert_stopped(done, signalled_s)
    assert "".join(done.log).count("error:") == 1
    assert 500 < done.counts["written"] <= written(slow)
    assert_no_orphans(pids)


@BOTH
def test_a_command_that_waits_for_the_service_is_stopped(
    start_export: Start, slow: Simulator, number: signal.Signals
) -> None:
    """Before the work begins: DescribeTable hangs."""
    slow.faults = FaultPlan(latency_s=30.0)
    with start_export(*EXPORT) as command:
        command.until(lambda: slow.requests().get("DescribeTable", 0) > 0)
        command.signal(number)
        done = command.wait(2.0)
    done.assert_one_line_error(130, "stopped")


def test_a_second_ctrl_c_ends_it_at_once(start_import: Start, slow: Simulator, many: list[Item]) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: written(slow) > 500)
        pids = descendants(command.pid)
        slow.faults = FaultPlan(latency_s=30.0)  # what is in flight does not come back
        time.sleep(0.1)
        command.signal(Signals.SIGINT)
        time.sleep(0.3)
        assert command.process.poll() is None
        command.signal(Signals.SIGINT)
        signalled_s = time.monotonic()
        done = command.wait(10)
        assert time.monotonic() - signalled_s < with_slack(2.0)
    assert_stopped(done, signalled_s)
    assert done.counts["written"] <= written(slow)
    assert_no_orphans(pids)


@pytest.mark.fuller
def test_a_stop_does_not_wait_for_what_never_comes_back(
    start_import: Start, slow: Simulator, many: list[Item]
) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: written(slow) > 500)
        pids = descendants(command.pid)
        slow.faults = FaultPlan(latency_s=60.0)
        time.sleep(0.1)
        command.signal(Signals.SIGTERM)
        done = command.wait(5.0 + 3.0)
    done.assert_error(130, "stopped")
    assert done.counts["written"] <= written(slow)
    assert_no_orphans(pids)


# --------------------------------------------------------------------------- killed


def test_no_worker_outlives_its_parent(start_import: Start, slow: Simulator, many: list[Item]) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: written(slow) > 500 and len(command.workers()) == 2)
        pids = descendants(command.pid)
        command.signal(Signals.SIGKILL)
        assert command.wait(5).code == -Signals.SIGKILL
        assert_no_orphans(pids)
        in_table = written(slow)
        time.sleep(0.3)
        assert written(slow) == in_table


def test_no_worker_of_an_export_outlives_its_parent(
    start_export: Start, slow: Simulator, large: list[Item], tmp_path: Path
) -> None:
    with start_export(*EXPORT) as command:
        command.until(lambda: slow.requests().get("Scan", 0) > 5)
        pids = descendants(command.pid)
        command.signal(Signals.SIGKILL)
        command.wait(5)
        assert_no_orphans(pids)
    assert MANIFEST not in remains(tmp_path / "out")


def kill_a_worker(command: Running) -> None:
    os.kill(command.workers()[0], Signals.SIGKILL)


def assert_told_of_the_killed_worker(done: Completed, times: int = 1) -> None:
    told = [line for line in done.log if "was killed by SIGKILL" in line and "continues" in line]
    assert len(told) == times, done.err


@pytest.mark.parametrize(
    "size", [1, pytest.param(256, marks=pytest.mark.fuller)], ids=["many files", "one file a segment"]
)
def test_a_worker_is_killed_in_mid_export(
    start_export: Start, slow: Simulator, large: list[Item], tmp_path: Path, size: int
) -> None:
    """Each item is there exactly once: `contents` refuses an item that is there twice."""
    options = ("-t", "Orders", "-d", "out", "-p", 2, "--lanes", 1, "--segments", 2, "-s", size, "-c", 100)
    with start_export(*options) as command:
        command.until(lambda: slow.requests().get("Scan", 0) > 2 and len(command.workers()) == 2)
        time.sleep(0.6)  # past a report, so that another worker goes on from a cursor
        kill_a_worker(command)
        done = command.wait()
    assert done.code == 0, done.err
    assert_told_of_the_killed_worker(done)
    assert contents(read_items(tmp_path / "out")) == contents(large)
    assert (done.counts["read"], done.counts["exported"]) == (len(large), len(large))
    names = remains(tmp_path / "out")
    assert MANIFEST in names
    assert not [name for name in names if name.startswith(".")]
    assert done.counts["files"] == len(names) - 1


def test_a_limit_is_exact_though_a_worker_is_killed(
    start_export: Start, slow: Simulator, large: list[Item], tmp_path: Path
) -> None:
    """What the dead worker had taken of the limit and not brought home is taken again by who goes on."""
    limit = len(large) * 3 // 4
    options = ("-t", "Orders", "-d", "out", "-p", 2, "--lanes", 1, "--segments", 2, "-c", 200, "--limit", limit)
    with start_export(*options) as command:
        command.until(lambda: slow.requests().get("Scan", 0) > 2 and len(command.workers()) == 2)
        time.sleep(0.6)
        kill_a_worker(command)
        done = command.wait()
    assert done.code == 0, done.err
    assert_told_of_the_killed_worker(done)
    assert len(contents(read_items(tmp_path / "out"))) == limit
    assert done.counts["read"] == limit + done.counts.get("filtered", 0)


def test_workers_are_killed_in_mid_import(
    start_import: Start, slow: Simulator, many: list[Item], environment: dict[str, str]
) -> None:
    """Whenever there are two workers that work, one dies; as long as the job gets further it goes on."""
    killed = 0
    with start_import(*IMPORT) as command:
        for target in (500, 2000):
            command.until(lambda target=target: written(slow) > target and len(command.workers()) == 2)  # type: ignore[misc]
            kill_a_worker(command)
            killed += 1
        done = command.wait()
    assert done.code == 0, done.err
    assert_told_of_the_killed_worker(done, killed)
    assert (done.counts["read"], done.counts["written"]) == (len(many), len(many))
    assert_holds(slow, "Orders", many)
    assert remains(Path(environment["TMPDIR"])) == []


@pytest.mark.fuller
def test_a_worker_is_killed_while_it_starts(start_import: Start, slow: Simulator, many: list[Item]) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: command.workers())
        kill_a_worker(command)
        done = command.wait()
    assert done.code == 0, done.err
    assert_told_of_the_killed_worker(done)
    assert_holds(slow, "Orders", many)


# --------------------------------------------------------------------------- suspended


def test_a_worker_that_is_suspended_does_not_break_the_cap(
    start_import: Start, simulator: Simulator, tmp_path: Path
) -> None:
    """What it reserved, and what time passed meanwhile, is not made up for in a burst."""
    cap, items = 500, plain_items(1500, padding=150)
    write_items(tmp_path / "orders.json", items)
    simulator.create_table("Orders", "id:S")
    with start_import("-t", "Orders", "-s", "orders.json", "-p", 2, "--lanes", 4, "-c", cap) as command:
        command.until(lambda: written(simulator) > 150 and len(command.workers()) == 2)
        pid = command.workers()[0]
        os.kill(pid, Signals.SIGSTOP)
        time.sleep(1.0)
        os.kill(pid, Signals.SIGCONT)
        done = command.wait()
    assert done.code == 0, done.err
    assert_holds(simulator, "Orders", items)
    assert busiest_second(simulator.table("Orders").consumption("write")) <= cap * 1.01 + 2 * 25


def busiest_second(log: list[tuple[float, float]]) -> float:
    """The most units in any second of a log of tenths."""
    return max(sum(units for at_s, units in log if start_s - 0.05 < at_s < start_s + 0.95) for start_s, _ in log)


@pytest.mark.fuller
def test_a_suspended_run_goes_on_and_its_workers_obey_nobody_but_the_parent(
    start_import: Start, slow: Simulator, many: list[Item]
) -> None:
    """Ctrl-Z and fg."""
    with start_import(*IMPORT, start_new_session=True) as command:
        command.until(lambda: written(slow) > 500 and len(command.workers()) == 2)
        for pid in command.workers():
            os.kill(pid, Signals.SIGTERM)
            os.kill(pid, Signals.SIGINT)
        os.killpg(command.pid, Signals.SIGSTOP)
        time.sleep(0.5)
        os.killpg(command.pid, Signals.SIGCONT)
        done = command.wait()
    assert done.code == 0, done.err
    assert_holds(slow, "Orders", many)
