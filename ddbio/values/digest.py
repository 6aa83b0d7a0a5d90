"""Digests of items and keys: equal for what DynamoDB takes for equal, different for everything else. Pure.

An item is brought into one canonical form (numbers by value, sets sorted, attributes sorted by name) and hashed. So
two tables are compared in any order and without keeping their items. `ddbio.values.equality` has the same rules for
two items at hand.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any

import orjson

from ddbio.values.items import MAX_SIGNIFICANT_DIGITS, AttributeMap, normal_number

DIGEST_BYTES = 16  # of 2 * 10**9 different items, two have the same digest with a probability of 10**-20


def key_digest(text: bytes) -> bytes:
    """Of a key as `key_text` gives it."""
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()


def key_text(key: tuple[str, ...]) -> bytes:
    """A key (`ddbio.values.keys.ItemKey`) as bytes, from which it can be read again."""
    return orjson.dumps(key)


def item_digest(item: AttributeMap, without: Container[str] = ()) -> bytes:
    """Raises ValueError for an invalid attribute map. without: names of attributes that make no difference."""
    text = orjson.dumps(_canonical(item, without), None, orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()


@dataclass(frozen=True, slots=True)
class Scope:
    """The part of an item that a comparison looks at, besides its key; plain data.

    only: names of attributes; None for all. ignored: names that make no difference. keys_only: nothing of it.
    """

    only: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()
    keys_only: bool = False

    def digest(self, item: AttributeMap) -> bytes:
        """Equal for items without a difference. Raises ValueError for an invalid attribute map."""
        if self.keys_only:
            return bytes(DIGEST_BYTES)
        if self.only is not None:
            item = {name: value for name, value in item.items() if name in self.only}
        return item_digest(item, self.ignored)


def _canonical(item: AttributeMap, without: Container[str] = ()) -> AttributeMap:
    made: AttributeMap = {}
    for name, value in item.items():
        if "S" in value:  # true for most values: saves a call
            made[name] = value
        else:
            made[name] = _value(value)
    for name in [each for each in made if each in without] if without else ():
        del made[name]
    return made


def _value(value: dict[str, Any]) -> dict[str, Any]:
    ((letter, payload),) = value.items()
    function = _CANONICAL.get(letter)
    return value if function is None else {letter: function(payload)}


def _number(text: str) -> str:
    """One text for equal numbers. A plain integer without leading zeros, as nearly every number, is unchanged."""
    if text.isdigit() and text.isascii() and text[0] != "0" and len(text) <= MAX_SIGNIFICANT_DIGITS:
        return text
    normal = normal_number(text)
    digits, _, exponent = normal.partition("E")
    zeros = int(exponent or 0)
    if digits.startswith("-") or zeros < 0 or len(digits) + zeros > MAX_SIGNIFICANT_DIGITS:
        return normal
    return digits + "0" * zeros


def _binary(text: str) -> str:
    return base64.b64encode(base64.b64decode(text)).decode()


def _set_of(member: Callable[[str], str]) -> Callable[[list[str]], list[str]]:
    return lambda members: sorted(set(map(member, members)))


_CANONICAL: dict[str, Callable[[Any], Any]] = {
    "N": _number,
    "B": _binary,
    "SS": _set_of(str),
    "NS": _set_of(_number),
    "BS": _set_of(_binary),
    "L": lambda elements: list(map(_value, elements)),
    "M": _canonical,
}
