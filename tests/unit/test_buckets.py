"""The bucket's arithmetic: tables of (time, ask, wait), and no window above the bound under any interleaving."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.rate.buckets import BURST_S, CUT_AT_LEAST, CUT_AT_MOST, NO_TICKET, UNCAPPED, Budgets, TokenBucket


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
    bucket.start(tickets[0])
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
    assert bucket.wait_s(5.0, bucket.reserve(5.0, 100)) == pytest.approx(0.05, rel=0.1)
    bucket.refill(16.0)
    assert bucket.rate == UNCAPPED
    assert bucket.wait_s(16.0, bucket.reserve(16.0, 1e9)) == 0


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
            bucket.start(waiting[0][0])
            starts.append((now_s, waiting.pop(0)[1]))
    for at_s, units in starts:
        in_window = sum(cost for start_s, cost in starts if at_s <= start_s < at_s + 1)
        assert in_window <= cap * (1 + BURST_S) + units + 1e-6


def test_a_request_waits_for_the_budget_that_is_shortest() -> None:
    budgets = Budgets.of((1000, 10), 0.0)
    tickets = budgets.reserve(0.0, (25, 5))
    assert budgets.wait_s(0.0, tickets) == pytest.approx(0.5)
    other = budgets.reserve(0.0, (25, 0))  # nothing for the index: it need not queue there
    assert other[1] == NO_TICKET
    assert budgets.wait_s(0.06, other) == 0


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
    budgets.reserve(5.5, (1, 2, 3))
    budgets.settle(5.6, (0, 0, 0), (1, 2, 3))
    budgets.throttled(6.0, 2, hot=False)
    assert Budgets.from_values(budgets.values()) == budgets
    assert budgets.progress_s == 5.6
