"""What every engine owes: all units worked once, reports that add up, failures by name, an end when asked."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ddbio.aws.credentials import Keys
from ddbio.engines.engine import ABANDONED, Engine
from ddbio.engines.environment import Needs, TableNeeds
from ddbio.engines.foreman import Patience
from ddbio.engines.inline import InlineEngine
from ddbio.engines.pool import ProcessEngine
from ddbio.errors import AbortError, InternalError, TransferError, UsageError
from ddbio.flow.checkpoint import states_left
from ddbio.flow.context import WorkerContext
from ddbio.job.accounts import Accounts
from ddbio.messages import Event, ImportCursor, Notice, SliceUnit, Tick, Unit, UnitReport
from ddbio.rate.buckets import UNCAPPED
from ddbio.system.stop import StopFlag
from tests.support.commands import with_slack
from tests.support.seats import SeatedEngine
from tests.support.toy_job import (
    ABORT,
    CRASH,
    CRASH_LATE,
    DIE_ALWAYS,
    DIE_ONCE,
    FAIL,
    RECORD,
    REPORT_THEN_RECORD,
    STUMBLE,
    WORK,
    ToyJob,
    ToyLane,
    ToyWork,
    units,
)

NO_NEEDS = Needs()
TWO = ProcessEngine(2)
ENGINES: dict[str, Engine] = {
    "inline": InlineEngine(),
    "one process": ProcessEngine(1),
    "three processes": ProcessEngine(3),
    "hub": SeatedEngine(2),
}


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


def run(engine: Engine, job: ToyJob, work: list[SliceUnit], needs: Needs = NO_NEEDS) -> Iterator[Event]:
    """Work the units; when the iterator is closed, nobody works any more."""
    with engine.open(job, needs) as running:
        yield from running.work(work, StopFlag())


def events(engine: Engine, folder: Path, *behaviours: int, step_s: float = 0.0, size: int = 4) -> Iterator[Event]:
    return run(engine, ToyJob(str(folder), step_s=step_s), units(*behaviours, size=size))


def book(happened: list[Event]) -> Accounts:
    accounts = Accounts()
    for event in happened:
        if isinstance(event, UnitReport):
            accounts.enter(event)
    return accounts


def test_every_unit_is_worked_once(engine: Engine, tmp_path: Path) -> None:
    accounts = book(list(events(engine, tmp_path, *[WORK] * 25)))
    assert sorted(accounts.settled) == list(range(25))
    assert (accounts.tally.read, accounts.tally.written) == (100, 100)
    assert not accounts.failed


def test_no_units_is_no_work(engine: Engine, tmp_path: Path) -> None:
    assert not [each for each in events(engine, tmp_path) if isinstance(each, UnitReport)]


def test_a_unit_that_fails_is_named_and_the_rest_goes_on(engine: Engine, tmp_path: Path) -> None:
    accounts = book(list(events(engine, tmp_path, WORK, FAIL, WORK, WORK)))
    assert sorted(accounts.settled) == [0, 2, 3]
    assert str(accounts.failed[1]) == "unit 1 cannot be worked"
    assert type(accounts.failed[1]) is TransferError


def test_an_abort_is_a_failure_like_another_to_the_engine(engine: Engine, tmp_path: Path) -> None:
    accounts = book(list(events(engine, tmp_path, WORK, ABORT, WORK)))
    assert sorted(accounts.settled) == [0, 2]
    assert type(accounts.failed[1]) is AbortError


def test_a_stop_ends_it_in_order(engine: Engine, tmp_path: Path) -> None:
    stop, accounts = StopFlag(), Accounts()
    job = ToyJob(str(tmp_path), step_s=0.05)
    began_s = time.monotonic()
    with engine.open(job, NO_NEEDS) as running:
        for event in running.work(units(*[WORK] * 50, size=1000), stop):
            if isinstance(event, UnitReport):
                accounts.enter(event)
                stop.requests = max(stop.requests, 1)
    assert time.monotonic() - began_s < with_slack(10)
    assert 0 < accounts.tally.written < 50_000
    assert not accounts.settled and not accounts.failed


# --------------------------------------------------------------------------- processes


def workers_of_this_test() -> set[int]:
    own = str(os.getpid())
    return {
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if (fields := _read(stat).rpartition(")")[2].split()) and fields[1] == own and fields[0] != "Z"
        if re.search("ddbio worker|ddbio.engines.process", _read(stat.with_name("cmdline")))
    }


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_the_work_of_a_killed_worker_continues_where_it_was(tmp_path: Path) -> None:
    happened = list(events(ProcessEngine(2), tmp_path, WORK, DIE_ONCE, WORK, DIE_ONCE))
    accounts = book(happened)
    assert sorted(accounts.settled) == [0, 1, 2, 3]
    # Two records of each were settled and reported before the death; nothing reported is done again.
    assert accounts.tally.written == 16
    notices = [event.text for event in happened if isinstance(event, Notice)]
    assert notices
    assert all("was killed by SIGKILL" in notice for notice in notices)


def test_what_a_killed_worker_recorded_counts(tmp_path: Path) -> None:
    """It reported none of it; three of four records are not worked again."""
    assert recorded(RECORD, tmp_path) == [3, 1, 0]


def test_what_a_killed_worker_recorded_and_had_reported_counts_once(tmp_path: Path) -> None:
    """It reported two records and recorded three."""
    assert recorded(REPORT_THEN_RECORD, tmp_path) == [1, 1, 1, 1, 0]


def test_what_a_killed_seat_sent_counts(tmp_path: Path) -> None:
    """Its machine is lost, and all that it knew."""
    assert recorded(RECORD, tmp_path, SeatedEngine(2, in_processes=True), die_after_s=0.4) == [3, 1, 0]


def recorded(behaviour: int, folder: Path, engine: Engine = TWO, die_after_s: float = 0.0) -> list[int]:
    """What each report of a unit of four records says was written, where its worker dies once."""
    path = folder / "places"
    with engine.open(ToyJob(str(folder), die_after_s=die_after_s), Needs(checkpoint=path)) as running:
        happened = list(running.work(units(WORK, behaviour), StopFlag()))
        assert {state.unit for state in running.settled()} == {1}, "what only the dead worker knew is still there"
        running.forget_settled()
    assert not path.exists()
    accounts = book(happened)
    assert (sorted(accounts.settled), accounts.failed) == ([0, 1], {})
    assert (accounts.tally.read, accounts.tally.written, accounts.tally.units) == (8, 8, 8.0)
    return [event.tally.written for event in happened if isinstance(event, UnitReport) and event.unit == 1]


def test_a_unit_that_kills_three_workers_is_given_up_by_name(tmp_path: Path) -> None:
    accounts = book(list(events(ProcessEngine(2), tmp_path, *[WORK] * 8, DIE_ALWAYS)))
    assert sorted(accounts.settled) == list(range(8))
    assert "source-8, bytes 0 to 4 was given up: 3 workers died on it" in str(accounts.failed[8])


def test_workers_that_only_ever_die_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="RuntimeError: a fault of ours") as raised:
        book(list(events(ProcessEngine(2), tmp_path, *[CRASH] * 40)))
    assert "_act" in raised.value.trace
    assert workers_of_this_test() == set()


def test_a_fault_of_ours_in_one_unit_fails_that_unit_and_keeps_its_cursor(tmp_path: Path) -> None:
    happened = list(events(ProcessEngine(2), tmp_path, WORK, WORK, CRASH_LATE, WORK))
    (failed,) = [each for each in happened if isinstance(each, UnitReport) and each.error is not None]
    assert (failed.unit, type(failed.error)) == (2, InternalError)
    assert isinstance(failed.cursor, ImportCursor) and failed.cursor.offset == 2
    done = {each.unit for each in happened if isinstance(each, UnitReport) and each.done}
    assert done == {0, 1, 3}


def test_a_job_that_one_worker_cannot_open_moves_nothing(tmp_path: Path) -> None:
    """The user's code may refuse in one worker alone: then none has begun."""
    job = ToyJob(str(tmp_path), transform="refused by the third")
    running = run(ProcessEngine(3), job, units(*[WORK] * 9))
    seen: list[Event] = []
    with pytest.raises(UsageError, match="cannot be loaded"):
        seen.extend(running)
    assert not [each for each in seen if isinstance(each, UnitReport)]
    assert workers_of_this_test() == set()


def test_workers_that_die_after_every_batch_are_not_replaced_for_ever(
    tmp_path: Path,
) -> None:
    """Each of them gets a little further."""
    engine = ProcessEngine(1, Patience(failed=4))
    with pytest.raises(InternalError, match="RuntimeError: a fault of ours"):
        list(events(engine, tmp_path, *[STUMBLE] * 6))
    assert workers_of_this_test() == set()


def test_no_worker_outlives_the_engine(tmp_path: Path) -> None:
    running = events(ProcessEngine(3), tmp_path, *[WORK] * 30, step_s=0.02)
    next(running)
    assert len(workers_of_this_test()) >= 3
    running.close()  # type: ignore[attr-defined]  # whoever reads the events gives up
    assert workers_of_this_test() == set()


def test_newer_keys_reach_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.aws.credentials.ASK_EVERY_S", 0.01)
    asked: list[int] = []

    def rotating() -> Keys:
        asked.append(1)
        return Keys(f"access-{len(asked)}", "secret")

    job, needs = ToyJob(str(tmp_path), step_s=0.01), Needs({"target": TableNeeds((UNCAPPED,), rotating)})
    list(run(ProcessEngine(2), job, units(*[WORK] * 6), needs))
    assert len(asked) > 2


# --------------------------------------------------------------------------- this process


def test_the_engine_of_one_process_starts_none_and_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    running = events(InlineEngine(), tmp_path, *[WORK] * 3, step_s=0.001)
    next(running)
    assert workers_of_this_test() == set()
    running.close()  # type: ignore[attr-defined]
    assert {each for each in threading.enumerate() if not each.daemon} <= before


def test_a_fault_of_ours_ends_the_engine_of_one_process_and_keeps_what_was_settled(tmp_path: Path) -> None:
    seen: list[Event] = []
    with pytest.raises(InternalError, match="RuntimeError: a fault of ours") as raised:
        seen.extend(events(InlineEngine(), tmp_path, CRASH_LATE))
    assert "_act" in raised.value.trace


def test_lanes_that_do_not_stop_are_abandoned_and_the_user_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a second request at once, else after some seconds: they await an answer that does not come."""
    monkeypatch.setattr("ddbio.engines.inline.STOP_PATIENCE_S", 0.2)
    for requests in (1, 2):
        stop, happened = StopFlag(), list[Event]()
        with InlineEngine().open(Deaf(str(tmp_path)), NO_NEEDS) as running:
            for event in running.work(units(WORK), stop):
                happened.append(event)
                stop.requests = requests
        assert [event.text for event in happened if isinstance(event, Notice)] == [ABANDONED]


def test_a_silence_is_reported_while_a_unit_is_in_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent looks then whether the job stands still (--give-up-after)."""
    monkeypatch.setattr("ddbio.engines.inline.TICK_S", 0.01)
    stop = StopFlag()
    with InlineEngine().open(Deaf(str(tmp_path)), NO_NEEDS) as running:
        for event in running.work(units(WORK), stop):
            if isinstance(event, Tick):
                stop.requests = 2


def test_lanes_of_one_process_settle_where_the_next_run_looks(tmp_path: Path) -> None:
    """It was killed: the file is all that is left, and no process has locked it any more."""
    program = KILLED.format(folder=str(tmp_path), behaviour=RECORD)
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    (state,) = states_left(tmp_path / "places", patience_s=1.0)
    assert (state.unit, state.cursor.offset, state.tally.written) == (0, 3, 3)


KILLED = """
from pathlib import Path
from ddbio.engines.environment import Needs
from ddbio.engines.inline import InlineEngine
from ddbio.system.stop import StopFlag
from tests.support.toy_job import ToyJob, units
with InlineEngine().open(ToyJob({folder!r}), Needs(checkpoint=Path({folder!r}) / "places")) as running:
    list(running.work(units({behaviour}), StopFlag()))
"""


class Deaf(ToyJob):
    """Its lanes await an answer that does not come, and do not hear of a stop."""

    def open(self, context: WorkerContext) -> DeafWork:
        return DeafWork(self, context)


class DeafWork(ToyWork):
    def lane(self) -> DeafLane:
        return DeafLane(self)


class DeafLane(ToyLane):
    async def work(self, unit: Unit) -> None:
        await asyncio.sleep(60)


ORPHANS = """
import sys
from pathlib import Path
from ddbio.engines.environment import Needs
from ddbio.engines.pool import ProcessEngine
from ddbio.system.stop import StopFlag
from tests.support.toy_job import WORK, ToyJob, units
if __name__ == "__main__":
    endless = units(*[WORK] * 9, size=10_000)
    with ProcessEngine(3).open(ToyJob(sys.argv[1], step_s=0.05), Needs()) as running:
        for _ in running.work(endless, StopFlag()):
            print("working", flush=True)
"""


def workers_of(parent: int) -> set[int]:
    """Worker processes of another process that are up: they have named themselves."""
    return {
        int(stat.parent.name)
        for stat in Path("/proc").glob("[0-9]*/stat")
        if (fields := _read(stat).rpartition(")")[2].split()) and fields[1] == str(parent)
        if "ddbio worker" in _read(stat.with_name("cmdline"))
    }


def is_alive(pid: int) -> bool:
    """Whether the process still runs; one that only waits to be reaped does not."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return bool(fields) and fields[0] != "Z"


def until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline_s = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    return condition()


def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(ORPHANS)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)], stdout=subprocess.DEVNULL, env=environment
    ) as parent:
        assert until(lambda: len(workers_of(parent.pid)) == 3, 30)
        workers = workers_of(parent.pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
    assert until(lambda: not any(map(is_alive, workers)), 2)
