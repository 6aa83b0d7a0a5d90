"""One cap over many machines in simulated time: it is kept and used, and nothing starts without a grant."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.scale_seats import IN_ORDER_S, Setting, compare, simulate
from ddbio.flow.sleeping import Sleeper, StopRequested
from ddbio.messages.leases import DriverMessage, LeaseGrant, PageGrant, SeatMessage
from ddbio.rate.buckets import UNCAPPED
from ddbio.rate.governor import LocalGovernor
from ddbio.rate.leases import SeatLeases
from ddbio.rate.leases_desk import LeaseDesks, LeasedTable, LeaseTimer
from ddbio.rate.leases_pages import KEEP_S as KEEP_PAGE_S
from ddbio.rate.leases_units import KEEP_S
from tests.support.effort import examples
from tests.support.simulated import SimulatedLoop, run_simulated

SETTINGS = st.builds(
    Setting,
    access=st.sampled_from(["write", "read"]),
    cap=st.sampled_from([50.0, 400.0, 3000.0, 20_000.0]),
    seats=st.integers(1, 12),
    round_trip_s=st.floats(0.001, 0.02),
    lanes=st.integers(1, 12),
    busy=st.sampled_from([0.3, 1.0]),
    slow=st.sampled_from([0.0, 0.5]),
    lost=st.sampled_from([0.0, 0.5]),
    bursts_s=st.sampled_from([0.0, 0.1, 0.4]),
    jitter=st.sampled_from([0.1, 1.0, 5.0]),
    seconds=st.just(2.0),
)


@given(SETTINGS)
@settings(deadline=None, max_examples=examples(60))
def test_no_second_costs_more_than_the_cap_and_a_request_of_each_seat(setting: Setting) -> None:
    """Whichever seats rest, are slow or are lost, and however the network delays their messages."""
    assert simulate(setting).excess() <= 1.02


@pytest.mark.parametrize("access", ["write", "read"])
@pytest.mark.parametrize(
    ("cap", "seats", "lanes", "of_seats"),
    [
        (50, 20, 2, {}),
        (1000, 1, 4, {}),
        (20_000, 10, 16, {"bursts_s": 0.2}),
        (20_000, 20, 32, {"busy": 0.1}),
        (20_000, 10, 16, {"slow": 0.5}),
        (20_000, 10, 16, {"lost": 0.5}),
    ],
)
def test_the_whole_cap_is_used(access: str, cap: float, seats: int, lanes: int, of_seats: dict[str, float]) -> None:
    setting = replace(Setting(access, cap, seats, 0.01, lanes, seconds=2.0 if cap > 1000 else 8.0), **of_seats)  # type: ignore[arg-type]
    many, one = compare(setting)
    assert many.mean() >= 0.97 * min(one.mean(), cap)


def test_a_scan_from_afar_uses_the_cap_with_few_lanes() -> None:
    """If each page waited for a round trip, it would read 0.89 of it."""
    many, one = compare(Setting("read", 20_000, 1, 0.02, 8, seconds=3.0))
    assert many.mean() >= 0.97 * one.mean()


# --------------------------------------------------------------------------- a few requests, in detail

ROLE = "target"


@dataclass
class Cluster:
    """Seats and a driver; messages take 1 ms each way. stalled_until_s: when those to the seats arrive, if later."""

    caps: tuple[float, ...]
    pages: bool = False
    loop: SimulatedLoop = field(default_factory=SimulatedLoop)
    sent: list[SeatMessage] = field(default_factory=list)
    stalled_until_s: float = 0.0
    seats: dict[int, SeatLeases] = field(default_factory=dict)
    _carried: int = 0

    def __post_init__(self) -> None:
        self.governor = LocalGovernor(*self.caps, clock=self.loop.time)
        table = LeasedTable(self.governor, 128.5 if self.pages else None)
        self.desks = LeaseDesks({ROLE: table}, self._to_seat, self.loop.time)
        self.timer = LeaseTimer(self.desks, self.loop)

    def join(self, number: int, wait: Callable[[asyncio.Future[None]], Awaitable[None]] | None = None) -> SeatLeases:
        seat = SeatLeases(
            self.desks.terms(),
            {ROLE: self.pages},
            lambda message: self._to_driver(number, message),
            wait or Sleeper().until,
            self.loop.time,
        )
        self.seats[number] = seat
        self.desks.joined(number)
        self.timer.soon()
        return seat

    def _to_driver(self, seat: int, message: SeatMessage) -> None:
        self.sent.append(message)

        def arrive() -> None:
            self.desks.received(seat, message)
            self.timer.soon()

        self._carry(0.001, arrive)

    def _to_seat(self, seat: int, message: DriverMessage) -> None:
        transit_s = max(0.001, self.stalled_until_s - self.loop.time())
        self._carry(transit_s, lambda: self.seats[seat].received(message))

    def _carry(self, transit_s: float, arrive: Callable[[], None]) -> None:
        self._carried += 1
        self.loop.call_later(transit_s + self._carried * IN_ORDER_S, arrive)

    async def spent(self, seat: SeatLeases, costs: tuple[float, ...], seconds: float) -> float:
        """Requests of these costs, one after the other for so long; units per second of the first budget."""
        began_s, units = self.loop.time(), 0.0
        while self.loop.time() < began_s + seconds:
            claim = await seat.pacing[ROLE].acquire(costs)
            await asyncio.sleep(0.001)
            seat.pacing[ROLE].settle(claim, costs)
            units += costs[0]
        return units / (self.loop.time() - began_s)

    def run(self, story: Callable[[], Awaitable[None]]) -> None:
        async def whole() -> None:
            await story()
            self.timer.close()

        run_simulated(self.loop, whole())


@pytest.mark.parametrize("pages", [False, True])
def test_a_seat_that_lost_the_driver_starts_nothing(pages: bool) -> None:
    cluster = Cluster((1000.0,), pages)

    async def story() -> None:
        sleeper = Sleeper()
        seat = cluster.join(1, sleeper.until)
        await cluster.spent(seat, (10.0,), 0.5)
        seat.lost()
        waiting = [asyncio.ensure_future(seat.pacing[ROLE].acquire((1.0,))) for _ in range(3)]
        await asyncio.sleep(60)
        assert not any(each.done() for each in waiting)
        assert seat.pacing[ROLE].request_units() == (0.0,)
        sleeper.stop()
        assert {type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)} == {StopRequested}

    cluster.run(story)


@pytest.mark.parametrize("pages", [False, True])
def test_an_uncapped_job_waits_for_nothing_until_its_table_throttles(pages: bool) -> None:
    cluster = Cluster((UNCAPPED,), pages)

    async def story() -> None:
        seat, other = cluster.join(1), cluster.join(2)
        assert await cluster.spent(seat, (10.0,), 0.5) == pytest.approx(10_000, rel=0.01)
        seat.pacing[ROLE].throttled(0)
        await asyncio.sleep(0.01)
        rates = [each.pacing[ROLE].request_units()[0] * 5 for each in (seat, other)]
        assert rates == pytest.approx([9800, 9800], rel=0.2)
        assert seat.pacing[ROLE].progress_s() > 1000.4

    cluster.run(story)


@pytest.mark.parametrize("pages", [False, True])
def test_another_cap_and_a_throttled_table_slow_every_seat(pages: bool) -> None:
    cluster = Cluster((1000.0,), pages)

    async def story() -> None:
        seats = [cluster.join(number) for number in range(2)]

        async def both() -> float:
            return sum(await asyncio.gather(*(cluster.spent(seat, (5.0,), 2.0) for seat in seats)))

        assert await both() == pytest.approx(1000, rel=0.05)
        cluster.governor.set_cap(200)
        await asyncio.sleep(1.0)  # pages of the last second count
        assert await both() == pytest.approx(200, rel=0.05)
        seats[0].pacing[ROLE].throttled(0)
        await asyncio.sleep(0.01)
        assert cluster.governor.rates()[0] < 200
        assert cluster.governor.now()[0].total == pytest.approx(2400, rel=0.1)

    cluster.run(story)


def test_each_index_has_its_own_budget_and_one_that_waits_for_it_does_not_stop_the_others() -> None:
    cluster = Cluster((1000.0, 20.0))

    async def story() -> None:
        narrow, wide = cluster.join(1), cluster.join(2)
        rates = await asyncio.gather(
            cluster.spent(narrow, (2.0, 2.0), 3.0), *(cluster.spent(wide, (5.0, 0.0), 3.0) for _ in range(4))
        )
        rates = [rates[0], sum(rates[1:])]
        assert rates == pytest.approx([20, 980], rel=0.06)

    cluster.run(story)


@pytest.mark.parametrize("seats", [1, 3])
def test_requests_of_a_seat_that_wait_for_an_index_keep_none_waiting_that_needs_only_the_table(seats: int) -> None:
    cluster = Cluster((1000.0, 20.0))

    async def story() -> None:
        joined = [cluster.join(number) for number in range(seats)]
        waiting = [cluster.spent(seat, (2.0, 2.0), 4.0) for seat in joined for _ in range(3)]
        passing = [cluster.spent(seat, (5.0, 0.0), 4.0) for seat in joined for _ in range(4)]
        rates = await asyncio.gather(*waiting, *passing)
        assert sum(rates[: len(waiting)]) == pytest.approx(20, rel=0.15)
        assert sum(rates[len(waiting) :]) >= 0.95 * 980

    cluster.run(story)


@given(st.integers(1, 6), st.sampled_from([400.0, 3000.0]), st.floats(0.02, 1.0), st.integers(1, 8))
@settings(deadline=None, max_examples=examples(30))
def test_no_second_exceeds_a_budget_whichever_requests_need_it(
    seats: int, cap: float, narrow: float, lanes: int
) -> None:
    """By 1.02 of it and a request of each line of each seat."""
    cluster, starts = Cluster((cap, cap * narrow)), []
    ends_s = cluster.loop.time() + 2.0

    async def lane(seat: SeatLeases, costs: tuple[float, ...]) -> None:
        while cluster.loop.time() < ends_s:
            claim = await seat.pacing[ROLE].acquire(costs)
            starts.append((cluster.loop.time(), costs))
            await asyncio.sleep(0.004)
            seat.pacing[ROLE].settle(claim, costs)

    async def story() -> None:
        joined = [cluster.join(number) for number in range(seats)]
        await asyncio.gather(
            *(lane(seat, costs) for seat in joined for costs in ((5.0, 0.0), (3.0, 3.0)) for _ in range(lanes))
        )

    cluster.run(story)
    for budget, rate in enumerate((cap, cap * narrow)):
        second: deque[tuple[float, float]] = deque()
        units = 0.0
        for at_s, costs in sorted(starts):
            second.append((at_s, costs[budget]))
            units += costs[budget]
            while second[0][0] <= at_s - 1:
                units -= second.popleft()[1]
            assert units <= 1.02 * rate + seats * 8


def test_grants_that_were_held_up_on_their_way_are_not_spent() -> None:
    """Else a network that stalls would let all that it held back go at once."""
    cluster = Cluster((1000.0,))

    async def story() -> None:
        seat, starts = cluster.join(1), []

        async def lane() -> None:
            await seat.pacing[ROLE].acquire((10.0,))
            seat.pacing[ROLE].settle((10.0,), (10.0,))
            starts.append(cluster.loop.time())

        await cluster.spent(seat, (10.0,), 0.5)
        cluster.stalled_until_s = cluster.loop.time() + 0.2
        await asyncio.gather(*(lane() for _ in range(60)))
        assert sum(at_s < cluster.stalled_until_s + 0.005 for at_s in starts) <= 6
        assert starts[-1] < cluster.stalled_until_s + 0.7

    cluster.run(story)


def test_the_pieces_of_a_request_do_not_expire_while_it_waits_for_the_rest() -> None:
    """At a low cap the rest takes longer than unused units are kept: if a piece expired meanwhile, so would the next
    one, and the request would never start."""
    cluster = Cluster((150.0,))

    async def story() -> None:
        seat = cluster.join(1)
        for costs in [9.0, 25.0, 16.0, 25.0] * 4:
            await asyncio.wait_for(cluster.spent(seat, (costs,), 0.0005), 2.0)

    cluster.run(story)


def test_units_that_nothing_needs_any_more_are_returned_and_go_to_a_seat_that_waits() -> None:
    cluster = Cluster((100.0,))

    async def story() -> None:
        leaving, staying = cluster.join(1), cluster.join(2)
        unneeded = asyncio.ensure_future(leaving.pacing[ROLE].acquire((20.0,)))
        await asyncio.sleep(0.05)
        unneeded.cancel()
        began_s = cluster.loop.time()
        claim = await staying.pacing[ROLE].acquire((20.0,))
        assert cluster.loop.time() - began_s < 0.2 + 2 * KEEP_S
        staying.pacing[ROLE].settle(claim, (20.0,))

    cluster.run(story)
    assert any(message.returned for message in cluster.sent if hasattr(message, "returned"))


def test_the_leases_of_a_lost_seat_are_lost_and_its_place_is_free() -> None:
    cluster = Cluster((100.0,))

    async def story() -> None:
        dying, living = cluster.join(1), cluster.join(2)
        waiting = asyncio.ensure_future(dying.pacing[ROLE].acquire((20.0,)))
        await asyncio.sleep(0.01)
        cluster.desks.left(1)
        began_s = cluster.loop.time()
        await living.pacing[ROLE].acquire((20.0,))
        assert cluster.loop.time() - began_s < 0.21
        assert not waiting.done()
        waiting.cancel()

    cluster.run(story)


def test_the_share_of_a_seat_follows_its_use() -> None:
    """It bounds the requests under way, so that a service that stalls has not too much to answer."""
    cluster = Cluster((1000.0,))

    async def story() -> None:
        busy, seldom = cluster.join(1), cluster.join(2)

        async def now_and_then() -> None:
            for _ in range(30):
                await seldom.pacing[ROLE].acquire((1.0,))
                seldom.pacing[ROLE].settle((1.0,), (1.0,))
                await asyncio.sleep(0.1)

        await asyncio.gather(now_and_then(), *(cluster.spent(busy, (10.0,), 3.0) for _ in range(4)))
        shares = [seat._units[ROLE].share for seat in (busy, seldom)]
        assert shares == pytest.approx([0.98, 0.5], abs=0.1)

    cluster.run(story)


def test_a_page_that_was_given_up_leaves_its_place() -> None:
    cluster = Cluster((100.0,), pages=True)

    async def story() -> None:
        seat = cluster.join(1)
        await seat.pacing[ROLE].acquire((20.0,))  # never answered: counts for a second
        given_up = asyncio.ensure_future(seat.pacing[ROLE].acquire((20.0,)))
        await asyncio.sleep(0.01)
        given_up.cancel()
        began_s = cluster.loop.time()
        await seat.pacing[ROLE].acquire((20.0,))
        assert cluster.loop.time() - began_s == pytest.approx(1.0, abs=0.05)

    cluster.run(story)


def test_pages_that_were_asked_for_ahead_are_returned_if_no_lane_needs_them() -> None:
    cluster = Cluster((20_000.0,), pages=True)

    async def story() -> None:
        seat = cluster.join(1)
        assert await cluster.spent(seat, (20.0,), 1.0) > 1.5 * 20 / 0.003  # of a lane that waits for a trip each time
        await asyncio.sleep(2 * KEEP_PAGE_S)
        claims = [await seat.pacing[ROLE].acquire((128.0,)) for _ in range(int(20_000 * 1.01 // 128.5))]
        assert {claim.held_s for claim in claims} == {0.0}

    cluster.run(story)


def test_every_message_names_the_role_of_its_table() -> None:
    received: list[tuple[int, DriverMessage]] = []
    governors = {"source": LeasedTable(LocalGovernor(100.0), 128.5), "target": LeasedTable(LocalGovernor(100.0, 7.0))}
    desks = LeaseDesks(governors, lambda seat, message: received.append((seat, message)))
    assert {role: terms.rates for role, terms in desks.terms().items()} == {
        "source": (100.0,),
        "target": (100.0, 7.0),
    }
    desks.joined(3)
    desks.serve()
    kinds = {message.role: type(message) for _, message in received}
    assert kinds == {"source": PageGrant, "target": LeaseGrant}
