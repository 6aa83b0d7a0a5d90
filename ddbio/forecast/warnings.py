"""Sentences on what a job may run into, before it begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ddbio.dynamodb.notices import table_notices
from ddbio.forecast.forecast import RCU, Demand
from ddbio.rate.caps import Cap
from ddbio.values.table import TableInfo

KEY_WRITE_UNITS_PER_S = 1000  # of one partition, and so of one partition key
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
_LEAST_HOT = 1.2  # by what a key must exceed that, as its share is only estimated
_LEAST_SEEN = 30  # records of a key in the sample
_LARGE_SHARE = 0.05  # of a key, that is worth a word without a cap


def of_table(table: TableInfo, cap: Cap, demand: Demand, quota: float | None) -> Iterator[str]:
    """quota: of the account, in units per second for a table; None if it is unknown."""
    yield from table_notices(table, cap)
    highest = max((cap.units_per_s, *(change.units_per_s for change in cap.changes)))
    kind = "read" if cap.kind == RCU else "write"
    limit = table.read_units if cap.kind == RCU else table.write_units
    if quota is not None and highest != float("inf") and highest > quota:
        yield (
            f"The cap of {highest:,.0f} {cap.kind} is above the account's quota of {quota:,.0f} {kind} units per "
            f"second for a table: table {table.name} will throttle; the quota can be raised"
        )
    if limit is not None and table.provisioned and limit < highest < float("inf"):
        yield f"The cap of {highest:,.0f} {cap.kind} is above the {limit:,.0f} that table {table.name} has"
    index = demand.bottleneck
    if index not in ("", "table"):
        yield (
            f"Index {index} of table {table.name} is the bottleneck: with its {demand.index_caps[index]:,.0f} WCU it "
            "needs longer than the table; raise its capacity for the job, or make the index after it"
        )


def of_regions(machine: str | None, regions: Sequence[str]) -> Iterator[str]:
    """machine: the region of this machine; None if it is unknown. regions: of the tables."""
    away = [each for each in dict.fromkeys(regions) if each != machine]
    if machine is not None and away:
        yield (
            f"This machine is in {machine}, and the table in {' and '.join(away)}: each request takes longer, and "
            "data between regions has a price; run it there"
        )


def of_history(table: TableInfo, history: bool | None, done: str) -> Iterator[str]:
    """history: whether point-in-time recovery is on; None if it is unknown. done: to items, such as `replaced`."""
    if history or not table.item_count:
        return
    known = "is off" if history is False else "may be off (unknown: no permission to ask, or no answer)"
    yield f"Point-in-time recovery of table {table.name} {known}: items that are {done} cannot be restored"


def of_hot_key(
    key: str, seen: int, share: float, cap_units_per_s: float, of: str = "sampled write units"
) -> Iterator[str]:
    """key: the partition key with the most units in a sample, that has it in so many records. share: of the units, as
    text `of`."""
    if seen < _LEAST_SEEN or cap_units_per_s * share <= KEY_WRITE_UNITS_PER_S * _LEAST_HOT:
        return
    needs = "" if cap_units_per_s == float("inf") else f"at the cap it needs {cap_units_per_s * share:,.0f} WCU, and "
    if needs or share >= _LARGE_SHARE:
        yield (
            f"Partition key {key} has {share:.0%} of the {of}: {needs}one key takes "
            f"{KEY_WRITE_UNITS_PER_S:,} a second at most"
        )
