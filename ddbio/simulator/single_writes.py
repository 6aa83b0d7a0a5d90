"""PutItem, DeleteItem, UpdateItem: writes of one item, each on a condition if the request has one."""

from __future__ import annotations

from typing import Any

from ddbio.simulator.consumed import Consumption
from ddbio.simulator.database import Database
from ddbio.simulator.errors import ServiceError, invalid, unsupported
from ddbio.simulator.expressions import Placeholders, Predicate, condition_of
from ddbio.simulator.requests import (
    DeleteItemRequest,
    PutItemRequest,
    SingleWriteRequest,
    UpdateItemRequest,
    decode,
    table_name,
)
from ddbio.simulator.tables import Cost, Table, Write, encode_json
from ddbio.simulator.throughput import Refusal
from ddbio.simulator.update_expressions import update_of
from ddbio.simulator.values import Item, check_item


def put_item(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, PutItemRequest)
    _check(request, ("NONE", "ALL_OLD"))
    condition = _condition(request, _placeholders(request))
    table = database.active_table(table_name(request.table_name), now_s)
    check_item(request.item)
    write = table.prepare_put(request.item, table.schema.keys.key_of_put(request.item))
    return _write(database, table, write, request, condition, now_s)


def delete_item(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, DeleteItemRequest)
    _check(request, ("NONE", "ALL_OLD"))
    condition = _condition(request, _placeholders(request))
    table = database.active_table(table_name(request.table_name), now_s)
    return _write(database, table, table.prepare_delete(request.key), request, condition, now_s)


def update_item(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, UpdateItemRequest)
    if request.attribute_updates is not None:
        raise unsupported("AttributeUpdates")
    _check(request, _UPDATE_RETURNS)
    placeholders = _placeholders(request)
    update = update_of(request.update_expression, placeholders)
    condition = _condition(request, placeholders)
    table = database.active_table(table_name(request.table_name), now_s)
    key = table.prepare_delete(request.key).key
    update.check_keys(table.schema.keys)
    old = table.get(key)
    if condition is not None and not condition(old or {}):
        raise _condition_failed(database, table, Write(key, None, 0), request, old, now_s)
    new = update.of(request.key if old is None else old)
    cost = _admitted(database, table, table.write(table.prepare_update(new, key), now_s))
    version = {"OLD": old or {}, "NEW": new}.get(request.return_values.rpartition("_")[2])
    if version is not None and request.return_values.startswith("UPDATED"):
        version = update.touched(version)
    return _reply(table, request, cost, version)


_UPDATE_RETURNS = ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")


def _check(request: SingleWriteRequest, return_values: tuple[str, ...]) -> None:
    """return_values: those that the operation has."""
    if request.expected is not None:
        raise unsupported("Expected")
    if request.return_values not in return_values:
        raise invalid("Return values set to invalid value")


def _placeholders(request: SingleWriteRequest) -> Placeholders:
    return Placeholders(request.expression_attribute_names, request.expression_attribute_values)


def _condition(request: SingleWriteRequest, placeholders: Placeholders) -> Predicate | None:
    """The condition of a write, the last of its expressions."""
    condition = None
    if request.condition_expression is not None:
        condition = condition_of("ConditionExpression", request.condition_expression, placeholders)
    placeholders.check_all_used()
    return condition


def _write(
    database: Database, table: Table, write: Write, request: PutItemRequest | DeleteItemRequest,
    condition: Predicate | None, now_s: float,
) -> bytes:  # fmt: skip
    old = table.get(write.key)
    if condition is not None and not condition(old or {}):
        raise _condition_failed(database, table, write, request, old, now_s)
    cost = _admitted(database, table, table.write(write, now_s))
    return _reply(table, request, cost, old if request.return_values == "ALL_OLD" else None)


def _condition_failed(
    database: Database, table: Table, write: Write, request: SingleWriteRequest, old: Item | None, now_s: float
) -> ServiceError:
    refusal = table.charge_failed_condition(write, now_s)
    if refusal is not None:
        return database.throttled({table.schema.name: [refusal]})
    shown = old if request.return_values_on_condition_check_failure == "ALL_OLD" else None
    details: dict[str, Any] = {} if shown is None else {"Item": shown}
    return ServiceError("ConditionalCheckFailedException", "The conditional request failed", **details)


def _admitted(database: Database, table: Table, outcome: Cost | Refusal) -> Cost:
    if not isinstance(outcome, Cost):
        raise database.throttled({table.schema.name: [outcome]})
    return outcome


def _reply(table: Table, request: SingleWriteRequest, cost: Cost, attributes: Item | None) -> bytes:
    """attributes: those to return, if any."""
    reply: dict[str, Any] = {"Attributes": attributes} if attributes else {}
    consumption = Consumption(table.schema.name)
    consumption.add(cost)
    report = consumption.report(request.return_consumed_capacity)
    if report is not None:
        reply["ConsumedCapacity"] = report
    return encode_json(reply)
