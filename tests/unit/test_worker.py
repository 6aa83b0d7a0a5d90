"""Lanes in an event loop: who works what, how a stop reaches those who sleep, and what a fault of one does to the
others."""

from __future__ import annotations

import asyncio
import builtins
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ddbio.aws.credentials import Keys
from ddbio.engines.environment import Environment, worker_context
from ddbio.engines.lanes import run_lanes
from ddbio.errors import AbortError, DdbioError, TransferError
from ddbio.flow.context import TARGET, JobTable, WorkerContext, new_event_loop
from ddbio.flow.sleeping import Sleeper, StopRequested
from ddbio.messages import Event, Notice, SegmentUnit, Tally, Unit, UnitReport
from ddbio.rate.governor import LocalGovernor
from ddbio.rate.latency import LocalLatencies
from tests.support.loops import LOOPS, run
from tests.support.service import job_table
from tests.support.simulated import SimulatedLoop, run_simulated
from tests.support.tables import table

FOREVER_S = 3600.0


# --------------------------------------------------------------------------- sleeping


def test_a_sleep_ends_by_itself() -> None:
    async def story() -> None:
        sleep = Sleeper()
        await sleep(0)
        await sleep(0.001)
        sleep.check()

    run(story())


@pytest.mark.parametrize("new_loop", LOOPS.values(), ids=LOOPS.keys())
def test_a_stop_wakes_all_who_sleep(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def story() -> list[Any]:
        sleep = Sleeper()
        sleepers = [asyncio.ensure_future(sleep(FOREVER_S)) for _ in range(3)]
        await asyncio.sleep(0)
        sleep.stop()
        return await asyncio.wait_for(asyncio.gather(*sleepers, return_exceptions=True), 5)

    assert [type(each) for each in run(story(), new_loop)] == [StopRequested] * 3


def test_nobody_falls_asleep_after_a_stop() -> None:
    async def story() -> None:
        sleep = Sleeper()
        sleep.stop()
        sleep.stop()
        with pytest.raises(StopRequested):
            await sleep(FOREVER_S)
        with pytest.raises(StopRequested):
            sleep.check()

    run(story())


def test_a_sleep_that_is_cancelled_is_forgotten() -> None:
    async def story() -> None:
        sleep = Sleeper()
        task = asyncio.ensure_future(sleep(FOREVER_S))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        sleep.stop()

    run(story())


# --------------------------------------------------------------------------- lanes


@dataclass
class Toy:
    """A job whose lanes do `act` for each unit; the job, the work and the lanes' common memory in one."""

    act: Callable[[Toy, int], Awaitable[None]]
    lanes: int = 2
    tables: dict[str, JobTable] = field(default_factory=dict)
    opens_together: bool = False
    worked: list[int] = field(default_factory=list)
    closed: int = 0
    at_once: int = 0
    most_at_once: int = 0
    context: WorkerContext | None = None

    def open(self, context: WorkerContext) -> Toy:
        self.context = context
        return self

    def lane(self) -> ToyLane:
        return ToyLane(self)


@dataclass
class ToyLane:
    toy: Toy

    async def work(self, unit: Unit) -> None:
        toy = self.toy
        toy.at_once += 1
        toy.most_at_once = max(toy.most_at_once, toy.at_once)
        assert toy.context is not None
        toy.context.awaited.begin()
        try:
            await toy.act(toy, unit.number)
            toy.worked.append(unit.number)
        finally:
            toy.context.awaited.end()
            toy.at_once -= 1

    async def close(self) -> None:
        self.toy.closed += 1


def context(events: list[Event]) -> WorkerContext:
    return WorkerContext({}, events.append, Sleeper())


def work(toy: Toy, count: int) -> list[Event]:
    """Run the toy's lanes on that many units; what they reported."""
    events: list[Event] = []
    units = iter([SegmentUnit(number, number, count) for number in range(count)])

    async def next_unit() -> Unit | None:
        await asyncio.sleep(0)
        return next(units, None)

    run(run_lanes(toy, context(events), next_unit))
    return events


async def rest(toy: Toy, number: int) -> None:
    """The answer comes, but not at once."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_lanes_work_until_there_are_no_more_units() -> None:
    toy = Toy(rest, lanes=3)
    assert work(toy, 10) == []
    assert sorted(toy.worked) == list(range(10))
    assert (toy.most_at_once, toy.closed) == (3, 3)


def test_more_lanes_than_units_is_no_trouble() -> None:
    toy = Toy(rest, lanes=5)
    work(toy, 2)
    assert sorted(toy.worked) == [0, 1]
    assert 1 <= toy.closed <= 5


def test_lanes_are_started_while_all_of_them_wait_for_answers() -> None:
    toy = Toy(rest, lanes=128)
    work(toy, 1000)
    assert sorted(toy.worked) == list(range(1000))
    assert toy.most_at_once == toy.closed == 128


def test_where_answers_come_at_once_one_lane_is_enough() -> None:
    async def act(toy: Toy, number: int) -> None:
        await asyncio.sleep(0)

    toy = Toy(act, lanes=128)
    work(toy, 100)
    assert toy.closed == 1


def test_a_lane_that_waits_for_its_cap_or_source_keeps_others_from_being_started() -> None:
    async def act(toy: Toy, number: int) -> None:
        assert toy.context is not None
        toy.context.awaited.end()  # it is not an answer that it waits for
        await rest(toy, number)
        toy.context.awaited.begin()

    toy = Toy(act, lanes=128)
    work(toy, 100)
    assert toy.closed == 1


def test_a_job_under_a_small_cap_holds_few_connections() -> None:
    """At 100 requests a second that take 10 ms, one is under way and one waits."""
    loop = SimulatedLoop()

    async def act(toy: Toy, number: int) -> None:
        assert toy.context is not None
        toy.context.awaited.end()
        pacer = toy.context.pacer(TARGET)
        claim = await pacer.acquire((1.0,))
        toy.context.awaited.begin()
        await asyncio.sleep(0.01)
        pacer.settle(claim, (1.0,))

    toy = Toy(act, lanes=128, tables={TARGET: job_table(table({"id": "S"}))})
    units = iter([SegmentUnit(number, number, 500) for number in range(500)])

    async def next_unit() -> Unit | None:
        return next(units, None)

    environment = Environment({TARGET: LocalGovernor(100, clock=loop.time)}, {TARGET: LocalLatencies()})
    keys = {TARGET: lambda: Keys("AKID", "secret")}
    context = worker_context(toy, environment, keys, print, clock=loop.time)
    run_simulated(loop, run_lanes(toy, context, next_unit))
    assert sorted(toy.worked) == list(range(500))
    assert toy.closed <= 4


@pytest.mark.parametrize("error", [TransferError("unreadable"), AbortError("table gone", "look")])
def test_a_unit_that_fails_is_reported_and_the_others_go_on(error: DdbioError) -> None:
    async def act(toy: Toy, number: int) -> None:
        await rest(toy, number)
        if number == 1:
            raise error

    toy = Toy(act)
    assert work(toy, 4) == [UnitReport(1, None, Tally(), error=error)]
    assert (sorted(toy.worked), toy.closed) == ([0, 2, 3], 2)


def test_a_stop_ends_every_lane_between_two_requests() -> None:
    async def act(toy: Toy, number: int) -> None:
        assert toy.context is not None
        if number == 3:
            toy.context.sleep.stop()
        toy.context.sleep.check()
        await toy.context.sleep(0 if number < 2 else FOREVER_S)

    toy = Toy(act)
    assert work(toy, 100) == []
    assert (sorted(toy.worked), toy.closed) == ([0, 1], 2)


def test_after_a_stop_no_unit_is_begun() -> None:
    async def act(toy: Toy, number: int) -> None:
        assert toy.context is not None
        toy.context.sleep.stop()  # and the unit happens to end well

    toy = Toy(act, lanes=1)
    work(toy, 100)
    assert toy.worked == [0]


def test_a_fault_of_ours_ends_all_lanes_in_order() -> None:
    async def act(toy: Toy, number: int) -> None:
        if number == 2:
            raise RuntimeError("a fault of ours")
        await asyncio.sleep(0 if number < 2 else FOREVER_S)

    toy = Toy(act, lanes=3)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        work(toy, 10)
    assert toy.at_once == 0
    assert toy.closed >= 1


def test_calls_that_block_have_a_thread_for_each_lane() -> None:
    """Two lanes that block wait for each other here: with one thread they would do so for ever."""
    barrier = threading.Barrier(2)

    async def act(toy: Toy, number: int) -> None:
        await asyncio.get_running_loop().run_in_executor(None, barrier.wait, 5)

    toy = Toy(act, lanes=2)
    work(toy, 2)
    assert sorted(toy.worked) == [0, 1]


# --------------------------------------------------------------------------- around them


def test_a_sentence_is_said_once() -> None:
    events: list[Event] = []
    with_events = context(events)
    for sentence in ("one", "two", "one", "one"):
        with_events.say(sentence)
    assert events == [Notice("one"), Notice("two")]


def test_without_uvloop_asyncio_does(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = new_event_loop()
    assert type(loop).__module__.startswith("uvloop")
    loop.close()
    imported = builtins.__import__

    def without_uvloop(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "uvloop":
            raise ImportError(name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_uvloop)
    loop = new_event_loop()
    assert isinstance(loop, asyncio.BaseEventLoop)
    loop.close()
