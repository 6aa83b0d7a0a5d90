"""What an import and an export have in common: a job, its units, a governor, an engine, and the books kept of it."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Sequence

from ddbio.accounts import Accounts, verdict
from ddbio.caps import Cap
from ddbio.dynamodb.session import Session
from ddbio.engine import Engine, StopFlag
from ddbio.errors import AbortError, DdbioError
from ddbio.governor import SharedGovernor
from ddbio.planning import Plan
from ddbio.progress import Progress
from ddbio.units import Notice, UnitReport
from ddbio.worker import Job

_LONGEST_SLEEP_S = 60.0  # between two looks at the clock on the wall, which may be set


def transfer(
    job: Job,
    plan: Plan,
    *,
    engine: Engine,
    session: Session,
    cap: Cap,
    index_caps: Sequence[float] = (),
    stop: StopFlag,
    progress: Progress,
    on_report: Callable[[UnitReport], float],
) -> tuple[Accounts, DdbioError | None]:
    """Let the engine work the units of the plan; the books, and why the job is not complete (None when it is).

    index_caps: units per second of the budgets behind the table's.
    on_report: called with every report before it is entered; returns the progress made, in the unit progress counts.
    """
    governor = SharedGovernor.create(cap.units_per_s, *index_caps)
    schedule = _CapSchedule(cap, governor, progress)
    accounts = Accounts()
    said: set[str] = set()
    stop.heeded = True
    try:
        for event in engine(job, plan, governor=governor, keys=session.keys, stop=stop):
            if isinstance(event, UnitReport):
                amount = on_report(event)  # first: a reject that could not be written down is not booked as one
                accounts.enter(event)
                progress.update(amount, accounts.tally)
                if isinstance(event.error, AbortError) and not stop.requests:
                    stop.ask()  # in order: what the others have in flight is still settled and booked
            else:
                _say_once(event, said, progress)
    except DdbioError as error:
        return accounts, error
    finally:
        stop.heeded = False
        schedule.end()
        progress.finish()
        governor.close()
        governor.unlink()
    return accounts, verdict(accounts, len(plan.units), stopped=stop.requests > 0, partly_planned=not plan.complete)


def _say_once(notice: Notice, said: set[str], progress: Progress) -> None:
    """Many workers may notice the same thing."""
    if notice.text not in said:
        said.add(notice.text)
        progress.say(notice.text)


class _CapSchedule:
    """Changes the cap when its time of day has come, from a thread of its own."""

    def __init__(self, cap: Cap, governor: SharedGovernor, progress: Progress) -> None:
        self._cap = cap
        self._governor = SharedGovernor(governor.path, governor.budgets)  # a lock is a process's, or a description's
        self._progress = progress
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cap-schedule", daemon=True)
        if cap.changes:
            self._thread.start()

    def _run(self) -> None:
        due_at, units_per_s = self._after(self._cap.chosen_at)
        # Each wait is short, and the next change is looked for from the time the last was due: a clock that was set,
        # or a machine that slept, makes a change late but loses none.
        while not self._ended.wait(min(max((due_at - _now()).total_seconds(), 0.0), _LONGEST_SLEEP_S)):
            if _now() < due_at:
                continue
            self._governor.set_cap(units_per_s)
            self._progress.say(f"Cap: {units_per_s:,.10g} {self._cap.kind} from now on (-c)")
            due_at, units_per_s = self._after(due_at)

    def _after(self, when: datetime.datetime) -> tuple[datetime.datetime, float]:
        change = self._cap.next_change(when)
        assert change is not None
        seconds, units_per_s = change
        return when + datetime.timedelta(seconds=seconds), units_per_s

    def end(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._governor.close()


def _now() -> datetime.datetime:
    return datetime.datetime.now()  # local time is what `-c` means
