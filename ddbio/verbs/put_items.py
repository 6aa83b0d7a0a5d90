"""Items of a Python program into a table: put, inserted, or deleted by their keys. No command has this verb.

items --blocks--> lanes (format, writer) --BatchWriteItem--> table
                  reports <-- counts, rejects --> result
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.engines.inline import InlineEngine
from ddbio.errors import DdbioError
from ddbio.flow.context import JobTable
from ddbio.flow.import_job import DEFAULT_IMPORT_LANES
from ddbio.flow.put_job import PutJob
from ddbio.formats.python_items import decode, encode
from ddbio.job.accounts import Accounts, Result, not_kept, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb
from ddbio.job.work import Assignment
from ddbio.messages import UnitReport
from ddbio.rate.caps import Cap
from ddbio.sinks.table_writes import check_mode
from ddbio.sources.memory import MemoryItems
from ddbio.sources.plan import Plan, Remainder
from ddbio.steps.transform import transform_of
from ddbio.verbs.options import PutOptions

_NOT_KEPT = "its items are not kept: run the same command again with all of them"
MOST_REJECTED = 10_000  # kept in a result; the others are only counted


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """An item that was not written, and the reason.

    position: among the items given, from 0. item: None if it could not even be encoded.
    """

    position: int
    item: dict[str, Any] | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PutResult(Result):
    """cap: the one in force. rejected: the first rejected items, `MOST_REJECTED` at most, by position."""

    cap: Cap
    rejected: tuple[RejectedItem, ...]


class PutItems(Verb[PutOptions, PutResult]):
    """items: taken once, as fast as they can be written. It cannot be resumed: nobody else has the items."""

    name = "import"

    def __init__(self, options: PutOptions, items: Iterable[Any]) -> None:
        super().__init__(replace(options, journal=False))
        self.source = MemoryItems(items, encode)
        self._rejected: list[RejectedItem] = []

    def check(self, caller: Caller) -> Run:
        check_mode(self.options.mode)
        transform_of(self.options)
        session = Session(self.options.aws, (self.options.table,))
        table = session.describe(self.options.table)
        run = Run.begin(self.options, session, table, "WCU", DEFAULT_IMPORT_LANES, caller)
        self._units = self.source.units()
        self._first = list(islice(self._units, run.workers))
        few = len(self._first) == 1 < run.workers and run.engine is None and not caller.in_event_loop
        return replace(run, engine=InlineEngine()) if few else run  # starting a process would take longer

    def cut(self, run: Run) -> dict[str, Any]:
        return {}

    def plan(self, run: Run, cut: Facts) -> Plan:
        all_known = len(self._first) < run.workers
        return Plan(self._first, None if all_known else self._units, prefetch=False)

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        yield f"Writing the program's items into table {run.table.name} in {run.session.region}"

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        target = JobTable(run.table, run.session.data_plane(run.table, self.options.give_up_after_s))
        transform = transform_of(self.options)
        job = PutJob(target, run.session.aws, run.lanes, self.options.mode, transform)
        return Assignment(job, 0, "items", 0, self._take)

    def _take(self, report: UnitReport) -> float:
        for reject in report.rejects:
            if len(self._rejected) < MOST_REJECTED:
                position = self.source.position(report.unit, reject.line)
                self._rejected.append(RejectedItem(position, decode(reject.record), reject.code, reject.message))
        return report.tally.read

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> PutResult:
        rejected = tuple(sorted(self._rejected, key=lambda each: each.position))
        if error is not None:
            error = not_kept(error, _NOT_KEPT)
        return PutResult(**outcome(accounts, error, plan.units), cap=run.cap, rejected=rejected)
