"""Cuts a job into units. Pure: sizes in, units out; nothing is read to find out where to cut."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from ddbio.dynamodb.table import TableInfo
from ddbio.formats import FormatSpec
from ddbio.storage import SourceFile
from ddbio.units import SegmentUnit, SliceUnit

MIB = 1024 * 1024
UNIT_BYTES = MIB  # of an import: a second or so of a lane's work, and the size of a ranged GET
MIN_UNIT_BYTES = 64 * 1024
UNITS_A_LANE = 4  # at least, where the source allows: so that no lane is left with the last unit for long
SECONDS_A_UNIT = 10  # at most, under a small cap
MAX_UNITS = 1_000_000  # more would be a burden to plan; units grow instead
BYTES_A_WRITE_UNIT = 1024

SEGMENT_BYTES = 512 * MIB  # of a table large enough to have the choice
MIN_SEGMENT_BYTES = 4 * MIB  # below that, a table is cut into fewer segments than there are lanes
SEGMENTS_A_WORKER_UNKNOWN = 4  # for a table whose size the service does not know yet (it looks every six hours)
MAX_SEGMENTS = 1_000_000  # the service's


def unit_bytes(total_bytes: int, lanes: int, cap_units_per_s: float) -> int:
    """How large to cut the slices of an import. lanes: of all workers; cap: infinite for none."""
    lane_bytes_per_s = cap_units_per_s * BYTES_A_WRITE_UNIT / lanes
    size = min(UNIT_BYTES, total_bytes // max(1, lanes * UNITS_A_LANE), lane_bytes_per_s * SECONDS_A_UNIT)
    return max(int(size), MIN_UNIT_BYTES, math.ceil(total_bytes / MAX_UNITS))


def slice_units(files: Sequence[SourceFile], format: FormatSpec, size: int, seed: int = 0) -> list[SliceUnit]:
    """The slices of all files, in shuffled order.

    Shuffled because files are often sorted by partition key: neighbours in a file would heat one partition. The
    order is the same for the same files.
    """
    cuts = [
        (file, start, min(start + size, file.size_bytes))
        for file in files
        for start in range(0, file.size_bytes, size)
    ]
    units = [SliceUnit(number, *cut, format=format) for number, cut in enumerate(cuts)]
    random.Random(seed).shuffle(units)
    return units


def segment_count(table: TableInfo, workers: int, lanes: int) -> int:
    """How many segments to scan a table in: all lanes busy where it deserves that, no confetti of a small table."""
    if table.size_bytes == 0:
        return workers * SEGMENTS_A_WORKER_UNKNOWN
    by_size = math.ceil(table.size_bytes / SEGMENT_BYTES)
    busy = min(workers * lanes, math.ceil(table.size_bytes / MIN_SEGMENT_BYTES))
    return min(max(by_size, busy), MAX_SEGMENTS)


def segment_units(total_segments: int) -> list[SegmentUnit]:
    return [SegmentUnit(segment, segment, total_segments) for segment in range(total_segments)]
