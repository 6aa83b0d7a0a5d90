"""What every worker of an import must know, and what the lanes of one worker share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ddbio.aws.settings import AwsSettings
from ddbio.flow.context import TARGET, JobTable, WorkerContext
from ddbio.flow.import_lane import ImportLane
from ddbio.formats import Format, get_format
from ddbio.messages.format_spec import FormatSpec
from ddbio.sinks.fast_batch import SmallPuts
from ddbio.sinks.multi_table import SpreadPuts
from ddbio.sinks.table_writes import MODES, WriteMode
from ddbio.sources.reader import RecordReader
from ddbio.steps.transform import TransformSpec, open_transform
from ddbio.storage import Storages
from ddbio.values.table import TableInfo

DEFAULT_IMPORT_LANES = 128  # at most; at 10 ms a request, 128 lanes write 320,000 items a second, or insert 12,800


@dataclass(frozen=True, slots=True)
class ImportJob:
    """What every worker of an import must know; picklable.

    mode: one of `ddbio.sinks.table_writes.MODES`. transform: what becomes of an item first, if anything.
    more_tables: that the transform may send items to.
    """

    target: JobTable
    aws: AwsSettings
    lanes: int = DEFAULT_IMPORT_LANES
    mode: str = "put"
    transform: TransformSpec | None = None
    more_tables: tuple[TableInfo, ...] = ()

    @property
    def tables(self) -> dict[str, JobTable]:
        return {TARGET: self.target}

    def open(self, context: WorkerContext) -> ImportWork:
        return ImportWork(self, context)


class ImportWork:
    """An import opened in a worker: what its lanes share."""

    def __init__(self, job: ImportJob, context: WorkerContext) -> None:
        self.job = job
        self.context = context
        self.format_of: Callable[[FormatSpec], Format] = cache(get_format)
        self.small_puts_of: Callable[[FormatSpec], SmallPuts] = cache(self._small_puts)
        self.tables = (job.target.info, *job.more_tables)
        self.mode: WriteMode = SpreadPuts(self.tables) if job.more_tables else MODES[job.mode](job.target.info)
        self.transform = open_transform(job.transform)
        self.reader = RecordReader(Storages(job.aws, context.keys(TARGET)))
        self.too_many_rejects = False  # the parent is about to stop the run

    def lane(self) -> ImportLane:
        return ImportLane(self)

    def rejects_reported(self, number: int) -> None:
        """So many more are on their way to the parent."""
        count = self.context.reject_count
        if number and count is not None and count.passed_with(number):
            self.too_many_rejects = True

    def _small_puts(self, format: FormatSpec) -> SmallPuts:
        return SmallPuts(self.job.target.info, self.format_of(format), self.mode.key_of)
