"""Find: the items that match a filter, on standard output.

    table --Scan--> lanes --> standard output            as they are found; stops at the limit
    table --Scan--> lanes --> the first N of each --> the first N of all --> standard output        in order

It keeps no journal, for what was written cannot be taken back: a search that was stopped begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from ddbio.dynamodb.session import Session
from ddbio.engines.engine import Engine
from ddbio.errors import DdbioError, UsageError
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.job.accounts import Accounts, Result, not_kept, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.progress import Progress
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb, perform
from ddbio.job.work import Assignment
from ddbio.options import STDOUT, ScanOptions
from ddbio.rate.caps import Cap
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.segments import segment_count
from ddbio.sources.subset import notes, segments_of, units_of
from ddbio.system.stop import StopFlag
from ddbio.verbs.columns import columns_of
from ddbio.verbs.export_assignment import TakePage, export_assignment
from ddbio.verbs.first_items import FirstFound, order_of
from ddbio.verbs.options import ExportOptions, FindOptions
from ddbio.verbs.scan import describe_part, division, place_of, why_none

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.alternatives import Task
    from ddbio.forecast.forecast import Forecast


@dataclass(frozen=True, slots=True)
class FindResult(Result):
    """cap: the one in force. `tally.written` items were found and written, of `tally.read` that were scanned.

    ordered: whether the limit took them from all that match.
    """

    cap: Cap
    ordered: bool


def find_items(
    options: FindOptions,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    stop: StopFlag | None = None,
    take_report: Callable[[bytes], object] | None = None,
) -> FindResult:
    """Write the items that match to standard output. Returns and raises as `ddbio.export_table` does."""
    return perform(Find(options), Caller(progress, engine, stop, take_report))


class Find(Verb[FindOptions, FindResult]):
    name = "find"

    def __init__(self, options: FindOptions, take_page: TakePage | None = None) -> None:
        """take_page: gets the pages in place of standard output."""
        super().__init__(replace(options, journal=False))
        self._take_page = take_page
        self._export = as_export(options)
        self._first: FirstFound | None = None  # if not all items are written as they are found

    def check_report(self) -> None:
        if self.options.report == STDOUT:
            raise UsageError(
                "the items found go to standard output, too", "name a file with --report, or leave it out"
            )
        super().check_report()

    def check(self, caller: Caller) -> Run:
        check(self.options)
        session = Session(self.options.aws, (self.options.table,))
        table, self._subset = describe_part(session, self.options)
        self._order = order_of(self.options, table)
        return Run.begin(self.options, session, table, "RCU", DEFAULT_EXPORT_LANES, caller)

    def cut(self, run: Run) -> dict[str, Any]:
        asked = self.options if self.options.order_by is None else replace(self.options, limit=None)
        return {"segments": segments_of(asked, segment_count(run.table, run.workers, run.lanes))}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(units_of(self.options, cut["segments"]))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        options = self.options
        yield f"Searching {place_of(run)} {division(run, plan, left)}"
        yield from notes(options, run.table, plan.units)
        if options.order_by is not None:
            end = "largest" if options.descending else "smallest"
            yield f"All items are read to find the {options.limit:,} with the {end} {options.order_by}"

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        from ddbio.verbs.forecasts import scan_forecast

        asked = self.options if self.options.order_by is None else replace(self.options, limit=None)
        return scan_forecast(run, asked, self._subset, plan, left, journal)

    def task(self, run: Run) -> Task:
        from ddbio.verbs.other_ways import scan_task

        return scan_task(self.name, self.options, run)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        options = self.options
        if self._order is not None or lacks_columns(options):
            self._first = FirstFound(run, options, self._order, self._export)
            return self._first.assignment(self._subset, left, journal)
        return export_assignment(run, self._export, self._subset, plan, left, journal, self._take_page)

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> FindResult:
        warnings: tuple[str, ...] = ()
        if error is not None:
            again = "what was found is not kept: run the same command again"
            error = not_kept(error, again)
        elif self._first is not None:
            self._first.write(accounts, journal, self._take_page)
            if self._first.lacks_order:
                warnings = (f"no item has the attribute {self.options.order_by!r} of --order-by",)
        ordered = self.options.order_by is not None
        if error is None:
            warnings += why_none(self.options, accounts.total.written)
        return FindResult(**outcome(accounts, error, plan.units), cap=run.cap, ordered=ordered, warnings=warnings)


def check(options: FindOptions) -> None:
    """Raises UsageError for options that cannot work with any table."""
    if options.order_by is not None and options.limit is None:
        raise UsageError("--order-by keeps the first items in memory", "say how many with --limit")
    if lacks_columns(options) and options.limit is None:
        raise UsageError(
            f"{options.format} needs its columns before the first item",
            "name them with --attributes, or say with --limit how many items to keep until all are known",
        )


def lacks_columns(options: FindOptions) -> bool:
    """Whether the columns of the format are known only from the items."""
    return options.attributes is None and columns_of(as_export(options)) is not None


def as_export(options: FindOptions) -> ExportOptions:
    """The same items as an export to standard output."""
    scan = {each.name: getattr(options, each.name) for each in fields(ScanOptions)}
    return ExportOptions(**scan, destination=STDOUT, format=options.format)
