"""An import as a task: slices of files into a table, or several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from ddbio.aws.settings import AwsSettings
from ddbio.flow.context import TARGET, JobTable, WorkerContext
from ddbio.flow.lane import Task
from ddbio.formats import Format, get_format
from ddbio.messages.format_spec import FormatSpec
from ddbio.sinks.sink import Desk
from ddbio.sinks.table import TableSink, TableWriter
from ddbio.sinks.table_writes import OpenMode
from ddbio.sources.reader import RecordReader
from ddbio.sources.slices import SliceSource
from ddbio.steps.transform import TransformSpec, open_transform
from ddbio.storage import Storages
from ddbio.values.table import TableInfo

DEFAULT_IMPORT_LANES = 128  # at most; at 10 ms a request, 128 lanes write 320,000 items a second, or insert 12,800


@dataclass(frozen=True, slots=True)
class ImportJob:
    """Describes an import to the workers; picklable.

    mode: one of `ddbio.sinks.table_writes.MODES`, or a function that makes one. transform: of items, if any.
    more_tables: to which the transform may also send items.
    """

    target: JobTable
    aws: AwsSettings
    lanes: int = DEFAULT_IMPORT_LANES
    mode: str | OpenMode = "put"
    transform: TransformSpec | None = None
    more_tables: tuple[TableInfo, ...] = ()

    @property
    def tables(self) -> dict[str, JobTable]:
        return {TARGET: self.target}

    @property
    def opens_together(self) -> bool:
        return self.transform is not None

    def open(self, context: WorkerContext) -> Task:
        return import_task(self, context, RecordReader(Storages(self.aws, context.keys(TARGET))))


def import_task(
    job: ImportJob,
    context: WorkerContext,
    reader: RecordReader,
    get_format: Callable[[FormatSpec], Format] = get_format,
) -> Task:
    format_of = cache(get_format)
    return Task(
        context,
        source=lambda desk: SliceSource(reader, format_of, desk.tally, desk.sizes),
        sink=table_sink(context, (job.target.info, *job.more_tables), job.mode),
        transform=open_transform(job.transform),
    )


def table_sink(
    context: WorkerContext, tables: Sequence[TableInfo], mode: str | OpenMode = "put"
) -> Callable[[Desk], TableSink]:
    """Writes to the target. tables: the first, and others to which a transform may send items."""
    writer = TableWriter(tables, mode)

    def sink(desk: Desk) -> TableSink:
        return TableSink(writer, context.client(TARGET, desk.spent), context.request_units(TARGET), desk)

    return sink
