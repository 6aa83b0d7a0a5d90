"""Cuts a table into segments."""

from __future__ import annotations

import math
import random

from ddbio.messages import SegmentUnit
from ddbio.values.table import TableInfo

MIB = 1024 * 1024

SEGMENT_BYTES = 512 * MIB  # at most
MIN_SEGMENT_BYTES = 4 * MIB  # smaller tables are cut into fewer segments than there are lanes
SEGMENTS_A_WORKER_UNKNOWN = 4  # if the service does not report the table's size yet (it updates it every six hours)
MAX_SEGMENTS = 1_000_000  # the service's limit


def segment_count(table: TableInfo, workers: int, lanes: int, least_bytes: int = MIN_SEGMENT_BYTES) -> int:
    """How many segments to scan a table in: enough to keep all lanes busy, but no tiny segments of a small table."""
    if table.size_bytes == 0:
        return workers * SEGMENTS_A_WORKER_UNKNOWN
    by_size = math.ceil(table.size_bytes / SEGMENT_BYTES)
    busy = min(workers * lanes, math.ceil(table.size_bytes / least_bytes))
    return min(max(by_size, busy), MAX_SEGMENTS)


def segment_units(total_segments: int, seed: int = 0) -> list[SegmentUnit]:
    """The segments of a scan, in shuffled order.

    Shuffled because neighbours are in the same partition, which is limited to 3,000 read units per second: lanes that
    scan neighbours slow each other down. The order is the same for the same number.
    """
    units = [SegmentUnit(segment, segment, total_segments) for segment in range(total_segments)]
    random.Random(seed).shuffle(units)
    return units
