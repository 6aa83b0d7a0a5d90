"""Deletes and updates: a scan of a table, and writes to the items that it finds.

    table --Scan with the filter--> lanes --BatchWriteItem, DeleteItem or UpdateItem--> the same table

The table has two roles, with a cap each: reads by `capacity`, writes by `write_capacity`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError
from ddbio.flow.context import JobTable
from ddbio.flow.edit_job import DEFAULT_EDIT_LANES, EditJob
from ddbio.job.accounts import Accounts, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.rejects import RejectingResult, Rejects
from ddbio.job.report_place import check_report_path
from ddbio.job.run import Caller, Run
from ddbio.job.side import Side
from ddbio.job.spine import Verb
from ddbio.job.state import known_state_root
from ddbio.job.work import Assignment
from ddbio.options import EditOptions
from ddbio.rate.caps import Cap
from ddbio.sinks.reject_place import choose_rejects_path
from ddbio.sinks.table_writes import OpenMode
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.scan import TableScan
from ddbio.sources.segments import MAX_SEGMENTS, segment_count
from ddbio.sources.subset import expected_items, limit_of, notes, segments_of, units_of
from ddbio.steps.reject_limit import ErrorLimit
from ddbio.storage.output_paths import Protected
from ddbio.values.table import TableInfo
from ddbio.verbs.scan import division, mean_item_bytes, place_of, resuming, source_of
from ddbio.verbs.selection import Selection

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.forecast import Forecast
    from ddbio.forecast.write_weights import Changed

SomeEdit = TypeVar("SomeEdit", bound=EditOptions)

ITEMS_A_SEGMENT = 250  # at least: a lane writes the items of a segment one after the other, or 25 at a time
ITEMS_A_PAGE = 250  # if each item is a request: others would wait too long after their scan


@dataclass(frozen=True, slots=True)
class EditResult(RejectingResult):
    """cap: of the writes. write_units: that they consumed, in all runs.

    read_cap: of the scan; None if there was none in this run. read_units: that it consumed, in all runs.
    backup: where the items were saved first, and saved_items: how many; None if they were not.
    restore: the command that restores them.
    """

    write_units: float = 0.0
    read_cap: Cap | None = None
    read_units: float = 0.0
    backup: str | None = None
    saved_items: int = 0
    restore: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edit:
    """The items, and how each is written.

    mode: one of `ddbio.sinks.table_writes.MODES`, or a function that makes one.
    """

    selection: Selection
    mode: str | OpenMode


class EditVerb(Verb[SomeEdit, EditResult]):
    doing = "Editing"

    @abstractmethod
    def edit_of(self, session: Session, table: TableInfo) -> Edit:
        """The work. Raises UsageError for options that cannot work."""

    def check_report(self) -> None:
        check_report_path(self.options, self._protected(), self.options.rejects)

    def _protected(self) -> Protected:
        return Protected(state=known_state_root(self.options.state_dir))

    def check(self, caller: Caller) -> Run:
        options = self.options
        session = Session(options.aws, (options.table,))
        table = session.describe(options.table)
        self._edit = self.edit_of(session, table)
        self._limit = ErrorLimit.parse(options.max_errors)
        self._place = choose_rejects_path(options.rejects, table.name, self._protected())
        over = options.over_provisioned
        capacity, option = options.write_capacity, "--write-capacity"
        writes = Side.choose(session, table, "WCU", options.table, capacity, over_provisioned=over, option=option)
        return Run.begin(options, session, table, "RCU", DEFAULT_EDIT_LANES, caller, other=writes)

    def places(self) -> list[str]:
        """With other options it is another job."""
        options = self.options
        return [each or "" for each in (options.filter, options.values, options.names)]

    def cut(self, run: Run) -> dict[str, Any]:
        return {"segments": segments_of(self.options, edit_segments(run.table, run.workers, run.lanes))}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(units_of(self.options, cut["segments"]))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        which = "matching items" if self.options.filter is not None else "items"
        yield f"{self.doing} the {which} of {place_of(run)} {division(run, plan, left)}"
        if journal.resumed:
            yield resuming(self.options, run, left, journal)
        yield from notes(self.options, run.table, plan.units)

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        from ddbio.verbs.edit_forecast import edit_forecast

        edit, of_page = self._edit, None if isinstance(self._edit.mode, str) else ITEMS_A_PAGE
        return edit_forecast(run, self.options, edit.selection.subset, self.changed(), of_page, plan, left, journal)

    def changed(self) -> Changed | None:
        """How the items change; None if they are deleted."""
        return None

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        options = self.options
        needs = limit_of(options.limit, left, journal.settled())
        self._rejects = rejects = Rejects(self._place, journal, keep=options.journal, limit=self._limit)
        return Assignment(
            self._job(run),
            expected_items(options, run.table),
            "items",
            journal.past.tally.read,
            item_limit=needs and replace(needs, kept=journal.limit_file()),
            **rejects.watching(lambda report: report.tally.read),
        )

    def _job(self, run: Run) -> EditJob:
        options, table, edit = self.options, run.table, self._edit
        scan = TableScan(
            table.address,
            mean_item_bytes(table),
            options.consistent_read,
            edit.selection.subset,
            key_names=tuple(part.name for part in table.key),
            most_items=None if isinstance(edit.mode, str) else ITEMS_A_PAGE,
            edits=True,
        )
        target = JobTable(table, run.session.data_plane(table, options.give_up_after_s))
        return EditJob(source_of(run, options), target, scan, edit.mode, run.lanes)

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> EditResult:
        error = self._rejects.settle(plan, accounts, error)
        assert run.other is not None
        return EditResult(
            **outcome(accounts, error, plan.units),
            cap=run.other.cap,
            write_units=accounts.total.target_units,
            read_cap=run.cap,
            read_units=accounts.total.units - accounts.total.target_units,
            **self._rejects.outcome(),
        )

    def facts(self, result: EditResult) -> dict[str, Any]:
        return result.reject_facts()


def edit_segments(table: TableInfo, workers: int, lanes: int) -> int:
    """How many segments to scan a table in: more than an export's, because most of the time goes into writes."""
    most = workers * lanes
    busy = min(most, math.ceil(table.item_count / ITEMS_A_SEGMENT)) if table.item_count else most
    return min(max(segment_count(table, workers, lanes), busy), MAX_SEGMENTS)
