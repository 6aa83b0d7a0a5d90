"""The items of a table for a Python program. No command has this verb.

    table --Scan--> lanes --pages of items, or Arrow batches--> the caller's function

It keeps no journal: nobody else has the pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.flow.scan_job import ScanJob
from ddbio.job.accounts import Accounts, Result, not_kept, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb
from ddbio.job.work import Assignment
from ddbio.messages import SegmentUnit, UnitReport
from ddbio.options import ScanOptions
from ddbio.rate.caps import Cap
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.segments import segment_count
from ddbio.sources.subset import Subset, expected_items, limit_of, notes, segments_of, units_of
from ddbio.verbs.export_assignment import TakePage
from ddbio.verbs.scan import describe_part, scan_of, source_of
from ddbio.verbs.sql import projected


@dataclass(frozen=True, slots=True)
class ProgramScanResult(Result):
    """cap: the one in force."""

    cap: Cap


class ProgramScan(Verb[ScanOptions, ProgramScanResult]):
    """job: makes the pages: `ItemsJob` or `SqlTableJob`. names: the attributes to read, if the options name
    none. units: the segments to read, of a scan that several calls divide; None for all of them. take_page: gets the
    pages, one by one. keys: of the index and the table, before the first page."""

    name = "find"
    keys: tuple[str, ...] = ()
    take_page: TakePage

    def __init__(
        self,
        options: ScanOptions,
        job: type[ScanJob],
        names: Sequence[str] | None = None,
        units: Sequence[SegmentUnit] | None = None,
    ) -> None:
        super().__init__(replace(options, journal=False))
        self._job, self._units = job, units
        self._names, self._subset = names, Subset()

    def check(self, caller: Caller) -> Run:
        session = Session(self.options.aws, (self.options.table,))
        table, subset = describe_part(session, self.options)
        self.keys = tuple(dict.fromkeys(part.name for part in (*table.key, *table.index_keys)))
        narrowed = self._names is not None and self.options.attributes is None
        self._subset = projected(subset, list(self._names or ()), table.key[0].name) if narrowed else subset
        return Run.begin(self.options, session, table, "RCU", DEFAULT_EXPORT_LANES, caller)

    def cut(self, run: Run) -> dict[str, Any]:
        return {"segments": segments_of(self.options, segment_count(run.table, run.workers, run.lanes))}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(self._units if self._units is not None else units_of(self.options, cut["segments"]))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        yield f"Reading table {run.table.name} in {run.session.region} into the program"
        yield from notes(self.options, run.table, plan.units)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        options, table = self.options, run.table
        scan = scan_of(table, options, self._subset)

        def take(report: UnitReport) -> float:
            if report.page:
                self.take_page(report.page)
            return report.tally.read

        return Assignment(
            self._job(source=source_of(run, options), scan=scan, lanes=run.lanes),
            expected_items(options, table),
            "items",
            0,
            take,
            item_limit=limit_of(options.limit, left, journal.settled()),
        )

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> ProgramScanResult:
        if error is not None:
            error = not_kept(error, "run the same command again: it reads all of the items")
        return ProgramScanResult(**outcome(accounts, error, plan.units), cap=run.cap)
