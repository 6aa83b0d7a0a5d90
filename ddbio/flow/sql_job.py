"""The loading of a query's table as a task: workers turn items, of a table or of files, into Arrow batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from ddbio.aws.settings import AwsSettings
from ddbio.flow.context import PAGES_INTERVAL_S, JobTable, WorkerContext
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.flow.lane import Task
from ddbio.flow.scan_job import ScanJob
from ddbio.formats import get_format
from ddbio.sinks.sink import Desk, Sink
from ddbio.sources.reader import RecordReader
from ddbio.sources.slices import SliceSource
from ddbio.storage import Storages


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlTableJob(ScanJob):
    """The loading of a table."""

    report_every_s: ClassVar[float] = PAGES_INTERVAL_S

    def rows(self) -> Any:
        from ddbio.sinks.arrow_pages import TYPED_ITEMS  # pyarrow is an extra

        return TYPED_ITEMS

    def sinks(self) -> Callable[[Desk], Sink]:
        from ddbio.sinks.arrow_pages import ArrowPages

        return lambda desk: ArrowPages(desk.tally, f"table {self.source.info.name}")


@dataclass(frozen=True, slots=True)
class SqlFilesJob:
    """Describes the loading of files to the workers; picklable. aws: for S3."""

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
            report_every_s=PAGES_INTERVAL_S,
        )
