"""A seat's leases of pages, whose cost is known from their answer alone: the pacer of a scan on another machine.

Each page asks the driver, and its answer is settled there (`ddbio.rate.leases_page_desk`): a page takes milliseconds
of CPU, a message microseconds. All lanes ask at the same time, so the round trip is that of a lane, not of the seat.

While the cap does not hold the seat's pages back, some are asked for ahead (`Trips`), so that the network does not,
either. A grant that no lane needs within `KEEP_S` is returned.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from ddbio.messages.leases import LeaseTerms, PageAsk, PageGrant, SeatMessage, SettledPage, WantedPage
from ddbio.rate.buckets import Units
from ddbio.rate.leases_terms import KnownTerms, Refusals
from ddbio.rate.leases_units import Wait
from ddbio.rate.pacer import REQUEST_S

LATE_S = 0.25  # beyond the usual transit: the page would not count any more when it starts
KEEP_S = 0.025
WITHOUT_CAP = 0  # the number of a page that needed no grant


class Trips:
    """How many pages to ask for ahead: at most as many as the seat reads in a round trip, and one fewer with each
    page that the cap holds back. Time is passed in."""

    USE_OVER_S = 0.25  # time constant of the pages a second
    HELD_BACK, HELD_BACK_S = 1.5, 0.002  # times the quickest trip, and so much longer
    SLOWER_BY = 0.1  # the quickest trip grows by this part of it in a second without one as quick
    MORE = 0.1  # with each page that is not held back

    def __init__(self, now_s: float) -> None:
        self._quickest_s = math.inf
        self._ahead = 0.0
        self._pages_per_s = 0.0
        self._granted_s = self._used_s = now_s

    def used(self, now_s: float) -> None:
        """The seat reads a page."""
        decayed = math.exp((self._used_s - now_s) / self.USE_OVER_S)
        self._pages_per_s = self._pages_per_s * decayed + 1 / self.USE_OVER_S
        self._used_s = now_s

    def granted(self, now_s: float, waited_s: float) -> None:
        """A page was granted so long after it was asked for."""
        quickest_s = min(waited_s, self._quickest_s * (1 + self.SLOWER_BY * (now_s - self._granted_s)))
        held_back = waited_s > quickest_s * self.HELD_BACK + self.HELD_BACK_S
        of_a_trip = self._pages_per_s * quickest_s
        self._ahead = max(0.0, self._ahead - 1) if held_back else min(of_a_trip, self._ahead + self.MORE)
        self._quickest_s, self._granted_s = quickest_s, now_s

    def ahead(self) -> int:
        return round(self._ahead)


class PageClaim(NamedTuple):
    """A page that has started. held_s: since its grant arrived."""

    number: int
    held_s: float = 0.0


@dataclass(slots=True)
class _Lane:
    """A lane that waits for a page. claim: once it has one."""

    turn: asyncio.Future[None]
    claim: PageClaim | None = None


class _Asked(NamedTuple):
    """A page that the driver was asked for. units: its expected cost."""

    at_s: float
    units: float


class _Spare(NamedTuple):
    """A page that was granted, and that no lane needed at once."""

    number: int
    arrived_s: float


class LeasedPages:
    """A `Pacing` for the pages of one seat. Used on one event loop, which also calls `received`.

    send: never blocks. wait: for a future, or until the run is stopped. Grants go to the lanes in their order.
    """

    def __init__(
        self,
        role: str,
        terms: LeaseTerms,
        send: Callable[[SeatMessage], None],
        wait: Wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._role = role
        self._send = send
        self._wait = wait
        self._clock = clock
        self._terms = KnownTerms(terms, clock())
        self._trips = Trips(clock())
        self._pages = 0
        self._waiting: deque[_Lane] = deque()
        self._asked: dict[int, _Asked] = {}  # by number, in their order
        self._spare: deque[_Spare] = deque()
        self._wanted: list[WantedPage] = []  # not sent yet, as the following ones
        self._settled: list[SettledPage] = []
        self._refusals = Refusals()
        self._sent_s = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._spare_timer: asyncio.TimerHandle | None = None
        self._soon = False
        self._lost = False

    def request_units(self) -> Units:
        """The most that a page should cost; one may turn out to cost more."""
        return tuple([rate * REQUEST_S for rate in self._terms.rates])

    def progress_s(self) -> float:
        """Time of the job's last consumption."""
        return self._terms.progress_s

    async def acquire(self, costs: Units) -> PageClaim:
        """Return when a page that is expected to cost this may start. One `settle` follows each return."""
        if math.isinf(self._terms.rates[0]):
            return PageClaim(WITHOUT_CAP)
        self._trips.used(self._clock())
        if self._spare:
            spare = self._spare.popleft()
            self._ask_for(costs[0])
            return PageClaim(spare.number, self._clock() - spare.arrived_s)
        lane = _Lane(asyncio.get_running_loop().create_future())
        self._waiting.append(lane)
        self._ask_for(costs[0])
        try:
            while lane.claim is None:
                await self._wait(lane.turn)
        except BaseException:  # cancelled, or stopped
            self._give_up(lane)
            raise
        return lane.claim

    def settle(self, claim: PageClaim, consumed: Units, *, in_vain: bool = False, answered: bool = True) -> None:
        """As in `Pacer.settle`."""
        units = sum(consumed)
        if answered and units and not in_vain:
            self._terms.progressed(self._clock())
        self._settle(SettledPage(claim.number, units, in_vain, answered, claim.held_s))

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        self._refusals.add(budget, hot=hot)
        self._plan_message()

    def left_unprocessed(self, *, partly: bool) -> None:
        """Never called for a page: only writes can be unprocessed."""
        self.throttled(None)

    # -- the network's side

    def received(self, grant: PageGrant) -> None:
        if self._lost:
            return
        now_s = self._clock()
        late_s = self._terms.hear(grant.terms, now_s)
        for number in grant.pages:
            asked = self._asked.pop(number, None)
            if asked is None:  # given up meanwhile, which the driver will hear
                continue
            if late_s > LATE_S:
                self._settle(SettledPage(number, 0.0, answered=False))
                self._ask_for(asked.units)
                continue
            self._trips.granted(now_s, now_s - asked.at_s)
            if self._waiting:
                lane = self._waiting.popleft()
                lane.claim = PageClaim(number)
                if not lane.turn.done():  # else it is being cancelled
                    lane.turn.set_result(None)
            else:
                self._spare.append(_Spare(number, now_s))
                self._watch_spare()

    def lost(self) -> None:
        """The driver is out of reach, for good: nothing starts any more."""
        self._lost = True
        self._spare.clear()
        self._terms.lose()

    def flush(self) -> None:
        """Send all that was not sent."""
        if self._lost or not (self._wanted or self._settled or self._refusals.due_s() < math.inf):
            return
        now_s = self._clock()
        ask = PageAsk(self._role, tuple(self._wanted), tuple(self._settled), self._refusals.take(now_s))
        self._wanted, self._settled, self._sent_s = [], [], now_s
        self._send(ask)

    def _ask_for(self, units: float) -> None:
        """Ask for as many pages as lanes wait for, and for those ahead. units: the expected cost of each."""
        needed = len(self._waiting) + max(0, self._trips.ahead() - len(self._spare))
        while len(self._asked) < needed:
            self._pages += 1
            self._asked[self._pages] = _Asked(self._clock(), units)
            self._wanted.append(WantedPage(self._pages, units))
            self._plan_message()

    def _give_up(self, lane: _Lane) -> None:
        """The lane needs no page any more."""
        if lane.claim is not None:
            self._settle(SettledPage(lane.claim.number, 0.0, answered=False))
            return
        self._waiting.remove(lane)
        if len(self._asked) > len(self._waiting):
            number, _ = self._asked.popitem()
            self._settle(SettledPage(number, 0.0, answered=False))

    def _watch_spare(self) -> None:
        if self._spare and self._spare_timer is None:
            due_s = max(0.0, self._spare[0].arrived_s + KEEP_S - self._clock())
            self._spare_timer = asyncio.get_running_loop().call_later(due_s, self._return_spare)

    def _return_spare(self) -> None:
        self._spare_timer = None
        while self._spare and self._clock() >= self._spare[0].arrived_s + KEEP_S:
            self._settle(SettledPage(self._spare.popleft().number, 0.0, answered=False))
        self._watch_spare()

    def _settle(self, page: SettledPage) -> None:
        self._settled.append(page)
        self._plan_message()

    # -- when to send what

    def _plan_message(self) -> None:
        """At the end of this turn of the loop if other pages depend on it, else when it is time for a report."""
        if self._lost or self._soon:
            return
        loop = asyncio.get_running_loop()
        if self._wanted or any(page.number != WITHOUT_CAP for page in self._settled):
            self._soon = True
            loop.call_soon(self._send_now)
            return
        due_s = min(self._refusals.due_s(), self._sent_s + self._terms.report_every_s)
        if due_s <= self._clock():
            self.flush()
        elif self._timer is None:
            self._timer = loop.call_later(due_s - self._clock(), self._timed_out)

    def _send_now(self) -> None:
        self._soon = False
        self.flush()

    def _timed_out(self) -> None:
        self._timer = None
        if self._wanted or self._settled or self._refusals.due_s() < math.inf:
            self._plan_message()
