"""A sample of a table: exact for a small one, within its bounds for any, and not misled by a count that is old."""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import dataclass, field

import pytest

from ddbio.forecast.forecast import Amount
from ddbio.forecast.table_sample import SAMPLE_S, SEGMENTS, TableSample, sample_table
from ddbio.values.capacity import item_size_bytes, page_read_units
from ddbio.values.items import AttributeMap


@dataclass
class Page:
    items: list[AttributeMap]
    scanned: int
    units: float
    next_key: object | None


@dataclass
class Table:
    """Items at places in the hash space, 0 to 1. matches: a filter. spent: units, and now_s: the time, which sleeping
    takes."""

    items: list[tuple[float, AttributeMap]]
    matches: str = ""
    spent: float = 0.0
    now_s: float = 0.0
    segments: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, count: int, seed: int = 1) -> Table:
        rng = random.Random(seed)
        made = [
            {"id": {"S": f"{number:09}"}, "pad": {"S": "x" * rng.choice((10, 100, 100, 3000))}}
            for number in range(count)
        ]
        return cls(sorted(((rng.random(), item) for item in made), key=lambda pair: pair[0]))

    @property
    def size_bytes(self) -> int:
        return sum(item_size_bytes(item) for _, item in self.items)

    def read(self, segment: int, segments: int, key: object | None, most_items: int) -> Page:
        self.segments.add(segments)
        start = int(str(key)) if key is not None else 0
        first, last = (
            bisect_left(self.items, number / segments, key=lambda pair: pair[0]) for number in (segment, segment + 1)
        )
        mine = [item for _, item in self.items[first:last]]
        page = mine[start : start + most_items]
        units = page_read_units(sum(map(item_size_bytes, page)), False)
        self.spent += units
        following = start + len(page)
        found = [item for item in page if item["id"]["S"].endswith(self.matches)]
        return Page(found, len(page), units, following if following < len(mine) else None)

    def sample(self, counted: int, size_bytes: int, units_per_s: float = float("inf")) -> TableSample | None:
        def sleep(seconds: float) -> None:
            self.now_s += seconds

        return sample_table(
            self.read,
            counted,
            size_bytes,
            units_per_s=units_per_s,
            sums_of=lambda item: {"twos": 2.0},
            sleep=sleep,
            clock=lambda: self.now_s,
        )


def test_a_small_table_is_read_as_a_whole_and_known_exactly() -> None:
    table = Table.of(700)
    sample = table.sample(700, table.size_bytes)
    assert sample is not None and sample.is_whole
    assert sample.items == Amount.exact(700)
    assert sample.size_bytes == Amount.exact(table.size_bytes)
    assert sample.total("twos") == Amount.exact(1400)
    assert sample.units == table.spent


@pytest.mark.parametrize("seed", range(3))
def test_the_bounds_of_a_large_table_hold_and_its_count_is_believed(seed: int) -> None:
    table = Table.of(30_000, seed)
    sample = table.sample(30_000, table.size_bytes)
    assert sample is not None and not sample.is_whole
    for amount, actual in ((sample.items, 30_000), (sample.size_bytes, table.size_bytes)):
        assert amount.low <= actual <= amount.high
        assert amount.likely == actual, "the service's own count is exact, and fits"
        assert amount.low > 0.8 * actual and amount.high < 1.25 * actual
    assert sample.total("twos").likely == pytest.approx(60_000, rel=0.02)
    assert table.spent < 0.3 * page_read_units(table.size_bytes, False)


@pytest.mark.parametrize("counted", [0, 50, 3000, 250_000])
def test_a_count_that_is_old_does_not_mislead(counted: int) -> None:
    table = Table.of(30_000)
    sample = table.sample(counted, counted * 800)
    assert sample is not None
    assert sample.items.low <= 30_000 <= sample.items.high, (sample.items, table.segments)
    assert sample.items.likely == pytest.approx(30_000, rel=0.2)


def test_items_that_match_and_the_size_of_those_that_do_not() -> None:
    table = Table.of(5000)
    table.matches = "7"
    sample = table.sample(5000, table.size_bytes)
    assert sample is not None and sample.is_whole
    assert sample.matching == Amount.exact(500)
    assert sample.total("twos") == Amount.exact(1000)
    assert sample.size_bytes.likely == pytest.approx(table.size_bytes, rel=0.02), "by what the pages cost"


def test_a_small_cap_makes_a_small_sample() -> None:
    table = Table.of(20_000)
    sample = table.sample(20_000, table.size_bytes, units_per_s=4.0)
    assert sample is not None
    assert table.spent <= 4.0 * SAMPLE_S * 1.5 and table.now_s <= SAMPLE_S * 1.5
    assert sample.items.low <= 20_000 <= sample.items.high


def test_a_key_with_many_items_leaves_the_upper_bound_to_the_count() -> None:
    table = Table.of(20_000)
    table.items = sorted(
        ((0.5 if number < 10_000 else place, item) for number, (place, item) in enumerate(table.items)),
        key=lambda pair: pair[0],
    )
    sample = table.sample(20_000, table.size_bytes)
    assert sample is not None and len(sample.read) == SEGMENTS
    assert sample.items.likely == 20_000 or sample.items.low <= 20_000 <= sample.items.high


def test_a_part_of_a_table_is_less_certain_than_the_whole() -> None:
    table = Table.of(4000)
    sample = table.sample(4000, table.size_bytes)
    assert sample is not None
    tenth = sample.share(0.1)(sample.items)
    assert tenth.likely == pytest.approx(400) and tenth.low < 390 and tenth.high > 410
    assert sample.share(1.0)(sample.items) == sample.items
