"""BatchGetItem.

The whole request is checked before any of it is read. A key that the budgets do not admit, or whose item would exceed
the size of a reply, is returned as unprocessed. Items are returned in scan order, which is not that of the request:
the service promises no order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ddbio.simulator.capacity import MAX_BATCH_READS, MAX_REPLY_BYTES, read_units
from ddbio.simulator.consumed import Consumption
from ddbio.simulator.database import Database
from ddbio.simulator.errors import invalid, unsupported
from ddbio.simulator.reads import shape_of
from ddbio.simulator.requests import BatchGetItemRequest, KeysAndAttributes, decode, table_name
from ddbio.simulator.segments import hash_of
from ddbio.simulator.store import Key, Row
from ddbio.simulator.tables import Table, encode_json
from ddbio.simulator.throughput import Refusal
from ddbio.simulator.values import Item, check_item


class _Reading:
    """The keys of one table: what is read of them, and what is not."""

    def __init__(self, table: Table, wanted: KeysAndAttributes) -> None:
        if wanted.attributes_to_get is not None:
            raise unsupported("AttributesToGet")
        self.table = table
        self.wanted = wanted
        self.shape: Callable[[list[bytes]], list[bytes]] = shape_of(wanted)
        self.keys = [_checked(table, key) for key in wanted.keys]
        if len(set(self.keys)) != len(self.keys):
            raise invalid("Provided list of item keys contains duplicates")
        self.consumption = Consumption(table.schema.name)
        self.found: list[tuple[Key, bytes]] = []
        self.unprocessed: list[Item] = []
        self.refusals: list[Refusal] = []

    def read(self, left_bytes: int, now_s: float) -> int:
        """Read what is admitted and fits; returns the bytes that are left of the reply."""
        for asked, key in zip(self.wanted.keys, self.keys, strict=True):
            row = self.table.items.rows.get(key)
            size_bytes = row.size_bytes if row else 0
            if size_bytes > left_bytes or not self._admit(key, size_bytes, now_s):
                self.unprocessed.append(asked)
            elif row is not None:
                self._take(key, row)
                left_bytes -= size_bytes
        return left_bytes

    def _admit(self, key: Key, size_bytes: int, now_s: float) -> bool:
        throughput = self.table.throughput
        partition = self.table.partition(hash_of(key[0]))
        refusal = throughput.admit_read("", partition, now_s)
        if refusal is not None:
            self.refusals.append(refusal)
            return False
        units = read_units(size_bytes, self.wanted.consistent_read)
        throughput.charge_read("", units, partition, now_s)
        self.consumption.table_units += units
        return True

    def _take(self, key: Key, row: Row) -> None:
        self.found.append((key, row.json))

    def rows(self) -> list[msgspec.Raw]:
        """The items that were read."""
        self.found.sort(key=lambda found: self.table.items.order(found[0]))
        return [msgspec.Raw(row) for row in self.shape([row for _, row in self.found])]


def batch_get_item(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, BatchGetItemRequest)
    _check_counts(request.request_items)
    readings = {
        name: _Reading(database.active_table(table_name(name), now_s), wanted)
        for name, wanted in request.request_items.items()
    }
    left_bytes = MAX_REPLY_BYTES
    for reading in readings.values():
        left_bytes = reading.read(left_bytes, now_s)
    if all(len(reading.unprocessed) == len(reading.keys) for reading in readings.values()):
        raise database.throttled({reading.table.schema.name: reading.refusals for reading in readings.values()})
    return _reply(readings, request.return_consumed_capacity)


def _check_counts(request_items: dict[str, KeysAndAttributes]) -> None:
    if not request_items:
        raise invalid("The requestItems parameter is required for BatchGetItem")
    for name, wanted in request_items.items():
        if not 1 <= len(wanted.keys) <= MAX_BATCH_READS:
            raise invalid(
                f"1 validation error detected: Value at 'RequestItems.{name}.member.Keys' failed to satisfy "
                "constraint: Member must have length less than or equal to 100, "
                "Member must have length greater than or equal to 1"
            )
    if sum(len(wanted.keys) for wanted in request_items.values()) > MAX_BATCH_READS:
        raise invalid("Too many items requested for the BatchGetItem call")


def _checked(table: Table, key_attributes: Item) -> Key:
    check_item(key_attributes)
    return table.schema.keys.key_of(key_attributes)


def _reply(readings: dict[str, _Reading], mode: str) -> bytes:
    unprocessed = {
        name: msgspec.structs.replace(reading.wanted, keys=reading.unprocessed)
        for name, reading in readings.items()
        if reading.unprocessed
    }
    reply: dict[str, Any] = {
        "Responses": {name: reading.rows() for name, reading in readings.items()},
        "UnprocessedKeys": unprocessed,
    }
    reports = [reading.consumption.report(mode) for reading in readings.values()]
    if reports[0] is not None:
        reply["ConsumedCapacity"] = reports
    return encode_json(reply)
