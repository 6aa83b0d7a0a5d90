"""The distribution of a number over the segments of a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

BARS = 8  # of a histogram, at most
MOST_LARGEST = 5
_WIDEST_BAR = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """How many segments have a number in [least, most]."""

    least: int
    most: int
    segments: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """skew: the largest number by the mean; 1 if all are equal, or 0. largest: segments and their numbers."""

    segments: int
    least: int
    median: float
    mean: float
    most: int
    skew: float
    largest: tuple[tuple[int, int], ...]
    histogram: tuple[Bar, ...]

    @classmethod
    def of(cls, numbers: Mapping[int, int]) -> Distribution:
        """numbers: by segment, one at least."""
        values = sorted(numbers.values())
        mean = fmean(values)
        largest = sorted(numbers.items(), key=lambda each: (-each[1], each[0]))[:MOST_LARGEST]
        return cls(
            segments=len(values),
            least=values[0],
            median=float(median(values)),
            mean=mean,
            most=values[-1],
            skew=values[-1] / mean if mean else 1.0,
            largest=tuple(largest),
            histogram=tuple(_bars(values)),
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self, noun: str) -> list[str]:
        """As text. noun: the plural of the counted things."""
        title = (
            f"by segment: {self.segments:,} segments, least {self.least:,}, median {self.median:,.10g}, "
            f"mean {self.mean:,.1f}, most {self.most:,} {noun}; skew {self.skew:.2f} (largest / mean)"
        )
        spans = [
            f"{bar.least:,}" if bar.least == bar.most else f"{bar.least:,} to {bar.most:,}" for bar in self.histogram
        ]
        return [title, *bars([(span, bar.segments) for span, bar in zip(spans, self.histogram, strict=True)])]


def bars(rows: list[tuple[str, int]]) -> list[str]:
    """A histogram as text: a label, a number and a bar a row."""
    labels, numbers = max(len(label) for label, _ in rows), [f"{number:,}" for _, number in rows]
    width, highest = max(map(len, numbers)), max(number for _, number in rows)
    return [
        f"  {label:>{labels}}  {text:>{width}} {'#' * _length(number, highest)}".rstrip()
        for (label, number), text in zip(rows, numbers, strict=True)
    ]


def _length(number: int, highest: int) -> int:
    return max(1, round(number * _WIDEST_BAR / highest)) if number else 0


def _bars(values: list[int]) -> list[Bar]:
    """Of equal width, which is a whole number; the last one may end beyond the largest value. values: sorted."""
    least, most = values[0], values[-1]
    width = max(1, -(-(most - least + 1) // BARS))
    counts = [0] * ((most - least) // width + 1)
    for value in values:
        counts[(value - least) // width] += 1
    return [Bar(least + place * width, least + (place + 1) * width - 1, count) for place, count in enumerate(counts)]
