"""What the verbs that scan a table have in common."""

from __future__ import annotations

from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.options import ScanOptions
from ddbio.sources.plan import Remainder
from ddbio.sources.subset import Subset, choose_subset, expected_items
from ddbio.values.table import TableInfo


def describe_part(session: Session, options: ScanOptions) -> tuple[TableInfo, Subset]:
    """The table, or the index of it that is scanned, and which part of it.

    The service is asked whether it takes the request: an expression that it refuses should not end a run that has
    begun.
    """
    table = session.describe(options.table)
    subset, placeholders = choose_subset(options, table)
    if subset.members:
        try:
            session.try_scan(options.table, subset.members)
        except UsageError as error:
            raise UsageError(placeholders.with_names(error.message), error.hint) from None
    return table.through(options.index) if options.index is not None else table, subset


def resuming(options: ScanOptions, run: Run, left: Remainder, journal: Journal) -> str:
    """How far an unfinished job is."""
    done, expected, segments_left = journal.past.tally.read, expected_items(options, run.table), len(left.known())
    share = f"about {done / max(done, expected):.0%} done, " if expected else ""  # the service counts now and then
    return f"Resuming: {share}{done:,} items read; {segments_left:,} segment{'s' * (segments_left != 1)} left"
