"""Measures a run for those who show it: how much is done, and how fast it was in the last seconds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from ddbio.flow.context import TARGET
from ddbio.job.live import LiveRun
from ddbio.job.progress_text import Consumption, Snapshot
from ddbio.messages import Tally

WINDOW_S = 10.0  # of the rates that are shown
_SAMPLE_EVERY_S = 0.5


class _LastSeconds:
    """The speed of a run over the last `WINDOW_S`: of several totals, each since the start."""

    def __init__(self, now_s: float, totals: Sequence[float]) -> None:
        self._samples: deque[tuple[float, Sequence[float]]] = deque([(now_s, totals)])

    def add(self, now_s: float, totals: Sequence[float]) -> None:
        samples = self._samples
        if now_s - samples[-1][0] >= _SAMPLE_EVERY_S:
            samples.append((now_s, totals))
        while len(samples) > 2 and now_s - samples[1][0] >= WINDOW_S:
            samples.popleft()

    def rates(self, now_s: float, totals: Sequence[float]) -> list[float]:
        """Of each total, per second."""
        then_s, before = self._samples[0]
        seconds = max(now_s - then_s, 0.001)
        return [(total - then) / seconds for total, then in zip(totals, before, strict=True)]


class Meter:
    """Takes what a `Progress` is called with, and makes snapshots of it. clock: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.live: LiveRun | None = None
        self._unit = ""
        self._total = self._done = 0.0
        self._cap = float("inf")
        self._tally = Tally()
        self._speed = _LastSeconds(0.0, self._totals())

    def start(self, total: float, unit: str, cap: float, done: float) -> None:
        self._total, self._unit, self._cap, self._done = total, unit, cap, done
        self._tally, self.live = Tally(), None
        self._speed = _LastSeconds(self.clock(), self._totals())

    def update(self, amount: float, tally: Tally) -> None:
        self._done += amount
        self._tally = tally
        self._speed.add(self.clock(), self._totals())

    def snapshot(self) -> Snapshot:
        amount_per_s, items_per_s, *units_per_s = self._speed.rates(self.clock(), self._totals())
        tally = self._tally
        return Snapshot(
            done=self._done,
            total=self._total,
            unit=self._unit,
            items=tally.read,
            amount_per_s=amount_per_s,
            items_per_s=items_per_s,
            consumption=tuple(self._consumption(*units_per_s)),
            throttled=tally.throttled,
            rejected=tally.rejected,
            estimated=bool(tally.estimated),
        )

    def _totals(self) -> tuple[float, float, float, float]:
        """The amount, items, and units: of the source or the only table, and of the target of a job with two.

        The cap that is shown is that of the table alone, if its indexes have budgets of their own; so are the units.
        """
        tally = self._tally
        of_first, of_target = tally.units - tally.target_units, tally.target_units
        budgets = self.live.budgets() if self.live else ()
        tables = [each for each in budgets if not each.index]
        for role in {each.role for each in budgets if each.index}:
            alone = next(each.rates.total for each in tables if each.role == role)
            if len(tables) > 1 and role == TARGET:
                of_target = alone
            else:
                of_first = alone
        return self._done, tally.read, of_first, of_target

    def _consumption(self, of_first: float, of_target: float) -> list[Consumption]:
        tables = [each for each in self.live.budgets() if not each.index] if self.live else []
        if not tables:
            return [Consumption(of_first, self._cap)]
        if len(tables) == 1:
            return [Consumption(of_first, tables[0].rates.in_force)]
        return [
            Consumption(of_target if each.role == TARGET else of_first, each.rates.in_force, each.kind)
            for each in tables
        ]
