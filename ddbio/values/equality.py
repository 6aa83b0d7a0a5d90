"""Compares items as DynamoDB does: numbers by value, sets in any order, binary by its bytes. Pure.

Items are attribute maps in DynamoDB JSON, `{"id": {"S": "x"}}`. The service returns numbers in its own notation
(`1.0` as `1`) and sets in its own order.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import Any

from ddbio.values.items import AttributeMap, normal_number


def same_item(left: AttributeMap, right: AttributeMap) -> bool:
    """Whether both have the same attributes with the same values. Raises ValueError for invalid attribute maps."""
    return left.keys() == right.keys() and all(_same_value(value, right[name]) for name, value in left.items())


def _same_value(left: dict[str, Any], right: dict[str, Any]) -> bool:
    ((letter, payload),) = left.items()
    if right.keys() != {letter}:
        return False
    return _SAME.get(letter, _identical)(payload, right[letter])


def _identical(left: Any, right: Any) -> bool:
    return bool(left == right)


def _same_list(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(map(_same_value, left, right))


def _same_set(identity: Callable[[str], Any]) -> Callable[[Iterable[str], Iterable[str]], bool]:
    return lambda left, right: set(map(identity, left)) == set(map(identity, right))


_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "N": lambda left, right: normal_number(left) == normal_number(right),
    "B": lambda left, right: base64.b64decode(left) == base64.b64decode(right),
    "SS": _same_set(str),
    "NS": _same_set(normal_number),
    "BS": _same_set(base64.b64decode),
    "L": _same_list,
    "M": same_item,
}
