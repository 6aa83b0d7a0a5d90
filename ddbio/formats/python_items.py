"""The items of a Python program on their way to the workers: a line each, without a file.

A line is a JSON object if that says everything about the item, as it does for most; else `["item", {...}]` with
typed values, or `["refused", [code, message]]` for an item that DynamoDB cannot store, so that the lane counts and
rejects it like any record.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec

from ddbio.errors import RecordError
from ddbio.formats.json_lines import JsonLines
from ddbio.values.items import AttributeMap
from ddbio.values.python_values import to_python, typed_map

_MARK = b"["  # of a line that is no object: the native core leaves it to Python
_PLAIN = frozenset({str, bool, int, float, Decimal, type(None)})
_MAY_BE_INFINITE = frozenset({float, Decimal})
_encoder = msgspec.json.Encoder(decimal_format="number")
_encode = _encoder.encode


def encode(items: Sequence[Any]) -> bytes:
    """The lines of some items. Never raises: an item that cannot be stored has a line that says so."""
    if _are_plain(items):
        try:
            return _encoder.encode_lines(items)
        except UnicodeEncodeError:  # half of a surrogate pair in one of them
            pass
    return b"".join([_line(item) for item in items])


def _are_plain(items: Sequence[Any]) -> bool:
    """Whether the JSON of each has the same types, and reads back as the same item. In steps over all of them, which
    cost a third of steps over each."""
    if set(map(type, items)) != {dict}:
        return False
    names = set(chain.from_iterable(items))
    if not all(type(name) is str and name[:1] != "$" for name in names):
        return False
    values = list(chain.from_iterable(map(dict.values, items)))
    kinds = set(map(type, values))
    if not kinds <= _PLAIN:
        return False
    try:
        return kinds.isdisjoint(_MAY_BE_INFINITE) or all(
            math.isfinite(value) for value in values if type(value) in _MAY_BE_INFINITE
        )
    except ValueError:  # a NaN that signals
        return False


def _line(item: Any) -> bytes:
    try:
        made = item if _are_plain((item,)) else ["item", _typed(item)]
        return _encode(made) + b"\n"
    except RecordError as error:
        return _encode(["refused", [error.code, error.message]]) + b"\n"
    except (UnicodeEncodeError, RecursionError, ValueError, TypeError) as error:
        return _encode(["refused", ["bad-value", f"cannot be encoded: {type(error).__name__}"]]) + b"\n"


def _typed(item: Any) -> AttributeMap:
    if not isinstance(item, Mapping):
        raise RecordError("not-an-object", f"an item is a dict, not a {type(item).__name__}")
    return typed_map(item, 0)


class PythonItems(JsonLines):
    """Reads the lines of `encode`."""

    def parse(self, record: bytes) -> AttributeMap:
        if not record.startswith(_MARK):
            return super().parse(record)
        kind, content = msgspec.json.decode(record)
        if kind == "refused":
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
