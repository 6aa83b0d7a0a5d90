"""Seats on many machines: `python -m checks.scale_seats`. The real leases in simulated time.

Every seat has a real `SeatLeases`, the driver real `LeaseDesks` over one governor; messages between them take half a
round trip and some jitter, in their order. For comparison the same workers share the governor itself, as processes of
one machine do. The service takes as long as in `checks.scale`; a request keeps a seat's CPU busy as was measured.

busiest: of all windows of one second, as a share of the cap; it may be 1.02 and one request a seat.
mean: as a share of that of the workers on one machine.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from checks.scale import COSTS, Cpu, SimulatedLoop
from ddbio.messages.leases import DriverMessage, SeatMessage
from ddbio.rate.governor import LocalGovernor, Pacing
from ddbio.rate.leases import SeatLeases
from ddbio.rate.leases_desk import LeaseDesks, LeasedTable, LeaseTimer
from ddbio.rate.pacer import Pacer
from ddbio.rate.page_pacer import PagePacer

ROLE = "target"
MOST_PAGE_UNITS = 128.5
BATCH_UNITS, PAGE_UNITS = 25.0, 128.0
WARM_UP_S = 1.0
IN_ORDER_S = 1e-9  # a loop swaps calls of the same time
TRIPS_S = (0.001, 0.005, 0.02)


@dataclass(frozen=True)
class Setting:
    """access: write or read. round_trip_s: 0 for workers of one machine.

    busy: the part of the seats that have work. slow: the part whose requests take ten times as long. lost: the part
    that is lost after half the time. bursts_s: all rest and work in turn, for so long each. jitter: the mean delay of
    a message, as a part of its usual transit.
    """

    access: str
    cap: float
    seats: int
    round_trip_s: float = 0.0
    lanes: int = 8
    busy: float = 1.0
    slow: float = 0.0
    lost: float = 0.0
    bursts_s: float = 0.0
    jitter: float = 0.2
    seconds: float = 6.0

    @property
    def request_units(self) -> float:
        return min(BATCH_UNITS, self.cap / 5) if self.access == "write" else min(PAGE_UNITS, self.cap / 5)


@dataclass
class Outcome:
    """starts: (second, units) of each request. messages: by direction, of the whole run."""

    setting: Setting
    starts: list[tuple[float, float]] = field(default_factory=list)
    asks: int = 0
    grants: int = 0

    def busiest(self) -> float:
        """Units of the busiest window of one second."""
        starts, first, total, most = sorted(self.starts), 0, 0.0, 0.0
        for at_s, units in starts:
            total += units
            while starts[first][0] <= at_s - 1:
                total -= starts[first][1]
                first += 1
            most = max(most, total)
        return most

    def excess(self) -> float:
        """The busiest second as a share of the cap, less one request a seat that is at work."""
        setting = self.setting
        return (self.busiest() - setting.request_units * max(1, round(setting.seats * setting.busy))) / setting.cap

    def mean(self) -> float:
        """Units per second after the first."""
        until_s = self.setting.seconds
        return sum(units for at_s, units in self.starts if WARM_UP_S < at_s <= until_s) / (until_s - WARM_UP_S)

    def messages_per_s(self) -> tuple[float, float]:
        return self.asks / self.setting.seconds, self.grants / self.setting.seconds


class Network:
    """Carries messages between the seats and the driver, in order, each way half a round trip and some jitter."""

    def __init__(self, loop: SimulatedLoop, setting: Setting, outcome: Outcome) -> None:
        self._loop = loop
        self._setting = setting
        self._outcome = outcome
        self._draw = random.Random(3)
        self._arrives_s: dict[tuple[str, int], float] = {}
        self.seats: dict[int, SeatLeases] = {}
        self.governor = LocalGovernor(setting.cap, clock=loop.time)
        most = MOST_PAGE_UNITS if setting.access == "read" else None
        self.desks = LeaseDesks({ROLE: LeasedTable(self.governor, most)}, self.to_seat, loop.time)
        self.timer = LeaseTimer(self.desks, loop)

    def seat(self, number: int) -> Pacing:
        leases = SeatLeases(
            self.desks.terms(),
            {ROLE: self._setting.access == "read"},
            lambda message: self.to_driver(number, message),
            until,
            self._loop.time,
        )
        self.seats[number] = leases
        self.desks.joined(number)
        return leases.pacing[ROLE]

    def to_driver(self, seat: int, message: SeatMessage) -> None:
        self._outcome.asks += 1
        self._carry("up", seat, lambda: self._driver_received(seat, message))

    def _driver_received(self, seat: int, message: SeatMessage) -> None:
        self.desks.received(seat, message)
        self.timer.soon()

    def to_seat(self, seat: int, message: DriverMessage) -> None:
        self._outcome.grants += 1
        self._carry("down", seat, lambda: self.seats[seat].received(message) if seat in self.seats else None)

    def lose(self, seat: int) -> None:
        self.seats.pop(seat).lost()
        self.desks.left(seat)
        self.timer.soon()

    def _carry(self, way: str, seat: int, arrive: Callable[[], None]) -> None:
        transit_s = self._setting.round_trip_s / 2 * (1 + self._draw.expovariate(1 / (self._setting.jitter + 1e-9)))
        at_s = max(self._loop.time() + transit_s, self._arrives_s.get((way, seat), 0.0) + IN_ORDER_S)
        self._arrives_s[way, seat] = at_s
        self._loop.call_at(at_s, arrive)


async def until(future: asyncio.Future[None]) -> None:
    await future


def simulate(setting: Setting) -> Outcome:
    loop, outcome = SimulatedLoop(), Outcome(setting)
    network = Network(loop, setting, outcome)
    lost: set[int] = set()

    def pacer(number: int) -> Pacing:
        if setting.round_trip_s:
            return network.seat(number)
        if setting.access == "read":
            return PagePacer(network.governor, MOST_PAGE_UNITS, asyncio.sleep, loop.time)
        return Pacer.of(network.governor, asyncio.sleep, loop.time, share=1 / setting.seats)

    async def run() -> None:
        if setting.round_trip_s:
            network.timer.soon()
        tasks = []
        for number in range(setting.seats):
            seat = _Seat(setting, number, loop, pacer(number), outcome, lost)
            tasks += [asyncio.ensure_future(seat.lane()) for _ in range(setting.lanes)]
        await asyncio.sleep(setting.seconds / 2)
        for number in range(round(setting.seats * setting.lost)):
            lost.add(number)
            if number in network.seats:
                network.lose(number)
        await asyncio.sleep(setting.seconds / 2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        network.timer.close()

    loop.run_until_complete(run())
    loop.close()
    return outcome


@dataclass
class _Seat:
    setting: Setting
    number: int
    loop: SimulatedLoop
    pacer: Pacing
    outcome: Outcome
    lost: set[int]

    def __post_init__(self) -> None:
        costs = COSTS[self.setting.access]
        self._cpu = Cpu(self.loop, costs.cpu_s)
        self._draw = random.Random(self.number)
        is_slow = self.number >= self.setting.seats * (1 - self.setting.slow)
        self._latency_s = costs.latency_s * (10 if is_slow else 1)
        self._has_work = self.number < max(1, round(self.setting.seats * self.setting.busy))

    async def lane(self) -> None:
        if not self._has_work:
            return
        costs = (self.setting.request_units,)
        while self.number not in self.lost:
            await self._rest()
            claim = await self.pacer.acquire(costs)
            self.outcome.starts.append((self.loop.time(), costs[0]))
            await asyncio.sleep(self._latency_s * (0.7 + self._draw.expovariate(1 / 0.3)))
            self.pacer.settle(claim, costs)
            await self._cpu.work()

    async def _rest(self) -> None:
        bursts_s = self.setting.bursts_s
        if bursts_s and (since_s := self.loop.time() % (2 * bursts_s)) > bursts_s:
            await asyncio.sleep(2 * bursts_s - since_s)


def compare(setting: Setting) -> tuple[Outcome, Outcome]:
    """On many machines, and on one."""
    return simulate(setting), simulate(replace(setting, round_trip_s=0.0))


def settings(access: str) -> Iterator[Setting]:
    """Caps and seats; then seats that have no work, are slow, are lost, or work in bursts."""
    lanes = 32 if access == "write" else 8
    for cap, seats in ((50, 1), (50, 50), (1000, 1), (1000, 20), (20_000, 1), (20_000, 100), (200_000, 16)):
        for trip_s in TRIPS_S:
            yield Setting(access, cap, seats, trip_s, lanes, seconds=3.0 if cap > 10_000 else 10.0)
    for trip_s in TRIPS_S:
        yield Setting(access, 200_000, 500, trip_s, 4, seconds=3.0)
    usual = Setting(access, 20_000, 20, 0.005, lanes, seconds=4.0)
    yield replace(usual, busy=0.1)
    yield replace(usual, slow=0.5)
    yield replace(usual, lost=0.5)
    yield replace(usual, bursts_s=0.2)
    yield replace(usual, cap=1000, bursts_s=0.5)


def described(setting: Setting) -> str:
    of_seats = [
        f"{name} {getattr(setting, name):g}" for name in ("slow", "lost", "bursts_s") if getattr(setting, name)
    ]
    return ", ".join([*([f"busy {setting.busy:g}"] if setting.busy < 1 else []), *of_seats])


def main() -> None:
    print("access      cap  seats   trip                  busiest   mean   asks/s grants/s")
    for access in sys.argv[1:] or ("write", "read"):
        for setting in settings(access):
            many, one = compare(setting)
            messages = " ".join(f"{each:8,.0f}" for each in many.messages_per_s())
            busiest = many.busiest() / setting.cap
            print(
                f"{access:6} {setting.cap:8,.0f} {setting.seats:6} {1000 * setting.round_trip_s:3.0f} ms"
                f"  {described(setting):14} {busiest:8.3f} {many.mean() / one.mean():6.3f} {messages}",
                flush=True,
            )


if __name__ == "__main__":
    main()
