"""An inspection as a task: the items of segments are profiled by the workers, and the parent merges the profiles."""

from __future__ import annotations

from dataclasses import dataclass

from ddbio.flow.context import REPORT_INTERVAL_S, SOURCE, JobTable, WorkerContext
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES, scan_source
from ddbio.flow.lane import Task
from ddbio.sinks.profile_items import ProfileItems
from ddbio.sources.scan import TableScan
from ddbio.values.profile import Subject


@dataclass(frozen=True, slots=True)
class InspectJob:
    """Describes an inspection to the workers; picklable."""

    source: JobTable
    scan: TableScan
    subject: Subject
    lanes: int = DEFAULT_EXPORT_LANES
    opens_together: bool = False

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source}

    def open(self, context: WorkerContext) -> Task:
        return Task(
            context,
            source=scan_source(context, self.scan),
            sink=lambda desk: ProfileItems(desk.tally, self.subject),
            report_every_s=REPORT_INTERVAL_S,  # a profile is merged for each report
        )
