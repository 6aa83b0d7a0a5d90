"""The lanes' side of the governor for pages, whose cost is known only from their answer (`ddbio.rate.window`).

One a worker, instead of `ddbio.rate.pacer.Pacer`. Under a cap every page calls the governor, and its true cost is
settled with its answer, so that all workers know it. Without a cap the governor learns ten times a second what was
consumed.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from ddbio.rate.buckets import Units
from ddbio.rate.budgets import Place
from ddbio.rate.governor import Governor
from ddbio.rate.pacer import REPORT_EVERY_S, REQUEST_S
from ddbio.rate.window import Distance, PageCost

LOOK_AGAIN_S = 0.02  # the longest sleep: a page of another worker may turn out to cost less than was reserved


class Page(NamedTuple):
    """A page that has started. most, reserved: units; nothing without a cap."""

    started_s: float
    most: float
    reserved: float


class PagePacer:
    """Starts the pages of one worker's lanes under the cap. Its one budget is that of the scanned table or index.

    most_units: the maximal cost of a page. sleep, clock: injected; the clock is the governor's.
    """

    def __init__(
        self,
        governor: Governor,
        most_units: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._governor = governor
        self._most_units = most_units
        self._sleep = sleep
        self._clock = clock
        self._turn = asyncio.Lock()  # served in the order they came; the first asks the governor
        self._distance = Distance()
        self._untold = 0.0  # units of pages without a cap that the governor does not know yet
        self._told_s = clock()

    def request_units(self) -> Units:
        """The most that a page should cost; one may turn out to cost more."""
        return tuple([rate * REQUEST_S for rate in self._governor.rates()])

    def progress_s(self) -> float:
        """Time of the job's last consumption."""
        return self._governor.progress_s()

    async def acquire(self, costs: Units) -> Page:
        """Return when a page that is expected to cost this may start. One `settle` follows each return."""
        if self._is_uncapped():
            return Page(self._clock(), 0.0, 0.0)
        async with self._turn:
            start = self._governor.start_page(Place.of(costs[0]), self._most_units)
            try:
                while start.wait_s > 0:
                    await self._sleep(min(start.wait_s, LOOK_AGAIN_S))
                    start = self._governor.start_page(start.place, self._most_units)
            except BaseException:  # cancelled, or the run is stopped
                self._governor.leave(start.place)
                raise
        return Page(start.started_s, self._most_units, costs[0])

    def settle(self, page: Page, consumed: Units, *, in_vain: bool = False, answered: bool = True) -> None:
        """As in `Pacer.settle`."""
        now_s, units = self._clock(), sum(consumed)
        if page.most or not self._is_uncapped():
            self._governor.settle_page(
                PageCost(page.started_s, page.most, page.reserved, self._distance.far_s, units, in_vain, answered)
            )
        elif answered:
            self._untold += units
            if now_s - self._told_s >= REPORT_EVERY_S:
                self._tell(now_s)
        self._distance.answered(now_s - page.started_s)

    def _is_uncapped(self) -> bool:
        return math.isinf(self._governor.rates()[0])

    def _tell(self, now_s: float) -> None:
        units, self._untold, self._told_s = self._untold, 0.0, now_s
        self._governor.settle_page(PageCost(now_s, 0.0, 0.0, 0.0, units))

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        self._tell(self._clock())  # the rate is cut to what was consumed
        self._governor.throttled(budget, hot=hot)

    def left_unprocessed(self, *, partly: bool) -> None:
        """Never called for a page: only writes can be unprocessed."""
        self.throttled(None)
