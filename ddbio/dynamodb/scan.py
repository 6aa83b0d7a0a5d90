"""A Scan as bytes: the body of a request for one page, and its answer decoded into a struct. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import orjson

from ddbio.dynamodb.operations import ConsumedCapacity, Operation
from ddbio.native import Rendering
from ddbio.rate.buckets import Units

NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]


class ScanReply(msgspec.Struct):
    """Items: of the type the format asked for. LastEvaluatedKey: JSON as sent; b"" at the segment's end.

    Count: of the items; every page of the service has it, and an answer without it is none.
    ScannedCount: items that were read; a filter may have removed some of them.
    """

    Items: Any
    Count: int
    ScannedCount: int = 0
    LastEvaluatedKey: msgspec.Raw = msgspec.Raw(b"")
    ConsumedCapacity: ConsumedCapacity | None = None

    def next_key(self) -> str | None:
        """The key to continue from, as JSON text; None at the end of the segment. An empty page is not the end."""
        raw = bytes(self.LastEvaluatedKey)
        return raw.decode() if raw and raw not in (b"null", b"{}") else None


def _of_page(reply: ScanReply) -> Units | None:
    consumed = reply.ConsumedCapacity
    return None if consumed is None or consumed.CapacityUnits is None else (consumed.CapacityUnits,)


COUNT_ONLY: Any = range
"""For `scan_operation`: the answers are those of `Select=COUNT`, which have no items."""


def scan_operation(page_items: Any, rendered: Rendering | None = None) -> Operation[ScanReply]:
    """Scan, with `Items` rendered already if that can be, else decoded to the type that a format renders.

    page_items: that type; with `COUNT_ONLY`, `Items` is a range as long as the page.
    """
    if page_items is COUNT_ONLY:
        return Operation("DynamoDB_20120810.Scan", ("",), _decode_count, _of_page)
    decode = _scan_decoder(page_items)
    if rendered is not None:
        decode = _rendered_first(rendered, decode)

    def decode_whole(body: bytes | memoryview) -> ScanReply:
        reply = decode(body)
        if reply.Count != len(reply.Items):
            raise ValueError(f"Count is {reply.Count}, and there are {len(reply.Items)} items")
        return reply

    return Operation("DynamoDB_20120810.Scan", ("",), decode_whole, _of_page)


class _CountReply(msgspec.Struct):
    """The answer to a Scan with `Select=COUNT`. An answer without a count is none."""

    Count: NonNegativeInt
    ScannedCount: NonNegativeInt
    LastEvaluatedKey: msgspec.Raw = msgspec.Raw(b"")
    ConsumedCapacity: ConsumedCapacity | None = None


_count_decoder = msgspec.json.Decoder(_CountReply)


def _decode_count(body: bytes | memoryview) -> ScanReply:
    reply = _count_decoder.decode(body)
    if reply.ScannedCount < reply.Count:
        raise ValueError(f"Count is {reply.Count}, and ScannedCount {reply.ScannedCount}")
    items = range(reply.Count)
    return ScanReply(items, reply.Count, reply.ScannedCount, reply.LastEvaluatedKey, reply.ConsumedCapacity)


def _scan_decoder(page_items: Any) -> Callable[[bytes | memoryview], ScanReply]:
    reply_type = msgspec.defstruct("ScanReplyOfFormat", [("Items", page_items)], bases=(ScanReply,), kw_only=True)
    decoder: msgspec.json.Decoder[ScanReply] = msgspec.json.Decoder(reply_type)
    return decoder.decode


def _rendered_first(
    rendered: Rendering, decode_all: Callable[[bytes | memoryview], ScanReply]
) -> Callable[[bytes | memoryview], ScanReply]:
    """Items that can be rendered without decoding are not decoded."""

    def decode(body: bytes | memoryview) -> ScanReply:
        made = rendered(body)
        if made is None:
            return decode_all(body)
        rest, items = made
        reply = decode_all(rest)
        reply.Items = items
        return reply

    return decode


def scan_body(
    table: str,
    *,
    segment: int,
    total_segments: int,
    consistent: bool,
    start_key: str | None,
    limit: int | None,
    members: dict[str, Any] | None = None,
) -> bytes:
    """A Scan of one page of a segment. start_key: JSON text as `ScanReply.next_key` gave it.

    members: further ones of the request: of an index, a filter, a projection.
    """
    request: dict[str, Any] = {
        **(members or {}),
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
