"""The first half of a comparison as a task: one side, a table or the files of an export, is spilled to disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from ddbio.aws.settings import AwsSettings
from ddbio.flow.context import SOURCE, JobTable, WorkerContext
from ddbio.flow.lane import Task
from ddbio.flow.scan_job import ScanJob
from ddbio.formats import get_format
from ddbio.sinks.sink import Desk
from ddbio.sinks.spill import RAW_ITEMS, Spill, Spilling, SpillSpec
from ddbio.sources.reader import RecordReader
from ddbio.sources.slices import SliceSource
from ddbio.storage import Storages

DEFAULT_SPILL_LANES = 2  # the small items of a page of 1 MB keep a CPU busy for longer than the next page takes
REPORT_EVERY_S = 1.0  # before each report the buffers are flushed


@dataclass(frozen=True, slots=True, kw_only=True)
class SpillTableJob(ScanJob):
    """The spill of a table."""

    spill: SpillSpec
    lanes: int = DEFAULT_SPILL_LANES
    report_every_s: ClassVar[float] = REPORT_EVERY_S

    def rows(self) -> Any:
        return RAW_ITEMS

    def sinks(self) -> Callable[[Desk], Spill]:
        return _spills(self.spill, self.source)


@dataclass(frozen=True, slots=True)
class SpillFilesJob:
    """Describes the spill of files to the workers; picklable.

    table: whose keys they have; nothing is read from it. aws: for S3.
    """

    table: JobTable
    aws: AwsSettings
    spill: SpillSpec
    lanes: int = DEFAULT_SPILL_LANES
    opens_together: bool = False

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.table}

    def open(self, context: WorkerContext) -> Task:
        reader, format_of = RecordReader(Storages(self.aws, context.keys(SOURCE))), cache(get_format)
        return Task(
            context,
            source=lambda desk: SliceSource(reader, format_of, desk.tally),
            sink=_spills(self.spill, self.table),
            report_every_s=REPORT_EVERY_S,
        )


def _spills(spec: SpillSpec, table: JobTable) -> Callable[[Desk], Spill]:
    spilling = Spilling(spec, table.info)
    return lambda desk: Spill(spilling, desk.tally)
