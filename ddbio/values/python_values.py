"""Attribute values as Python values, and back. Pure.

    S str    N Decimal    B bytes    BOOL bool    NULL None    L list    M dict    SS, NS, BS set

To DynamoDB also go int and float (by its shortest digits), tuples, frozensets, bytearray and memoryview; date, time
and datetime as their ISO 8601 text; UUID as its text; and the scalars and arrays of numpy as Python's own. A number
must be finite.
"""

from __future__ import annotations

import base64
import datetime
import uuid
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from ddbio.errors import RecordError
from ddbio.values.items import (
    AttributeMap,
    AttributeValue,
    UnknownTypeError,
    check_names,
    check_number,
    check_set,
    deeper,
    normal_number,
    not_finite,
)


def to_python(value: Mapping[str, Any]) -> Any:
    """An attribute value as a Python value."""
    ((letter, payload),) = value.items()
    return _PYTHON[letter](payload)


_PYTHON: dict[str, Callable[[Any], Any]] = {
    "S": lambda payload: payload,
    "N": Decimal,
    "B": base64.b64decode,
    "BOOL": lambda payload: payload,
    "NULL": lambda _: None,
    "SS": set,
    "NS": lambda payload: set(map(Decimal, payload)),
    "BS": lambda payload: set(map(base64.b64decode, payload)),
    "L": lambda payload: list(map(to_python, payload)),
    "M": lambda payload: {name: to_python(value) for name, value in payload.items()},
}


def python_item(attributes: Mapping[str, AttributeValue]) -> dict[str, Any]:
    """The same of all attributes of an item, as they are decoded from the service; much faster."""
    return {name: python_value(value) for name, value in attributes.items()}


def python_value(value: AttributeValue) -> Any:
    """The same of one of them. Raises UnknownTypeError."""
    if value.S is not None:
        return value.S
    if value.N is not None:
        return Decimal(value.N)
    if value.M is not None:
        return python_item(value.M)
    if value.L is not None:
        return list(map(python_value, value.L))
    for letter, python in _PYTHON.items():
        if (payload := getattr(value, letter)) is not None:
            return python(payload)
    raise UnknownTypeError("an attribute value without a known type")


def to_typed(value: Any, depth: int = 0) -> dict[str, Any]:
    """The attribute value of a Python value. Raises RecordError for what DynamoDB cannot store."""
    for types, typed in _TYPED:
        if isinstance(value, types):
            return typed(value, depth)
    if type(value).__module__ == "numpy":
        return to_typed(value.tolist(), depth)
    raise RecordError("bad-type", f"a value of type {type(value).__name__} cannot be stored")


def typed_map(value: Mapping[Any, Any], depth: int) -> AttributeMap:
    if not all(isinstance(name, str) for name in value):
        raise RecordError("bad-type", "the names of attributes must be strings")
    check_names(value)
    return {name: to_typed(each, depth) for name, each in value.items()}


def _typed_list(value: Any, depth: int) -> dict[str, Any]:
    depth = deeper(depth)
    return {"L": [to_typed(element, depth) for element in value]}


def _number(value: Any) -> str:
    return check_number(float.__repr__(value) if isinstance(value, float) else str(value))


def _binary(value: Any) -> str:
    return base64.b64encode(value).decode()


def _moment(value: Any) -> str:
    if value != value:  # not a time, in pandas
        raise not_finite("NaT")
    return str(value.isoformat())


def _typed_set(value: Any, _depth: int) -> dict[str, Any]:
    for letter, types, member in (("SS", str, str), ("NS", (int, float, Decimal), _number), ("BS", bytes, _binary)):
        if all(isinstance(each, types) and not isinstance(each, bool) for each in value):
            members = [member(each) for each in value]
            check_set(members, normal_number if letter == "NS" else str)
            return {letter: members}
    raise RecordError("bad-type", "the members of a set must be all strings, all numbers or all bytes")


_TYPED: tuple[tuple[Any, Callable[[Any, int], dict[str, Any]]], ...] = (
    (str, lambda value, _: {"S": str(value)}),
    (bool, lambda value, _: {"BOOL": value}),
    ((int, Decimal, float), lambda value, _: {"N": _number(value)}),
    (type(None), lambda _, __: {"NULL": True}),
    (Mapping, lambda value, depth: {"M": typed_map(value, deeper(depth))}),
    ((list, tuple), _typed_list),
    ((set, frozenset), _typed_set),
    ((bytes, bytearray, memoryview), lambda value, _: {"B": _binary(value)}),
    ((datetime.date, datetime.time), lambda value, _: {"S": _moment(value)}),
    (uuid.UUID, lambda value, _: {"S": str(value)}),
)
