"""What an import and an export have in common: how a run begins, and how its units are worked: a governor, an engine,
and the books kept of what happens, in memory and in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.engines.engine import Engine, Running
from ddbio.engines.environment import Needs, TableNeeds
from ddbio.engines.pool import ProcessEngine
from ddbio.errors import AbortError, DdbioError, InternalError
from ddbio.flow.checkpoint import LaneState
from ddbio.flow.context import SOURCE, TARGET, Job
from ddbio.job.accounts import Accounts, verdict
from ddbio.job.journal import Journal
from ddbio.job.others import others_at_work
from ddbio.job.progress import Progress, QuietProgress
from ddbio.job.standstill import Standstill
from ddbio.job.state import known_state_root
from ddbio.messages import Event, Flushed, Tally, Tick, Trouble, UnitReport
from ddbio.options import TransferOptions, material
from ddbio.rate.caps import Cap, choose_cap
from ddbio.rate.following import Caps, CapThread, Caretaker
from ddbio.sources.plan import Plan, Remainder
from ddbio.steps.limit import LimitNeeds
from ddbio.steps.transform import fingerprint
from ddbio.system.machine import usable_cpus
from ddbio.system.stop import StopFlag
from ddbio.values.table import TableInfo


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of an import or an export begins with.

    workers, lanes: at most, and of each worker. tables: to import into where they are several; `table` then has the
    capacity of all of them.
    """

    options: TransferOptions
    session: Session
    table: TableInfo
    cap: Cap
    workers: int
    lanes: int
    progress: Progress
    stop: StopFlag
    engine: Engine | None
    tables: tuple[TableInfo, ...] = ()

    @classmethod
    def begin(
        cls,
        options: TransferOptions,
        session: Session,
        table: TableInfo,
        kind: str,
        default_lanes: int,
        progress: Progress | None,
        engine: Engine | None,
        stop: StopFlag | None,
    ) -> Run:
        """kind: of the cap's units, WCU or RCU. Raises UsageError for a cap that cannot be."""
        return cls(
            options=options,
            session=session,
            table=table,
            cap=choose_cap(options.capacity, table, kind, over_provisioned=options.over_provisioned),
            workers=options.processes or usable_cpus(),
            lanes=options.lanes or default_lanes,
            progress=progress or QuietProgress(),
            stop=stop or StopFlag(),
            engine=engine,
        )

    @property
    def role(self) -> str:
        """The role of its table in the job."""
        return TARGET if self.cap.kind == "WCU" else SOURCE

    def follows_table(self, caps: Caps) -> bool:
        """Whether a cap comes from what the table has, which auto scaling may change. That of several tables does not
        follow them."""
        asked = self.options.capacity
        return not self.tables and (asked is None or "%" in asked or bool(caps.indexes))

    def look_at_caps(self) -> Caps:
        """The caps as they would be chosen now. Raises DdbioError."""
        table = self.session.describe(self.options.table)
        if self.table.index:
            table = table.through(self.table.index)
        chosen = choose_cap(
            self.options.capacity, table, self.cap.kind, over_provisioned=True, now=self.cap.chosen_at
        )
        return Caps(chosen, table.index_write_units)

    def workers_for(self, left: Remainder) -> int:
        """As many as there is work for."""
        return max(1, min(self.workers, len(left.known()))) if left.is_known else self.workers

    def identity(self) -> list[str]:
        """Where the table is: with the verb, its name, and the sources or the destination, what makes a job one."""
        return [self.session.region, self.session.endpoint_url, self.table.description.get("TableArn", "")]

    def facts(self) -> dict[str, Any]:
        """What must be the same in all runs of a job. A table that was deleted and made again is another one."""
        description = self.table.description
        made = [description.get("TableId"), str(description.get("CreationDateTime"))]
        transform = {"the transform's file": fingerprint(self.options)} if self.options.transform else {}
        return {**material(self.options), **transform, f"table {self.table.name}": made}


def transfer(
    run: Run,
    job: Job,
    left: Remainder,
    journal: Journal,
    *,
    index_caps: Sequence[float] = (),
    on_report: Callable[[UnitReport], float],
    limit: Callable[[Tally], DdbioError | None] = lambda total: None,
    item_limit: LimitNeeds | None = None,
    most_rejects: int | None = None,
) -> tuple[Accounts, DdbioError | None]:
    """Let the engine work what is left; the books, and what ended it before that was done, if anything did.

    index_caps: units per second of the budgets behind the table's.
    on_report: called with every report before it is entered; returns the progress made, in the unit progress counts.
    limit: given the sum of all runs, why it should not go on; it then stops in order.
    item_limit, most_rejects: what all lanes of the run share; see `ddbio.engines.environment.Needs`.
    """
    accounts = Accounts(journal.past, settled=journal.settled())
    left.watch(accounts.settled, accounts.failed)
    books = _Books(run, journal, accounts, on_report, limit)
    books.check_limit()
    if books.over is not None or (left.is_known and not left.known()):
        return accounts, books.over
    _name_others(run, journal)
    needs = Needs(
        tables={run.role: TableNeeds((run.cap.units_per_s, *index_caps), run.session.keys)},
        limit=item_limit,
        most_rejects=most_rejects,
        checkpoint=journal.new_checkpoint(),
    )
    engine = run.engine or ProcessEngine(run.workers_for(left))
    with engine.open(job, needs) as running:
        books.rate = lambda: running.rates(run.role)[0]
        try:
            _work(run, left, running, index_caps, books)
            error = books.over
        except DdbioError as raised:
            error = raised
        if books.close(running.settled()):
            running.forget_settled()  # not if an error of ours goes through here: the next run wants to see it
    return accounts, error


def _name_others(run: Run, journal: Journal) -> None:
    root = known_state_root(run.options.state_dir)
    pids = others_at_work(root, journal.folder.path.name) if root else []
    if pids:
        processes = f"process{'es' * (len(pids) > 1)} {', '.join(map(str, pids))}"
        run.progress.say(
            f"Another job of yours works on a table called {run.table.name} too ({processes}): "
            "each has a cap of its own"
        )


def _work(run: Run, left: Remainder, running: Running, index_caps: Sequence[float], books: _Books) -> None:
    caps = _KeptCaps(run, running, index_caps)
    run.stop.heeded = True
    events = running.work(left, run.stop)
    try:
        for event in events:
            books.take(event)
    finally:
        events.close()  # nobody works any more
        run.stop.heeded, run.stop.finishing = False, True
        caps.end()
        run.progress.finish()
    if caps.failure is not None:
        raise caps.failure


def why_incomplete(run: Run, accounts: Accounts, plan: Plan) -> DdbioError | None:
    """Why not all units of the job are done, after a run that came to its end; None when they are."""
    return verdict(accounts, plan.units, stopped=run.stop.requests > 0, partly_planned=not plan.complete)


class _Books:
    """Takes what an engine tells, in the order in which a crash at any moment claims nothing that did not happen."""

    def __init__(
        self,
        run: Run,
        journal: Journal,
        accounts: Accounts,
        on_report: Callable[[UnitReport], float],
        limit: Callable[[Tally], DdbioError | None],
    ) -> None:
        self._run = run
        self._journal = journal
        self._accounts = accounts
        self._on_report = on_report
        self._limit = limit
        self._said: set[str] = set()
        self._standstill = Standstill(run.progress.say, run.options.give_up_after_s)
        self.over: DdbioError | None = None  # why the job should not go on
        self.rate: Callable[[], float] = lambda: run.cap.units_per_s  # the cap in force, units per second

    def take(self, event: Event) -> None:
        if isinstance(event, UnitReport):
            self._enter(event)
        elif isinstance(event, Tick):
            self._standstill.look()
        elif isinstance(event, Trouble):
            self._standstill.trouble(event.reason)
            self._standstill.look()
        elif isinstance(event, Flushed):
            self._journal.commit(self._accounts.seconds())
        elif event.text not in self._said:  # many workers may notice the same thing
            self._said.add(event.text)
            self._run.progress.say(event.text)

    def _enter(self, report: UnitReport) -> None:
        amount = self._on_report(report)  # first: a reject that could not be written down is not booked as one
        self._journal.enter(report)
        self._accounts.enter(report)
        if report.done or report.tally.settles():
            self._standstill.success()
        self._run.progress.cap_in_force(self.rate())
        self._run.progress.update(amount, self._accounts.tally)
        self.check_limit()
        if (self.over or isinstance(report.error, AbortError)) and not self._run.stop.requests:
            self._run.stop.ask()  # in order: what the others have in flight is still settled and booked

    def close(self, settled: Iterable[LaneState]) -> bool:
        """Nobody works any more: enter what workers had settled that were killed before they could report it.

        Returns whether all is written down.
        """
        with suppress(DdbioError):  # if nothing can be written down, that has ended the run and was told
            for report in self._journal.recover(settled):
                self._accounts.enter(report)
            self._journal.commit(self._accounts.seconds())
            return True
        return False

    def check_limit(self) -> None:
        self.over = self.over or self._limit(self._accounts.total)


class _KeptCaps:
    """The caps of a run, changed while it works by a thread of its own. failure: what ended that thread."""

    def __init__(self, run: Run, running: Running, index_caps: Sequence[float]) -> None:
        self.failure: InternalError | None = None
        self._stop = run.stop
        caps = Caps(run.cap, dict(zip(run.table.index_write_units, index_caps, strict=False)))
        look = run.look_at_caps if run.follows_table(caps) else None
        caretaker = Caretaker(caps, partial(running.set_cap, run.role), run.progress.say, look)
        self._thread = CapThread(caretaker, self._failed)

    def _failed(self, error: Exception) -> None:
        self.failure = InternalError.of(error)
        self._stop.ask()

    def end(self) -> None:
        self._thread.end()
