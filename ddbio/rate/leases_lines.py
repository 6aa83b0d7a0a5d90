"""A seat's leases of units, a line for each set of budgets that requests need: the source of its `Pacer`'s units.

A request that waits for an index then keeps none waiting that needs only the table: each line asks for its own units,
and the driver serves them in turn. All have the same terms.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ddbio.messages.leases import TABLE_LINE, LeaseGrant, LeaseTerms, SeatMessage
from ddbio.rate.buckets import Units
from ddbio.rate.grants import Lacking
from ddbio.rate.leases_terms import KnownTerms
from ddbio.rate.leases_units import LeasedUnits, Wait


class LeasedLines:
    """A `Grants` for the pacer of one seat. Used on one event loop, which also calls `received`.

    send: never blocks. wait: for a future, or until the run is stopped.
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
        self._terms = KnownTerms(terms, clock())
        self._send = send
        self._wait = wait
        self._clock = clock
        self._lost = False
        self._lines: dict[int, LeasedUnits] = {}
        table = self._line(TABLE_LINE)
        self.settle, self.throttled = table.settle, table.throttled

    @property
    def share(self) -> float:
        return self._terms.share

    def rates(self) -> Units:
        return self._terms.rates

    def progress_s(self) -> float:
        return self._terms.progress_s

    async def take(self, lacking: Lacking) -> Units:
        """See `Grants`."""
        return await self._line(line_of(lacking.costs)).take(lacking)

    def received(self, grant: LeaseGrant) -> None:
        self._line(grant.line).received(grant)

    def lost(self) -> None:
        """The driver is out of reach, for good: nothing starts any more."""
        self._lost = True
        self._terms.lose()
        for each in self._lines.values():
            each.lost()

    def flush(self) -> None:
        """Send the last consumption."""
        for each in self._lines.values():
            each.flush()

    def _line(self, name: int) -> LeasedUnits:
        line = self._lines.get(name)
        if line is None:
            line = LeasedUnits(self._role, name, self._terms, self._send, self._wait, self._clock)
            self._lines[name] = line
            if self._lost:
                line.lost()
        return line


def line_of(costs: Units) -> int:
    """The name of the line: a bit for each budget that is needed."""
    return sum(1 << budget for budget, units in enumerate(costs) if units > 0) or TABLE_LINE
