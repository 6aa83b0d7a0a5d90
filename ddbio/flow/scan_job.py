"""A scan of a table as a task. A kind of job says how items are decoded, and which sink they go to.

Jobs that write files or another table have tasks of their own: `ddbio.flow.export_job`, `copy_job`, `edit_job`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ddbio.flow.context import REPORT_INTERVAL_S, SOURCE, JobTable, WorkerContext
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES, scan_source
from ddbio.flow.lane import Task
from ddbio.sinks.sink import Desk, Sink
from ddbio.sources.scan import TableScan


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanJob(ABC):
    """Describes the scan to the workers; picklable. A kind of job adds the values that its sink needs.

    report_every_s: between two reports of a lane, each with its part of the result.
    """

    source: JobTable
    scan: TableScan
    lanes: int = DEFAULT_EXPORT_LANES
    opens_together: bool = False
    report_every_s: ClassVar[float] = REPORT_INTERVAL_S

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source}

    @abstractmethod
    def rows(self) -> Any:
        """How pages are decoded: see `ddbio.sources.scan.Scanning`."""

    @abstractmethod
    def sinks(self) -> Callable[[Desk], Sink]:
        """Makes the sink of a lane."""

    def open(self, context: WorkerContext) -> Task:
        return Task(
            context,
            source=scan_source(context, self.scan, self.rows()),
            sink=self.sinks(),
            report_every_s=self.report_every_s,
        )
