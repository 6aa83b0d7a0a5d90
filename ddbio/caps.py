"""The cap of a run: what `-c` says, what the table has, and where the number came from. Pure.

With no `-c` a provisioned table is capped at its provisioned units and an on-demand table at its configured maximum;
else there is no cap. A cap above what a provisioned table has is refused: it would be no cap.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ddbio.dynamodb.table import TableInfo
from ddbio.errors import UsageError
from ddbio.governor import UNCAPPED


@dataclass(frozen=True, slots=True)
class Cap:
    """units_per_s: infinite for none. origin: where it came from, for the user."""

    units_per_s: float
    origin: str
    kind: str  # WCU or RCU

    def __str__(self) -> str:
        if math.isinf(self.units_per_s):
            return f"no cap ({self.origin})"
        return f"{self.units_per_s:,.10g} {self.kind} ({self.origin})"


def choose_cap(capacity: str | None, table: TableInfo, kind: str, *, over_provisioned: bool = False) -> Cap:
    """The cap of a run on `table`. kind: `WCU` for imports, `RCU` for exports.

    capacity: `"500"`, `"12.5"`, `"60%"`, or None. Raises UsageError for what is none of these, for a percentage of a
    table that has no limit, and for more than a provisioned table has unless `over_provisioned`.
    """
    limit = table.write_units if kind == "WCU" else table.read_units
    limit_is = f"the table's {'provisioned units' if table.provisioned else 'on-demand maximum'}"
    if capacity is None:
        if limit is None:
            return Cap(UNCAPPED, "the table is on-demand and no -c was given", kind)
        return Cap(limit, f"{limit_is}; -c sets another", kind)
    if capacity.endswith("%"):
        return _share(capacity, limit, limit_is, kind)
    cap = Cap(_positive(capacity, capacity), "-c", kind)
    if table.provisioned and limit is not None and cap.units_per_s > limit and not over_provisioned:
        raise UsageError(
            f"-c {capacity} is more than the {limit:,.0f} {kind} that table {table.name} has",
            f"use -c {limit:.0f} or less, raise the table's capacity, or add --over-provisioned",
        )
    return cap


def _share(capacity: str, limit: float | None, limit_is: str, kind: str) -> Cap:
    percent = _positive(capacity[:-1], capacity)
    if percent > 100:
        raise UsageError(f"-c {capacity} is more than all", "give at most 100%")
    if limit is None:
        raise UsageError(
            f"-c {capacity} is a share of nothing: the table is on-demand without a maximum",
            f"give a number of {kind}",
        )
    return Cap(limit * percent / 100, f"{capacity} of {limit_is} of {limit:,.0f}", kind)


def _positive(number: str, capacity: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise UsageError(f"-c {capacity} is not a capacity", "give units per second, such as -c 500, or -c 60%")
    return value
