"""How a scan is divided among the tasks of a cluster, and the cap among those that run at once. Pure.

A partition of Spark is as many segments as a task has connections for, scattered over the table: neighbouring
segments are in one partition of DynamoDB, which has a limit of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ddbio.errors import UsageError
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.messages import SegmentUnit
from ddbio.sources.segments import MAX_SEGMENTS, segment_count, segment_units
from ddbio.values.table import TableInfo

DEFAULT_TASKS = 8  # if nobody says how many a cluster runs at once
PARTITION_BYTES = 1024**3  # of a large table: a task that is lost has read this much in vain


@dataclass(frozen=True, slots=True)
class Division:
    """partitions: of the scan. at_once: those that are read at once, at most; each has this part of the cap.
    segments: of each partition."""

    partitions: int
    at_once: int
    segments: int

    def units(self, partition: int) -> list[SegmentUnit]:
        """The segments of a partition, from 0; numbered for the job that reads them."""
        first = partition * self.segments
        shuffled = segment_units(self.partitions * self.segments)[first : first + self.segments]
        return [replace(unit, number=number) for number, unit in enumerate(shuffled)]


def divide(
    table: TableInfo,
    *,
    capped: bool,
    tasks: int | None = None,
    partitions: int | None = None,
    slots: int | None = None,
    lanes: int = DEFAULT_EXPORT_LANES,
) -> Division:
    """The division of the scan of a table.

    capped: whether there is a cap to divide. tasks: the user's word that no more run at once. partitions: as many as
    the user asks for. slots: tasks that the cluster could run at once when it was asked; it may grow.

    Without `tasks`, all partitions might run at once, and each has an equal part of the cap; so a capped scan has no
    more of them than slots. Any other scan of a large table has one for each `PARTITION_BYTES`.
    """
    check_positive("tasks", tasks)
    check_positive("partitions", partitions)
    if partitions is None:
        partitions = tasks or slots or DEFAULT_TASKS
        if tasks is not None or not capped:
            partitions = max(partitions, math.ceil(table.size_bytes / PARTITION_BYTES))
    partitions = min(partitions, MAX_SEGMENTS)
    at_once = min(tasks or partitions, partitions)
    segments = math.ceil(segment_count(table, partitions, lanes) / partitions)
    return Division(partitions, at_once, min(segments, MAX_SEGMENTS // partitions))


def check_positive(name: str, number: int | None) -> None:
    """Raise UsageError for a number of tasks or partitions that is none."""
    if number is not None and number < 1:
        raise UsageError(f"{name} is {number}", "give a whole number from 1 on")
