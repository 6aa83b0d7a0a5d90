"""The lanes' side of the governor inside an event loop: asks, sleeps, asks again. One a worker.

At high rates (`GRANT_FROM`) a lock for every request would cost too much: it reserves for a few requests at once
(`GRANT_S` of the rate): the lanes then take from this *allowance*. An allowance that is not used soon goes
back, so that it cannot pile up.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from ddbio.buckets import Units
from ddbio.governor import Governor

GRANT_FROM = (
    50_000  # units per second: from here on locks cost more than many workers that are a little late together
)
GRANT_S = 0.005  # of the rate: what a worker then reserves at once for its next requests
KEEP_GRANT_S = 0.05  # how long it may keep it
RATES_FOR_S = 0.005  # how long a look at the rates serves
LOOK_AGAIN_S = 0.5  # the longest sleep: a rate that was cut may have recovered
TELL_EVERY_S = 0.1  # how often it tells what was consumed
REQUEST_S = 0.2  # of the rate: the most that one request should cost, so that small caps are spent in small steps


class Pacer:
    """sleep: awaited with seconds; injected, like the clock, so that tests tick by hand."""

    def __init__(
        self,
        governor: Governor,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._governor = governor
        self._sleep = sleep
        self._clock = clock
        self._turn = asyncio.Lock()  # first come, first served
        self._budgets = range(len(governor.rates()))
        self._nothing = (0.0,) * len(self._budgets)
        self._allowance = list(self._nothing)
        self._granted_s = 0.0
        self._consumed = list(self._nothing)  # not yet told to the governor
        self._told_s = clock()
        self._rates = governor.rates()
        self._rates_at_s = clock()

    def rates(self) -> Units:
        """Units per second in force, at most a few milliseconds old: looked at several times a request."""
        now_s = self._clock()
        if now_s - self._rates_at_s > RATES_FOR_S:
            self._rates, self._rates_at_s = self._governor.rates(), now_s
        return self._rates

    def request_units(self) -> Units:
        """The most that one request should cost, by budget; a single item may cost more."""
        return tuple([rate * REQUEST_S for rate in self.rates()])

    def progress_s(self) -> float:
        """When anything of the job was last consumed."""
        return self._governor.progress_s()

    async def acquire(self, costs: Units) -> None:
        """Return when `costs` may be consumed."""
        if self._uncapped():
            return
        if not self._turn.locked():  # nobody waits
            if self._clock() - self._granted_s > KEEP_GRANT_S:
                self._give_back()
            if self._suffices(costs):
                self._take(costs)
                return
        async with self._turn:
            if not self._suffices(costs):
                await self._ask(costs)
            self._take(costs)

    def settle(self, estimated: Units, consumed: Units, *, in_vain: bool = False, answered: bool = True) -> None:
        """After the answer: what was estimated for the request, and what it consumed.

        in_vain: it was refused, whole or in part, for lack of capacity. What it did not consume is then spent all the
        same: given back, it would be sent again at once, and a table at its limit would refuse most of what it gets.
        answered: nobody said what was consumed; it is charged, and no sign that the job gets on.
        """
        capped = not self._uncapped()
        for budget in self._budgets:
            unused = estimated[budget] - consumed[budget]
            if capped and (unused < 0 or not in_vain):
                self._allowance[budget] += unused
            self._consumed[budget] += consumed[budget] if answered else 0.0
        if self._clock() - self._told_s > TELL_EVERY_S:
            self._tell(self._nothing)

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        """The table gives less than is asked of it."""
        self._tell(self._nothing)
        self._governor.throttled(budget, hot=hot)

    def _suffices(self, costs: Units) -> bool:
        for budget in self._budgets:  # noqa: SIM110 - a generator costs three times as much, once a request
            if self._allowance[budget] < costs[budget]:
                return False
        return True

    def _take(self, costs: Units) -> None:
        for budget in self._budgets:
            self._allowance[budget] -= costs[budget]

    def _uncapped(self) -> bool:
        return min(self.rates()) == math.inf

    async def _ask(self, costs: Units) -> None:
        rates = self.rates()
        asked = tuple([self._amount(budget, costs[budget], rates[budget]) for budget in self._budgets])
        tickets = self._governor.reserve(asked)
        while (wait_s := self._governor.wait_s(tickets)) > 0:
            await self._sleep(min(wait_s, LOOK_AGAIN_S))
        for budget in self._budgets:
            self._allowance[budget] += asked[budget]
        self._granted_s = self._clock()

    def _amount(self, budget: int, cost: float, rate: float) -> float:
        lacking = cost - self._allowance[budget]
        if lacking <= 0:
            return 0.0
        return max(lacking, rate * GRANT_S) if GRANT_FROM <= rate < math.inf else lacking

    def _give_back(self) -> None:
        unused = tuple([max(0.0, amount) for amount in self._allowance])
        if any(unused):
            self._tell(unused)
            for budget in self._budgets:
                self._allowance[budget] -= unused[budget]

    def _tell(self, returned: Units) -> None:
        self._governor.settle(returned, tuple(self._consumed))
        self._consumed = list(self._nothing)
        self._told_s = self._clock()
