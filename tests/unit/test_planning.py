"""Cutting a job into units: all of it, nothing twice, neither confetti nor one lump."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.cutting import MAX_UNITS, MIB, MIN_UNIT_BYTES, UNIT_BYTES, Source, plan_slices, unit_bytes
from ddbio.sources.segments import MAX_SEGMENTS, MIN_SEGMENT_BYTES, SEGMENT_BYTES, segment_count, segment_units
from tests.support.tables import table

KIB = 1024
JSON = FormatSpec("json")


def planned(files: list[SourceFile], size: int, seed: int = 0) -> list[Any]:
    """The units of JSON lines: planned at once, and without a look into the files."""

    def read(*_: object) -> bytes:
        raise AssertionError("nothing is read to find out where to cut lines")

    plan = plan_slices([Source(file, JSON) for file in files], size, read, seed)
    assert plan.complete and list(plan) == plan.units
    return plan.units


@pytest.mark.parametrize(
    ("total_bytes", "lanes", "cap", "size"),
    [
        (100 * 1024 * MIB, 32, math.inf, MIB),
        (512 * MIB, 32, math.inf, MIB),
        (64 * MIB, 32, math.inf, 128 * KIB),  # sixteen for each lane
        (MIB, 32, math.inf, 64 * KIB),
        (0, 32, math.inf, 64 * KIB),
        (1024 * MIB, 32, 10.0, 64 * KIB),  # a lane writes 320 bytes a second
        (100 * 1024 * MIB, 32, 1000.0, 320_000),  # ten seconds of 1/32 of 1,000 KB
        (100 * 1024 * MIB, 32, 1e9, MIB),
        (4_000_000 * MIB, 32, math.inf, 4 * MIB),  # 4 TB: no more than a million units
        (4_000_000 * MIB, 32, 10.0, 4 * MIB),
    ],
)
def test_the_size_of_a_unit(total_bytes: int, lanes: int, cap: float, size: int) -> None:
    assert unit_bytes(total_bytes, lanes, cap) == size


@given(st.integers(0, 10**16), st.integers(1, 10_000), st.floats(0.1, math.inf))
def test_units_are_never_too_many(total_bytes: int, lanes: int, cap: float) -> None:
    size = unit_bytes(total_bytes, lanes, cap)
    assert size >= MIN_UNIT_BYTES
    assert total_bytes / size <= MAX_UNITS
    assert size <= max(UNIT_BYTES, math.ceil(total_bytes / MAX_UNITS))


SIZES = st.lists(st.integers(0, 1000), max_size=8)


@given(SIZES, st.integers(1, 300), st.integers())
def test_slices_cover_every_file_once(sizes: list[int], size: int, seed: int) -> None:
    files = [SourceFile(f"file-{number}", size_bytes, "1") for number, size_bytes in enumerate(sizes)]
    units = planned(files, size, seed)
    for file in files:
        slices = sorted((unit.start, unit.stop) for unit in units if unit.file == file)
        assert [byte for start, stop in slices for byte in range(start, stop)] == list(range(file.size_bytes))
        assert all(0 < stop - start <= size for start, stop in slices)
    assert sorted(unit.number for unit in units) == list(range(len(units)))
    assert all(unit.cursor is None for unit in units)


def test_slices_are_shuffled_the_same_way_each_time() -> None:
    files = [SourceFile("orders.json", 100_000, "1")]
    units = planned(files, 1000)
    assert units == planned(files, 1000)
    assert units != planned(files, 1000, seed=1)
    starts = [unit.start for unit in units]
    neighbours = sum(1 for one, other in pairwise(starts) if other - one == 1000)
    assert neighbours < 10


@pytest.mark.parametrize(
    ("size_bytes", "workers", "lanes", "segments"),
    [
        (0, 4, 8, 16),  # the service has not looked yet
        (1, 4, 8, 1),
        (MIN_SEGMENT_BYTES, 4, 8, 1),
        (MIN_SEGMENT_BYTES + 1, 4, 8, 2),
        (20 * MIN_SEGMENT_BYTES, 4, 8, 20),
        (1000 * MIN_SEGMENT_BYTES, 4, 8, 32),  # all lanes busy
        (100 * SEGMENT_BYTES, 4, 8, 100),  # and more on a large table
        (10**18, 4, 8, MAX_SEGMENTS),
    ],
)
def test_the_number_of_segments(size_bytes: int, workers: int, lanes: int, segments: int) -> None:
    assert segment_count(table({"id": "S"}, TableSizeBytes=size_bytes), workers, lanes) == segments


@given(st.integers(0, 10**18), st.integers(1, 200), st.integers(1, 100))
def test_there_are_always_segments_the_service_accepts(size_bytes: int, workers: int, lanes: int) -> None:
    assert 1 <= segment_count(table({"id": "S"}, TableSizeBytes=size_bytes), workers, lanes) <= MAX_SEGMENTS


def test_every_segment_is_a_unit() -> None:
    units = sorted(segment_units(5), key=lambda unit: unit.number)
    assert [(unit.number, unit.segment, unit.total_segments) for unit in units] == [(n, n, 5) for n in range(5)]


def test_segments_that_are_worked_together_are_spread_over_the_table() -> None:
    """Eight lanes on a table of a hundred partitions: neighbours would be on one or two of them."""
    first = [unit.segment // 10 for unit in segment_units(1000)[:8]]
    assert len(set(first)) >= 7
    assert segment_units(1000) == segment_units(1000)
