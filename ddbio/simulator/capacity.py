"""The arithmetic of the service: bytes of an item, units of a request, and the limits on both.

Written from the service's documentation and from measurements of it, and shares no code with the client's arithmetic
(`ddbio.values.capacity`): the simulator checks the client, so the two must not have a mistake in common.
`tests/unit/test_capacity.py` holds both to one table of cases.

`check_item` has normalised all items: numbers are plain decimal text, base64 is canonical.

Sources: developer guide, "DynamoDB item sizes and formats", "Read and write capacity", "Provisioned throughput
considerations for global secondary indexes", "Service quotas"; API reference, BatchWriteItem and Scan. The guide only
approximates the size of a number; the exact rule was found by experiment (dynalite).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

Attributes = Mapping[str, Mapping[str, Any]]
"""An item, a key or an index entry: attribute name -> {type letter: payload}."""

MAX_ITEM_BYTES = 400 << 10
MAX_REQUEST_BYTES = 16 << 20
MAX_PAGE_BYTES = 1 << 20  # of items read, before any filter
MAX_REPLY_BYTES = 16 << 20  # of items in a BatchGetItem
MAX_EXPRESSION_BYTES = 4 << 10
MAX_BATCH_WRITES = 25
MAX_BATCH_READS = 100
MAX_SEGMENTS = 1_000_000
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
MAX_NESTING_LEVELS = 32  # a value 32 levels deep is accepted, one 33 levels deep is not
PARTITION_WRITE_UNITS_PER_S = 1000
PARTITION_READ_UNITS_PER_S = 3000

_WRITE_BLOCK_BYTES = 1 << 10
_READ_BLOCK_BYTES = 4 << 10


def item_bytes(item: Attributes) -> int:
    """Bytes of an item, names included, as the 400 KB limit and the units count them."""
    total = 0
    for name, value in item.items():
        total += len(name) if name.isascii() else _utf8_bytes(name)
        text = value.get("S")  # most values are text: saves two calls
        total += len(text) if text is not None and text.isascii() else value_bytes(value)
    return total


def value_bytes(value: Mapping[str, Any]) -> int:
    """Bytes of one attribute value without its name."""
    letter = next(iter(value))
    payload = value[letter]
    if letter == "N":
        return _number_bytes(payload)
    if letter == "S":
        return _utf8_bytes(payload)
    if letter == "M":
        return 3 + len(payload) + item_bytes(payload)
    if letter == "L":
        return 3 + len(payload) + sum(map(value_bytes, payload))
    if letter == "B":
        return _binary_bytes(payload)
    if letter in ("BOOL", "NULL"):
        return 1
    return sum(value_bytes({letter[0]: member}) for member in payload)  # SS, NS, BS: only their members count


def write_units(*sizes_bytes: int) -> int:
    """Units of one put or delete, from the sizes of the item before and after: the larger one counts. Without any
    item, a write costs one unit."""
    return _blocks(max(sizes_bytes), _WRITE_BLOCK_BYTES)


def read_units(read_bytes: int, consistent: bool) -> float:
    """Units of one page of a Scan, or of one item by its key: the sum of the bytes read, rounded up once."""
    return _blocks(read_bytes, _READ_BLOCK_BYTES) * (1.0 if consistent else 0.5)


def entry_units(old: Attributes | None, new: Attributes | None, key_names: Collection[str]) -> int:
    """Write units in a secondary index for changing its entry from `old` to `new` (None: no entry).

    An entry moves if its index key changes: then the old one is removed and the new one written, each charged by its
    size. An entry that stays in its place costs one write by the larger size, and nothing if it does not change.
    """
    if old == new:
        return 0
    sizes = [item_bytes(entry) for entry in (old, new) if entry is not None]
    moves = old is not None and new is not None and any(old[name] != new[name] for name in key_names)
    return sum(map(write_units, sizes)) if moves else write_units(*sizes)


def _blocks(size_bytes: int, block_bytes: int) -> int:
    return max(1, -(-size_bytes // block_bytes))


def _utf8_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _binary_bytes(base64_text: str) -> int:
    return len(base64_text.rstrip("=")) * 6 // 8


def _number_bytes(plain: str) -> int:
    """One byte for the exponent, one for each pair of digits, one for a minus sign. Pairs are counted from the
    decimal point; those of zeros at both ends are not stored: 0.042 is 04 20 and takes a byte more than 0.42."""
    whole, _, fraction = plain.lstrip("-").partition(".")
    digits = "0" * (len(whole) % 2) + whole + fraction + "0" * (len(fraction) % 2)
    leading = len(digits) - len(digits.lstrip("0"))
    if leading == len(digits):
        return 1  # zero
    trailing = len(digits) - len(digits.rstrip("0"))
    return 1 + len(digits) // 2 - leading // 2 - trailing // 2 + plain.startswith("-")
