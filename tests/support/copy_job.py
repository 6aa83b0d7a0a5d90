"""A copy of one table into another, put together of what imports and exports are made of: no lane of its own."""

from __future__ import annotations

from dataclasses import dataclass

from ddbio.flow.context import SOURCE, TARGET, JobTable, WorkerContext
from ddbio.flow.export_job import scan_source
from ddbio.flow.import_job import table_sink
from ddbio.flow.lane import Task
from ddbio.sources.scan import TableScan
from ddbio.steps.transform import TransformSpec, open_transform


@dataclass(frozen=True, slots=True)
class CopyJob:
    """report_every_s: how often a lane reports; None for as often as an import does."""

    source: JobTable
    target: JobTable
    lanes: int = 2
    transform: TransformSpec | None = None
    report_every_s: float | None = None

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source, TARGET: self.target}

    def open(self, context: WorkerContext) -> Task:
        return Task(
            context,
            source=scan_source(context, TableScan(self.source.info.address)),
            sink=table_sink(context, (self.target.info,)),
            transform=open_transform(self.transform),
            report_every_s=self.report_every_s,
        )
