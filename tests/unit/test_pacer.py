"""The lanes' side of the governor: the order of service, grants at high rates, debts and refunds."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbio.flow.sleeping import ManualSleeper, Sleeper, StopRequested
from ddbio.rate.buckets import UNCAPPED
from ddbio.rate.governor import LocalGovernor
from ddbio.rate.pacer import UNDER_WAY_S, UNEXPLAINED_WITHIN_S, Pacer, UnderWay
from ddbio.system.clock import ManualClock
from tests.support.effort import examples


def acquire_all(pacer: Pacer, asks: list[float]) -> list[int]:
    order: list[int] = []

    async def one(number: int, units: float) -> None:
        await pacer.acquire((units,))
        order.append(number)
        pacer.settle((units,), (units,))

    async def run() -> None:
        await asyncio.gather(*(one(number, units) for number, units in enumerate(asks)))

    asyncio.run(run())
    return order


def test_lanes_are_served_in_the_order_they_came() -> None:
    clock = ManualClock()
    pacer = Pacer.of(LocalGovernor(100, clock=clock), ManualSleeper(clock), clock)
    assert acquire_all(pacer, [25, 1, 25, 3]) == [0, 1, 2, 3]
    assert clock.now_s == pytest.approx(1000 + 0.54, abs=0.02)


def test_without_a_cap_nobody_waits() -> None:
    clock = ManualClock()
    pacer = Pacer.of(LocalGovernor(UNCAPPED, clock=clock), ManualSleeper(clock), clock)
    acquire_all(pacer, [1e6] * 10)
    assert clock.now_s == 1000.0


def test_at_high_rates_a_grant_serves_several_requests() -> None:
    clock, asked = ManualClock(), []
    governor = LocalGovernor(100_000, clock=clock)
    start = governor.start
    governor.start = lambda place: asked.append(place) or start(place)  # type: ignore[method-assign, func-returns-value]
    acquire_all(Pacer.of(governor, ManualSleeper(clock), clock), [25] * 100)
    assert len(asked) < 20
    assert clock.now_s == pytest.approx(1000 + 2500 / 100_000, rel=0.01)


def test_unprocessed_items_are_not_charged() -> None:
    clock = ManualClock()
    pacer = Pacer.of(LocalGovernor(100, clock=clock), ManualSleeper(clock), clock)
    asyncio.run(pacer.acquire((25.0,)))
    pacer.settle((25.0,), (0.0,))
    before_s = clock.now_s
    acquire_all(pacer, [25])
    assert clock.now_s == before_s


async def answered(pacer: Pacer, clock: ManualClock, latency_s: float, requests: int, units: float = 25.0) -> int:
    """Requests one after the other and several at once, each `latency_s` under way; the most that were at once."""
    under_way, most = 0, 0

    async def lane() -> None:
        nonlocal under_way, most
        await pacer.acquire((units,))
        under_way += 1
        most = max(most, under_way)
        until_s = clock.now_s + latency_s
        while clock.now_s < until_s:
            await asyncio.sleep(0)
        under_way -= 1
        pacer.settle((units,), (units,))

    lanes = [asyncio.ensure_future(lane()) for _ in range(requests)]
    while not all(each.done() for each in lanes):
        clock.now_s += 0.001
        await asyncio.sleep(0)
    return most


async def steady(clock: ManualClock, seconds: float) -> None:
    """A sleep while `answered` moves the clock."""
    until_s = clock.now_s + seconds
    while clock.now_s < until_s:
        await asyncio.sleep(0)


def pacer_at(rate: float, share: float = 1.0) -> tuple[Pacer, ManualClock]:
    clock = ManualClock()
    sleep = lambda seconds: steady(clock, seconds)  # noqa: E731
    return Pacer.of(LocalGovernor(rate, clock=clock), sleep, clock, share=share), clock


def test_a_service_that_is_held_up_has_no_more_than_the_bound_to_answer() -> None:
    pacer, clock = pacer_at(20_000)
    asyncio.run(answered(pacer, clock, 0.001, 2000))  # what is usual
    most = asyncio.run(answered(pacer, clock, 0.04, 40))  # a hitch
    assert most * 25 <= 20_000 * UNDER_WAY_S + 25


def test_the_bound_follows_a_service_that_is_far_away() -> None:
    pacer, clock = pacer_at(20_000)
    began_s = clock.now_s
    asyncio.run(answered(pacer, clock, 0.1, 4000))
    assert 4000 * 25 / (clock.now_s - began_s) > 0.8 * 20_000  # 80 requests must be under way for that


def test_a_worker_of_many_keeps_to_its_share_and_one_request_always_may_go() -> None:
    pacer, clock = pacer_at(20_000, share=1 / 96)
    asyncio.run(answered(pacer, clock, 0.001, 10))
    assert asyncio.run(answered(pacer, clock, 0.05, 10)) == 1


@given(st.lists(st.tuples(st.floats(0.5, 300), st.booleans()), min_size=1, max_size=30), st.sampled_from([50.0, 1e5]))
@settings(deadline=None, max_examples=examples(60))
def test_lanes_that_are_cancelled_leave_no_place_taken(asks: list[tuple[float, bool]], rate: float) -> None:
    clock = ManualClock()
    pacer = Pacer.of(LocalGovernor(rate, clock=clock), ManualSleeper(clock), clock)
    served: list[int] = []

    async def lane(number: int, units: float) -> None:
        await pacer.acquire((units,))
        try:
            await asyncio.sleep(0)
        finally:
            pacer.settle((units,), (units,))
        served.append(number)

    async def run() -> None:
        lanes = [asyncio.ensure_future(lane(number, units)) for number, (units, _) in enumerate(asks)]
        await asyncio.sleep(0)
        for each, (_, cancelled) in zip(lanes, asks, strict=True):
            if cancelled:
                each.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(*lanes, return_exceptions=True)
        await lane(-1, 1.0)  # nobody holds the queue up

    asyncio.run(asyncio.wait_for(run(), 10))
    assert {number for number, (_, cancelled) in enumerate(asks) if not cancelled} <= set(served)
    assert pacer._under_way.units == [0.0]


def test_a_stop_reaches_every_lane_that_waits() -> None:
    clock, stopping = ManualClock(), Sleeper()
    pacer = Pacer.of(LocalGovernor(1, clock=clock), stopping, clock)

    async def run() -> list[BaseException | None]:
        lanes = [asyncio.ensure_future(pacer.acquire((100.0,))) for _ in range(5)]
        await asyncio.sleep(0)
        stopping.stop()
        return await asyncio.gather(*lanes, return_exceptions=True)

    assert [type(each) for each in asyncio.run(asyncio.wait_for(run(), 10))] == [StopRequested] * 5


def test_throttling_slows_the_job_and_not_below_a_crawl() -> None:
    clock = ManualClock()
    governor = LocalGovernor(100, clock=clock)
    pacer = Pacer.of(governor, ManualSleeper(clock), clock)
    for _ in range(50):
        pacer.throttled(0)
        clock.now_s += 1.0
    assert 1.0 <= governor.rates()[0] < 100


# --------------------------------------------------------------------------- items left unprocessed


def test_unprocessed_items_that_come_alone_cut_no_rate() -> None:
    """The service returns them for a failure of its own, too."""
    clock = ManualClock()
    governor = LocalGovernor(1000, clock=clock)
    pacer = Pacer.of(governor, ManualSleeper(clock), clock)
    for _ in range(5):
        pacer.left_unprocessed(partly=True)
        clock.now_s += UNEXPLAINED_WITHIN_S
    assert governor.rates() == (1000,)


@pytest.mark.parametrize("before", ["left_unprocessed", "throttled"])
def test_unprocessed_items_soon_after_others_or_after_throttling_cut_the_rate(before: str) -> None:
    clock = ManualClock()
    governor = LocalGovernor(1000, clock=clock)
    pacer = Pacer.of(governor, ManualSleeper(clock), clock)
    pacer.left_unprocessed(partly=True) if before == "left_unprocessed" else pacer.throttled(0)
    clock.now_s += UNEXPLAINED_WITHIN_S / 2
    (rate,) = governor.rates()
    pacer.left_unprocessed(partly=True)
    assert governor.rates()[0] < rate


def test_consumption_that_is_reported_with_a_timeout_is_no_progress_at_that_time() -> None:
    """Else a service that hangs would be waited for twice as long as was asked for."""
    clock = ManualClock()
    governor = LocalGovernor(UNCAPPED, clock=clock)
    pacer = Pacer.of(governor, ManualSleeper(clock), clock)

    async def story() -> None:
        claim = await pacer.acquire((5.0,))
        clock.now_s += 0.01
        pacer.settle(claim, (5.0,))
        claim = await pacer.acquire((5.0,))
        clock.now_s += 30.0
        pacer.settle(claim, (5.0,), answered=False)

    began_s = clock.now_s
    asyncio.run(story())
    assert governor.progress_s() <= began_s + 0.01


@pytest.mark.parametrize("partly", [True, False])
def test_a_request_that_comes_back_whole_is_no_progress_whatever_it_consumed(partly: bool) -> None:
    clock = ManualClock()
    governor = LocalGovernor(1000, clock=clock)
    pacer = Pacer.of(governor, ManualSleeper(clock), clock)
    acquire_all(pacer, [1])
    clock.now_s += 5
    pacer.throttled(0)
    before_s = pacer.progress_s()
    for _ in range(20):
        clock.now_s += 1
        asyncio.run(pacer.acquire((25.0,)))
        pacer.settle((25.0,), (25.0,), in_vain=True)
        pacer.left_unprocessed(partly=partly)
    assert (pacer.progress_s() > before_s) is partly


def test_a_service_that_is_slow_for_a_moment_gets_no_more_requests_for_that() -> None:
    """Else they would make it slower still, and all be answered at once in the end."""
    under_way, now_s = UnderWay(1, 0.0), 0.0

    def answers(count: int, latency_s: float) -> float:
        nonlocal now_s
        for _ in range(count):
            under_way.begin(now_s, (25.0,))
            now_s += latency_s
            under_way.end(now_s, (25.0,))
        return under_way.latency_s

    assert answers(1, 0.05) == 0  # the first requests wait for their connections, too
    assert answers(2000, 0.002) == pytest.approx(0.002, rel=0.1)
    assert answers(50, 0.1) == pytest.approx(0.002, rel=0.1)
    assert answers(140, 0.1) == pytest.approx(0.1)


def test_requests_that_have_just_started_are_not_taken_for_slow_ones() -> None:
    under_way = UnderWay(1, 0.0)
    for _ in range(10):
        under_way.begin(0.0, (25.0,))
    for _ in range(4):
        under_way.end(0.6, (25.0,))
    assert 0.6 <= under_way.latency_s < 0.9  # not 1.5, as if the others had been answered, too
