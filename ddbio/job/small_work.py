"""Whether the work that is left is done before a worker process could have started.

A worker costs about 0.3 CPU-seconds and 45 MB before its first request. In that time one process imports a mebibyte,
or reads a small table. More work than that, or work of unknown size, is for worker processes.
"""

from __future__ import annotations

from collections.abc import Iterable

from ddbio.layouts.spill import LEAST_PARTITIONS
from ddbio.messages import PartitionUnit, SegmentUnit, SliceUnit, Unit
from ddbio.sources.cutting import SMALL_BYTES
from ddbio.sources.plan import Remainder
from ddbio.sources.segments import MIN_SEGMENT_BYTES

MOST_SOURCE_BYTES = SMALL_BYTES  # sources up to this size are all cut before the work begins
MOST_TABLE_BYTES = MIN_SEGMENT_BYTES  # such a table is one segment: a second worker would have none


def is_small(left: Remainder, table_bytes: int) -> bool:
    """table_bytes: of the table or index that is read, as the service reports it; 0 if it does not know yet."""
    return left.is_known and _are_small(left.known(), is_small_table=0 < table_bytes <= MOST_TABLE_BYTES)


def _are_small(units: Iterable[Unit], *, is_small_table: bool) -> bool:
    source_bytes = partitions = 0
    for unit in units:
        if isinstance(unit, SliceUnit):
            source_bytes += unit.stop - unit.start
        elif isinstance(unit, SegmentUnit | PartitionUnit) and is_small_table:
            partitions += isinstance(unit, PartitionUnit)
        else:
            return False
        if source_bytes > MOST_SOURCE_BYTES or partitions > LEAST_PARTITIONS:
            return False
    return True
