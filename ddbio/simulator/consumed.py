"""The ConsumedCapacity member of replies."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ddbio.simulator.tables import Cost


class Consumption:
    """Units that one request consumed in one table and its indexes."""

    def __init__(self, table_name: str, table_units: float = 0.0) -> None:
        self.table_name = table_name
        self.table_units = table_units
        self.global_indexes: Counter[str] = Counter()
        self.local_indexes: Counter[str] = Counter()

    def add(self, cost: Cost) -> None:
        """Count one write."""
        self.table_units += cost.table_units
        if cost.changes:
            self.global_indexes.update(cost.index_units(is_global=True))
            self.local_indexes.update(cost.index_units(is_global=False))

    def report(self, mode: str) -> dict[str, Any] | None:
        """The member of the reply, None for the mode NONE. mode: ReturnConsumedCapacity."""
        if mode not in ("TOTAL", "INDEXES"):
            return None
        total = self.table_units + sum(self.global_indexes.values()) + sum(self.local_indexes.values())
        report: dict[str, Any] = {"TableName": self.table_name, "CapacityUnits": float(total)}
        if mode == "INDEXES":
            report["Table"] = {"CapacityUnits": float(self.table_units)}
            report.update(_by_index("GlobalSecondaryIndexes", self.global_indexes))
            report.update(_by_index("LocalSecondaryIndexes", self.local_indexes))
        return report


def _by_index(member: str, units: Counter[str]) -> dict[str, Any]:
    counted = {name: {"CapacityUnits": float(amount)} for name, amount in units.items()}
    return {member: counted} if counted else {}
