"""A run at this moment, for those who show it: budgets, latencies, units at work, rejects by code.

The parent keeps it; a `Progress` receives it with `watch`, and may read it from any thread and at any time. After
`close` it has the last values, because the shared memory that they came from is gone.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddbio.engines.engine import Running
from ddbio.job.side import Side
from ddbio.messages import UnitBegun, UnitReport
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.latency import Histogram

_ENOUGH_S = 1.0  # a unit is at work for this time before its speed is compared


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget of capacity of a run. role: of its table, `source` or `target`. index: empty for the table itself.
    kind: of its units, WCU or RCU."""

    role: str
    table: str
    index: str
    kind: str
    rates: BudgetRates


@dataclass(frozen=True, slots=True)
class UnitAtWork:
    """A unit that a lane works on. place: the unit in words. items: read from it by this lane."""

    place: str
    items: int
    seconds: float

    @property
    def items_per_s(self) -> float:
        return self.items / max(self.seconds, 0.001)


@dataclass(slots=True)
class _Begun:
    place: str
    at_s: float
    items: int = 0


class LiveRun:
    """sides: the tables of the run. running: the open engine.

    rejects: of this run, by code.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        running: Running,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rejects: Counter[str] = Counter()
        self._sides = tuple(sides)
        self._running = running
        self._clock = clock
        self._units: dict[int, _Begun] = {}
        self._lock = threading.Lock()  # shared memory must not go away while it is read
        self._last: tuple[tuple[Budget, ...], dict[str, Histogram]] | None = None

    # -- for displays

    def budgets(self) -> tuple[Budget, ...]:
        """Of all tables, each followed by its indexes."""
        with self._lock:
            return self._last[0] if self._last else tuple(self._budgets())

    def latencies(self) -> Mapping[str, Histogram]:
        """Of all requests of this run, by the role of the table."""
        with self._lock:
            return self._last[1] if self._last else self._latencies()

    @property
    def workers(self) -> int:
        with self._lock:
            return 0 if self._last else self._running.workers

    @property
    def connections(self) -> int:
        """Lanes that work on a unit."""
        return len(self._units)

    def slowest(self) -> UnitAtWork | None:
        """The unit with the fewest items per second, among several at work for a second and more."""
        now_s = self._clock()
        units = [UnitAtWork(each.place, each.items, now_s - each.at_s) for each in [*self._units.values()]]
        compared = [each for each in units if each.seconds >= _ENOUGH_S]
        return min(compared, key=lambda unit: unit.items_per_s) if len(compared) > 1 else None

    # -- for the parent

    def begun(self, event: UnitBegun) -> None:
        self._units[event.unit] = _Begun(event.place, self._clock())

    def reported(self, report: UnitReport) -> None:
        """A unit got further."""
        if report.done or report.error is not None:
            self._units.pop(report.unit, None)
        elif (unit := self._units.get(report.unit)) is not None:
            unit.items += report.tally.read
        for reject in report.rejects:
            self.rejects[reject.code] += 1

    def close(self) -> None:
        """The engine is about to close."""
        with self._lock:
            self._last = tuple(self._budgets()), self._latencies()
        self._units.clear()

    def _budgets(self) -> Iterator[Budget]:
        for side in self._sides:
            for index, rates in zip(("", *side.index_caps), self._running.budgets(side.role), strict=True):
                yield Budget(side.role, side.table.name, index, side.cap.kind, rates)

    def _latencies(self) -> dict[str, Histogram]:
        return {side.role: self._running.latencies(side.role) for side in self._sides}
