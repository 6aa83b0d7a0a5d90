"""The items of a Python program on their way to the workers: a line each, without a file.

A line is plain JSON if that says everything about the item, as it does for most; else `{"$item": {...}}` with typed
values, or `{"$refused": [code, message]}` for an item that DynamoDB cannot store, so that the lane counts and rejects
it like any record.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ddbio.errors import RecordError
from ddbio.formats.json_lines import JsonLines
from ddbio.values.items import AttributeMap
from ddbio.values.python_values import to_python, typed_map
from ddbio.values.row_schema import RowBatch

_MARK = b'{"$'
_PLAIN = frozenset({str, bool, int, type(None)})
_MOST_INTEGER = 2**53  # above it, JSON of other programs would be rounded; typed values are not
_encode = msgspec.json.Encoder().encode


def encode(item: Any) -> bytes:
    """The line of an item, without its end. Never raises: an item that cannot be stored has a line that says so."""
    try:
        return _encode(item) if _is_plain(item) else _encode({"$item": _typed(item)})
    except RecordError as error:
        return _encode({"$refused": [error.code, error.message]})
    except (UnicodeEncodeError, RecursionError, ValueError, TypeError) as error:
        return _encode({"$refused": ["bad-value", f"cannot be encoded: {type(error).__name__}"]})


def _is_plain(item: Any) -> bool:
    """Whether its JSON has the same types, and reads back as the same item."""
    if type(item) is not dict:
        return False
    for name, value in item.items():
        kind = type(value)
        if kind not in _PLAIN and not (kind is float and math.isfinite(value)):
            return False
        if type(name) is not str or name[:1] == "$" or (kind is int and not -_MOST_INTEGER < value < _MOST_INTEGER):
            return False
    return True


def _typed(item: Any) -> AttributeMap:
    if not isinstance(item, Mapping):
        raise RecordError("not-an-object", f"an item is a dict, not a {type(item).__name__}")
    return typed_map(item, 0)


class PythonItems(JsonLines):
    """Reads the lines of `encode`."""

    def values(self, records: Sequence[bytes]) -> RowBatch | None:
        if any(record.startswith(_MARK) for record in records):
            return None
        return super().values(records)

    def parse(self, record: bytes) -> AttributeMap:
        if not record.startswith(_MARK):
            return super().parse(record)
        ((kind, content),) = msgspec.json.decode(record).items()
        if kind == "$refused":
            raise RecordError(*content)
        attributes: AttributeMap = content
        return attributes


def decode(record: bytes) -> dict[str, Any] | None:
    """The item of a line; None if it could not be encoded."""
    try:
        attributes = PythonItems().parse(record)
    except RecordError:
        return None
    return {name: to_python(value) for name, value in attributes.items()}
