"""Lines of an incremental export by DynamoDB with old images, read to undo the changes. See `formats.incremental`."""

from __future__ import annotations

from typing import Any

from ddbio.errors import RecordError
from ddbio.formats.dynamodb_json import checked
from ddbio.formats.incremental import IncrementalExport
from ddbio.formats.json_lines import decode_object
from ddbio.values.items import AttributeMap, Reversal


class ReversedExport(IncrementalExport):
    def parse(self, record: bytes) -> AttributeMap:
        value = decode_object(record)
        keys, old, new = (_map(value.get(member)) for member in ("Keys", "OldImage", "NewImage"))
        if not keys or not (old or new):
            raise RecordError(
                "bad-change", "a line of an incremental export has `Keys`, and `OldImage` or `NewImage`"
            )
        return Reversal(keys, {**keys, **old} if old else None, {**keys, **new} if new else None)


def _map(value: Any) -> AttributeMap | None:
    if value is not None and type(value) is not dict:
        raise RecordError("bad-change", "`Keys`, `OldImage` and `NewImage` are objects")
    return checked(value) if value else None
