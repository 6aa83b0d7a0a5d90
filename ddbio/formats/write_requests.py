"""Requests to BatchWriteItem, one a record, as the files of `aws dynamodb batch-write-item` have them:
`{"PutRequest": {"Item": {...}}}` or `{"DeleteRequest": {"Key": {...}}}`, in DynamoDB JSON."""

from __future__ import annotations

from typing import Any

from ddbio.errors import RecordError
from ddbio.formats.dynamodb_json import checked
from ddbio.formats.framing import Lines
from ddbio.formats.json_lines import ONE_UNIT_BYTES, decode_object
from ddbio.values.items import AttributeMap, Deletion

_MEMBERS = {"PutRequest": "Item", "DeleteRequest": "Key"}


def is_request(value: dict[str, Any]) -> bool:
    """Whether an object has the form of a request."""
    return _content(value) is not None


def _content(value: dict[str, Any]) -> dict[str, Any] | None:
    """The item or the key; None if there is none."""
    if len(value) != 1:
        return None
    ((name, body),) = value.items()
    content = body.get(_MEMBERS.get(name)) if type(body) is dict and len(body) == 1 else None
    return content if type(content) is dict else None


class WriteRequests(Lines):
    suffix = ".json"
    page_items: Any = None
    one_unit_bytes = ONE_UNIT_BYTES

    def parse(self, record: bytes) -> AttributeMap:
        value = decode_object(record)
        content = _content(value)
        if content is None:
            raise RecordError("bad-request", "a PutRequest with its Item or a DeleteRequest with its Key is needed")
        attributes = checked(content)
        return Deletion(attributes) if "DeleteRequest" in value else attributes

    def render(self, items: list[Any]) -> bytes:
        raise NotImplementedError("nothing is exported as requests")
