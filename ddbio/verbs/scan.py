"""Shared by the verbs that scan a table."""

from __future__ import annotations

from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError
from ddbio.flow.context import JobTable
from ddbio.job.accounts import Accounts
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.messages import ExportCursor, SegmentUnit
from ddbio.options import ScanOptions
from ddbio.sources.expressions import compared_attributes
from ddbio.sources.page_size import most_page_units
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.scan import TableScan
from ddbio.sources.subset import Subset, choose_subset, expected_items
from ddbio.values.table import TableInfo


def describe_part(session: Session, options: ScanOptions) -> tuple[TableInfo, Subset]:
    """The table, or the index to scan, and the part of it to read.

    The service checks the request first: an expression that it refuses should not end a run that has begun.
    """
    table = session.describe(options.table)
    subset, placeholders = choose_subset(options, table)
    if subset.members:
        try:
            session.try_scan(options.table, subset.members)
        except UsageError as error:
            hint = error.hint or ("docs/shaping.md describes expressions" if "Expression" in error.message else "")
            raise UsageError(placeholders.with_names(error.message), hint) from None
    return table.through(options.index) if options.index is not None else table, subset


def place_of(run: Run) -> str:
    """The table or index that is scanned, as in `index by-day of table Orders in us-east-1`."""
    index = f"index {run.table.index} of " if run.table.index else ""
    return f"{index}table {run.table.name} in {run.session.region}"


def division(run: Run, plan: Plan, left: Remainder) -> str:
    """The division of the work, as in `in 8 segments with 2 processes`."""
    segments = len(plan.units)
    return f"in {segments:,} segment{'s' * (segments != 1)} {run.staffing(left)}"


def scan_of(table: TableInfo, options: ScanOptions, subset: Subset) -> TableScan:
    return TableScan(table.address, mean_item_bytes(table), options.consistent_read, subset)


def resuming(options: ScanOptions, run: Run, left: Remainder, journal: Journal) -> str:
    """The progress of an unfinished job, as a sentence."""
    done, expected, segments_left = journal.past.tally.read, expected_items(options, run.table), len(left.known())
    # expected may be too small: the service updates its count every few hours
    share = f"about {done / max(done, expected):.0%} done, " if expected else ""
    return f"Resuming: {share}{done:,} items read; {segments_left:,} segment{'s' * (segments_left != 1)} left"


def items_by_segment(plan: Plan, accounts: Accounts) -> dict[int, int]:
    """The number of items that were passed on of each segment that is read to its end, in all runs."""
    cursors = {
        unit.segment: accounts.settled.get(unit.number) for unit in plan.units if isinstance(unit, SegmentUnit)
    }
    return {segment: cursor.items for segment, cursor in cursors.items() if isinstance(cursor, ExportCursor)}


def why_none(options: ScanOptions, matching: int) -> tuple[str, ...]:
    """A remark on a filter that no item matches and that is probably not as it was meant."""
    two = compared_attributes(options.filter) if options.filter is not None and not matching else None
    if two is None:
        return ()
    return (f"no item matches, and {two!r} compares two attributes: a value is a :name with --values",)


def source_of(run: Run, options: ScanOptions) -> JobTable:
    """The table as the workers of a scan see it."""
    data_plane = run.session.data_plane(run.table, options.give_up_after_s)
    return JobTable(run.table, data_plane, most_page_units(options.consistent_read))


def mean_item_bytes(table: TableInfo) -> float:
    """The service's own figure, which is hours old; 0 if it knows of no items."""
    return table.size_bytes / table.item_count if table.item_count else 0.0
