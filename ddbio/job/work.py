"""Lets an engine do the remaining work of a job, and accounts for its reports, in memory and in the journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

from ddbio.engines.engine import Running
from ddbio.engines.environment import Needs, TableNeeds
from ddbio.errors import AbortError, DdbioError
from ddbio.flow.checkpoint import LaneState
from ddbio.flow.context import Job
from ddbio.job.accounts import Accounts, verdict
from ddbio.job.course import Course
from ddbio.job.journal import Journal
from ddbio.job.kept_caps import KeptCaps
from ddbio.job.live import LiveRun
from ddbio.job.others import others_at_work
from ddbio.job.run import Run
from ddbio.job.samples import Sampler
from ddbio.job.side import Side
from ddbio.job.standstill import Standstill
from ddbio.job.state import known_state_root
from ddbio.messages import Event, Flushed, Tally, Tick, Trouble, UnitBegun, UnitReport
from ddbio.rate.latency import Histogram
from ddbio.sources.plan import Plan, Remainder
from ddbio.steps.limit import LimitNeeds


def _of_read(report: UnitReport) -> float:
    return report.tally.read


@dataclass(frozen=True, slots=True)
class Assignment:
    """The work that a run gives to its engine.

    total, unit: the amount of work and its unit, for the progress; 0 if unknown. done: the part earlier runs did.
    progress_of: called with every report before it is entered; returns the progress it makes.
    limit: given the counts of all runs, a reason to stop the job in order, if any.
    spent: requests that were made for the job already, to prepare it, and their units.
    item_limit, most_rejects: shared by all lanes of the run; see `ddbio.engines.environment.Needs`.
    """

    job: Job
    total: float
    unit: str
    done: float
    progress_of: Callable[[UnitReport], float] = _of_read
    limit: Callable[[Tally], DdbioError | None] = lambda total: None
    item_limit: LimitNeeds | None = None
    most_rejects: int | None = None
    spent: Tally = field(default_factory=Tally)


def work(run: Run, task: Assignment, left: Remainder, journal: Journal) -> tuple[Accounts, DdbioError | None]:
    """Let the engine do the remaining work. Returns the accounts, and the error if the run ended early."""
    accounts = Accounts(journal.past, settled=journal.settled())
    left.watch(accounts.settled, accounts.failed)
    entries = _Entries(run, task, journal, accounts)
    entries.enter_spent(left)
    entries.check_limit()
    if entries.over is not None or (left.is_known and not left.known()):
        return accounts, entries.over
    _name_others(run, journal)
    needs = Needs(
        tables={side.role: _needs_of(side) for side in run.sides},
        limit=task.item_limit,
        most_rejects=task.most_rejects,
        checkpoint=journal.new_checkpoint(),
    )
    with run.engine_for(left).open(task.job, needs) as running:
        entries.sampler = _sampler(run, journal, accounts, running)
        live = entries.live = LiveRun(run.sides, running)
        run.progress.watch(live)
        try:
            _take_events(run, left, running, entries, journal.folder.path)
            error = entries.over
        except DdbioError as raised:
            error = raised
        finally:
            live.close()
        if entries.close(running.settled()):
            running.forget_settled()  # not after a fault of ddbio: the next run needs them
    return accounts, error


def _needs_of(side: Side) -> TableNeeds:
    return TableNeeds((side.cap.units_per_s, *side.index_caps.values()), side.session.keys)


def _sampler(run: Run, journal: Journal, accounts: Accounts, running: Running) -> Sampler:
    course = Course(journal)
    return Sampler(
        course.samples(),
        accounts,
        {side.role: list(side.index_caps) for side in run.sides},
        running.budgets,
        lambda: _answered([running.latencies(side.role) for side in run.sides]),
        lambda samples, thinned: course.keep(samples, thinned=thinned),
    )


def _answered(tables: Iterable[Histogram]) -> tuple[int, ...]:
    return reduce(Histogram.plus, tables).counts


def _name_others(run: Run, journal: Journal) -> None:
    root = known_state_root(run.options.state_dir)
    found = others_at_work(root, journal.folder.path.name) if root else []
    pids = [pid for pid in found if pid != os.getpid()]  # a verb in stages holds the lock of all of them, too
    if pids:
        processes = f"process{'es' * (len(pids) > 1)} {', '.join(map(str, pids))}"
        run.progress.say(
            f"Another job of yours works on a table called {run.table.name} too ({processes}): "
            "each has a cap of its own"
        )


def _take_events(run: Run, left: Remainder, running: Running, entries: _Entries, folder: Path) -> None:
    caps = KeptCaps(run, running, run.desk or folder)
    run.stop.heeded, run.stop.finishing = True, False  # a story may have several jobs
    events = running.work(left, run.stop)
    try:
        for event in events:
            entries.take(event)
    finally:
        events.close()  # no worker is running any more
        run.stop.heeded, run.stop.finishing = False, True
        caps.end()
        run.progress.finish()
    if caps.failure is not None:
        raise caps.failure


def why_incomplete(run: Run, accounts: Accounts, plan: Plan) -> DdbioError | None:
    """Why some units of the job are not done, after a run that came to its end; None if all are."""
    return verdict(accounts, plan.units, stopped=run.stop.requests > 0, partly_planned=not plan.complete)


class _Entries:
    """Enters an engine's reports so that a crash at any moment claims nothing that did not happen."""

    def __init__(
        self,
        run: Run,
        task: Assignment,
        journal: Journal,
        accounts: Accounts,
    ) -> None:
        self._run = run
        self._task = task
        self._journal = journal
        self._accounts = accounts
        self._said: set[str] = set()
        self._standstill = Standstill(run.progress.say, run.options.give_up_after_s)
        self.over: DdbioError | None = None  # why the job should stop
        self.sampler: Sampler | None = None
        self.live: LiveRun | None = None

    def take(self, event: Event) -> None:
        if isinstance(event, UnitReport):
            self._enter(event)
        elif isinstance(event, UnitBegun):
            if self.live is not None:
                self.live.begun(event)
        elif isinstance(event, Tick):
            self._standstill.look()
            self._run.progress.update(0.0, self._accounts.tally)
        elif isinstance(event, Trouble):
            self._standstill.trouble(event.reason)
            self._standstill.look()
        elif isinstance(event, Flushed):
            self._journal.commit(self._accounts.seconds())
        elif event.text not in self._said:  # many workers may notice the same thing
            self._said.add(event.text)
            self._run.progress.say(event.text)
        if self.sampler is not None:
            self.sampler.look()

    def _enter(self, report: UnitReport) -> None:
        try:
            amount = self._task.progress_of(report)  # first: a report is entered only once its rejects are written
        except BaseException:
            self._enter_counts(
                UnitReport(report.unit, None, report.tally.spent())
            )  # its items are lost, its units are not
            raise
        self._enter_counts(report)
        if report.done or report.tally.settles():
            self._standstill.success()
        if self.live is not None:
            self.live.reported(report)
        self._run.progress.update(amount, self._accounts.tally)
        self.check_limit()
        if (self.over or isinstance(report.error, AbortError)) and not self._run.stop.requests:
            self._run.stop.ask()  # in order: the other lanes' requests in flight are still settled and entered

    def enter_spent(self, left: Remainder) -> None:
        """Enter the units that preparing the job consumed, as those of its first unit."""
        if self._task.spent.requests and left.is_known and left.known():
            self._enter_counts(UnitReport(left.known()[0].number, None, self._task.spent))

    def _enter_counts(self, report: UnitReport) -> None:
        self._journal.enter(report)
        self._accounts.enter(report)

    def close(self, settled: Iterable[LaneState]) -> bool:
        """No worker is running any more: enter the work of killed workers that they had settled but not reported.

        Returns whether everything is committed.
        """
        with suppress(DdbioError):  # a failing journal has already ended the run with its error
            for report in self._journal.recover(settled):
                self._accounts.enter(report)
            if self.sampler is not None:
                self.sampler.take()
            self._journal.commit(self._accounts.seconds())
            return True
        return False

    def check_limit(self) -> None:
        self.over = self.over or self._task.limit(self._accounts.total)
