"""The source of a pacer's units: reservations with a governor of this machine, or leases from that of another.

At high rates (`GRANT_FROM`) a lock for every request would cost too much: units for several requests are then
reserved at once (`GRANT_S` of the rate).
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Protocol

from ddbio.rate.buckets import Units
from ddbio.rate.governor import Governor

# Units per second: from here on locks cost more than many workers that are a little late together.
GRANT_FROM = 50_000
GRANT_S = 0.005  # of the rate: the units that a worker then reserves at once for its next requests
KEEP_GRANT_S = 0.05  # it may keep them for this time
LOOK_AGAIN_S = 0.5  # the longest sleep: a rate that was cut may have recovered


class Grants(Protocol):
    """The source of a pacer's units: `Reservations` with the governor of this machine, or leases from that of another
    (`ddbio.rate.leases`).

    share: the part of the job's rate that this worker is expected to spend.
    """

    @property
    def share(self) -> float: ...

    async def take(self, lacking: Units, queued: Callable[[], Units]) -> Units:
        """Return as soon as at least `lacking` may be spent; returns the granted units.

        queued: the units of the requests that wait after the one that lacks these.
        """

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

    async def take(self, lacking: Units, queued: Callable[[], Units]) -> Units:
        rates = self._governor.rates()
        asked = tuple([self._amount(units, rate) for units, rate in zip(lacking, rates, strict=True)])
        tickets = self._governor.reserve(asked)
        while (wait_s := self._governor.wait_s(tickets)) > 0:
            await self._sleep(min(wait_s, LOOK_AGAIN_S))
        return asked

    def _amount(self, lacking: float, rate: float) -> float:
        if lacking <= 0 or not GRANT_FROM <= rate < math.inf:
            return lacking
        # Not more than the worker spends in that time: hundreds of workers would together hold a second of the cap.
        return max(lacking, rate * min(GRANT_S, KEEP_GRANT_S * self.share))
