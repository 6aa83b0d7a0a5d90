"""Facts about a table that a user should know before a job, a sentence each: replicas that also cost, a cold table.

Source: developer guide, "Global tables: how it works" (every replica applies every write) and "Understanding
DynamoDB warm throughput".
"""

from __future__ import annotations

from collections.abc import Iterator

from ddbio.rate.caps import Cap
from ddbio.values.table import TableInfo

_MEMBERS = {"WCU": ("WriteUnitsPerSecond", "write"), "RCU": ("ReadUnitsPerSecond", "read")}


def table_notices(table: TableInfo, cap: Cap) -> Iterator[str]:
    """cap: the job's; its kind says whether the table is read or written."""
    if cap.kind == "WCU":
        yield from _of_replicas(table)
    if not table.provisioned and not table.index:
        yield from _of_warm_throughput(table, cap)


def _of_replicas(table: TableInfo) -> Iterator[str]:
    regions = sorted(each["RegionName"] for each in table.description.get("Replicas") or ())
    if regions:
        yield (
            f"Table {table.name} is a global table: its replicas in {', '.join(regions)} consume the same writes, "
            "at their own price"
        )


def _of_warm_throughput(table: TableInfo, cap: Cap) -> Iterator[str]:
    member, kind = _MEMBERS[cap.kind]
    warm = (table.description.get("WarmThroughput") or {}).get(member)
    if warm is None or max((cap.units_per_s, *(change.units_per_s for change in cap.changes))) <= warm:
        return
    yield (
        f"Table {table.name} takes {warm:,} {kind} units per second at once, and more only as it grows: if this job "
        f"needs more from the start, pre-warm the table (aws dynamodb update-table --warm-throughput {member}=N)"
    )
