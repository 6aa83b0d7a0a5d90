"""An export as a task: each segment of a table into its own files, or all to standard output.

The cursor moves to a page's `LastEvaluatedKey` when every line of the page is durable in the segment's files. When
the export is resumed, files that were started after that are started again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.scan import COUNT_ONLY
from ddbio.flow.context import SOURCE, JobTable, WorkerContext
from ddbio.flow.lane import Task
from ddbio.formats import Format, RowFormat, as_lines, get_format
from ddbio.formats.compression import get_compression
from ddbio.formats.scanned import ScannedItems
from ddbio.messages.format_spec import FormatSpec
from ddbio.native import Rendering
from ddbio.options import STDOUT
from ddbio.sinks.segment_files import LineFiles, RowFiles
from ddbio.sinks.sink import Desk, Sink
from ddbio.sinks.stdout import PageStream
from ddbio.sources.page_size import MostItems
from ddbio.sources.scan import ATTRIBUTE_MAPS, Scanning, ScanSource, TableScan
from ddbio.sources.subset import WHOLE, Subset
from ddbio.steps.transform import TransformSpec, open_transform
from ddbio.storage import Storage, open_storage

DEFAULT_EXPORT_LANES = 8  # a page is 1 MB: eight keep a CPU busy, and on S3 each holds a part in memory


@dataclass(frozen=True, slots=True)
class ExportJob:
    """Describes an export to the workers; picklable.

    item_bytes: average item size that the service reports; 0 if it reports none.
    max_file_bytes: a file is closed before it would exceed this size.
    md5: files have their MD5 as a checksum. Another process cannot resume it, so files are always written whole.
    subset: the part of the table to export; all of it by default. transform: of items, if any.
    """

    source: JobTable
    item_bytes: float
    format: FormatSpec
    destination: str
    aws: AwsSettings
    max_file_bytes: int
    consistent_read: bool
    lanes: int = DEFAULT_EXPORT_LANES
    compress: str = "none"
    md5: bool = False
    subset: Subset = WHOLE
    transform: TransformSpec | None = None

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source}

    @property
    def opens_together(self) -> bool:
        return self.transform is not None

    @property
    def table(self) -> str:
        """The table's name in requests."""
        return self.source.info.address

    @property
    def scan(self) -> TableScan:
        return TableScan(self.table, self.item_bytes, self.consistent_read, self.subset)

    def open(self, context: WorkerContext) -> Task:
        to_stdout = self.destination == STDOUT
        storage = None if to_stdout else open_storage(self.destination, self.aws, context.keys(SOURCE))
        return export_task(self, context, storage)


def export_task(job: ExportJob, context: WorkerContext, storage: Storage | None) -> Task:
    """storage: of the destination; None for standard output."""
    format, transform = get_format(job.format), open_transform(job.transform)
    # A transform needs attribute maps; without one, items are decoded to the type that the format renders.
    rows, rendered = (format.page_items, format.rendered) if transform is None else (ATTRIBUTE_MAPS, None)
    return Task(
        context,
        source=scan_source(context, job.scan, rows, rendered),
        sink=_sinks(job, format, storage),
        transform=transform,
    )


def scan_source(
    context: WorkerContext,
    scan: TableScan,
    rows: Any = ATTRIBUTE_MAPS,
    rendered: Rendering | None = None,
    raw: ScannedItems | None = None,
    most_items: MostItems | None = None,
) -> Callable[[Desk], ScanSource]:
    """Reads the source. rows, rendered, raw, most_items: see `Scanning`."""
    scanning = Scanning(scan, context.request_units(SOURCE), rows, rendered, raw, most_items)
    whole_items = rows is not COUNT_ONLY and "ProjectionExpression" not in scan.subset.members

    def source(desk: Desk) -> ScanSource:
        sizes = desk.sizes if whole_items else None
        return ScanSource(scanning, context.client(SOURCE, desk.spent), context.limit, desk.tally, sizes)

    return source


def _sinks(job: ExportJob, format: Format, storage: Storage | None) -> Callable[[Desk], Sink]:
    if storage is not None and isinstance(format, RowFormat):
        return lambda desk: RowFiles(storage, job, format, desk.tally)
    lines = as_lines(format)
    if storage is not None:
        return lambda desk: LineFiles(storage, job, lines, desk.tally)
    compression = get_compression(job.compress)
    return lambda desk: PageStream(lines, compression, job.table, desk.tally)
