"""Lines of an incremental export by DynamoDB: the last state of an item that changed.

    {"Metadata": {"WriteTimestampMicros": {"N": "..."}}, "Keys": {...}, "OldImage": {...}, "NewImage": {...}}

With a `NewImage` the item is put; without one it was deleted. An export has one line a key, so their order is free.
"""

from __future__ import annotations

from typing import Any

from ddbio.errors import RecordError
from ddbio.formats.dynamodb_json import checked
from ddbio.formats.framing import Lines
from ddbio.formats.json_lines import ONE_UNIT_BYTES, decode_object
from ddbio.values.items import AttributeMap, Deletion


class IncrementalExport(Lines):
    suffix = ".json"
    page_items: Any = None
    one_unit_bytes = ONE_UNIT_BYTES

    def parse(self, record: bytes) -> AttributeMap:
        value = decode_object(record)
        keys, image = value.get("Keys"), value.get("NewImage")
        if type(keys) is not dict or not keys or type(image) not in (dict, type(None)):
            raise RecordError("bad-change", "a line of an incremental export has `Keys`, and mostly a `NewImage`")
        return checked(image) if image else Deletion(checked(keys))

    def render(self, items: list[Any]) -> bytes:
        raise NotImplementedError("only DynamoDB writes incremental exports")
