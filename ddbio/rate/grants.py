"""The source of a pacer's units: reservations with a governor of this machine, or leases from that of another.

At high rates (`GRANT_FROM`) a lock for every request would cost too much: units for several requests are then
reserved at once (`GRANT_S` of the rate).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Protocol

from ddbio.rate.buckets import Units
from ddbio.rate.budgets import Place
from ddbio.rate.governor import Governor

# Units per second: from here on locks cost more than many workers that are a little late together.
GRANT_FROM = 50_000
GRANT_S = 0.005  # of the rate: the units that a worker then reserves at once for its next requests
KEEP_GRANT_S = 0.05  # it may keep them for this time
LOOK_AGAIN_S = 0.5  # the longest sleep: a rate that was cut may have recovered


class Lacking(Protocol):
    """A request that lacks units. costs: all of its units."""

    @property
    def costs(self) -> Units: ...

    @property
    def units(self) -> Units: ...

    def queued(self) -> Units:
        """The units of the requests that wait after it."""

    def has_room(self) -> bool:
        """Whether the bound on unanswered requests lets it start."""

    async def room(self) -> None:
        """Return when it does."""


class Grants(Protocol):
    """The source of a pacer's units: `Reservations` with the governor of this machine, or leases from that of another
    (`ddbio.rate.leases`).

    share: the part of the job's rate that this worker is expected to spend.
    """

    @property
    def share(self) -> float: ...

    async def take(self, lacking: Lacking) -> Units:
        """Return as soon as the request may start and has at least the units that it lacks. Returns those granted.
        Called for one request at a time of those that need the same budgets."""

    def settle(self, returned: Units, consumed: Units, *, progress: bool | None = None) -> None: ...
    def throttled(self, budget: int | None, *, hot: bool = False) -> None: ...
    def rates(self) -> Units: ...
    def progress_s(self) -> float: ...


class Reservations:
    """Units reserved with a governor that every lane can ask at any time.

    sleep: awaited with seconds. share: 1 / workers.
    """

    def __init__(self, governor: Governor, sleep: Callable[[float], Awaitable[None]], share: float) -> None:
        self.share = share
        self._governor = governor
        self._sleep = sleep
        self.settle = governor.settle
        self.throttled = governor.throttled
        self.rates = governor.rates
        self.progress_s = governor.progress_s

    async def take(self, lacking: Lacking) -> Units:
        rates = self._governor.rates()
        asked = tuple([self._amount(units, rate) for units, rate in zip(lacking.units, rates, strict=True)])
        place = Place.of(*asked)
        if not lacking.has_room():
            place = self._governor.queue_up(place)
        try:
            while True:
                await lacking.room()
                wait_s, place = self._governor.start(place)
                if wait_s <= 0:
                    return asked
                await self._sleep(min(wait_s, LOOK_AGAIN_S))
        except BaseException:  # cancelled, or the run is stopped
            self._governor.leave(place)
            raise

    def _amount(self, lacking: float, rate: float) -> float:
        if lacking <= 0 or not GRANT_FROM <= rate < math.inf:
            return lacking
        # Not more than the worker spends in that time: hundreds of workers would together hold a second of the cap.
        return max(lacking, rate * min(GRANT_S, KEEP_GRANT_S * self.share))
