"""The distribution of items over segments: its figures, its histogram, its text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ddbio.values.distribution import BARS, Distribution

NUMBERS = st.lists(st.integers(0, 10**6), min_size=1, max_size=60)


@given(NUMBERS)
def test_every_segment_is_in_one_bar(numbers: list[int]) -> None:
    made = Distribution.of(dict(enumerate(numbers)))
    assert len(made.histogram) <= BARS
    for bar in made.histogram:
        assert bar.segments == sum(bar.least <= number <= bar.most for number in numbers)
    assert sum(bar.segments for bar in made.histogram) == len(numbers)
    assert (made.least, made.most, made.segments) == (min(numbers), max(numbers), len(numbers))
    assert made.skew >= 1


def test_the_text() -> None:
    made = Distribution.of({0: 10, 1: 10, 7: 30, 8: 10})
    assert made.skew == 2.0 and made.largest[0] == (7, 30)
    assert made.lines("items") == [
        "by segment: 4 segments, least 10, median 10, mean 15.0, most 30 items; skew 2.00 (largest / mean)",
        "  10 to 12  3 ########################################",
        "  13 to 15  0",
        "  16 to 18  0",
        "  19 to 21  0",
        "  22 to 24  0",
        "  25 to 27  0",
        "  28 to 30  1 #############",
    ]


def test_empty_segments() -> None:
    made = Distribution.of({0: 0, 1: 0})
    assert (made.skew, made.mean) == (1.0, 0.0)
    assert made.lines("items")[1:] == [f"  0  2 {'#' * 40}"]
