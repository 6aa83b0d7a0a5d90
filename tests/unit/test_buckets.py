"""The arithmetic of one budget: tables of (time, ask, wait), cuts and changes of the cap."""

from __future__ import annotations

import pytest

from ddbio.rate.buckets import BURST_S, CUT_AT_LEAST, CUT_AT_MOST, UNCAPPED, TokenBucket


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
        assert bucket.wait_s(at_s, bucket.queue_up(at_s, units), units) == pytest.approx(wait_s)


def test_whoever_starts_late_forfeits_what_piled_up() -> None:
    bucket = TokenBucket.of(100, 0.0)
    tickets = [bucket.queue_up(0.0, 10) for _ in range(10)]
    assert bucket.wait_s(0.8, tickets[0], 10) == 0  # due at 0.1: the machine was busy
    bucket.start(tickets[0], 10)
    assert bucket.wait_s(0.8, tickets[1], 10) == pytest.approx(0.1 - BURST_S)  # not at once, as eight more would


def test_what_is_returned_can_be_used_at_once_and_a_debt_is_paid() -> None:
    bucket = TokenBucket.of(100, 0.0)
    first, second = bucket.queue_up(0.0, 25), bucket.queue_up(0.0, 25)
    assert bucket.wait_s(0.25, first, 25) == 0
    bucket.start(first, 25)
    bucket.settle(0.25, returned=20, consumed=5)
    assert bucket.wait_s(0.25, second, 25) == pytest.approx(0.05)
    bucket.settle(0.25, returned=-100, consumed=125)
    assert bucket.wait_s(0.25, second, 25) == pytest.approx(1.05)


def test_a_clock_that_steps_back_changes_nothing() -> None:
    bucket = TokenBucket.of(100, 10.0)
    ticket = bucket.queue_up(10.1, 20)
    before = bucket.level
    assert bucket.wait_s(9.0, ticket, 20) > 0
    assert bucket.level == before


def test_a_cut_counts_once_an_interval() -> None:
    bucket = TokenBucket.of(1000, 0.0)
    came_through(bucket, 900, from_s=0.0, to_s=5.0)
    bucket.cut(5.0)
    assert bucket.rate == pytest.approx(900 * 0.98, rel=0.08)
    after = bucket.rate
    bucket.cut(5.2)  # another worker, the same trouble
    assert after <= bucket.rate < after * 1.01
    bucket.cut(5.6)
    assert bucket.rate < after


def came_through(bucket: TokenBucket, units_per_s: float, *, from_s: float, to_s: float) -> None:
    steps = round((to_s - from_s) * 20)
    for step in range(1, steps + 1):
        bucket.settle(from_s + step / 20, returned=0, consumed=units_per_s / 20)


def test_a_cut_is_felt_and_does_not_stop_the_job() -> None:
    bucket = TokenBucket.of(1000, 0.0)
    came_through(bucket, 1000, from_s=0.0, to_s=5.0)
    bucket.cut(5.0)
    assert bucket.rate == pytest.approx(1000 * CUT_AT_LEAST)
    idle = TokenBucket.of(1000, 0.0)
    idle.cut(1.0)
    assert idle.rate == pytest.approx(1000 * CUT_AT_MOST)


def test_the_rate_probes_slowly_at_first_and_finds_eight_times_as_much_in_five_seconds() -> None:
    bucket = TokenBucket.of(100_000, 0.0)
    came_through(bucket, 1000, from_s=0.0, to_s=3.0)
    for at_s in (3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0):
        came_through(bucket, 1000, from_s=at_s, to_s=at_s + 0.5)
        bucket.cut(at_s + 0.5)
    floor = bucket.rate
    assert 900 < floor < 1100
    bucket.refill(8.5)
    assert bucket.rate < floor * 1.05
    bucket.refill(12.5)
    assert bucket.rate > floor * 8
    bucket.refill(20.0)
    assert bucket.rate == 100_000


def test_without_a_cap_a_cut_starts_from_what_was_measured_and_ends() -> None:
    bucket = TokenBucket.of(UNCAPPED, 0.0)
    came_through(bucket, 2000, from_s=0.0, to_s=5.0)
    bucket.cut(5.0)
    assert bucket.rate == pytest.approx(2000, rel=0.1)
    assert bucket.wait_s(5.0, bucket.queue_up(5.0, 100), 100) == pytest.approx(0.05, rel=0.1)
    bucket.refill(16.0)
    assert bucket.rate == UNCAPPED
    assert bucket.wait_s(16.0, bucket.queue_up(16.0, 1e9), 1e9) == 0


def test_a_new_cap_holds_for_those_who_wait_already() -> None:
    bucket = TokenBucket.of(10, 0.0)
    ticket = bucket.queue_up(0.0, 100)
    bucket.set_cap(0.0, 1000)
    assert bucket.wait_s(0.0, ticket, 100) == pytest.approx(0.1)
