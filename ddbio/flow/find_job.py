"""A search as a task, if its result is put in order or into columns: the parent gets the items that may belong to it.

Any other search is an export to standard output (`ddbio.flow.export_job`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ddbio.flow.context import REPORT_INTERVAL_S, SOURCE, JobTable, WorkerContext
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES, scan_source
from ddbio.flow.lane import Task
from ddbio.sinks.first_items import UNDECODED_ITEMS, FirstItems
from ddbio.sources.scan import TableScan
from ddbio.values.ordering import Order, Top


@dataclass(frozen=True, slots=True)
class FindJob:
    """Describes the search to the workers; picklable. order: None for the order in which items are found.

    limit: of the items that a worker keeps.
    """

    source: JobTable
    scan: TableScan
    order: Order | None
    limit: int
    lanes: int = DEFAULT_EXPORT_LANES
    opens_together: bool = False

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source}

    def open(self, context: WorkerContext) -> Task:
        top = None if self.order is None else Top(self.order, self.limit)
        return Task(
            context,
            source=scan_source(context, self.scan, UNDECODED_ITEMS),
            sink=lambda desk: FirstItems(desk.tally, top),
            report_every_s=REPORT_INTERVAL_S,
        )
