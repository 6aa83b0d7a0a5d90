"""Throughput: decides which request is admitted at which moment, and logs the consumption.

Pure: time is passed in, in seconds since the simulator started, and never runs backwards. The tests of the rate
governor rely on this module as the truth, so it has few rules:

- A budget is a token bucket: it refills at its rate and keeps at most `burst_s` seconds of unused capacity,
  but never less than one second's.
- A write is admitted if its budgets (table, the indexes it changes, its partition) all cover its cost; a write that
  costs more than a budget's maximum is admitted if that budget is full. It is charged to all of them or to none.
- A read is admitted while its budgets are positive; its page may leave them in debt.
- Other tenants consume their constant share of a budget first. They never put it into debt.
- A budget without a rate (on-demand) admits everything, and is logged like any other.

Source: developer guide, "Burst and adaptive capacity", "Partitions and data distribution". Adaptive capacity is
not simulated: a hot partition stays hot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from ddbio.simulator.capacity import PARTITION_READ_UNITS_PER_S, PARTITION_WRITE_UNITS_PER_S

Access = Literal["read", "write"]
Limit = Literal["provisioned", "on-demand", "key-range"]

STEPS_PER_S = 10  # of the log


class ThroughputSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the capacity of a table behaves; its amount is the table's ProvisionedThroughput.

    burst_s: seconds of unused capacity that are kept; any value up to 1 keeps one second's.
    initial_burst_s: seconds of capacity that a new budget starts with; None for a full one.
    partitions: number of partitions with separate limits; 0 for none.
    background_wcu, background_rcu: constant consumption of other tenants of the table, in units per second.
    wcu_schedule, rcu_schedule: (time_s, units) pairs: the table's capacity changes to `units` at `time_s`.
    """

    burst_s: float = 300.0
    initial_burst_s: float | None = None
    partitions: int = 0
    partition_wcu: float = PARTITION_WRITE_UNITS_PER_S
    partition_rcu: float = PARTITION_READ_UNITS_PER_S
    background_wcu: float = 0.0
    background_rcu: float = 0.0
    wcu_schedule: tuple[tuple[float, float], ...] = ()
    rcu_schedule: tuple[tuple[float, float], ...] = ()


@dataclass(slots=True)
class Budget:
    """One token bucket and its log.

    rate_units_per_s: None for no limit. limit: the kind of limit that a refusal reports.
    """

    rate_units_per_s: float | None
    limit: Limit = "provisioned"
    burst_s: float = 0.0
    initial_burst_s: float | None = None
    background_units_per_s: float = 0.0
    schedule: tuple[tuple[float, float], ...] = ()
    now_s: float = 0.0
    tokens: float = field(init=False)
    _log: dict[int, float] = field(init=False, default_factory=dict)
    _step: int = field(init=False, default=0)
    _step_end_s: float = field(init=False, default=1 / STEPS_PER_S)
    _step_units: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.tokens = self._initial_tokens()
        self.schedule = tuple(sorted(self.schedule))

    @property
    def ceiling(self) -> float:
        """The maximum of tokens in the bucket."""
        return (self.rate_units_per_s or 0.0) * max(1.0, self.burst_s)

    def holds(self, units: float, now_s: float) -> bool:
        """Whether a write of `units` is admitted now."""
        if self.rate_units_per_s is None and not self.schedule:  # on-demand, on the hot path of every write
            return True
        if now_s != self.now_s or self.schedule:  # the items of a batch arrive at the same moment
            self._advance(now_s)
        if self.rate_units_per_s is None or units <= 0:
            return True
        return self.tokens >= min(units, self.ceiling) > 0

    def admit(self, units: float, now_s: float) -> bool:
        """Take the units of a write if it is admitted now."""
        admitted = self.holds(units, now_s)
        if admitted:
            self.take(units, now_s)
        return admitted

    def is_positive(self, now_s: float) -> bool:
        """Whether a read is admitted now."""
        self._advance(now_s)
        return self.rate_units_per_s is None or self.tokens > 0

    def take(self, units: float, now_s: float) -> None:
        """Consume units, admitted or not."""
        if now_s >= self._step_end_s:
            self._begin_step(now_s)
        self._step_units += units
        if self.rate_units_per_s is not None:
            self.tokens -= units

    def set_rate(self, rate_units_per_s: float | None, limit: Limit, now_s: float) -> None:
        """Change the capacity from now on; unused capacity is kept, up to the bucket's new maximum."""
        self._advance(now_s)
        self.limit = limit
        self._change_rate(rate_units_per_s)

    def history(self) -> list[tuple[float, float]]:
        """The log in order: (seconds at which a step of a tenth of a second begins, units taken in it).

        Steps without consumption are omitted.
        """
        steps = [*self._log.items(), (self._step, self._step_units)]
        return [(step / STEPS_PER_S, units) for step, units in steps if units]

    def inherit_history(self, previous: Budget) -> None:
        """Continue the log of the budget that this one replaces."""
        self._log, self._step, self._step_end_s = previous._log, previous._step, previous._step_end_s
        self._step_units = previous._step_units

    def _begin_step(self, now_s: float) -> None:
        self._log[self._step] = self._step_units
        self._step = int(now_s * STEPS_PER_S + 1e-9)  # a time just short of a step by rounding belongs to the step
        self._step_end_s = (self._step + 1) / STEPS_PER_S
        self._step_units = 0.0

    def _advance(self, now_s: float) -> None:
        while self.schedule and self.schedule[0][0] <= now_s:
            (change_s, units), self.schedule = self.schedule[0], self.schedule[1:]
            self._refill(max(change_s, self.now_s))
            self._change_rate(units)
        self._refill(now_s)

    def _change_rate(self, rate_units_per_s: float | None) -> None:
        had_no_limit = self.rate_units_per_s is None
        self.rate_units_per_s = rate_units_per_s
        self.tokens = self._initial_tokens() if had_no_limit else min(self.tokens, self.ceiling)

    def _initial_tokens(self) -> float:
        if self.initial_burst_s is None:
            return self.ceiling
        return min(self.ceiling, self.initial_burst_s * (self.rate_units_per_s or 0.0))

    def _refill(self, now_s: float) -> None:
        elapsed_s, self.now_s = max(0.0, now_s - self.now_s), max(now_s, self.now_s)
        if self.rate_units_per_s is None:
            return
        gain = elapsed_s * (self.rate_units_per_s - self.background_units_per_s)
        floor = min(self.tokens, 0.0)  # other tenants use available tokens; they never leave a debt
        self.tokens = min(self.ceiling, max(floor, self.tokens + gain))


@dataclass(slots=True)
class BudgetPair:
    """The read and the write budget of one table or index. index: its name, empty for the table itself."""

    read: Budget
    write: Budget
    index: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was throttled."""

    limit: Limit
    access: Access
    index: str = ""

    @property
    def reason(self) -> str:
        """The service's name of the reason, such as `TableWriteProvisionedThroughputExceeded`."""
        words = {"provisioned": "Provisioned", "on-demand": "MaxOnDemand", "key-range": "KeyRange"}
        owner = "Index" if self.index else "Table"
        return f"{owner}{self.access.title()}{words[self.limit]}ThroughputExceeded"


class TableThroughput:
    """The budgets of one table, its indexes and its partitions. refusals: their number by reason."""

    def __init__(self, settings: ThroughputSettings, now_s: float) -> None:
        self.settings = settings
        self.table = BudgetPair(
            self._budget(now_s, settings.background_rcu, settings.rcu_schedule),
            self._budget(now_s, settings.background_wcu, settings.wcu_schedule),
        )
        self.indexes: dict[str, BudgetPair] = {}
        self.partitions = [self._partition(now_s) for _ in range(settings.partitions)]
        self.refusals: Counter[str] = Counter()

    def add_index(self, name: str, now_s: float) -> BudgetPair:
        """Add separate budgets for a global secondary index, initially without a limit."""
        self.indexes[name] = BudgetPair(self._budget(now_s), self._budget(now_s), name)
        return self.indexes[name]

    def pair(self, index: str) -> BudgetPair:
        """The budgets of an index, or of the table if `index` is empty or local."""
        return self.indexes.get(index, self.table)

    def admit_plain_write(self, units: float, now_s: float) -> Refusal | None:
        """`admit_write` for a write without indexes and partitions: the most common case, and the fastest."""
        budget = self.table.write
        return None if budget.admit(units, now_s) else self._refusal(budget, "write")

    def admit_write(
        self, units: float, index_units: Mapping[str, float], partition: int | None, now_s: float
    ) -> Refusal | None:
        """Charge one write to all its budgets, or to none if one is short, which is then returned.

        index_units: by the names of the global indexes that the write changes.
        """
        charges = [(self.table.write, units, "")]
        charges += [(self.indexes[name].write, entry, name) for name, entry in index_units.items()]
        if partition is not None:
            charges.append((self.partitions[partition].write, units, ""))
        for budget, asked, index in charges:
            if not budget.holds(asked, now_s):
                return self._refusal(budget, "write", index)
        for budget, asked, _ in charges:
            budget.take(asked, now_s)
        return None

    def admit_read(self, index: str, partition: int | None, now_s: float) -> Refusal | None:
        """Refuses a read that may not run now. Its cost is known only afterwards, see `charge_read`."""
        budget = self.pair(index).read
        if not budget.is_positive(now_s):
            return self._refusal(budget, "read", self.pair(index).index)
        if partition is not None and not self.partitions[partition].read.is_positive(now_s):
            return self._refusal(self.partitions[partition].read, "read")
        return None

    def charge_read(self, index: str, units: float, partition: int | None, now_s: float) -> None:
        """Charge a read that was admitted."""
        self.pair(index).read.take(units, now_s)
        if partition is not None:
            self.partitions[partition].read.take(units, now_s)

    def _refusal(self, budget: Budget, access: Access, index: str = "") -> Refusal:
        refusal = Refusal(budget.limit, access, index)
        self.refusals[refusal.reason] += 1
        return refusal

    def _budget(self, now_s: float, background: float = 0.0, schedule: Iterable[tuple[float, float]] = ()) -> Budget:
        settings = self.settings
        return Budget(
            None,
            burst_s=settings.burst_s,
            initial_burst_s=settings.initial_burst_s,
            background_units_per_s=background,
            schedule=tuple(schedule),
            now_s=now_s,
        )

    def _partition(self, now_s: float) -> BudgetPair:
        read, write = (
            Budget(rate, "key-range", now_s=now_s)
            for rate in (self.settings.partition_rcu, self.settings.partition_wcu)
        )
        return BudgetPair(read, write)
