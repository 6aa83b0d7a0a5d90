"""The lanes' side of the governor inside an event loop: asks, sleeps, asks again. One a worker.

- Lanes are served in the order of their arrival. The first one that waits *leads*: only it asks the governor and
  sleeps. After it, all lanes that can be served from the allowance start at once, and the next one leads. Requests
  that need other budgets wait in another line: those that wait for an index keep only each other waiting.
- The leader may be granted units for several requests at once (`ddbio.rate.grants`); then the lanes take from this
  *allowance*. Unused allowance is soon returned, so that it cannot accumulate.
- The units of unanswered requests are limited, too (`UNDER_WAY_S`). A service that stalls answers nothing for a while
  and then everything at once: without the limit it would then receive all that the cap allowed meanwhile.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from ddbio.rate.buckets import Units
from ddbio.rate.governor import Governor
from ddbio.rate.grants import KEEP_GRANT_S, Grants, Reservations

RATES_FOR_S = 0.005  # the rates are read again after this time
REPORT_EVERY_S = 0.1  # how often it reports the units consumed to the governor
REQUEST_S = 0.2  # of the rate: the most that one request should cost, so that small caps are spent in small steps
UNDER_WAY_S = 0.01  # of the rate: the most that may be under way, or
UNDER_WAY_LATENCIES = 1.5  # of the rate over the time that a request takes lately, at best
UNEXPLAINED_WITHIN_S = 5.0  # unprocessed items twice within this time mean a lack of capacity
PERIOD_S, PERIOD_ANSWERS = 0.5, 4  # the least duration and number of answers of a period of the measured latency
PERIODS = 20  # longer than a stall of the service, short against a job


class UnderWay:
    """The unanswered requests of a worker, and their latency. Time is passed in.

    By Little's law, the mean latency of a period comes from the number of unanswered requests, so no request needs a
    start time. The least of the last periods counts: requests that wait for each other in a busy service take longer
    the more there are, and would let ever more start.
    """

    def __init__(self, budgets: int, now_s: float) -> None:
        self.units = [0.0] * budgets
        self._requests = 0
        self._request_seconds = 0.0  # in this period, as the following two
        self._begun = self._answered = 0
        self._now_s = self._began_s = now_s
        self._latencies_s: deque[float] = deque(maxlen=PERIODS)

    @property
    def latency_s(self) -> float:
        """0 in the first period, so that its few requests, which do not wait for each other, show the latency."""
        return min(self._latencies_s, default=0.0)

    def begin(self, now_s: float, costs: Units) -> None:
        self._request_seconds += self._requests * (now_s - self._now_s)
        self._now_s = now_s
        self._requests += 1
        self._begun += 1
        for budget, units in enumerate(costs):
            self.units[budget] += units

    def end(self, now_s: float, costs: Units) -> None:
        self._request_seconds += self._requests * (now_s - self._now_s)
        self._now_s = now_s
        self._requests -= 1
        self._answered += 1
        for budget, units in enumerate(costs):
            self.units[budget] = self.units[budget] - units if self._requests else 0.0  # no rounding is left over
        if now_s - self._began_s > PERIOD_S and self._answered >= PERIOD_ANSWERS:
            self._latencies_s.append(2 * self._request_seconds / (self._begun + self._answered))
            self._request_seconds, self._begun, self._answered, self._began_s = 0.0, 0, 0, now_s


@dataclass(slots=True)
class _Waiting:
    """A lane in the queue. turn: True when it is served, False when it is its turn to lead."""

    costs: Units
    turn: asyncio.Future[bool]


@dataclass(slots=True)
class _Line:
    """Lanes whose requests need the same budgets. led: one of them leads; the others are in the queue."""

    led: bool = False
    queue: deque[_Waiting] = field(default_factory=deque)


class Pacer:
    """Starts the requests of one worker's lanes under the cap. clock: injected, so that tests control the time."""

    def __init__(self, grants: Grants, clock: Callable[[], float] = time.monotonic) -> None:
        self._grants = grants
        self._clock = clock
        self._line = _Line()
        self._lines: dict[tuple[bool, ...], _Line] = {}  # by the needed budgets, if there are several
        self._until_answer: list[asyncio.Future[None]] = []  # leaders wait for the answer to a request under way
        self._budgets = range(len(grants.rates()))
        self._one_line = len(self._budgets) == 1
        self._nothing = (0.0,) * len(self._budgets)
        self._allowance = list(self._nothing)
        self._granted_s = 0.0
        self._consumed = list(self._nothing)  # not yet reported to the governor
        self._reported_s = clock()
        self._progressed = False  # since that report
        self._unexplained_s = -math.inf  # when the table last throttled, or left items unprocessed
        self._under_way = UnderWay(len(self._budgets), clock())
        self._most_under_way = list(self._nothing)
        self._rates: Units
        self._capped: bool
        self._look(clock())

    @classmethod
    def of(
        cls,
        governor: Governor,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        *,
        share: float = 1.0,
    ) -> Pacer:
        """Of a governor on this machine. sleep: awaited with seconds. share: 1 / workers."""
        return cls(Reservations(governor, sleep, share), clock)

    def rates(self) -> Units:
        """Units per second in force, at most a few milliseconds old: read several times a request."""
        now_s = self._clock()
        if now_s - self._rates_at_s > RATES_FOR_S:
            self._look(now_s)
        return self._rates

    def _look(self, now_s: float) -> None:
        self._rates, self._rates_at_s = self._grants.rates(), now_s
        self._capped = min(self._rates) < math.inf
        seconds = self._grants.share * max(UNDER_WAY_S, UNDER_WAY_LATENCIES * self._under_way.latency_s)
        self._most_under_way = [rate * seconds for rate in self._rates]

    def request_units(self) -> Units:
        """The most that one request should cost, by budget; a single item may cost more."""
        return tuple([rate * REQUEST_S for rate in self.rates()])

    def progress_s(self) -> float:
        """Time of the job's last consumption."""
        return self._grants.progress_s()

    async def acquire(self, costs: Units) -> Units:
        """Return when `costs` may be consumed. One `settle` follows each return, with the returned value."""
        now_s = self._clock()
        if now_s - self._rates_at_s > RATES_FOR_S:
            self._look(now_s)
        line = self._line if self._one_line else self._line_of(costs)
        if line.led:
            if await self._wait_for_turn(line, costs):
                return costs
        else:
            if self._capped and now_s - self._granted_s > KEEP_GRANT_S:
                self._give_back()
            if self._go(costs, now_s):
                return costs
        line.led = True
        try:
            while not self._go(costs, self._clock()):
                await (self.wait_for_room(costs) if self._suffices(costs) else self._ask(line, costs))
        finally:
            self._pass_on(line)
        return costs

    def settle(self, estimated: Units, consumed: Units, *, in_vain: bool = False, answered: bool = True) -> None:
        """After the answer. estimated, consumed: by budget.

        in_vain: it was refused, whole or in part, for lack of capacity. Its unused units are then spent anyway: if
        they were returned, the request would be repeated at once, and a table at its limit would refuse most of them.
        answered: False if no answer reported the consumption; it is charged, but is not progress of the job.
        """
        now_s = self._clock()
        self._under_way.end(now_s, estimated)
        for budget in self._budgets:
            unused = estimated[budget] - consumed[budget]
            if self._capped and (unused < 0 or not in_vain):
                self._allowance[budget] += unused
            self._consumed[budget] += consumed[budget] if answered else 0.0
        self._progressed |= answered and not in_vain and any(consumed)
        # Consumption before an unanswered request is no progress at the time of its timeout.
        if answered and now_s - self._reported_s > REPORT_EVERY_S:
            self._report(self._nothing)
        if self._until_answer:
            for each in self._until_answer:
                if not each.done():
                    each.set_result(None)
            self._until_answer.clear()

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        """The table refused a request for lack of capacity."""
        self._unexplained_s = self._clock()
        self._report(self._nothing)
        self._grants.throttled(budget, hot=hot)

    def left_unprocessed(self, *, partly: bool) -> None:
        """The table left items unprocessed, and the service does not say why: it lacks capacity, or failed inside.

        The first such answer after a while is treated as a failure and does not cut the rate; if the table lacks
        capacity, the next one follows at once.

        partly: other items of the request were processed; if none was, the job makes no progress, whatever the
        service reports as consumed.
        """
        now_s = self._clock()
        self._progressed |= partly
        if now_s - self._unexplained_s < UNEXPLAINED_WITHIN_S:
            self.throttled(None)
        self._unexplained_s = now_s

    # -- whose turn it is

    def _line_of(self, costs: Units) -> _Line:
        needed = tuple([units > 0 for units in costs])
        line = self._lines.get(needed)
        if line is None:
            line = self._lines[needed] = _Line()
        return line

    async def _wait_for_turn(self, line: _Line, costs: Units) -> bool:
        """Whether it was served in the end; else it leads now."""
        waiting = _Waiting(costs, asyncio.get_running_loop().create_future())
        line.queue.append(waiting)
        try:
            return await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled():  # its turn came just before the cancellation
                if waiting.turn.result():
                    self.settle(costs, self._nothing)
                else:
                    self._pass_on(line)
            raise

    def _pass_on(self, line: _Line) -> None:
        """The leader is done: serve those after it that can go, and let the next one lead."""
        line.led = False
        while line.queue:
            waiting = line.queue.popleft()
            if waiting.turn.done():  # cancelled
                continue
            line.led = not self._go(waiting.costs, self._clock())
            waiting.turn.set_result(not line.led)
            if line.led:
                return

    def _go(self, costs: Units, now_s: float) -> bool:
        """Start a request if it may start now."""
        if self._capped:
            if not (self._suffices(costs) and self.has_room(costs)):
                return False
            for budget in self._budgets:
                self._allowance[budget] -= costs[budget]
        self._under_way.begin(now_s, costs)
        return True

    def _suffices(self, costs: Units) -> bool:
        for budget in self._budgets:  # noqa: SIM110 - a generator costs three times as much, once a request
            if self._allowance[budget] < costs[budget]:
                return False
        return True

    def has_room(self, costs: Units) -> bool:
        """Whether the bound on unanswered requests allows it. A budget with nothing under way takes any request."""
        under_way, most = self._under_way.units, self._most_under_way
        for budget in self._budgets:
            before, units = under_way[budget], costs[budget]
            if before > 0 and most[budget] < before + units and units > 0:
                return False
        return True

    async def wait_for_room(self, costs: Units) -> None:
        while not self.has_room(costs):
            answer = asyncio.get_running_loop().create_future()
            self._until_answer.append(answer)
            await answer
            self.rates()

    # -- the governor

    async def _ask(self, line: _Line, costs: Units) -> None:
        lacking = tuple([max(0.0, units - held) for units, held in zip(costs, self._allowance, strict=True)])
        granted = await self._grants.take(_Lacking(self, line, costs, lacking))
        for budget in self._budgets:
            self._allowance[budget] += granted[budget]
        self._granted_s = self._clock()

    def _give_back(self) -> None:
        unused = tuple([max(0.0, amount) for amount in self._allowance])
        if any(unused):
            self._report(unused)
            for budget in self._budgets:
                self._allowance[budget] -= unused[budget]

    def _report(self, returned: Units) -> None:
        self._grants.settle(returned, tuple(self._consumed), progress=self._progressed)
        self._progressed = False
        self._consumed = list(self._nothing)
        self._reported_s = self._clock()


@dataclass(frozen=True, slots=True)
class _Lacking:
    """See `ddbio.rate.grants.Lacking`."""

    pacer: Pacer
    line: _Line
    costs: Units
    units: Units

    def queued(self) -> Units:
        waiting = [each.costs for each in self.line.queue if not each.turn.done()]
        return tuple(map(sum, zip(*waiting, strict=True))) if waiting else (0.0,) * len(self.costs)

    def has_room(self) -> bool:
        return self.pacer.has_room(self.costs)

    async def room(self) -> None:
        await self.pacer.wait_for_room(self.costs)
