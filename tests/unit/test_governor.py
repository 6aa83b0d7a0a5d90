"""The bucket's arithmetic: tables of (time, ask, wait), and no window above the bound under any interleaving."""

from __future__ import annotations

import asyncio
import math
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.governor import (
    BURST_S,
    CUT_FACTOR,
    UNCAPPED,
    LocalGovernor,
    Pacer,
    SharedGovernor,
    TokenBucket,
)


class Clock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


# --------------------------------------------------------------------------- the bucket


@pytest.mark.parametrize(
    ("cap", "script"),
    [
        # (time asked, units, seconds to wait): the first second obeys too, and the queue is first come first served
        (100, [(0.0, 25, 0.25), (0.0, 25, 0.50), (0.0, 50, 1.00)]),
        (100, [(0.0, 25, 0.25), (0.25, 25, 0.25), (0.50, 25, 0.25)]),
        # idle time is not saved up, but for the burst
        (100, [(10.0, 25, 0.25 - BURST_S)]),
        # an ask above a whole second's cap waits for all of it
        (5, [(0.0, 400, 80.0), (0.0, 1, 80.2)]),
        # fractions count
        (2, [(0.0, 0.5, 0.25), (0.0, 0.5, 0.5)]),
        (UNCAPPED, [(0.0, 1e9, 0.0)]),
    ],
)
def test_how_long_a_reservation_waits(cap: float, script: list[tuple[float, float, float]]) -> None:
    bucket = TokenBucket.of(cap, 0.0)
    for at_s, units, wait_s in script:
        ticket = bucket.reserve(at_s, units)
        assert bucket.wait_s(at_s, ticket) == pytest.approx(wait_s)


def test_whoever_starts_late_forfeits_what_piled_up() -> None:
    bucket = TokenBucket.of(100, 0.0)
    tickets = [bucket.reserve(0.0, 10) for _ in range(10)]
    assert bucket.wait_s(0.8, tickets[0]) == 0  # due at 0.1: the machine was busy
    assert bucket.wait_s(0.8, tickets[1]) == pytest.approx(0.1 - BURST_S)  # not at once, as eight more would


def test_what_is_returned_can_be_used_at_once_and_a_debt_is_paid() -> None:
    bucket = TokenBucket.of(100, 0.0)
    first, second = bucket.reserve(0.0, 25), bucket.reserve(0.0, 25)
    assert bucket.wait_s(0.25, first) == 0
    bucket.settle(0.25, returned=20, consumed=5)
    assert bucket.wait_s(0.25, second) == pytest.approx(0.05)
    bucket.settle(0.25, returned=-100, consumed=125)
    assert bucket.wait_s(0.25, second) == pytest.approx(1.05)


def test_a_clock_that_steps_back_changes_nothing() -> None:
    bucket = TokenBucket.of(100, 10.0)
    ticket = bucket.reserve(10.1, 20)
    before = bucket.supply
    assert bucket.wait_s(9.0, ticket) > 0
    assert bucket.supply == before


def test_a_cut_counts_once_an_interval_and_recovers_to_the_cap() -> None:
    bucket = TokenBucket.of(1000, 0.0)
    bucket.cut(1.0)
    assert bucket.rate == pytest.approx(1000 * CUT_FACTOR)
    bucket.cut(1.5)  # another worker, the same trouble
    assert 1000 * CUT_FACTOR < bucket.rate < 1000
    bucket.cut(2.0)
    assert bucket.rate < 1000 * CUT_FACTOR
    bucket.refill(100.0)
    assert bucket.rate == 1000


def test_without_a_cap_a_cut_starts_from_what_was_measured() -> None:
    bucket = TokenBucket.of(UNCAPPED, 0.0)
    for step in range(1, 50):
        bucket.settle(step * 0.1, returned=0, consumed=200)
    bucket.cut(5.0)
    assert 1000 < bucket.rate < 2200  # 2,000 a second came through
    ticket = bucket.reserve(5.0, 100)
    assert bucket.wait_s(5.0, ticket) > 0


def test_a_new_cap_holds_for_those_who_wait_already() -> None:
    bucket = TokenBucket.of(10, 0.0)
    ticket = bucket.reserve(0.0, 100)
    bucket.set_cap(0.0, 1000)
    assert bucket.wait_s(0.0, ticket) == pytest.approx(0.1)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.floats(0.5, 60)),
        st.tuples(st.just("tick"), st.floats(-0.1, 0.7)),
        st.tuples(st.just("settle"), st.floats(-5, 0)),
        st.tuples(st.just("cut"), st.just(0.0)),
    ),
    max_size=120,
)


@given(cap=st.floats(5, 2000), steps=STEPS)
def test_no_window_ever_exceeds_the_bound(cap: float, steps: list[tuple[str, float]]) -> None:
    """Any interleaving of asks, late wake-ups, debts, cuts and clock steps: the starts in any window of one second
    cost at most `cap + burst + the first request`."""
    bucket, now_s = TokenBucket.of(cap, 0.0), 0.0
    waiting: list[tuple[float, float]] = []
    starts: list[tuple[float, float]] = []
    for kind, value in steps:
        if kind == "ask":
            waiting.append((bucket.reserve(now_s, value), value))
        elif kind == "tick":
            now_s += value
        elif kind == "settle":
            bucket.settle(now_s, returned=value, consumed=-value)
        else:
            bucket.cut(now_s)
        while waiting and bucket.wait_s(now_s, waiting[0][0]) == 0:
            starts.append((now_s, waiting.pop(0)[1]))
    for at_s, units in starts:
        in_window = sum(cost for start_s, cost in starts if at_s <= start_s < at_s + 1)
        assert in_window <= cap * (1 + BURST_S) + units + 1e-6


# --------------------------------------------------------------------------- the pacer


def acquire_all(pacer: Pacer, asks: list[float]) -> list[int]:
    order: list[int] = []

    async def one(number: int, units: float) -> None:
        await pacer.acquire(units)
        order.append(number)

    async def run() -> None:
        await asyncio.gather(*(one(number, units) for number, units in enumerate(asks)))

    asyncio.run(run())
    return order


def test_lanes_are_served_in_the_order_they_came() -> None:
    clock = Clock()
    pacer = Pacer(LocalGovernor(100, clock), clock.sleep, clock)
    assert acquire_all(pacer, [25, 1, 25, 3]) == [0, 1, 2, 3]
    assert clock.now_s == pytest.approx(1000 + 0.54, abs=0.02)


def test_without_a_cap_nobody_waits() -> None:
    clock = Clock()
    pacer = Pacer(LocalGovernor(UNCAPPED, clock), clock.sleep, clock)
    acquire_all(pacer, [1e6] * 10)
    assert clock.now_s == 1000.0


def test_at_high_rates_a_grant_serves_several_requests() -> None:
    clock, asked = Clock(), []
    governor = LocalGovernor(100_000, clock)
    reserve = governor.reserve
    governor.reserve = lambda units: asked.append(units) or reserve(units)  # type: ignore[method-assign, func-returns-value]
    acquire_all(Pacer(governor, clock.sleep, clock), [25] * 100)
    assert len(asked) < 10
    assert clock.now_s == pytest.approx(1000 + 2500 / 100_000, rel=0.01)


def test_unprocessed_items_are_not_charged() -> None:
    clock = Clock()
    pacer = Pacer(LocalGovernor(100, clock), clock.sleep, clock)
    acquire_all(pacer, [25])
    pacer.settle(25, 0)
    before_s = clock.now_s
    acquire_all(pacer, [25])
    assert clock.now_s == before_s


def test_throttling_slows_the_job_and_not_below_a_crawl() -> None:
    clock = Clock()
    governor = LocalGovernor(100, clock)
    pacer = Pacer(governor, clock.sleep, clock)
    for _ in range(50):
        pacer.throttled()
        clock.now_s += 1.0
    assert 1.0 <= governor.rate() < 100


# --------------------------------------------------------------------------- shared memory


@pytest.fixture
def shared() -> SharedGovernor:
    governor = SharedGovernor.create(1000)
    yield governor  # type: ignore[misc]
    governor.close()
    governor.unlink()


def test_two_openings_share_one_budget(shared: SharedGovernor) -> None:
    other = pickle.loads(pickle.dumps(shared))
    first = shared.reserve(100)
    assert other.reserve(100) == first + 100
    assert 0.05 < other.wait_s(first + 100) <= 0.2
    other.set_cap(5)
    assert shared.rate() == 5
    other.close()


KILLED_IN_THE_LOCK = """
import fcntl, os, pickle, signal, sys
governor = pickle.loads(bytes.fromhex(sys.argv[1]))
def die(bucket):
    print("locked", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
governor._locked(die)
"""


def test_a_process_killed_inside_the_lock_stops_nobody(shared: SharedGovernor) -> None:
    before = shared.reserve(10)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_LOCK, pickle.dumps(shared).hex()],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        check=False,
    )
    assert (killed.stdout, killed.returncode) == ("locked\n", -signal.SIGKILL)
    assert shared.reserve(10) == before + 10


def test_a_state_half_written_is_not_seen(shared: SharedGovernor) -> None:
    bucket = shared._load()
    shared._FIELDS.pack_into(
        shared._memory, shared._slot_at(shared._INDEX.unpack_from(shared._memory, 0)[0] + 1), *[9] * 8
    )
    assert shared._load().values() == bucket.values()


def test_every_governor_answers_alike() -> None:
    clock = Clock()
    local = LocalGovernor(50, clock)
    shared = SharedGovernor.create(50, clock)
    script: list[tuple[str, Callable[[LocalGovernor | SharedGovernor], object]]] = [
        ("reserve", lambda governor: governor.reserve(10)),
        ("wait", lambda governor: governor.wait_s(10)),
        ("settle", lambda governor: governor.settle(3, 7)),
        ("wait after", lambda governor: governor.wait_s(10)),
        ("throttled", lambda governor: governor.throttled()),
        ("rate", lambda governor: governor.rate()),
        ("cap", lambda governor: governor.set_cap(20)),
        ("rate after", lambda governor: governor.rate()),
    ]
    for name, ask in script:
        clock.now_s += 0.05
        assert ask(local) == ask(shared), name
    shared.close()
    shared.unlink()


def test_the_file_is_private_and_goes_away(shared: SharedGovernor) -> None:
    assert shared.path.stat().st_mode & 0o077 == 0
    other = SharedGovernor.create(math.inf)
    other.close()
    other.unlink()
    assert not other.path.exists()
