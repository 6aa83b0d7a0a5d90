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
    return left.keys() == right.keys() and all(same_value(value, right[name]) for name, value in left.items())


def set_members(value: dict[str, Any]) -> set[Any]:
    """The members of a set, of which equal ones are equal; empty for any other value."""
    for letter, identity in _MEMBERS.items():
        if letter in value:
            return set(map(identity, value[letter]))
    return set()


def same_value(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """The same for values of attributes."""
    ((letter, payload),) = left.items()
    if right.keys() != {letter}:
        return False
    return _SAME.get(letter, _identical)(payload, right[letter])


def _identical(left: Any, right: Any) -> bool:
    return bool(left == right)


def _same_list(left: list[Any], right: list[Any]) -> bool:
    return len(left) == len(right) and all(map(same_value, left, right))


def _same_set(identity: Callable[[str], Any]) -> Callable[[Iterable[str], Iterable[str]], bool]:
    return lambda left, right: set(map(identity, left)) == set(map(identity, right))


_MEMBERS: dict[str, Callable[[str], Any]] = {"SS": str, "NS": normal_number, "BS": base64.b64decode}

_SAME: dict[str, Callable[[Any, Any], bool]] = {
    "N": lambda left, right: normal_number(left) == normal_number(right),
    "B": lambda left, right: base64.b64decode(left) == base64.b64decode(right),
    **{letter: _same_set(identity) for letter, identity in _MEMBERS.items()},
    "L": _same_list,
    "M": same_item,
}
