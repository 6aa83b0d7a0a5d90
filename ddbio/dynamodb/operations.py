"""The two requests of the data plane as bytes: bodies to send, answers decoded into structs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
import orjson

from ddbio.items import AttributeMap

Reply = TypeVar("Reply")


@dataclass(frozen=True, slots=True)
class Operation(Generic[Reply]):
    """How one operation is sent and understood.

    decode: raises msgspec.MsgspecError or ValueError for an answer that is not one.
    consumed: capacity units the service says it consumed, all indexes included; None where it did not say.
    """

    target: str
    decode: Callable[[bytes], Reply]
    consumed: Callable[[Reply], float | None]


class ConsumedCapacity(msgspec.Struct, gc=False):
    CapacityUnits: float | None = None


# --------------------------------------------------------------------------- BatchWriteItem


class PutRequest(msgspec.Struct, gc=False):
    Item: dict[str, Any]


class WriteRequest(msgspec.Struct, gc=False):
    PutRequest: PutRequest


class BatchWriteReply(msgspec.Struct, gc=False):
    """UnprocessedItems: by table, what was not written and must be sent again. No reason is given."""

    UnprocessedItems: dict[str, list[WriteRequest]] = {}
    ConsumedCapacity: list[ConsumedCapacity] = []

    def unprocessed(self) -> list[AttributeMap]:
        return [request.PutRequest.Item for requests in self.UnprocessedItems.values() for request in requests]


def _sum_of_tables(reply: BatchWriteReply) -> float | None:
    units = [each.CapacityUnits for each in reply.ConsumedCapacity if each.CapacityUnits is not None]
    return sum(units) if units else None


BATCH_WRITE: Operation[BatchWriteReply] = Operation(
    "DynamoDB_20120810.BatchWriteItem", msgspec.json.Decoder(BatchWriteReply).decode, _sum_of_tables
)


def batch_write_body(table: str, items: Iterable[AttributeMap]) -> bytes:
    """A BatchWriteItem of puts. The caller keeps to 25 items, one of a key, and 16 MB."""
    puts = [{"PutRequest": {"Item": item}} for item in items]
    return orjson.dumps({"RequestItems": {table: puts}, "ReturnConsumedCapacity": "TOTAL"})


# --------------------------------------------------------------------------- Scan


class ScanReply(msgspec.Struct):
    """Items: of the type the format asked for. LastEvaluatedKey: JSON as sent; b"" at the segment's end."""

    Items: Any
    LastEvaluatedKey: msgspec.Raw = msgspec.Raw(b"")
    ConsumedCapacity: ConsumedCapacity | None = None

    def next_key(self) -> str | None:
        """Where to go on, as JSON text; None when the segment is read. Only that ends a scan, never an empty page."""
        raw = bytes(self.LastEvaluatedKey)
        return raw.decode() if raw and raw not in (b"null", b"{}") else None


def _of_page(reply: ScanReply) -> float | None:
    return reply.ConsumedCapacity.CapacityUnits if reply.ConsumedCapacity is not None else None


def scan_operation(page_items: Any) -> Operation[ScanReply]:
    """Scan, with `Items` decoded to the type that a format renders."""
    reply_type = msgspec.defstruct("ScanReplyOfFormat", [("Items", page_items)], bases=(ScanReply,), kw_only=True)
    decoder: msgspec.json.Decoder[ScanReply] = msgspec.json.Decoder(reply_type)
    return Operation("DynamoDB_20120810.Scan", decoder.decode, _of_page)


def scan_body(
    table: str,
    *,
    segment: int,
    total_segments: int,
    consistent: bool,
    start_key: str | None,
    limit: int | None,
) -> bytes:
    """A Scan of one page of a segment. start_key: JSON text as `ScanReply.next_key` gave it."""
    request: dict[str, Any] = {
        "TableName": table,
        "Segment": segment,
        "TotalSegments": total_segments,
        "ReturnConsumedCapacity": "TOTAL",
    }
    if consistent:
        request["ConsistentRead"] = True
    if start_key is not None:
        request["ExclusiveStartKey"] = orjson.Fragment(start_key)
    if limit is not None:
        request["Limit"] = limit
    return orjson.dumps(request)


def halves(batch: Sequence[Any]) -> tuple[Sequence[Any], Sequence[Any]]:
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
