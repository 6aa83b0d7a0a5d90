"""Two operations to control a simulator in another process: `DdbioSimulator.Configure` and `.Inspect`.

Both accept and return JSON. Configure:

    {"Faults": {"faults": [{"error": "InternalServerError"}, null], "operations": ["Scan"], "latency_s": 0.01,
                "probability": 0.1, "seed": 7},
     "Tables": {"Orders": {"burst_s": 0, "partitions": 4}}}

A fault has the members of `ddbio.simulator.faults.Fault`, a table those of
`ddbio.simulator.throughput.ThroughputSettings`; the table need not exist yet. Inspect, with an empty object:

    {"now_s": 1.5, "step_s": 0.1, "requests": {"Scan": 3},
     "Tables": {"Orders": {"items": 2, "size_bytes": 266, "read": [[seconds, units], ...], "write": [...],
                           "indexes": {"byDate": {"items": 2, "read": [...], "write": [...]}}}}}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from ddbio.simulator.faults import DATA_OPERATIONS, Fault, FaultPlan
from ddbio.simulator.requests import decode
from ddbio.simulator.tables import Table, encode_json
from ddbio.simulator.throughput import STEPS_PER_S, BudgetPair, ThroughputSettings

if TYPE_CHECKING:
    from ddbio.simulator.server import Service


class FaultSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The arguments of `FaultPlan`."""

    faults: list[Fault | None] = []
    probability: float | None = None
    seed: int = 0
    operations: frozenset[str] = DATA_OPERATIONS
    latency_s: float = 0.0

    def plan(self) -> FaultPlan:
        return FaultPlan(
            self.faults,
            probability=self.probability,
            seed=self.seed,
            operations=self.operations,
            latency_s=self.latency_s,
        )


class ConfigureRequest(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    faults: FaultSettings | None = None
    tables: dict[str, ThroughputSettings] = {}


def configure(service: Service, body: bytes) -> bytes:
    request = decode(body, ConfigureRequest)
    if request.faults is not None:
        service.faults = request.faults.plan()
    for name, settings in request.tables.items():
        service.database.reconfigure(name, settings, service.now_s())
    return b"{}"


def inspect(service: Service, body: bytes) -> bytes:
    tables = {name: table_report(table) for name, table in service.database.tables.items()}
    return encode_json(
        {"now_s": service.now_s(), "step_s": 1 / STEPS_PER_S, "requests": service.requests, "Tables": tables}
    )


def table_report(table: Table) -> dict[str, Any]:
    """Item count, size and consumption log of a table and its global indexes, as plain JSON types."""
    throughput = table.throughput
    indexes = {name: {"items": len(table.entries[name]), **_log(pair)} for name, pair in throughput.indexes.items()}
    return {
        "items": len(table.items),
        "size_bytes": table.items.size_bytes,
        **_log(throughput.table),
        "indexes": indexes,
    }


def _log(pair: BudgetPair) -> dict[str, list[tuple[float, float]]]:
    return {"read": pair.read.history(), "write": pair.write.history()}


CONTROL_OPERATIONS: dict[str, Callable[[Service, bytes], bytes]] = {
    "Configure": configure,
    "Inspect": inspect,
}
