"""A job is worked in its first process only if that takes less time than starting another one."""

from __future__ import annotations

import pytest

from ddbio.job.small_work import MOST_SOURCE_BYTES, MOST_TABLE_BYTES, is_small
from ddbio.messages import PartitionUnit, SegmentUnit, SliceUnit, Unit
from ddbio.messages.files import SourceFile
from ddbio.sources.plan import Plan, Remainder


def slices(*sizes: int) -> list[Unit]:
    return [SliceUnit(number, SourceFile("file", size, ""), 0, size) for number, size in enumerate(sizes)]


def partitions(count: int) -> list[Unit]:
    return [PartitionUnit(number, count) for number in range(count)]


@pytest.mark.parametrize(
    ("units", "table_bytes", "expected"),
    [
        ([], 0, True),
        (slices(MOST_SOURCE_BYTES), 0, True),
        (slices(MOST_SOURCE_BYTES // 2, MOST_SOURCE_BYTES // 2), 0, True),
        (slices(MOST_SOURCE_BYTES // 2, MOST_SOURCE_BYTES // 2 + 1), 0, False),
        ([SegmentUnit(0, 0, 1)], MOST_TABLE_BYTES, True),
        ([SegmentUnit(0, 0, 1)], MOST_TABLE_BYTES + 1, False),
        ([SegmentUnit(number, number, 8) for number in range(8)], 0, False),  # its size is not known yet
        (partitions(64), 1, True),
        (partitions(65), 1, False),
        (partitions(64), 0, False),
    ],
)
def test_what_is_small(units: list[Unit], table_bytes: int, expected: bool) -> None:
    assert is_small(Remainder(Plan(units), lambda unit: unit), table_bytes) is expected


def test_only_what_is_left_counts() -> None:
    """A run that resumes the last part of a large job needs no workers."""
    plan = Plan(slices(10 * MOST_SOURCE_BYTES, 100))
    assert is_small(Remainder(plan, lambda unit: unit if unit.number == 1 else None), 0)


def test_a_plan_that_still_grows_is_not_small() -> None:
    plan = Plan(slices(10), iter(()))
    assert not is_small(Remainder(plan, lambda unit: unit), 0)
    plan.close()
