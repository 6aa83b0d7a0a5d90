"""Keeps the samples of a job to a bounded number, however long it runs and however often it is resumed.

If there are too many, neighbours are joined, the shortest first. So all parts of a long job are equally coarse, and
a run that resumes it is not: it begins with short samples again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TypeVar

from ddbio.report_page.history import Sample, SideSample

Number = TypeVar("Number", int, float)

MOST = 512


def thinned(samples: Sequence[Sample], most: int = MOST // 2) -> list[Sample]:
    """At most `most` of them, in the same order, with the same sums. Samples of two runs are joined only if nothing
    else is left to join."""
    left = list(samples)
    longest_s = sum(each.seconds for each in left)
    limit_s = 2 * min((each.seconds for each in left), default=0.0)
    while len(left) > most:
        left = _joined(left, limit_s, across_runs=limit_s > 2 * longest_s)
        limit_s = limit_s * 2 or 1.0
    return left


def _joined(samples: Sequence[Sample], limit_s: float, *, across_runs: bool) -> list[Sample]:
    """Pairs of neighbours that are not longer than the limit together, as one each."""
    joined: list[Sample] = []
    is_pair = True
    for each in samples:
        last = joined[-1] if joined else None
        if is_pair or last is None or last.seconds + each.seconds > limit_s:
            is_pair = False
            joined.append(each)
        elif last.run != each.run and not across_runs:
            joined.append(each)
        else:
            joined[-1] = join(last, each)
            is_pair = True
    return joined


def join(first: Sample, second: Sample) -> Sample:
    """Both as one interval; caps and rates are averages over time."""
    return Sample(
        first.run,
        first.began,
        first.seconds + second.seconds,
        first.read + second.read,
        first.written + second.written,
        first.rejected + second.rejected,
        first.throttled + second.throttled,
        first.retries + second.retries,
        [
            _join_sides(one, other, first.seconds, second.seconds)
            for one, other in zip_longest(first.sides, second.sides, fillvalue=SideSample(0.0, None, None))
        ],
        _sum_of(first.reasons, second.reasons),
        _sums(first.latencies, second.latencies),
        _sum_of(first.indexes, second.indexes),
    )


def _join_sides(one: SideSample, other: SideSample, seconds: float, other_seconds: float) -> SideSample:
    def mean(a: float | None, b: float | None) -> float | None:
        whole = seconds + other_seconds
        return None if a is None or b is None or not whole else (a * seconds + b * other_seconds) / whole

    return SideSample(one.units + other.units, mean(one.cap, other.cap), mean(one.rate, other.rate))


def _sum_of(one: dict[str, Number], other: dict[str, Number]) -> dict[str, Number]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _sums(one: Iterable[int], other: Iterable[int]) -> list[int]:
    """One of them may be empty."""
    a, b = list(one), list(other)
    return [x + y for x, y in zip(a, b, strict=True)] if a and b else a or b
