"""What a job consumes of a table, and how long that takes at the caps in force."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ddbio.forecast.durations import duration
from ddbio.forecast.forecast import RCU, Amount, Demand, largest
from ddbio.rate.caps import Cap
from ddbio.values.capacity import MAX_PAGE_BYTES, page_read_units
from ddbio.values.table import TableInfo

FOREVER_S = 10 * 365 * 86400.0


def demand_of(
    table: TableInfo, region: str, role: str, cap: Cap, index_caps: Mapping[str, float] | None = None
) -> Demand:
    """The demand on a table, with all figures unknown. index_caps: of indexes with capacity of their own."""
    described = table.description
    return Demand(
        table=table.name,
        region=region,
        role=role,
        kind="RCU" if cap.kind == RCU else "WCU",
        replicas=tuple(sorted({each["RegionName"] for each in described.get("Replicas") or ()} - {region})),
        billing="provisioned" if table.provisioned else "on-demand",
        table_class=(described.get("TableClassSummary") or {}).get("TableClass", "STANDARD"),
        cap_units_per_s=None if math.isinf(cap.units_per_s) else cap.units_per_s,
        cap_origin=cap.origin,
        index_caps=dict(index_caps or {}),
    )


def scan_units(size_bytes: Amount, items: Amount, segments: int, page_bytes: float, *, consistent: bool) -> Amount:
    """The read units of a Scan of so many segments.

    A page costs its bytes, rounded up to 4 KB: half of that on average. An empty segment costs as much as 4 KB.
    page_bytes: the most items, in bytes, that a page has.
    """
    unit_bytes = MAX_PAGE_BYTES / page_read_units(MAX_PAGE_BYTES, consistent)
    least = page_read_units(0, consistent)

    def units(these_bytes: float, these_items: float) -> float:
        empty = segments * math.exp(-these_items / segments)
        pages = max(segments - empty, these_bytes / min(page_bytes, MAX_PAGE_BYTES) + (segments - empty) / 2)
        return max(least * segments, these_bytes / unit_bytes + least * (empty + pages / 2))

    found = [
        units(*pair)
        for pair in ((size_bytes.likely, items.likely), (size_bytes.low, items.low), (size_bytes.high, items.high))
    ]
    return Amount(found[0], min(found), max(found))


def seconds_at(cap: Cap, units: float, now: datetime.datetime | None = None) -> float:
    """The time in which a cap, which may change by the time of day, lets so many units pass. now: local time."""
    if not cap.changes or math.isinf(cap.units_per_s):
        return units / cap.units_per_s
    at = began = now or cap.chosen_at
    rate = cap.units_per_s
    while True:
        change = cap.next_change(at)
        assert change is not None
        until = change.next_after(at)
        allowed = rate * (until - at).total_seconds()
        if allowed >= units or (at - began).total_seconds() > FOREVER_S:
            return (at - began).total_seconds() + units / rate
        units, at, rate = units - allowed, until, change.units_per_s


def _time_of(demand: Demand, cap: Cap) -> Amount | None:
    """The time that one demand needs; None if it is unknown or not held by a cap."""
    if demand.cap_units_per_s is None or demand.units is None:
        return None
    budgets = demand.budgets()
    of_table, _ = budgets.pop("table")
    assert of_table is not None
    spent = Amount(*(seconds_at(cap, each) for each in (of_table.likely, of_table.low, of_table.high)))
    return largest([spent, *(need.times(1 / limit) for need, limit in budgets.values() if need and limit)])


def time_of(held: Sequence[tuple[Demand, Cap]]) -> tuple[Amount | None, str]:
    """The time that a job needs whose demands are met at once, and what decides about it, as text."""
    times = [(demand, _time_of(demand, cap)) for demand, cap in held]
    unknown = [demand for demand, _ in times if demand.units is None]
    if unknown:
        return None, f"unknown, as the {_units_of(unknown[0])} are"
    known = [(spent, demand) for demand, spent in times if spent is not None]
    if not known:
        return None, "no cap holds this job: it takes as long as the table, the network and this machine need"
    slowest, demand = max(known, key=lambda each: each[0].likely)
    free = [each for each, spent in times if spent is None]
    if free:
        least = f"{_described(demand)}, needs {duration(slowest.likely)} at least"
        return None, f"no cap holds the {_units_of(free[0])}; {least}"
    return largest([spent for spent, _ in known]), _described(demand)


def _units_of(demand: Demand) -> str:
    return f"{'reads' if demand.kind == RCU else 'writes'} of {demand.table}"


def _described(demand: Demand) -> str:
    index = demand.bottleneck
    if index == "table":
        return f"the cap of the {_units_of(demand)}, {demand.cap_units_per_s:,.10g} {demand.kind} a second"
    return f"index {index} of {demand.table}, {demand.index_caps[index]:,.10g} {demand.kind} a second"


def part_of(demand: Demand, share: float) -> Demand:
    """Of a job of which only a share is left to do."""
    if share >= 1:
        return demand
    return replace(
        demand,
        items=demand.items and demand.items.times(share),
        units=demand.units and demand.units.times(share),
        by_index={name: units.times(share) for name, units in demand.by_index.items()},
    )
