"""`dynamodb-json`: `{"Item": {"id": {"S": "..."}}}` a line, as the native S3 export writes and its import reads.

Out, an item is the very bytes the service sent. In, the `Item` wrapper may be missing, and types may be spelt as the
exports of Data Pipeline spell them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ddbio.errors import RecordError
from ddbio.formats.framing import JsonText, Lines
from ddbio.formats.json_lines import ONE_UNIT_BYTES, decode_object
from ddbio.native import Notation
from ddbio.values.items import AttributeMap, check_base64, check_names, check_number, check_set, deeper, normal_number


def _text(payload: Any, _depth: int = 0) -> str:
    if type(payload) is not str:
        raise RecordError("bad-value", "the value of S must be a string")
    return payload


def _number(payload: Any, _depth: int = 0) -> str:
    if type(payload) is not str:
        raise RecordError("bad-value", "the value of N must be a number in quotes")
    return check_number(payload)


def _binary(payload: Any, _depth: int = 0) -> str:
    if type(payload) is not str:
        raise RecordError("bad-value", "the value of B must be base64 text")
    return check_base64(payload)


def _boolean(payload: Any, _depth: int = 0) -> bool:
    if type(payload) is not bool:
        raise RecordError("bad-value", "the value of BOOL must be true or false")
    return payload


def _null(payload: Any, _depth: int = 0) -> bool:
    if payload is not True:
        raise RecordError("bad-value", "the value of NULL must be true")
    return True


def _map(payload: Any, depth: int) -> AttributeMap:
    if type(payload) is not dict:
        raise RecordError("bad-value", "the value of M must be an object")
    return checked(payload, deeper(depth))


def _list(payload: Any, depth: int) -> list[dict[str, Any]]:
    if type(payload) is not list:
        raise RecordError("bad-value", "the value of L must be an array")
    depth = deeper(depth)
    return [_checked_value(element, depth) for element in payload]


def _set_of(member: Callable[[Any], str], identity: Callable[[str], str]) -> Callable[[Any, int], list[str]]:
    def checked_set(payload: Any, _depth: int) -> list[str]:
        if type(payload) is not list:
            raise RecordError("bad-value", "the value of SS, NS or BS must be an array")
        members = [member(element) for element in payload]
        check_set(members, identity)
        return members

    return checked_set


_CHECKS: dict[str, Callable[[Any, int], Any]] = {
    "S": _text,
    "N": _number,
    "BOOL": _boolean,
    "NULL": _null,
    "M": _map,
    "L": _list,
    "B": _binary,
    "SS": _set_of(_text, str),
    "NS": _set_of(_number, normal_number),
    "BS": _set_of(_binary, str),
}


# The exports of Data Pipeline write types as Java writes fields: s, nS, bOOL, nULLValue.
_OTHER_SPELLINGS = {**{letter: letter for letter in _CHECKS}, "NULLVALUE": "NULL"}


def _checked_value(value: Any, depth: int) -> dict[str, Any]:
    if type(value) is not dict or len(value) != 1:
        raise RecordError("bad-value", 'a typed value is needed, such as {"S": "text"}')
    ((letter, payload),) = value.items()
    if letter not in _CHECKS:
        letter = _OTHER_SPELLINGS.get(letter.upper(), letter)
    if letter not in _CHECKS:
        raise RecordError("bad-value", f"{letter!r} is not a type of DynamoDB ({', '.join(_CHECKS)})")
    return {letter: _CHECKS[letter](payload, depth)}


def checked(attributes: dict[str, Any], depth: int = 0) -> AttributeMap:
    """The attribute map itself, once every value in it is known to be one. depth: of the map; 0 for an item.

    Raises RecordError.
    """
    check_names(attributes)
    return {name: _checked_value(value, depth) for name, value in attributes.items()}


class DynamoDBJson(JsonText, Lines):
    suffix = ".json"
    page_items: Any = list[msgspec.Raw]
    one_unit_bytes = ONE_UNIT_BYTES
    notation: Notation | None = "dynamodb-json"

    def parse(self, record: bytes) -> AttributeMap:
        value = decode_object(record)
        item = value.get("Item")
        # A bare item may have an attribute of that name: its value then has one type letter as its only key.
        wrapped = len(value) == 1 and type(item) is dict and not _is_typed(item)
        return checked(item if wrapped and item is not None else value)

    def render(self, items: list[msgspec.Raw]) -> bytes:
        return b'{"Item":%b}\n' % b'}\n{"Item":'.join(items) if items else b""


def _is_typed(value: dict[str, Any]) -> bool:
    return len(value) == 1 and _letter(value) is not None and type(next(iter(value.values()))) is not dict


def _letter(value: dict[str, Any]) -> str | None:
    return _OTHER_SPELLINGS.get(next(iter(value)).upper())


_JSON_TYPES = {"S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool, "M": dict}  # and the others are arrays


def looks_typed(record: dict[str, Any]) -> bool:
    """Whether this is DynamoDB JSON beyond doubt: with or without `Item` around it, every value carries a type."""
    item = record.get("Item") if len(record) == 1 else None
    return _all_typed(record) or (type(item) is dict and _all_typed(item))


def _all_typed(item: dict[str, Any]) -> bool:
    return bool(item) and all(
        type(value) is dict
        and len(value) == 1
        and (letter := _letter(value)) is not None
        and type(next(iter(value.values()))) is _JSON_TYPES.get(letter, list)
        for value in item.values()
    )
