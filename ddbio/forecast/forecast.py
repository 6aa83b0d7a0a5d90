"""The figures of a plan, as plain data: what a job would consume, and for how long.

A figure is an `Amount`: its likely value within bounds, or None if it is unknown. An unknown figure makes every sum
that contains it unknown; it is never taken for zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from ddbio.forecast.durations import duration

RCU: Literal["RCU"] = "RCU"
WCU: Literal["WCU"] = "WCU"


@dataclass(frozen=True, slots=True)
class Amount:
    """low <= likely <= high. The bounds of a sampled figure hold in about 19 of 20 cases; those of a figure that is
    known are its value."""

    likely: float
    low: float
    high: float

    @classmethod
    def exact(cls, value: float) -> Amount:
        return cls(value, value, value)

    @property
    def is_exact(self) -> bool:
        return self.low == self.high

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.likely + other.likely, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Amount:
        """factor: not negative."""
        return Amount(self.likely * factor, self.low * factor, self.high * factor)

    def at_most(self, most: float) -> Amount:
        return Amount(min(self.likely, most), min(self.low, most), min(self.high, most))


ZERO = Amount.exact(0)


def total(amounts: Iterable[Amount | None]) -> Amount | None:
    """Their sum; None if one is unknown."""
    added = ZERO
    for amount in amounts:
        if amount is None:
            return None
        added += amount
    return added


def largest(amounts: Iterable[Amount | None]) -> Amount | None:
    """The maximum of each bound; None if one is unknown, or if there are none."""
    found: Amount | None = None
    for amount in amounts:
        if amount is None:
            return None
        if found is not None:
            amount = Amount(
                *map(max, (amount.likely, amount.low, amount.high), (found.likely, found.low, found.high))
            )
        found = amount
    return found


@dataclass(frozen=True, slots=True)
class Demand:
    """What a job consumes of one table, in one role. A table that is read and written has two.

    role: `source` or `target`. kind: of the units. items: read, or written. item_bytes: their mean size.
    units: of the table itself, its local indexes included. by_index: those of each global index, in addition.
    replicas: the other regions that get each write. table_class: `STANDARD` or
    `STANDARD_INFREQUENT_ACCESS`. table_bytes: of all items of the table, without indexes.
    cap_units_per_s: None if there is no cap. cap_origin: where the cap comes from, as text. index_caps: units per
    second of each global index that has capacity of its own; the units of all others count against the table's cap.
    """

    table: str
    region: str
    role: str
    kind: Literal["RCU", "WCU"]
    items: Amount | None = None
    item_bytes: Amount | None = None
    units: Amount | None = None
    by_index: Mapping[str, Amount] = field(default_factory=dict)
    replicas: tuple[str, ...] = ()
    billing: Literal["on-demand", "provisioned"] = "on-demand"
    table_class: str = "STANDARD"
    table_bytes: Amount | None = None
    cap_units_per_s: float | None = None
    cap_origin: str = ""
    index_caps: Mapping[str, float] = field(default_factory=dict)

    @property
    def all_units(self) -> Amount | None:
        """Those of the table and its indexes."""
        return total([self.units, *self.by_index.values()])

    def budgets(self) -> dict[str, tuple[Amount | None, float | None]]:
        """By whose capacity they consume, `table` or an index: the units, and their cap per second. The largest
        quotient of the two is the time that the job needs."""
        apart = {name: (self.by_index.get(name, ZERO), cap) for name, cap in self.index_caps.items()}
        within = [units for name, units in self.by_index.items() if name not in apart]
        return {"table": (total([self.units, *within]), self.cap_units_per_s), **apart}

    @property
    def bottleneck(self) -> str:
        """The budget that needs the longest time at its cap: `table` or the name of an index; empty if the units are
        unknown or nothing has a cap."""
        seconds = {name: need.likely / cap for name, (need, cap) in self.budgets().items() if need and cap}
        return max(seconds, key=lambda name: seconds[name], default="") if self.units is not None else ""

    @property
    def seconds(self) -> Amount | None:
        """The time at the caps; None if the units are unknown, or if the table has no cap."""
        return largest(
            None if need is None or cap is None else need.times(1 / cap) for need, cap in self.budgets().values()
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a job will need. The default is a forecast that knows nothing.

    read_bytes: of files, and of items of tables. written_bytes: of files that the job leaves. s3_requests: by kind,
    `PUT`, `GET` or `LIST`; empty if it uses no S3. s3_bytes: of the objects that the job leaves there.
    seconds: at the caps in force; None if no cap holds the job, or if it is unknown. held_by: what decides about the
    time, as text.
    processes: with the parent. memory_bytes: of all processes, at most. disk_bytes: needed on this machine.
    planning_units: read units that the plan itself has consumed, by planning_requests. warnings: sentences.
    """

    demands: tuple[Demand, ...] = ()
    read_bytes: Amount | None = None
    written_bytes: Amount | None = None
    s3_requests: Mapping[str, Amount] = field(default_factory=dict)
    s3_bytes: Amount | None = None
    seconds: Amount | None = None
    held_by: str = ""
    processes: int | None = None
    memory_bytes: Amount | None = None
    disk_bytes: Amount | None = None
    planning_units: float = 0.0
    planning_requests: int = 0
    warnings: tuple[str, ...] = ()

    def then(self, other: Forecast) -> Forecast:
        """Of two jobs in a row."""
        kinds = {*self.s3_requests, *other.s3_requests}
        return Forecast(
            demands=(*self.demands, *other.demands),
            read_bytes=total([self.read_bytes, other.read_bytes]),
            written_bytes=total([self.written_bytes, other.written_bytes]),
            s3_requests={
                kind: self.s3_requests.get(kind, ZERO) + other.s3_requests.get(kind, ZERO) for kind in sorted(kinds)
            },
            s3_bytes=total([self.s3_bytes, other.s3_bytes]),
            seconds=total([self.seconds, other.seconds]),
            held_by="; then ".join(dict.fromkeys(filter(None, _held_by(self, other)))),
            processes=None
            if self.processes is None or other.processes is None
            else max(self.processes, other.processes),
            memory_bytes=largest([self.memory_bytes, other.memory_bytes]),
            disk_bytes=total([self.disk_bytes, other.disk_bytes]),
            planning_units=math.fsum([self.planning_units, other.planning_units]),
            planning_requests=self.planning_requests + other.planning_requests,
            warnings=tuple(dict.fromkeys((*self.warnings, *other.warnings))),
        )

    def as_json(self) -> dict[str, Any]:
        """As JSON values; an unknown figure is null."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    @classmethod
    def of_json(cls, values: object) -> Forecast:
        """From `as_json`. Raises msgspec.ValidationError."""
        return msgspec.convert(values, cls)


def _held_by(first: Forecast, second: Forecast) -> tuple[str, str]:
    """What decides about the time of each; with the times if only one is known, as their sum is not."""
    if (first.seconds is None) == (second.seconds is None):
        return first.held_by, second.held_by
    times = (
        f" ({duration(each.seconds.likely)})" if each.seconds and each.held_by else "" for each in (first, second)
    )
    return first.held_by + next(times), second.held_by + next(times)


UNKNOWN = Forecast()
