"""The requests of the data plane as bytes: bodies to send, answers decoded into structs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec
import orjson

from ddbio.rate.buckets import Units
from ddbio.values.items import AttributeMap

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Operation(Generic[Reply]):
    """How an operation is encoded and decoded.

    budgets: the names of the capacities it consumes; "" is the table, the others are global indexes.
    decode: raises msgspec.MsgspecError or ValueError for an invalid answer.
    consumed: capacity units consumed, by budget, as the service reports; None if it does not.
    left_over: whether the service left a part unprocessed for lack of capacity.
    """

    target: str
    budgets: tuple[str, ...]
    decode: Callable[[bytes | memoryview], Reply]
    consumed: Callable[[Reply], Units | None]
    left_over: Callable[[Reply], bool] = lambda _: False


NonNegative = Annotated[float, msgspec.Meta(ge=0)]


class Amount(msgspec.Struct, gc=False):
    CapacityUnits: NonNegative = 0.0


class ConsumedCapacity(msgspec.Struct, gc=False):
    """CapacityUnits: of the operation, all indexes included. The parts are present with `INDEXES`."""

    CapacityUnits: NonNegative | None = None
    GlobalSecondaryIndexes: dict[str, Amount] = {}


class _Members(msgspec.Struct):
    """The members of an answer to a write."""

    UnprocessedItems: Any = None
    ConsumedCapacity: Any = None


def write_decoder(reply_type: type[Reply]) -> Callable[[bytes | memoryview], Reply]:
    """Decodes the answers to writes.

    Every request asks for the consumed capacity, so an answer with neither that nor `UnprocessedItems` is not from
    the service: `{}`, or the object of some proxy. It raises ValueError, and nothing counts as written.
    """
    decode: Callable[[bytes | memoryview], Any] = msgspec.json.Decoder(reply_type).decode
    decode_members = msgspec.json.Decoder(_Members).decode

    def checked(body: bytes | memoryview) -> Reply:
        reply = decode(body)
        if not reply.ConsumedCapacity:  # a server that does not report it
            members = decode_members(body)
            if members.UnprocessedItems is None and members.ConsumedCapacity is None:
                raise ValueError("it has neither UnprocessedItems nor ConsumedCapacity")
        return reply  # type: ignore[no-any-return]

    return checked


# --------------------------------------------------------------------------- BatchWriteItem


class PutRequest(msgspec.Struct, gc=False):
    Item: dict[str, Any]


class DeleteRequest(msgspec.Struct, gc=False):
    Key: dict[str, Any]


class WriteRequest(msgspec.Struct, gc=False):
    """One of the two."""

    PutRequest: PutRequest | None = None
    DeleteRequest: DeleteRequest | None = None

    def attributes(self) -> AttributeMap:
        """The item to put, or the key of the item to delete."""
        if self.PutRequest is not None:
            return self.PutRequest.Item
        return self.DeleteRequest.Key if self.DeleteRequest is not None else {}


class BatchWriteReply(msgspec.Struct, gc=False):
    """UnprocessedItems: by table, requests not done that must be sent again. No reason is given."""

    UnprocessedItems: dict[str, list[WriteRequest]] = {}
    ConsumedCapacity: list[ConsumedCapacity] = []

    def unprocessed(self) -> list[AttributeMap]:
        """Items, and keys of items to delete, that must be sent again."""
        return [request.attributes() for requests in self.UnprocessedItems.values() for request in requests]


def batch_write_operation(budgets: tuple[str, ...]) -> Operation[BatchWriteReply]:
    """BatchWriteItem into one table. An index without a budget of its own counts as the table's."""
    return Operation(
        "DynamoDB_20120810.BatchWriteItem",
        budgets,
        write_decoder(BatchWriteReply),
        lambda reply: _by_budget(reply.ConsumedCapacity, budgets[1:]),
        left_over=lambda reply: bool(reply.UnprocessedItems),
    )


def _by_budget(reports: list[ConsumedCapacity], indexes: tuple[str, ...]) -> Units | None:
    if len(reports) == 1 and not indexes:  # nearly always
        units = reports[0].CapacityUnits
        return None if units is None else (units,)
    reported = [each for each in reports if each.CapacityUnits is not None]
    if not reported:
        return None
    total = sum([each.CapacityUnits or 0.0 for each in reported])
    if not indexes:
        return (total,)
    parts = [_of_index(reported, name) for name in indexes]
    return (total - sum(parts), *parts)


def _of_index(reported: list[ConsumedCapacity], name: str) -> float:
    amounts = [each.GlobalSecondaryIndexes.get(name) for each in reported]
    return sum([amount.CapacityUnits for amount in amounts if amount is not None])


encode_item: Callable[[AttributeMap], bytes] = msgspec.json.Encoder().encode
"""An item, or a key, as encoded in a request."""


def multi_table_body(puts: Mapping[str, Sequence[bytes]]) -> bytes:
    """A BatchWriteItem of puts into several tables: items, as `encode_item` gives them, by table."""
    tables = [
        b"%b:[%b]" % (orjson.dumps(table), b",".join([b'{"PutRequest":{"Item":%b}}' % item for item in items]))
        for table, items in puts.items()
    ]
    return b'{"RequestItems":{%b},"ReturnConsumedCapacity":"TOTAL"}' % b",".join(tables)


def batch_write_body(
    table: str, puts: Sequence[bytes], deletes: Sequence[bytes] = (), *, by_index: bool = False
) -> bytes:
    """A BatchWriteItem. The caller keeps to 25 writes, one of a key, and 16 MB.

    puts: items. deletes: keys. Both as `encode_item` gives them.
    by_index: ask for the consumption of each index.
    """
    requests = put_requests(puts) if puts else b""
    if deletes:
        requests += b"," * bool(puts) + b",".join([b'{"DeleteRequest":{"Key":%b}}' % key for key in deletes])
    return batch_body(table, requests, by_index=by_index)


def put_requests(items: Iterable[bytes]) -> bytes:
    """The argument of `batch_body`. items: as `encode_item` gives them."""
    return b'{"PutRequest":{"Item":%b}}' % b'}},{"PutRequest":{"Item":'.join(items)


def batch_body(table: str, requests: bytes, *, by_index: bool = False) -> bytes:
    """A BatchWriteItem of requests into one table."""
    return b'{"RequestItems":{%b:[%b]},"ReturnConsumedCapacity":"%b"}' % (
        orjson.dumps(table),
        requests,
        _detail(by_index).encode(),
    )


def _detail(by_index: bool) -> str:
    return "INDEXES" if by_index else "TOTAL"


# --------------------------------------------------------------------------- one item, on a condition


class SingleWriteReply(msgspec.Struct, gc=False):
    """The answer to a write of one item."""

    ConsumedCapacity: ConsumedCapacity | None = None

    def unprocessed(self) -> list[AttributeMap]:
        return []


def single_write_operation(name: str, budgets: tuple[str, ...]) -> Operation[SingleWriteReply]:
    """PutItem, DeleteItem or UpdateItem in one table, with one of the bodies below."""
    return Operation(
        f"DynamoDB_20120810.{name}",
        budgets,
        write_decoder(SingleWriteReply),
        lambda reply: _by_budget([reply.ConsumedCapacity] if reply.ConsumedCapacity else [], budgets[1:]),
    )


def insert_body(table: str, item: bytes, key_name: str, *, by_index: bool = False) -> bytes:
    """A PutItem that is refused with ConditionalCheckFailedException if the table has an item with that key.

    item: as `encode_item` gives it. key_name: of the partition key; every item has it.
    """
    free = Condition("attribute_not_exists(#key)", {"#key": key_name}, {})
    return put_if_body(table, item, free, by_index=by_index)


@dataclass(frozen=True, slots=True)
class Condition:
    """A ConditionExpression with its placeholders; plain data.

    names, values: attribute names and values by placeholder, also those of the request's update, if it has one.
    """

    expression: str
    names: Mapping[str, str]
    values: Mapping[str, Any]


def put_if_body(table: str, item: bytes, condition: Condition, *, by_index: bool = False) -> bytes:
    """A PutItem, refused in the same way as `insert_body` unless the condition holds. item: as `encode_item` gives
    it."""
    return _conditional_body(table, {"Item": orjson.Fragment(item)}, condition, by_index=by_index)


def delete_if_body(table: str, key: bytes, condition: Condition, *, by_index: bool = False) -> bytes:
    """A DeleteItem that is refused with ConditionalCheckFailedException unless the condition holds. key: as
    `encode_item` gives it."""
    return _conditional_body(table, {"Key": orjson.Fragment(key)}, condition, by_index=by_index)


def update_body(table: str, key: bytes, update: str, condition: Condition, *, by_index: bool = False) -> bytes:
    """An UpdateItem, refused in the same way. update: the UpdateExpression."""
    members = {"Key": orjson.Fragment(key), "UpdateExpression": update}
    return _conditional_body(table, members, condition, by_index=by_index)


def _conditional_body(table: str, members: dict[str, Any], condition: Condition, *, by_index: bool) -> bytes:
    request = {
        "TableName": table,
        **members,
        "ConditionExpression": condition.expression,
        "ExpressionAttributeNames": condition.names,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",  # for its cost, and for the state in which the item is
        "ReturnConsumedCapacity": _detail(by_index),
    }
    if condition.values:
        request["ExpressionAttributeValues"] = condition.values
    return orjson.dumps(request)


def halves(batch: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
