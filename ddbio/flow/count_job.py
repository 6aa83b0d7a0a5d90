"""A count as a task: the pages of segments are counted, and no item crosses the network."""

from __future__ import annotations

from dataclasses import dataclass

from ddbio.dynamodb.scan import COUNT_ONLY
from ddbio.flow.context import SOURCE, JobTable, WorkerContext
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES, PAGE_INTERVAL_S, scan_source
from ddbio.flow.lane import Task
from ddbio.sinks.item_count import ItemCount
from ddbio.sources.scan import TableScan


@dataclass(frozen=True, slots=True)
class CountJob:
    """Describes a count to the workers; picklable. scan: with `Select=COUNT` among its members."""

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
            source=scan_source(context, self.scan, COUNT_ONLY),
            sink=lambda desk: ItemCount(desk.tally),
            report_every_s=PAGE_INTERVAL_S,
        )
