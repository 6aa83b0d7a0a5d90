"""Deletes and updates as a task: the pages of a table's segments, and writes to the same table.

The cursor moves when an item is settled, to its key. An item that was written before a kill, but not accounted for,
is scanned again: most filters do not match it any more, and any other write of it is repeatable.
"""

from __future__ import annotations

from dataclasses import dataclass

from ddbio.flow.context import SOURCE, TARGET, JobTable, WorkerContext
from ddbio.flow.export_job import scan_source
from ddbio.flow.import_job import table_sink
from ddbio.flow.lane import Task
from ddbio.sinks.table_writes import OpenMode
from ddbio.sinks.updates import UpdateByFunction
from ddbio.sources.scan import TableScan

DEFAULT_EDIT_LANES = 32  # at most: each has a page in memory; at 10 ms a request, they update 3,200 items a second


@dataclass(frozen=True, slots=True)
class EditJob:
    """Describes the job to the workers; picklable.

    mode: one of `ddbio.sinks.table_writes.MODES`, or a function that makes one.
    """

    source: JobTable
    target: JobTable
    scan: TableScan
    mode: str | OpenMode
    lanes: int = DEFAULT_EDIT_LANES

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source, TARGET: self.target}

    @property
    def opens_together(self) -> bool:
        return isinstance(self.mode, UpdateByFunction)

    def open(self, context: WorkerContext) -> Task:
        mode, table = self.mode, self.target.info
        return Task(
            context,
            source=scan_source(context, self.scan),
            sink=table_sink(context, (table,), mode),
            transform=mode.planner(table) if isinstance(mode, UpdateByFunction) else None,
        )
