"""Size and capacity arithmetic: how big an item is, and how many units a request consumes.

Strategy: everything is computed from the *attribute map* as it travels on the wire, DynamoDB JSON such as
`{"id": {"S": "x"}, "n": {"N": "1"}, "b": {"B": "<base64 text>"}}`. Nothing is decoded or copied: the size of a
binary value follows from the length of its base64 text, the size of a number from its digits.

Rules:

- Pure functions on the client's hot path: no I/O, no state, no validation. Invalid DynamoDB JSON raises an arbitrary
  Python error (KeyError, AttributeError).
- Sizes are bytes, 1 KB = 1,024 bytes. Units are whole for writes and multiples of 0.5 for reads.

Source of the arithmetic: the developer guide's "DynamoDB item sizes and formats" and "Read and write capacity";
for numbers the guide gives only an approximation, so they follow the rule that dynalite found by experiment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

Attributes = Mapping[str, Mapping[str, Any]]
"""An item or a key in DynamoDB JSON: attribute name -> {type letter: payload}."""

WRITE_UNIT_BYTES = 1024  # developer guide, "Read and write capacity": one write unit writes up to 1 KB
READ_UNIT_BYTES = 4096  # the same: one read unit reads up to 4 KB consistently, or twice that eventually
MAX_ITEM_BYTES = 400 * 1024  # service quotas: item size, attribute names included
MAX_NAME_BYTES = 64 * 1024  # service quotas: attribute name
MAX_PAGE_BYTES = 1024 * 1024  # Scan and Query: a page ends after reading 1 MB, before any filter or projection
MAX_BATCH_WRITES = 25  # API reference, BatchWriteItem: put and delete requests of one call
MAX_REQUEST_BYTES = 16 * 1024 * 1024  # API reference, BatchWriteItem: one request as sent
MAX_PARTITION_KEY_BYTES = 2048  # service quotas: partition key value
MAX_SORT_KEY_BYTES = 1024  # service quotas: sort key value

_CONTAINER_BYTES = 3  # for a list or map, plus one byte an element
_ELEMENT_BYTES = 1


def item_size_bytes(attributes: Attributes) -> int:
    """Bytes of an item, attribute names and values, as DynamoDB counts them for its 400 KB limit and its units.

    Excludes the 100 bytes an item that are added when storage is billed.
    """
    size = 0
    for name, value in attributes.items():
        size += len(name) if name.isascii() else _text_size(name)
        for letter, payload in value.items():
            if letter == "S" and payload.isascii():  # true for most values: saves a call
                size += len(payload)
            else:
                size += _SIZES[letter](payload)
    return size


def value_size_bytes(value: Mapping[str, Any]) -> int:
    """Bytes of one attribute value such as `{"S": "x"}`, without the attribute's name."""
    for letter, payload in value.items():
        return _SIZES[letter](payload)
    return 0


def write_units(size_bytes: int) -> int:
    """Write units of one put or delete. size_bytes: the larger of the item before and after; 0 if absent."""
    return (size_bytes + WRITE_UNIT_BYTES - 1) // WRITE_UNIT_BYTES or 1


def page_read_units(total_bytes: int, consistent: bool = False) -> float:
    """Read units of one Scan or Query page: the page's sum is rounded up once to 4 KB.

    An empty page still costs the minimum, 0.5 (1.0 consistent).
    """
    blocks = (total_bytes + READ_UNIT_BYTES - 1) // READ_UNIT_BYTES or 1
    return float(blocks) if consistent else blocks / 2


@dataclass(frozen=True, slots=True)
class SecondaryIndex:
    """A secondary index, as far as its cost depends on it.

    key_names: the index's own key attributes, partition key first.
    table_key_names: the key attributes of its table; they are always projected.
    included_names: the other attributes of an INCLUDE projection.
    """

    name: str
    key_names: tuple[str, ...]
    table_key_names: tuple[str, ...]
    projection: Literal["ALL", "KEYS_ONLY", "INCLUDE"] = "ALL"
    included_names: tuple[str, ...] = ()

    @property
    def projected_names(self) -> list[str] | None:
        """The names of the attributes that entries have; None for all."""
        if self.projection == "ALL":
            return None
        return list(dict.fromkeys((*self.key_names, *self.table_key_names, *self.included_names)))

    def entry(self, item: Attributes | None) -> Attributes | None:
        """The index entry of an item: its projected attributes; None if the item is not in the (sparse) index."""
        if item is None or any(name not in item for name in self.key_names):
            return None
        wanted = self.projected_names
        if wanted is None:
            return item
        return {name: value for name, value in item.items() if name in wanted}


def number_size_bytes(number: str) -> int:
    """Bytes of a number given as decimal text, in any notation: `1 + ceil(digits / 2)`, plus one if it is
    negative, plus one if the count of significant digits and the scientific exponent are both even.
    """
    whole, _, fraction = number.partition(".")
    text = whole + fraction if fraction else whole
    if text.isdigit() and text.isascii():  # 12 or 0.05: saves a Decimal
        significant = text.lstrip("0")
        digits, exponent = len(significant.rstrip("0")), len(significant) - 1 - len(fraction)
        return 1 + (digits + 1) // 2 + (not (digits & 1 or exponent & 1)) if digits else 1
    sign, digits, exponent = _significant(number)
    if digits == 0:
        return 1
    return 1 + (digits + 1) // 2 + (digits % 2 == 0 and exponent % 2 == 0) + sign


def _significant(number: str) -> tuple[int, int, int]:
    """Sign (1: negative), count of significant digits, scientific exponent; zero has no digits."""
    sign, all_digits, exponent = Decimal(number).as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"not a finite number: {number}")
    digits = "".join(map(str, all_digits)).lstrip("0")
    return sign, len(digits.rstrip("0")), len(digits) - 1 + exponent


def _text_size(text: str) -> int:
    # surrogatepass: a lone surrogate cannot be stored, but this function does not report that
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _binary_size(base64_text: str) -> int:
    return len(base64_text) * 3 // 4 - base64_text.count("=", -2)


def _constant_size(payload: object) -> int:
    return 1


def _list_size(values: list[Mapping[str, Any]]) -> int:
    size = _CONTAINER_BYTES + _ELEMENT_BYTES * len(values)
    for value in values:
        for letter, payload in value.items():
            size += _SIZES[letter](payload)
    return size


def _map_size(attributes: Attributes) -> int:
    return _CONTAINER_BYTES + _ELEMENT_BYTES * len(attributes) + item_size_bytes(attributes)


_SIZES: dict[str, Callable[[Any], int]] = {
    "S": _text_size,
    "N": number_size_bytes,
    "B": _binary_size,
    "BOOL": _constant_size,
    "NULL": _constant_size,
    "SS": lambda members: sum(map(_text_size, members)),
    "NS": lambda members: sum(map(number_size_bytes, members)),
    "BS": lambda members: sum(map(_binary_size, members)),
    "L": _list_size,
    "M": _map_size,
}
