"""Pages under a cap, by many workers, in simulated time: whatever they turn out to cost, and however late they are
answered, no second is exceeded by more than one page, and the cap is used."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbio.flow.sleeping import Sleeper, StopRequested
from ddbio.rate.buckets import UNCAPPED
from ddbio.rate.governor import LocalGovernor
from ddbio.rate.page_pacer import PagePacer
from ddbio.rate.window import CELL_S, PageCost, Window
from ddbio.sources.page_size import PageSize, most_page_units
from ddbio.values.capacity import MAX_PAGE_BYTES, page_read_units
from tests.support.effort import examples
from tests.support.simulated import SimulatedLoop, run_simulated

Log = list[tuple[float, float]]  # (second, units)
Page = tuple[float, float, float]  # what it is expected to cost, what it does cost, and how long it takes


def assert_held(log: Log, cap: float) -> None:
    """No window of a second costs more than 1.01 of the cap and one request."""
    log = sorted(log)
    for number, (begin_s, _) in enumerate(log):
        window = [units for at_s, units in log[number:] if at_s < begin_s + 1]
        assert sum(window) - max(window) <= 1.01 * cap + 1e-6


@dataclass
class Service:
    """Lanes of workers that scan it, and what it saw. ask: the next page of a worker; None for no more."""

    cap: float
    most_units: float
    workers: int
    lanes: int = 4
    starts: Log = field(default_factory=list)
    answers: Log = field(default_factory=list)

    def scan(self, ask: Callable[[PagePacer], Page | None]) -> None:
        loop = SimulatedLoop()
        governor = LocalGovernor(self.cap, clock=loop.time)

        async def lane(pacer: PagePacer) -> None:
            while (page := ask(pacer)) is not None:
                estimate, units, latency_s = page
                claim = await pacer.acquire((estimate,))
                self.starts.append((loop.time(), units))
                await asyncio.sleep(latency_s)
                self.answers.append((loop.time(), units))
                pacer.settle(claim, (units,))

        async def story() -> None:
            pacers = [PagePacer(governor, self.most_units, asyncio.sleep, loop.time) for _ in range(self.workers)]
            await asyncio.gather(*(lane(pacer) for pacer in pacers for _ in range(self.lanes)))

        run_simulated(loop, story())

    def mean(self) -> float:
        """Units per second from the first start to the last."""
        return sum(units for _, units in self.starts[:-1]) / (self.starts[-1][0] - self.starts[0][0])


PAGES = st.lists(
    st.tuples(st.floats(0.5, 128.5), st.floats(0.5, 128.5), st.floats(0.0, 3.0)), min_size=1, max_size=60
)


@given(st.floats(20, 3000), st.integers(1, 8), PAGES)
@settings(deadline=None, max_examples=examples(60))
def test_no_second_is_exceeded_by_more_than_one_page(cap: float, workers: int, pages: list[Page]) -> None:
    """Whatever was expected, and however late the answers come."""
    service, left = Service(cap, 128.5, workers), iter(pages)
    service.scan(lambda _: next(left, None))
    assert len(service.answers) == len(pages)
    assert_held(service.starts, cap)


def varied(draw: random.Random) -> float:
    return draw.uniform(10, 3000)


def clustered(draw: random.Random) -> float:
    """Neighbours are alike: one page has small items, another has large ones."""
    return draw.choice((30.0, 3000.0))


@dataclass
class Scan:
    """Pages as a worker asks for them that learns the size of its items."""

    service: Service
    item_bytes: Callable[[random.Random], float]
    latency_s: Callable[[random.Random], float]
    units: float  # that there are
    consistent: bool = False
    draw: random.Random = field(default_factory=lambda: random.Random(3))
    sizes: dict[PagePacer, PageSize] = field(default_factory=dict)

    def __call__(self, pacer: PagePacer) -> Page | None:
        if self.units <= 0:
            return None
        size = self.sizes.setdefault(
            pacer, PageSize(lambda: pacer.request_units()[0], 1500.0, consistent=self.consistent)
        )
        estimate, limit = size.estimate, size.limit
        items, total_bytes, alike = 0, 0.0, self.item_bytes(self.draw)
        while total_bytes < MAX_PAGE_BYTES and items < (limit or 1 << 20):
            total_bytes += alike if self.item_bytes is clustered else self.item_bytes(self.draw)
            items += 1
        units = min(page_read_units(int(total_bytes), self.consistent), most_page_units(self.consistent))
        size.learn(items, units)
        self.units -= units
        return estimate, units, self.latency_s(self.draw)


def quick(draw: random.Random) -> float:
    return draw.uniform(0.004, 0.03)


def far_away(draw: random.Random) -> float:
    return draw.uniform(0.1, 0.13)


def held_up(draw: random.Random) -> float:
    """Now and then a service answers half a second late, and reads then."""
    return quick(draw) + (draw.random() < 0.02) * 0.5


@pytest.mark.parametrize(
    ("cap", "workers", "consistent"),
    [(20, 2, False), (100, 1, False), (100, 2, False), (100, 8, False), (300, 2, True), (1000, 4, False)],
)
@pytest.mark.parametrize("item_bytes", [varied, clustered])
def test_a_scan_of_items_that_vary_has_its_cap_and_no_more(
    cap: float, workers: int, consistent: bool, item_bytes: Callable[[random.Random], float]
) -> None:
    service = Service(cap, most_page_units(consistent), workers)
    service.scan(Scan(service, item_bytes, quick, 40 * cap, consistent))
    assert_held(service.starts, cap)
    assert_held(service.answers, cap)
    assert service.mean() >= 0.97 * cap


def test_pages_that_overlap_have_the_cap_and_no_more() -> None:
    service = Service(10_000, 128.5, 4, lanes=8)
    service.scan(Scan(service, varied, quick, 6 * 10_000))
    assert_held(service.starts, 10_000)
    assert service.mean() >= 0.97 * 10_000


def test_a_service_that_is_far_away_costs_little_of_the_cap() -> None:
    service = Service(1000, 128.5, 4, lanes=8)
    service.scan(Scan(service, varied, far_away, 30 * 1000))
    assert_held(service.starts, 1000)
    assert service.mean() >= 0.97 * 1000


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_pages_that_were_held_up_do_not_come_together_with_those_that_follow(workers: int) -> None:
    service = Service(100, 128.5, workers)
    service.scan(Scan(service, varied, held_up, 60 * 100))
    assert_held(service.starts, 100)
    assert_held(service.answers, 100)
    assert service.mean() >= 0.95 * 100


def scanned(caps: Sequence[float], page: Page) -> Service:
    (cap,) = caps
    service, left = Service(cap, 128.5, 1), iter([page] * 20)
    service.scan(lambda _: next(left, None))
    return service


def test_a_page_larger_than_expected_is_paid_for_before_another_starts() -> None:
    first, second, *_ = scanned([100], (1.0, 50.0, 0.01)).starts
    assert second[0] - first[0] == pytest.approx(0.5, abs=0.03)


def test_a_page_smaller_than_expected_costs_no_time() -> None:
    first, second, *_ = scanned([100], (50.0, 5.0, 0.01)).starts
    assert second[0] - first[0] == pytest.approx(0.05, abs=0.03)


def test_without_a_cap_nothing_waits() -> None:
    service = scanned([UNCAPPED], (128.5, 128.5, 0.01))
    assert service.starts[-1][0] - service.starts[0][0] < 0.05


def test_what_a_table_refuses_is_spent_and_the_rate_of_the_job_is_cut() -> None:
    loop = SimulatedLoop()
    governor = LocalGovernor(100, clock=loop.time)
    pacer = PagePacer(governor, 128.5, asyncio.sleep, loop.time)

    async def story() -> float:
        pacer.settle(await pacer.acquire((20.0,)), (0.0,), in_vain=True)
        pacer.throttled(0)
        began_s = loop.time()
        await pacer.acquire((20.0,))
        return loop.time() - began_s

    assert run_simulated(loop, story()) >= 0.2
    assert governor.rates()[0] < 100


def test_a_worker_that_dies_with_a_page_holds_the_others_up_for_a_second_and_no_longer() -> None:
    loop = SimulatedLoop()
    governor = LocalGovernor(100, clock=loop.time)

    async def story() -> float:
        await PagePacer(governor, 128.5, asyncio.sleep, loop.time).acquire((20.0,))
        began_s = loop.time()
        await PagePacer(governor, 128.5, asyncio.sleep, loop.time).acquire((20.0,))
        return loop.time() - began_s

    assert run_simulated(loop, story()) == pytest.approx(1.0, abs=0.05)


def test_a_stop_reaches_every_lane_that_waits() -> None:
    stopping, loop = Sleeper(), SimulatedLoop()
    pacer = PagePacer(LocalGovernor(1, clock=loop.time), 128.5, stopping, loop.time)

    async def story() -> list[object]:
        await pacer.acquire((100.0,))
        lanes = [asyncio.ensure_future(pacer.acquire((100.0,))) for _ in range(5)]
        await asyncio.sleep(0)
        stopping.stop()
        return await asyncio.gather(*lanes, return_exceptions=True)

    assert [type(each) for each in run_simulated(loop, story())] == [StopRequested] * 5


# --------------------------------------------------------------------------- the window


@given(st.lists(st.tuples(st.floats(0, 0.6), st.floats(0.5, 200), st.floats(0, 1.5)), max_size=40))
def test_the_window_counts_the_last_second_and_no_longer_than_a_cell_more(
    moves: list[tuple[float, float, float]],
) -> None:
    window, now_s, entered = Window([0.0] * Window.FIELDS), 1000.0, Log()
    for elapsed_s, units, ago_s in moves:
        now_s += elapsed_s
        window.move(now_s, units, now_s - ago_s)
        entered.append((now_s - ago_s, units))
    within = [sum(units for at_s, units in entered if at_s > now_s - last_s) for last_s in (1.0, 1.0 + 2 * CELL_S)]
    assert within[0] - 1e-6 <= window.units(now_s) <= within[1] + 1e-6


def test_what_counted_at_its_most_and_was_answered_counts_at_its_cost() -> None:
    window = Window([0.0] * Window.FIELDS)
    window.move(5.0, 128.5, 5.0)
    window.move(5.2, 20.0, 5.1)
    window.move(5.2, -128.5, 5.0)
    assert window.units(5.2) == 20.0
    assert window.units(6.09) == 20.0
    assert window.units(6.2) == 0.0


def test_a_clock_that_steps_back_forgets_nothing() -> None:
    window = Window([0.0] * Window.FIELDS)
    window.move(5.0, 10.0, 5.0)
    window.move(4.9, 1.0, 4.9)
    assert window.units(4.8) == 11.0


class Noting(LocalGovernor):
    """told: the units of each settlement. throttles: how many settlements came before each of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(UNCAPPED, clock=clock)
        self.told: list[float] = []
        self.throttles: list[int] = []

    def settle_page(self, page: PageCost) -> None:
        self.told.append(page.consumed)
        super().settle_page(page)

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        self.throttles.append(len(self.told))
        super().throttled(budget, hot=hot)


def test_without_a_cap_the_governor_is_told_ten_times_a_second_and_before_a_throttle() -> None:
    loop = SimulatedLoop()
    governor = Noting(loop.time)

    async def story() -> None:
        pacer = PagePacer(governor, 128.5, asyncio.sleep, loop.time)
        for number in range(200):
            claim = await pacer.acquire((100.0,))
            await asyncio.sleep(0.01)
            pacer.settle(claim, (128.0,), answered=number != 7)
        pacer.throttled(None)

    run_simulated(loop, story())
    assert sum(governor.told) == 199 * 128.0, "a page without an answer is none"
    assert 15 <= len(governor.told) <= 22
    assert governor.throttles == [len(governor.told)], "the last pages are told before: the rate is cut to them"
    assert 0.8 * 12_800 < governor.rates()[0] < 1.2 * 12_800
