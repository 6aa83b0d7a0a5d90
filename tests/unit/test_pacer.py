"""The lanes' side of the governor: the order of service, grants at high rates, debts and refunds."""

from __future__ import annotations

import asyncio

import pytest

from ddbio.buckets import UNCAPPED
from ddbio.governor import LocalGovernor
from ddbio.pacer import Pacer


class Clock:
    """Time that moves only when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        await asyncio.sleep(0)


def acquire_all(pacer: Pacer, asks: list[float]) -> list[int]:
    order: list[int] = []

    async def one(number: int, units: float) -> None:
        await pacer.acquire((units,))
        order.append(number)

    async def run() -> None:
        await asyncio.gather(*(one(number, units) for number, units in enumerate(asks)))

    asyncio.run(run())
    return order


def test_lanes_are_served_in_the_order_they_came() -> None:
    clock = Clock()
    pacer = Pacer(LocalGovernor(100, clock=clock), clock.sleep, clock)
    assert acquire_all(pacer, [25, 1, 25, 3]) == [0, 1, 2, 3]
    assert clock.now_s == pytest.approx(1000 + 0.54, abs=0.02)


def test_without_a_cap_nobody_waits() -> None:
    clock = Clock()
    pacer = Pacer(LocalGovernor(UNCAPPED, clock=clock), clock.sleep, clock)
    acquire_all(pacer, [1e6] * 10)
    assert clock.now_s == 1000.0


def test_at_high_rates_a_grant_serves_several_requests() -> None:
    clock, asked = Clock(), []
    governor = LocalGovernor(100_000, clock=clock)
    reserve = governor.reserve
    governor.reserve = lambda units: asked.append(units) or reserve(units)  # type: ignore[method-assign, func-returns-value]
    acquire_all(Pacer(governor, clock.sleep, clock), [25] * 100)
    assert len(asked) < 20
    assert clock.now_s == pytest.approx(1000 + 2500 / 100_000, rel=0.01)


def test_unprocessed_items_are_not_charged() -> None:
    clock = Clock()
    pacer = Pacer(LocalGovernor(100, clock=clock), clock.sleep, clock)
    acquire_all(pacer, [25])
    pacer.settle((25,), (0,))
    before_s = clock.now_s
    acquire_all(pacer, [25])
    assert clock.now_s == before_s


def test_throttling_slows_the_job_and_not_below_a_crawl() -> None:
    clock = Clock()
    governor = LocalGovernor(100, clock=clock)
    pacer = Pacer(governor, clock.sleep, clock)
    for _ in range(50):
        pacer.throttled(0)
        clock.now_s += 1.0
    assert 1.0 <= governor.rates()[0] < 100
