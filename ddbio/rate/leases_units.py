"""A seat's leases of units for requests whose cost is known before they are sent: the source of its `Pacer`'s units.

It asks for the units of its waiting requests, and ahead for those that it will send soon:

- its use in a round trip and `HELD_S`, so that the network does not hold back a seat that the cap does not. At a low
  rate it is one request, and only if that will be sent before it expires, or if the cap makes requests wait anyway.
- A message goes at once if everything that was asked for has been granted; else it collects wants for a while.

Units are spent within 2 * `KEEP_S` after their arrival, or returned; those of one request are kept while it waits for
the rest of them, or while the seat sends one now and then. Units that arrive late are never spent.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

from ddbio.messages.leases import LeaseAsk, LeaseGrant, SeatMessage
from ddbio.rate.buckets import NOTHING, Units
from ddbio.rate.grants import Lacking
from ddbio.rate.leases_terms import LATE_S, KnownTerms, Refusals

Wait = Callable[["asyncio.Future[None]"], Awaitable[None]]  # raises if the run is stopped meanwhile

HELD_S = 0.005  # of the seat's use
TRIP_AT_MOST_S = 0.025
_TRIP_PART = 0.2  # weight of the newest round trip
KEEP_S = 0.01
COLLECT_AT_MOST_S = 0.5
KEEP_ONE_S = 0.1  # since the last request
USE_OVER_S = 0.1  # time constant of the measured use


class Held:
    """Units that were granted and are not spent, in two generations: the older one expires every `KEEP_S`."""

    def __init__(self, budgets: int, now_s: float) -> None:
        self._new, self._old = [0.0] * budgets, [0.0] * budgets
        self._turned_s = now_s

    def units(self) -> list[float]:
        return [new + old for new, old in zip(self._new, self._old, strict=True)]

    def add(self, units: Units) -> None:
        for budget, amount in enumerate(units):
            self._new[budget] += amount

    def suffices(self, units: Units) -> bool:
        return all(each <= held + NOTHING for each, held in zip(units, self.units(), strict=True))

    def spend(self, units: Units) -> None:
        for budget, amount in enumerate(units):
            of_old = min(amount, self._old[budget])
            self._old[budget] = _rest(self._old[budget] - of_old)
            self._new[budget] = _rest(self._new[budget] - (amount - of_old))

    def expires_s(self) -> float:
        """When the next units expire, at the earliest; infinite if there are none."""
        return self._turned_s + KEEP_S if any(self._new) or any(self._old) else math.inf

    def expire(self, now_s: float, keep: Units) -> list[float]:
        """Forget expired units; returns them. keep: units that may stay."""
        expired = [0.0] * len(self._new)
        for _ in range(2):
            if now_s < self._turned_s + KEEP_S:
                break
            stay = [min(old, max(0.0, kept - new)) for old, kept, new in zip(self._old, keep, self._new, strict=True)]
            expired = [each + old - kept for each, old, kept in zip(expired, self._old, stay, strict=True)]
            self._new, self._old = stay, self._new
            self._turned_s += KEEP_S
        if now_s >= self._turned_s + KEEP_S:
            self._turned_s = now_s
        return expired


def _rest(units: float) -> float:
    return units if units > NOTHING else 0.0


class LeasedUnits:
    """The leases of a seat for requests that need the same budgets (`ddbio.rate.leases_lines`). Used on one event
    loop, which also calls `received`.

    line: their name. terms: shared by all lines. send: never blocks. wait: for a future, or until the run is stopped.
    """

    def __init__(
        self,
        role: str,
        line: int,
        terms: KnownTerms,
        send: Callable[[SeatMessage], None],
        wait: Wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        now_s = clock()
        self._role = role
        self._line = line
        self._send = send
        self._wait = wait
        self._clock = clock
        self._terms = terms
        self._budgets = range(len(terms.rates))
        self._nothing = (0.0,) * len(terms.rates)
        self._held = Held(len(terms.rates), now_s)
        self._granted = [0.0] * len(terms.rates)  # in all
        self._asked = [0.0] * len(terms.rates)  # in all: granted units and those that the driver knows to be wanted
        self._asked_s = self._sent_s = -math.inf
        self._returned = [0.0] * len(terms.rates)  # not sent yet, as the following ones
        self._consumed = [0.0] * len(terms.rates)
        self._progressed = False
        self._refusals = Refusals()
        self._lacking: Units | None = None  # of the request that waits
        self._queued: Callable[[], Units] = lambda: self._nothing
        self._arrived: asyncio.Future[None] | None = None
        self._cost = self._nothing  # of the last request
        self._taken_s = now_s
        self._use = [0.0] * len(terms.rates)  # units per second lately
        self._trip_s = 0.0  # of a message and its answer, lately, without waits for the cap
        self._waited = False  # the last grant waited for the cap
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = math.inf
        self._lost = False

    # -- the pacer's side

    async def take(self, lacking: Lacking) -> Units:
        self._expire()
        self._queued = lacking.queued
        try:
            while True:
                while not self._held.suffices(lacking.units):
                    self._lacking = lacking.units
                    self._arrived = asyncio.get_running_loop().create_future()
                    self._attend()
                    await self._wait(self._arrived)
                    self._expire()
                if lacking.has_room():
                    break
                await lacking.room()
                self._expire()
        finally:
            self._lacking = self._arrived = None
        self._held.spend(lacking.units)
        self._used(lacking.units)
        self._attend()
        return lacking.units

    def settle(self, returned: Units, consumed: Units, *, progress: bool | None = None) -> None:
        for budget in self._budgets:
            self._returned[budget] += returned[budget]
            self._consumed[budget] += consumed[budget]
        if any(consumed) if progress is None else progress:
            self._progressed = True
            self._terms.progressed(self._clock())
        self._attend()

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        self._refusals.add(budget, hot=hot)
        self._attend()

    # -- the network's side

    def received(self, grant: LeaseGrant) -> None:
        if self._lost:
            return
        late_s = self._terms.hear(grant.terms, self._clock())
        if grant.units:
            for budget, units in enumerate(grant.units):
                self._granted[budget] += units
            self._waited = grant.waited
            self._trip_s += _TRIP_PART * (self._clock() - grant.asked_s - grant.since_s - self._trip_s)
            self._expire()
            if late_s <= LATE_S:
                self._held.add(grant.units)
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)
        else:
            self._attend()

    def lost(self) -> None:
        """The driver is out of reach, for good: nothing starts any more."""
        self._lost = True
        self._held = Held(len(self._budgets), self._clock())

    def flush(self) -> None:
        """Send the last consumption."""
        if any(self._consumed) or any(self._returned) or self._progressed:
            self._tell(self._clock())

    # -- when to send what

    def _attend(self) -> None:
        """Send a message if it is time, or set the timer for it."""
        if self._lost:
            return
        now_s = self._clock()
        self._expire()
        due_s = self._due_s()
        if due_s <= now_s:
            self._tell(now_s)
            due_s = self._due_s()
        due_s = min(due_s, self._held.expires_s())
        if due_s < math.inf:
            self._set_timer(due_s)

    def _due_s(self) -> float:
        due_s = self._refusals.due_s()
        if any(self._consumed) or any(self._returned) or self._progressed:
            due_s = min(due_s, self._sent_s + self._terms.report_every_s)
        outstanding = [self._asked[budget] - self._granted[budget] for budget in self._budgets]
        if any(short > known + NOTHING for short, known in zip(self._short(), outstanding, strict=True)):
            due_s = min(due_s, self._asked_s + self._collect_s(outstanding))
        elif self._lacking is not None:  # others may join the queue
            due_s = min(due_s, self._clock() + max(self._terms.ask_every_s, self._collect_s(outstanding)))
        return due_s

    def _collect_s(self, outstanding: list[float]) -> float:
        """How long to collect wants: until half of those that the driver knows have probably been granted."""
        if not any(units > NOTHING for units in outstanding):
            return 0.0
        halves_s = [
            units / (2 * self._terms.share * rate)
            for units, rate in zip(outstanding, self._terms.rates, strict=True)
            if units > NOTHING and rate
        ]
        return min(COLLECT_AT_MOST_S, max(self._terms.ask_every_s, min(halves_s, default=0.0)))

    def _short(self) -> list[float]:
        """Units to be granted, beside those held: for the requests that wait, or ahead."""
        lacking = self._nothing if self._lacking is None else self._lacking
        needs = zip(self._ahead(), lacking, self._queued(), self._held.units(), strict=True)
        return [max(0.0, ahead + units + after - held) for ahead, units, after, held in needs]

    def _ahead(self) -> list[float]:
        idle_s = self._clock() - self._taken_s
        if idle_s > 2 * KEEP_S:
            return [0.0] * len(self._budgets)
        return [self._ahead_of(*each) for each in zip(self._use, self._cost, strict=True)]

    def _ahead_of(self, use: float, cost: float) -> float:
        several = use * (min(self._trip_s, TRIP_AT_MOST_S) + HELD_S)
        if several >= cost:
            return several
        return cost if self._waited or use * KEEP_ONE_S >= cost else 0.0

    def _tell(self, now_s: float) -> None:
        short = self._short()
        least = self._cost if self._lacking is None else self._lacking
        self._asked = [
            max(asked, granted + units)  # a piece for earlier wants may be reserved already
            for asked, granted, units in zip(self._asked, self._granted, short, strict=True)
        ]
        message = LeaseAsk(
            self._role,
            tuple(self._asked),
            least,
            now_s,
            tuple(self._returned) if any(self._returned) else (),
            tuple(self._consumed) if any(self._consumed) else (),
            self._progressed,
            self._refusals.take(now_s),
            self._line,
        )
        self._asked_s = self._sent_s = now_s
        self._returned, self._consumed = [0.0] * len(self._budgets), [0.0] * len(self._budgets)
        self._progressed = False
        self._send(message)

    def _set_timer(self, due_s: float) -> None:
        """A timer that is set for an earlier time stays: it finds nothing to do, and sets the next one."""
        if self._timer is not None and self._timer_s <= due_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = due_s
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due_s - self._clock()), self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        self._attend()

    def _expire(self) -> None:
        now_s = self._clock()
        if self._lacking is not None:  # it waits for the rest: if pieces of it expired, it might never have all
            keep = self._lacking
        else:
            keep = self._cost if now_s - self._taken_s <= KEEP_ONE_S else self._nothing
        for budget, units in enumerate(self._held.expire(now_s, keep)):
            self._returned[budget] += units

    def _used(self, units: Units) -> None:
        now_s = self._clock()
        decayed = math.exp((self._taken_s - now_s) / USE_OVER_S)
        self._use = [use * decayed + each / USE_OVER_S for use, each in zip(self._use, units, strict=True)]
        self._taken_s, self._cost = now_s, units
