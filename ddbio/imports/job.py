"""What every worker of an import must know, and what the lanes of one worker share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ddbio.dynamodb.session import DataPlane
from ddbio.dynamodb.table import TableInfo
from ddbio.engines.worker import WorkerContext
from ddbio.formats import Format, FormatSpec, get_format
from ddbio.imports.modes import MODES, WriteMode
from ddbio.imports.reader import RecordReader
from ddbio.imports.reject_limit import RejectCount
from ddbio.imports.small_puts import SmallPuts
from ddbio.imports.spread import SpreadPuts
from ddbio.imports.writer import ImportLane
from ddbio.options import AwsSettings
from ddbio.storage import Storages
from ddbio.transforms import TransformSpec, open_transform

DEFAULT_IMPORT_LANES = 128  # at most; at 10 ms a request, 128 lanes write 320,000 items a second, or insert 12,800


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What every worker of an import must know; picklable.

    mode: one of `ddbio.imports.modes.MODES`. transform: what becomes of an item first, if anything.
    more_tables: that the transform may send items to. reject_count: of all workers, if only so many are allowed.
    """

    table: TableInfo
    data_plane: DataPlane
    aws: AwsSettings
    lanes: int = DEFAULT_IMPORT_LANES
    mode: str = "put"
    transform: TransformSpec | None = None
    more_tables: tuple[TableInfo, ...] = ()
    reject_count: RejectCount | None = None

    def open(self, context: WorkerContext) -> ImportWork:
        return ImportWork(self, context)


class ImportWork:
    """An import opened in a worker: what its lanes share."""

    def __init__(self, job: ImportJob, context: WorkerContext) -> None:
        self.job = job
        self.context = context
        self.format_of: Callable[[FormatSpec], Format] = cache(get_format)
        self.small_puts_of: Callable[[FormatSpec], SmallPuts] = cache(self._small_puts)
        self.tables = (job.table, *job.more_tables)
        self.mode: WriteMode = SpreadPuts(self.tables) if job.more_tables else MODES[job.mode](job.table)
        self.transform = open_transform(job.transform)
        self.reader = RecordReader(Storages(job.aws, context.keys))
        self.too_many_rejects = False  # the parent is about to stop the run
        self.new_client = job.data_plane.open(context, job.table.name)

    def lane(self) -> ImportLane:
        return ImportLane(self)

    def rejects_reported(self, number: int) -> None:
        """So many more are on their way to the parent."""
        count = self.job.reject_count
        if number and count is not None and count.passed_with(number):
            self.too_many_rejects = True

    def _small_puts(self, format: FormatSpec) -> SmallPuts:
        return SmallPuts(self.job.table, self.format_of(format), self.mode.key_of)
