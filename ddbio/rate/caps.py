"""The cap of a run, from `-c` or from the table, and its origin as text. Pure.

With no `-c` a provisioned table is capped at its provisioned units and an on-demand table at its configured maximum;
else there is no cap. A cap above the units of a provisioned table is refused: it would have no effect.

`-c` may be a schedule, `1000,20:00=20000,06:00=1000`: the first number applies from the start of the run until the
next of the times of day, and so on, every day. Without a first number the one with the latest past time applies.
"""

from __future__ import annotations

import datetime
import math
import re
from dataclasses import dataclass, replace

from ddbio.errors import UsageError
from ddbio.rate.buckets import UNCAPPED
from ddbio.values.table import TableInfo

_TIMED = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])=(.+)")
_OPTION = re.compile(r"(?<!\S)-c(?![\w-])")  # in the words of this module
_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CapChange:
    """A new cap from this local time of day on. at: minutes after midnight."""

    at: int
    units_per_s: float

    def next_after(self, now: datetime.datetime) -> datetime.datetime:
        """When it takes effect next. now: local time."""
        today = now.replace(hour=self.at // 60, minute=self.at % 60, second=0, microsecond=0)
        return today if today > now else today + _DAY


@dataclass(frozen=True, slots=True)
class Cap:
    """The cap of a run. units_per_s: initially; infinite for none. origin: its source, as text. kind: WCU or RCU.

    changes: later caps. chosen_at: local time at which the initial one was chosen: later changes apply.
    """

    units_per_s: float
    origin: str
    kind: str
    changes: tuple[CapChange, ...] = ()
    chosen_at: datetime.datetime = datetime.datetime.min

    def __str__(self) -> str:
        if math.isinf(self.units_per_s):
            return f"no cap ({self.origin})"
        later = "".join(
            f", {change.units_per_s:,.10g} from {change.at // 60:02}:{change.at % 60:02}" for change in self.changes
        )
        return f"{self.units_per_s:,.10g} {self.kind}{later} ({self.origin})"

    def next_change(self, after: datetime.datetime) -> CapChange | None:
        """The next change; None if the cap never changes. after: local time."""
        return min(self.changes, key=lambda change: change.next_after(after), default=None)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The table of a run, and the kind of units that the run consumes."""

    table: TableInfo
    kind: str
    over_provisioned: bool

    @property
    def limit(self) -> float | None:
        return self.table.write_units if self.kind == "WCU" else self.table.read_units

    @property
    def limit_is(self) -> str:
        owner = "index" if self.table.index else "table"
        return f"the {owner}'s {'provisioned units' if self.table.provisioned else 'on-demand maximum'}"


def choose_cap(
    capacity: str | None,
    table: TableInfo,
    kind: str,
    *,
    over_provisioned: bool = False,
    now: datetime.datetime | None = None,
    option: str = "-c",
) -> Cap:
    """The cap of a run on `table`. kind: `WCU` for imports, `RCU` for exports.

    capacity: `"500"`, `"12.5"`, `"60%"`, a schedule, or None. now: local time. option: by which it was given.
    Raises UsageError for anything else, for a percentage of a table that has no limit, and for more than a
    provisioned table has unless `over_provisioned`.
    """
    try:
        cap = _chosen(capacity, table, kind, over_provisioned=over_provisioned, now=now)
    except UsageError as error:
        raise UsageError(_OPTION.sub(option, error.message), _OPTION.sub(option, error.hint)) from None
    return replace(cap, origin=_OPTION.sub(option, cap.origin))


def _chosen(
    capacity: str | None, table: TableInfo, kind: str, *, over_provisioned: bool, now: datetime.datetime | None
) -> Cap:
    """The cap, in words about `-c`."""
    asked = _Asked(table, kind, over_provisioned)
    if capacity is None:
        if asked.limit is None:
            return Cap(UNCAPPED, "the table is on-demand and no -c was given", kind)
        return Cap(asked.limit, f"{asked.limit_is}; -c sets another", kind)
    first, *rest = capacity.split(",")
    if not rest and not _TIMED.fullmatch(first):
        origin = f"{first} of {asked.limit_is} of {asked.limit:,.0f}" if first.endswith("%") and asked.limit else "-c"
        return Cap(_units(first, asked), origin, kind)
    timed = [first, *rest] if _TIMED.fullmatch(first) else rest
    changes = tuple(_change(text, asked) for text in timed)
    now = now or datetime.datetime.now()
    at_start = _last_before(now, changes) if len(timed) > len(rest) else _units(first, asked)
    return Cap(at_start, "-c, by local time", kind, changes, now)


def _change(text: str, asked: _Asked) -> CapChange:
    match = _TIMED.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"-c: {text!r} is not a time and a capacity", "write it like 20:00=5000")
    hour, minute, capacity = match.groups()
    return CapChange(int(hour) * 60 + int(minute), _units(capacity, asked))


def _last_before(now: datetime.datetime, changes: tuple[CapChange, ...]) -> float:
    return max(changes, key=lambda change: change.next_after(now)).units_per_s


def _units(text: str, asked: _Asked) -> float:
    if text.endswith("%"):
        return _share(text, asked)
    units, limit, table = _positive(text, text), asked.limit, asked.table
    if table.provisioned and limit is not None and units > limit and not asked.over_provisioned:
        raise UsageError(
            f"-c {text} is more than the {limit:,.0f} {asked.kind} that table {table.name} has",
            f"use -c {limit:.0f} or less, raise the table's capacity, or add --over-provisioned",
        )
    return units


def _share(text: str, asked: _Asked) -> float:
    percent = _positive(text[:-1], text)
    if percent > 100:
        raise UsageError(f"-c {text} is more than all", "give at most 100%")
    if asked.limit is None:
        raise UsageError(
            f"-c {text} is a share of nothing: the table is on-demand without a maximum",
            f"give a number of {asked.kind}",
        )
    return asked.limit * percent / 100


def _positive(number: str, text: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise UsageError(
            f"-c {text} is not a capacity", "give units per second, such as -c 500, -c 60% or -c 1000,20:00=5000"
        )
    return value
