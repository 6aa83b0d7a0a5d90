"""The estimate of a total from sampled segments: unbiased, and its interval covers the truth as often as it says."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.values.sampling import Estimate, _student, estimate_total

SEGMENTS, TRIALS = 400, 600


def poisson(mean: float) -> Callable[[random.Random], int]:
    """Arrivals within a time in which `mean` are expected."""

    def draw(chance: random.Random) -> int:
        arrivals, time = 0, chance.expovariate(1)
        while time < mean:
            arrivals, time = arrivals + 1, time + chance.expovariate(1)
        return arrivals

    return draw


def skewed(chance: random.Random) -> int:
    """Segments with large item collections: the largest of a hundred is five times the mean."""
    return int(chance.lognormvariate(6, 0.6))


@pytest.mark.parametrize(
    ("segment", "share"),
    [(poisson(10), 0.05), (poisson(10), 0.5), (skewed, 0.05), (skewed, 0.1), (poisson(0.1), 0.05), (poisson(1), 0.1)],
    ids=["even", "half", "skewed", "skewed-tenth", "rare", "few"],
)
def test_the_interval_covers_the_truth(segment: Callable[[random.Random], int], share: float) -> None:
    """95 % of samples, less what is chance in so few trials."""
    chance, covered, totals, mean = random.Random(7), 0, 0.0, 0.0
    for _ in range(TRIALS):
        numbers = [segment(chance) for _ in range(SEGMENTS)]
        sampled = chance.sample(numbers, round(SEGMENTS * share))
        estimate, truth = estimate_total(sampled, SEGMENTS), sum(numbers)
        assert estimate.least is not None and estimate.most is not None
        covered += estimate.least <= truth <= estimate.most
        totals, mean = totals + truth, mean + estimate.total
    assert covered / TRIALS >= 0.92
    assert mean == pytest.approx(totals, rel=0.05), "unbiased"


def test_the_interval_is_no_wider_than_it_must_be() -> None:
    """Of evenly spread items, 5 % of the table: about twice the standard error, t with 19 degrees of freedom."""
    chance = random.Random(3)
    sampled = [poisson(40)(chance) for _ in range(20)]
    estimate = estimate_total(sampled, SEGMENTS)
    assert estimate.least is not None and estimate.most is not None
    error = math.sqrt(40 / 20 * 0.95) * SEGMENTS
    assert estimate.most - estimate.least == pytest.approx(2 * 2.09 * error, rel=0.35)


COUNTS = st.lists(st.integers(0, 10**6), min_size=1, max_size=30)


@given(COUNTS, st.integers(0, 1000))
def test_what_was_seen_exists(sampled: list[int], unread: int) -> None:
    estimate = estimate_total(sampled, len(sampled) + unread)
    if unread == 0:
        assert estimate == Estimate(sum(sampled), sum(sampled), sum(sampled))
    elif len(sampled) == 1:
        assert (estimate.least, estimate.most) == (None, None)
    else:
        assert estimate.least is not None and estimate.most is not None
        assert sum(sampled) <= estimate.least <= estimate.total + 1e-6
        assert estimate.most > estimate.total


def test_none_seen_is_not_none_at_all() -> None:
    estimate = estimate_total([0] * 20, 400)
    assert (estimate.total, estimate.least) == (0, 0)
    assert estimate.most == pytest.approx(3.67 * 20 * math.sqrt(0.95), rel=0.01)


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (19, 2.093), (1000, 1.962)]
)
def test_students_quantile(freedom: int, quantile: float) -> None:
    assert _student(freedom) == pytest.approx(quantile, rel=0.005)
