"""A seat's leases of pages, whose cost is known from their answer alone: the pacer of a scan on another machine.

Each page asks the driver, and its answer is settled there (`ddbio.rate.leases_page_desk`): a page takes milliseconds
of CPU, a message microseconds. All lanes ask at the same time, so the round trip is that of a lane, not of the seat.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from ddbio.messages.leases import LeaseTerms, PageAsk, PageGrant, SeatMessage, SettledPage, WantedPage
from ddbio.rate.buckets import Units
from ddbio.rate.leases_terms import KnownTerms, Refusals
from ddbio.rate.leases_units import Wait
from ddbio.rate.pacer import REQUEST_S

LATE_S = 0.25  # beyond the usual transit: the page would not count any more when it starts
WITHOUT_CAP = 0  # the number of a page that needed no grant


class LeasedPages:
    """A `Pacing` for the pages of one seat. Used on one event loop, which also calls `received`.

    send: never blocks. wait: for a future, or until the run is stopped. Claims are the numbers of pages.
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
        self._pages = 0
        self._starts: dict[int, tuple[float, asyncio.Future[None]]] = {}  # pages that wait: expected cost, their turn
        self._wanted: list[WantedPage] = []  # not sent yet, as the following ones
        self._settled: list[SettledPage] = []
        self._refusals = Refusals()
        self._sent_s = -math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False
        self._lost = False

    def request_units(self) -> Units:
        """The most that a page should cost; one may turn out to cost more."""
        return tuple([rate * REQUEST_S for rate in self._terms.rates])

    def progress_s(self) -> float:
        """Time of the job's last consumption."""
        return self._terms.progress_s

    async def acquire(self, costs: Units) -> int:
        """Return when a page that is expected to cost this may start. One `settle` follows each return."""
        if math.isinf(self._terms.rates[0]):
            return WITHOUT_CAP
        self._pages += 1
        number = self._pages
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._starts[number] = (costs[0], turn)
        self._want(number, costs[0])
        try:
            await self._wait(turn)
        except BaseException:  # cancelled, or stopped
            self._starts.pop(number, None)
            self._settle(SettledPage(number, 0.0, answered=False))
            raise
        return number

    def settle(self, claim: int, consumed: Units, *, in_vain: bool = False, answered: bool = True) -> None:
        """As in `Pacer.settle`."""
        units = sum(consumed)
        if answered and units and not in_vain:
            self._terms.progressed(self._clock())
        self._settle(SettledPage(claim, units, in_vain, answered))

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
        late_s = self._terms.hear(grant.terms, self._clock())
        for number in grant.pages:
            cost, turn = self._starts.get(number, (0.0, None))
            if turn is None or turn.done():  # given up meanwhile, which the driver will hear
                continue
            if late_s > LATE_S:
                self._settle(SettledPage(number, 0.0, answered=False))
                self._want(number, cost)
                continue
            del self._starts[number]
            turn.set_result(None)

    def lost(self) -> None:
        """The driver is out of reach, for good: nothing starts any more."""
        self._lost = True
        self._terms.lose()

    def flush(self) -> None:
        """Send all that was not sent."""
        if self._lost or not (self._wanted or self._settled or self._refusals.due_s() < math.inf):
            return
        now_s = self._clock()
        ask = PageAsk(self._role, tuple(self._wanted), tuple(self._settled), self._refusals.take(now_s))
        self._wanted, self._settled, self._sent_s = [], [], now_s
        self._send(ask)

    def _want(self, number: int, units: float) -> None:
        self._wanted.append(WantedPage(number, units))
        self._plan_message()

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
