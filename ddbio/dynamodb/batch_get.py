"""BatchGetItem as bytes: the body of a request for up to 100 items of one table, and its answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import orjson

from ddbio.dynamodb.operations import ConsumedCapacity, Operation
from ddbio.rate.buckets import Units
from ddbio.values.items import AttributeMap

MAX_KEYS = 100
MAX_REPLY_BYTES = 16 * 1024 * 1024  # the keys of further items are returned as unprocessed


class _Keys(msgspec.Struct, gc=False):
    Keys: list[dict[str, Any]] = []


class BatchGetReply(msgspec.Struct, gc=False):
    """Responses: by table, in any order; a key without an item has none. An answer without this member is none.

    UnprocessedKeys: by table, to be asked for again.
    """

    Responses: dict[str, list[dict[str, Any]]]
    UnprocessedKeys: dict[str, _Keys] = {}
    ConsumedCapacity: list[ConsumedCapacity] = []

    def items(self) -> list[AttributeMap]:
        return [item for items in self.Responses.values() for item in items]

    def unprocessed(self) -> list[AttributeMap]:
        return [key for keys in self.UnprocessedKeys.values() for key in keys.Keys]


def _consumed(reply: BatchGetReply) -> Units | None:
    reported = [each.CapacityUnits for each in reply.ConsumedCapacity if each.CapacityUnits is not None]
    return (sum(reported),) if reported else None


BATCH_GET: Operation[BatchGetReply] = Operation(
    "DynamoDB_20120810.BatchGetItem",
    ("",),
    msgspec.json.Decoder(BatchGetReply).decode,
    _consumed,
    left_over=lambda reply: bool(reply.UnprocessedKeys),
)


def batch_get_body(table: str, keys: Iterable[AttributeMap]) -> bytes:
    """A consistent read of these keys, each once. The caller keeps to `MAX_KEYS`."""
    wanted = {"Keys": list(keys), "ConsistentRead": True}
    return orjson.dumps({"RequestItems": {table: wanted}, "ReturnConsumedCapacity": "TOTAL"})
