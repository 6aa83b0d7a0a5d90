"""BatchWriteItem.

The whole request is checked before any of it is applied: one bad item refuses the whole batch. A write that its
budgets do not admit is refused alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ddbio.simulator.capacity import MAX_BATCH_WRITES
from ddbio.simulator.consumed import Consumption
from ddbio.simulator.database import Database
from ddbio.simulator.errors import invalid
from ddbio.simulator.requests import BatchWriteItemRequest, WriteRequest, decode, table_name
from ddbio.simulator.tables import Cost, Table, Write, encode_json
from ddbio.simulator.throughput import Refusal
from ddbio.simulator.values import check_item


def batch_write_item(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, BatchWriteItemRequest)
    _check_counts(request.request_items)
    prepared = {
        name: _prepare_all(database.active_table(table_name(name), now_s), requests)
        for name, requests in request.request_items.items()
    }
    unprocessed: dict[str, list[WriteRequest]] = {}
    refusals: dict[str, list[Refusal]] = {}
    consumptions = []
    for name, writes in prepared.items():
        table = database.tables[table_name(name)]
        consumption = Consumption(table.schema.name)
        refused = _write_all(table, writes, consumption, now_s)
        consumptions.append(consumption)
        if refused:
            requests = request.request_items[name]
            unprocessed[name] = [requests[position] for position in refused]
            refusals[table.schema.name] = list(refused.values())
    if unprocessed and _count(unprocessed.values()) == _count(prepared.values()):
        raise database.throttled(refusals)
    return _batch_reply(unprocessed, consumptions, request.return_consumed_capacity)


def _check_counts(request_items: dict[str, list[WriteRequest]]) -> None:
    if not request_items:
        raise invalid("The requestItems parameter is required for BatchWriteItem")
    shortest = min(map(len, request_items.values()))
    if shortest == 0 or max(map(len, request_items.values())) > MAX_BATCH_WRITES:
        raise invalid(
            "1 validation error detected: Value at 'requestItems' failed to satisfy constraint: "
            "Map value must satisfy constraint: [Member must have length less than or equal to 25, "
            "Member must have length greater than or equal to 1]"
        )
    if _count(request_items.values()) > MAX_BATCH_WRITES:
        raise invalid("Too many items requested for the BatchWriteItem call")


def _count(lists: Iterable[list[Any]]) -> int:
    return sum(map(len, lists))


def _prepare_all(table: Table, requests: list[WriteRequest]) -> list[Write]:
    writes = [_prepare(table, request) for request in requests]
    if len({write.key for write in writes}) != len(writes):
        raise invalid("Provided list of item keys contains duplicates")
    return writes


def _prepare(table: Table, request: WriteRequest) -> Write:
    put, delete = request.put_request, request.delete_request
    if (put is None) == (delete is None):
        found = "has no" if put is None else "has more than one"
        raise invalid(
            f"Supplied WriteRequest {found} request set, must contain exactly one of the supported requests"
        )
    if delete is not None:
        return table.prepare_delete(delete.key)
    assert put is not None
    check_item(put.item)
    return table.prepare_put(put.item, table.schema.keys.key_of_item(put.item))


def _write_all(table: Table, writes: list[Write], consumption: Consumption, now_s: float) -> dict[int, Refusal]:
    """Apply the admitted writes; returns position -> refusal of the others."""
    refused: dict[int, Refusal] = {}
    for position, write in enumerate(writes):
        outcome = table.write(write, now_s)
        if isinstance(outcome, Cost):
            consumption.add(outcome)
        else:
            refused[position] = outcome
    return refused


def _batch_reply(unprocessed: dict[str, list[WriteRequest]], consumptions: list[Consumption], mode: str) -> bytes:
    reply: dict[str, Any] = {"UnprocessedItems": unprocessed}
    reports = [consumption.report(mode) for consumption in consumptions]
    if reports[0] is not None:
        reply["ConsumedCapacity"] = reports
    return encode_json(reply)
