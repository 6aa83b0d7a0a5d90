"""Several budgets, and workers that are late: no window above the bound in any budget, and the narrowest is used."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbio.rate.buckets import BURST_S, NO_TICKET, UNCAPPED, Units
from ddbio.rate.budgets import Budgets, Place
from ddbio.rate.governor import LocalGovernor
from ddbio.rate.pacer import Pacer
from tests.support.effort import examples
from tests.support.simulated import SimulatedLoop, run_simulated

Log = Sequence[tuple[float, float]]  # (second, units)


def assert_held(log: Log, cap: float, largest: float) -> None:
    """No window of a second costs more than the cap, the burst and one request."""
    first, total = 0, 0.0
    for at_s, units in log:
        total += units
        while log[first][0] <= at_s - 1:
            total -= log[first][1]
            first += 1
        assert total <= cap * (1 + BURST_S) + largest + 1e-5


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.floats(0.5, 60)),
        st.tuples(st.just("tick"), st.floats(-0.1, 0.7)),
        st.tuples(st.just("attempt"), st.floats(0, 1)),
        st.tuples(st.just("leave"), st.floats(0, 1)),
        st.tuples(st.just("charge"), st.floats(0, 5)),
        st.tuples(st.just("cut"), st.just(0.0)),
    ),
    max_size=200,
)


@dataclass
class Job:
    """Requests that wait for some of the budgets or all, and those that started."""

    caps: list[float]
    draw: random.Random
    now_s: float = 0.0
    waiting: list[Place] = field(default_factory=list)
    asked: list[Units] = field(default_factory=list)
    starts: list[tuple[float, Units]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.budgets = Budgets.of(self.caps, 0.0)

    def step(self, kind: str, value: float) -> None:
        if kind == "ask":
            costs = [value * self.draw.choice((0.0, 0.3, 1.0)) for _ in self.caps]
            self.waiting.append(Place.of(*(costs if any(costs) else [value] * len(costs))))
            self.asked.append(self.waiting[-1].costs)
        elif kind == "tick":
            self.now_s += value
        elif kind == "charge":
            self.budgets.settle(self.now_s, [-value] * len(self.caps), [value] * len(self.caps))
        elif kind == "cut":
            self.budgets.throttled(self.now_s, self.draw.randrange(len(self.caps)), hot=False)
        elif self.waiting:
            place = self.waiting.pop(int(value * (len(self.waiting) - 1)))
            self.attempt(place) if kind == "attempt" else self.budgets.leave(place)

    def attempt(self, place: Place) -> None:
        start = self.budgets.start(self.now_s, place)
        if start.wait_s > 0:
            self.waiting.append(start.place)
        else:
            self.starts.append((self.now_s, place.costs))


@given(st.lists(st.floats(5, 2000), min_size=1, max_size=3), STEPS, st.randoms(use_true_random=False))
def test_no_window_of_any_budget_ever_exceeds_the_bound(
    caps: list[float], steps: list[tuple[str, float]], draw: random.Random
) -> None:
    """Whatever waits, attempts to start at any time, in any order, or gives up, and however often a rate is cut: the
    starts in any window of one second cost at most the cap, the burst and one request."""
    job = Job(caps, draw)
    for kind, value in steps:
        job.step(kind, value)
    for number, cap in enumerate(caps):
        largest = max((costs[number] for costs in job.asked), default=0.0)
        assert_held([(at_s, costs[number]) for at_s, costs in job.starts], cap, largest)


def test_a_request_waits_for_the_budget_that_is_shortest() -> None:
    budgets = Budgets.of((1000, 10), 0.0)
    assert budgets.start(0.0, Place.of(25, 5)).wait_s == pytest.approx(0.5 - 0.025)  # then it queues up for the table
    other = budgets.start(0.0, Place.of(25, 0))  # nothing for the index: it need not queue there
    assert other.place.tickets[1] == NO_TICKET
    assert other.wait_s == pytest.approx(0.025)


def test_a_request_that_waits_for_an_index_leaves_the_table_to_others_until_it_starts() -> None:
    budgets = Budgets.of((1000, 10), 0.0)
    both = budgets.start(0.0, Place.of(25, 5)).place
    other = budgets.start(0.0, Place.of(25, 0)).place
    for turn in range(1, 20):
        assert budgets.start(0.0251 * turn, other).wait_s == 0
        other = budgets.start(0.0251 * turn, Place.of(25, 0)).place
    both = budgets.start(0.49, both).place  # its turn in the index comes at 0.5
    assert budgets.start(0.4999, other).wait_s > 0.02  # after it
    assert budgets.start(0.5031, both).wait_s == 0


def test_a_request_that_is_late_is_next_and_does_not_hold_up_those_after_it() -> None:
    bucket = Budgets.of((100,), 0.0)
    late, punctual = bucket.start(0.0, Place.of(10)), bucket.start(0.0, Place.of(10))
    assert bucket.start(0.2, punctual.place).wait_s == 0
    third = bucket.start(0.2, Place.of(10))
    late = bucket.start(0.25, late.place)  # of its own units, 1 was left: the burst
    assert late.wait_s == pytest.approx(0.04)
    assert bucket.start(0.29, third.place).wait_s == pytest.approx(0.1)
    assert bucket.start(0.291, late.place).wait_s == 0


def test_whoever_gives_up_leaves_its_units_to_those_after_it() -> None:
    budgets = Budgets.of((100,), 0.0)
    first, second = budgets.start(0.0, Place.of(50)), budgets.start(0.0, Place.of(10))
    budgets.leave(first.place)
    assert budgets.start(0.0, second.place).wait_s == pytest.approx(0.1)


def test_a_starved_index_slows_only_itself() -> None:
    budgets = Budgets.of((1000, 100), 0.0)
    budgets.throttled(1.0, 1, hot=False)
    assert budgets.rates()[0] == 1000
    assert budgets.rates()[1] < 100


def test_refusals_without_a_reason_are_put_down_to_what_was_named_last() -> None:
    budgets = Budgets.of((1000, 100), 0.0)
    budgets.throttled(1.0, 1, hot=False)
    rate = budgets.rates()[1]
    budgets.throttled(2.0, None, hot=False)  # unprocessed items: the index holds them back, not the table
    assert budgets.rates()[0] == 1000
    assert budgets.rates()[1] < rate
    budgets.throttled(60.0, None, hot=False)  # that was long ago
    assert budgets.rates()[0] < 1000


def test_hot_keys_do_not_slow_the_table() -> None:
    budgets = Budgets.of((1000,), 0.0)
    budgets.throttled(1.0, 0, hot=True)
    budgets.throttled(2.0, None, hot=False)  # unprocessed items: no reason given, and keys are hot just now
    assert budgets.rates() == (1000,)
    budgets.throttled(2.5, 0, hot=False)  # but this one says that the table is short
    assert budgets.rates()[0] < 1000
    later = Budgets.of((1000,), 0.0)
    later.throttled(1.0, 0, hot=True)
    later.throttled(60.0, None, hot=False)
    assert later.rates()[0] < 1000


def test_budgets_survive_as_numbers() -> None:
    budgets = Budgets.of((1000, UNCAPPED, 3), 5.0)
    budgets.start(5.5, Place.of(1, 2, 3))
    budgets.settle(5.6, (0, 0, 0), (1, 2, 3))
    budgets.throttled(6.0, 2, hot=False)
    assert Budgets.from_values(budgets.values()) == budgets
    assert budgets.progress_s == 5.6


# --------------------------------------------------------------------------- workers

Mix = Callable[[random.Random], Units]
Lateness = Callable[[random.Random], float]


@dataclass
class Load:
    """Lanes of several workers under one governor; requests take 6 ms, timers are late. starts: (second, units)."""

    caps: Units
    workers: int
    mix: Mix
    late_s: Lateness
    lanes: int = 8
    seconds: float = 4.0
    starts: list[tuple[float, Units]] = field(default_factory=list)

    def run(self) -> None:
        loop, draw = SimulatedLoop(), random.Random(5)
        governor, until_s = LocalGovernor(*self.caps, clock=loop.time), loop.time() + self.seconds

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds + self.late_s(draw))

        async def lane(pacer: Pacer) -> None:
            while loop.time() < until_s:
                claim = await pacer.acquire(self.mix(draw))
                self.starts.append((loop.time(), claim))
                await asyncio.sleep(0.006 * (0.7 + draw.expovariate(1 / 0.3)))
                pacer.settle(claim, claim)

        async def story() -> None:
            pacers = [Pacer.of(governor, sleep, loop.time, share=1 / self.workers) for _ in range(self.workers)]
            await asyncio.gather(*(lane(pacer) for pacer in pacers for _ in range(self.lanes)))

        run_simulated(loop, story())

    def of(self, budget: int) -> Log:
        return [(at_s, units[budget]) for at_s, units in self.starts if units[budget]]

    def mean(self, budget: int) -> float:
        """Units per second after the first."""
        began_s = self.starts[0][0]
        return sum(units for at_s, units in self.of(budget) if 1 < at_s - began_s <= self.seconds) / (
            self.seconds - 1
        )


def punctual(_: random.Random) -> float:
    return 0.0


def a_little(draw: random.Random) -> float:
    return draw.expovariate(1 / 0.002)


def now_and_then(draw: random.Random) -> float:
    return a_little(draw) + (draw.random() < 0.02) * 0.1


def very(draw: random.Random) -> float:
    return draw.expovariate(1 / 0.03)


def mixed(*parts: float, units: float = 25.0) -> Mix:
    """Requests of the table, each of which needs each index with this probability."""
    return lambda draw: (units, *(units * (draw.random() < part) for part in parts))


def keyed(part: float) -> Mix:
    """Requests of 25 items, each of which has the key of the index with this probability."""
    return lambda draw: (25.0, float(sum(draw.random() < part for _ in range(25))))


def sizes(draw: random.Random) -> Units:
    return (float(int(3000 ** draw.random() / 10) + 1),)


@given(
    st.lists(st.sampled_from([100.0, 400.0, 2000.0, 20_000.0]), min_size=1, max_size=3),
    st.integers(1, 8),
    st.lists(st.sampled_from([0.1, 0.5, 1.0]), min_size=2, max_size=2),
    st.sampled_from([punctual, a_little, now_and_then, very]),
)
@settings(deadline=None, max_examples=examples(80))
def test_no_second_of_any_budget_is_exceeded_however_late_workers_are(
    caps: list[float], workers: int, parts: list[float], late_s: Lateness
) -> None:
    load = Load(tuple(caps), workers, mixed(*parts[: len(caps) - 1]), late_s, seconds=2.0)
    load.run()
    for budget, cap in enumerate(caps):
        assert_held(load.of(budget), cap, 25.0)


def test_no_second_is_exceeded_by_requests_that_differ_in_size() -> None:
    load = Load((2000.0,), 4, sizes, very)
    load.run()
    assert_held(load.of(0), 2000, 301.0)


@pytest.mark.parametrize("workers", [1, 2, 8])
@pytest.mark.parametrize(
    ("caps", "mix", "narrow"),
    [
        ((20_000.0,), mixed(), 0),
        ((2000.0,), sizes, 0),
        ((2000.0, 400.0), mixed(1.0), 1),
        ((1000.0, 500.0), mixed(0.5), 1),  # both are narrow
        ((1000.0, 200.0), mixed(0.5), 1),
        ((1000.0, 900.0), mixed(0.5), 0),
        ((2000.0, 600.0), keyed(0.3), 1),
        ((2000.0, 400.0), keyed(0.3), 1),
        ((2000.0, UNCAPPED), keyed(0.3), 0),
        ((2000.0, 300.0, 1600.0), mixed(0.3, 0.4), 1),
    ],
)
def test_the_narrowest_budget_is_used(caps: Units, mix: Mix, narrow: int, workers: int) -> None:
    """Requests that wait for an index keep none waiting that needs only the table, and get their turn in both."""
    load = Load(caps, workers, mix, punctual, lanes=24, seconds=8.0 if min(caps) < 2000 else 4.0)
    load.run()
    assert load.mean(narrow) >= 0.97 * caps[narrow]


def test_a_budget_is_used_by_workers_that_are_late_now_and_then() -> None:
    load = Load((20_000.0,), 8, mixed(), now_and_then)
    load.run()
    assert load.mean(0) >= 0.97 * 20_000
