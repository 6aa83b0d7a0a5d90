"""The items of a table for a program as a task: pages go to the parent undecoded."""

from __future__ import annotations

from dataclasses import dataclass

from ddbio.flow.context import SOURCE, JobTable, WorkerContext
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES, PAGE_INTERVAL_S, scan_source
from ddbio.flow.lane import Task
from ddbio.sinks.first_items import UNDECODED_ITEMS
from ddbio.sinks.item_pages import ItemPages
from ddbio.sources.scan import TableScan


@dataclass(frozen=True, slots=True)
class ItemsJob:
    """Describes the scan to the workers; picklable."""

    source: JobTable
    scan: TableScan
    lanes: int = DEFAULT_EXPORT_LANES
    opens_together: bool = False

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source}

    def open(self, context: WorkerContext) -> Task:
        return Task(
            context,
            source=scan_source(context, self.scan, UNDECODED_ITEMS),
            sink=lambda desk: ItemPages(desk.tally),
            report_every_s=PAGE_INTERVAL_S,
        )
