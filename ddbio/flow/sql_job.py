"""The loading of a query's table as a task: workers turn items, of a table or of files, into Arrow batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from ddbio.aws.settings import AwsSettings
from ddbio.flow.context import SOURCE, JobTable, WorkerContext
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES, PAGE_INTERVAL_S, scan_source
from ddbio.flow.lane import Task
from ddbio.formats import get_format
from ddbio.sources.reader import RecordReader
from ddbio.sources.scan import TableScan
from ddbio.sources.slices import SliceSource
from ddbio.storage import Storages


@dataclass(frozen=True, slots=True)
class SqlTableJob:
    """Describes the scan to the workers; picklable."""

    source: JobTable
    scan: TableScan
    lanes: int = DEFAULT_EXPORT_LANES
    opens_together: bool = False

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source}

    def open(self, context: WorkerContext) -> Task:
        from ddbio.sinks.arrow_pages import TYPED_ITEMS, ArrowPages  # pyarrow is an extra

        return Task(
            context,
            source=scan_source(context, self.scan, TYPED_ITEMS),
            sink=lambda desk: ArrowPages(desk.tally, f"table {self.source.info.name}"),
            report_every_s=PAGE_INTERVAL_S,
        )


@dataclass(frozen=True, slots=True)
class SqlFilesJob:
    """The same of files. aws: for S3."""

    aws: AwsSettings
    lanes: int = DEFAULT_EXPORT_LANES
    opens_together: bool = False

    @property
    def tables(self) -> Mapping[str, JobTable]:
        return {}

    def open(self, context: WorkerContext) -> Task:
        from ddbio.sinks.arrow_pages import ArrowPages

        reader, format_of = RecordReader(Storages(self.aws)), cache(get_format)
        return Task(
            context,
            source=lambda desk: SliceSource(reader, format_of, desk.tally),
            sink=lambda desk: ArrowPages(desk.tally, "a file"),
            report_every_s=PAGE_INTERVAL_S,
        )
