"""A copy as a task: each page of one table is written to another.

The cursor moves to a page's `LastEvaluatedKey` when every item of the page is settled in the target: written,
rejected or skipped. A worker reports every page, so that of a killed one at most a page a lane is copied again.

If the tables have the same key and no item is changed on its way, items are not even decoded
(`ddbio.sinks.item_batches`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ddbio.flow.context import SOURCE, TARGET, JobTable, WorkerContext
from ddbio.flow.export_job import scan_source
from ddbio.flow.import_job import table_sink
from ddbio.flow.lane import Task
from ddbio.formats.scanned import ScannedItems
from ddbio.rate.pacer import REQUEST_S
from ddbio.sources.page_size import MostItems
from ddbio.sources.scan import TableScan
from ddbio.steps.transform import TransformSpec, open_transform
from ddbio.values.capacity import write_units

DEFAULT_COPY_LANES = 32  # at most: most of the time of a lane goes into writes, but each holds a page of 1 MB
PAGE_S = 1.0  # of the target's cap: a page should not need more of it, because a killed lane repeats a page
LEAST_PAGE_ITEMS = 100  # fewer would make the rounding of a page's cost, to 4 KB, noticeable


def most_items(context: WorkerContext) -> MostItems:
    """The number of items of a page, by their average size in bytes, whose writes suit the cap of the target."""
    request_units = context.request_units(TARGET)

    def most(item_bytes: float) -> float:
        return max(LEAST_PAGE_ITEMS, request_units() * (PAGE_S / REQUEST_S) / write_units(math.ceil(item_bytes)))

    return most


@dataclass(frozen=True, slots=True)
class CopyJob:
    """Describes a copy to the workers; picklable.

    mode: one of `ddbio.sinks.table_writes.MODES`. transform: of items, if any.
    """

    source: JobTable
    target: JobTable
    scan: TableScan
    lanes: int = DEFAULT_COPY_LANES
    mode: str = "put"
    transform: TransformSpec | None = None

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source, TARGET: self.target}

    @property
    def opens_together(self) -> bool:
        return self.transform is not None

    @property
    def _is_plain(self) -> bool:
        return self.transform is None and self.source.info.key == self.target.info.key

    def open(self, context: WorkerContext) -> Task:
        return Task(
            context,
            source=scan_source(
                context,
                self.scan,
                raw=ScannedItems() if self._is_plain else None,
                most_items=None if self.scan.subset.filters else most_items(context),
            ),
            sink=table_sink(context, (self.target.info,), self.mode),
            transform=open_transform(self.transform),
            report_every_s=0.0,
        )
