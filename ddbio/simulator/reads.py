"""Scan and GetItem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ddbio.simulator.capacity import MAX_SEGMENTS, read_units
from ddbio.simulator.consumed import Consumption
from ddbio.simulator.database import Database
from ddbio.simulator.errors import invalid, unsupported
from ddbio.simulator.expressions import Placeholders, Predicate, condition_of, projection_of
from ddbio.simulator.paths import Projection
from ddbio.simulator.requests import GetItemRequest, KeysAndAttributes, ScanRequest, decode, table_name
from ddbio.simulator.schema import KeySchema
from ddbio.simulator.segments import EVERYTHING, HashRange, hash_of, range_of
from ddbio.simulator.store import Key
from ddbio.simulator.tables import Table, decode_item, encode_json
from ddbio.simulator.values import Item, check_item

_NO_LIMIT = 1 << 62


def scan(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, ScanRequest)
    _check(request)
    shape = shape_of(request)
    table = database.active_table(table_name(request.table_name), now_s)
    keys = _key_schema(table, request)
    span = _span(request)
    start = _start_key(request, keys, span)
    partition = _partition(table, request.index_name, hash_of(start[0]) if start else span.start)
    refusal = table.throughput.admit_read(request.index_name, partition, now_s)
    if refusal is not None:
        raise database.throttled({table.schema.name: [refusal]})
    page = table.page(request.index_name, span, start, request.limit or _NO_LIMIT)
    units = read_units(page.size_bytes, request.consistent_read)
    table.throughput.charge_read(request.index_name, units, partition, now_s)
    rows = shape(page.rows)
    members = [b'"Count":%d,"ScannedCount":%d' % (len(rows), len(page.rows))]
    if request.select != "COUNT":
        members.append(b'"Items":[%b]' % b",".join(rows))
    if page.last_key is not None:
        members.append(b'"LastEvaluatedKey":' + encode_json(keys.attributes_of(page.last_key)))
    report = _consumption(table, request.index_name, units).report(request.return_consumed_capacity)
    if report is not None:
        members.append(b'"ConsumedCapacity":' + encode_json(report))
    return b"{%b}" % b",".join(members)


def get_item(database: Database, body: bytes, now_s: float) -> bytes:
    request = decode(body, GetItemRequest)
    if request.attributes_to_get is not None:
        raise unsupported("AttributesToGet")
    table = database.active_table(table_name(request.table_name), now_s)
    shape = shape_of(request)
    check_item(request.key)
    key = table.schema.keys.key_of(request.key)
    partition = table.partition(hash_of(key[0]))
    refusal = table.throughput.admit_read("", partition, now_s)
    if refusal is not None:
        raise database.throttled({table.schema.name: [refusal]})
    row = table.items.rows.get(key)
    units = read_units(row.size_bytes if row else 0, request.consistent_read)
    table.throughput.charge_read("", units, partition, now_s)
    reply: dict[str, Any] = {}
    if row is not None:
        reply["Item"] = msgspec.Raw(shape([row.json])[0])
    report = _consumption(table, "", units).report(request.return_consumed_capacity)
    if report is not None:
        reply["ConsumedCapacity"] = report
    return encode_json(reply)


def _check(request: ScanRequest) -> None:
    for name in ("scan_filter", "attributes_to_get"):
        if getattr(request, name) is not None:
            raise unsupported(name.title().replace("_", ""))
    if request.select == "COUNT" and request.projection_expression:
        raise invalid("Cannot specify the ProjectionExpression when choosing to get only the Count")
    if request.limit is not None and request.limit < 1:
        raise _out_of_range("limit", request.limit, "greater than or equal to 1")
    _check_segments(request.segment, request.total_segments)


def _check_segments(segment: int | None, total_segments: int | None) -> None:
    if segment is None and total_segments is None:
        return
    if segment is None:
        raise invalid(
            "The Segment parameter is required but was not present in the request "
            "when parameter TotalSegments is present"
        )
    if total_segments is None:
        raise invalid(
            "The TotalSegments parameter is required but was not present in the request "
            "when Segment parameter is present"
        )
    if not 1 <= total_segments <= MAX_SEGMENTS:
        bound = "greater than or equal to 1" if total_segments < 1 else f"less than or equal to {MAX_SEGMENTS}"
        raise _out_of_range("totalSegments", total_segments, bound)
    if segment < 0:
        raise _out_of_range("segment", segment, "greater than or equal to 0")
    if segment >= total_segments:
        raise invalid(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
            f"Segment: {segment} is not less than TotalSegments: {total_segments}"
        )


def _out_of_range(member: str, value: int, bound: str) -> Exception:
    return invalid(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must have value {bound}"
    )


def _key_schema(table: Table, request: ScanRequest) -> KeySchema:
    """The attributes of a LastEvaluatedKey: of an index, its own and the table's."""
    if not request.index_name:
        return table.schema.keys
    index = table.schema.index(request.index_name)
    if index.is_global and request.consistent_read:
        raise invalid("Consistent reads are not supported on global secondary indexes")
    return KeySchema(index.keys.attributes + table.schema.keys.attributes)


def _span(request: ScanRequest) -> HashRange:
    if request.segment is None or request.total_segments is None:
        return EVERYTHING
    return range_of(request.segment, request.total_segments)


def _partition(table: Table, index: str, start_hash: int) -> int | None:
    """The partition to charge for a page: the one it begins in. Only the table's own partitions have limits."""
    return None if index else table.partition(start_hash)


def _start_key(request: ScanRequest, keys: KeySchema, span: HashRange) -> Key | None:
    if not request.exclusive_start_key:
        return None
    check_item(request.exclusive_start_key)
    if request.exclusive_start_key.keys() != set(keys.names):
        raise invalid("The provided starting key is invalid: The provided key element does not match the schema")
    key = keys.key_of_item(request.exclusive_start_key)
    if not span.start <= hash_of(key[0]) < span.stop:
        raise invalid(
            "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey "
            f"with correct Segment. TotalSegments: {request.total_segments} Segment: {request.segment}"
        )
    return key


def shape_of(request: ScanRequest | GetItemRequest | KeysAndAttributes) -> Callable[[list[bytes]], list[bytes]]:
    """A function that applies the request's filter and projection to the rows that were read."""
    values, expression = None, None
    if isinstance(request, ScanRequest):
        values, expression = request.expression_attribute_values, request.filter_expression
    placeholders = Placeholders(request.expression_attribute_names, values)
    predicate: Predicate | None = None
    projection: Projection | None = None
    if expression is not None:
        predicate = condition_of("FilterExpression", expression, placeholders)
    if request.projection_expression:
        projection = projection_of(request.projection_expression, placeholders)
    placeholders.check_all_used()

    def shape(rows: list[bytes]) -> list[bytes]:
        if predicate is None and projection is None:
            return rows
        items: list[Item] = [decode_item(row) for row in rows]
        kept = [item for item in items if predicate is None or predicate(item)]
        return [encode_json(item if projection is None else projection.of(item)) for item in kept]

    return shape


def _consumption(table: Table, index: str, units: float) -> Consumption:
    if not index:
        return Consumption(table.schema.name, units)
    consumption = Consumption(table.schema.name)
    side = consumption.global_indexes if table.schema.index(index).is_global else consumption.local_indexes
    side[index] = units  # type: ignore[assignment]
    return consumption
