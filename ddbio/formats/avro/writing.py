"""Writes items to an Avro file, a block at a time. No I/O: returns the bytes to append."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import fastavro
import msgspec

from ddbio.formats.avro import NAME_KEY, TYPE_KEY, AvroLayout
from ddbio.formats.avro.codecs import OUT, deflate
from ddbio.formats.avro.container import SYNC_BYTES, block_bytes, header_bytes
from ddbio.formats.typed_columns import DECIMAL_DIGITS, DECIMAL_SCALE, Item, column_values, reader, too_large

BLOCK_BYTES = 64 * 1024  # of records, before compression
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_]")
_DECIMAL = f"decimal({DECIMAL_DIGITS}, {DECIMAL_SCALE})"


class AvroWriter:
    """One file: rows in, bytes out."""

    def __init__(self, layout: AvroLayout) -> None:
        schema = schema_of(layout)
        number = decimal_bytes if layout.numbers == "decimal" else str
        self._columns = layout.columns
        self._fields = [field["name"] for field in schema["fields"]]
        self._readers = [reader(letter, number) for _, letter in layout.columns]
        self._parsed = fastavro.parse_schema(schema)
        self._sync = os.urandom(SYNC_BYTES)
        metadata = {"avro.schema": msgspec.json.encode(schema).decode(), "avro.codec": OUT}
        self._out = [header_bytes(metadata, self._sync)]
        self._block = io.BytesIO()
        self._records = 0  # in the block

    @property
    def pending_bytes(self) -> int:
        """Uncompressed bytes of the records not yet returned as bytes; in the file they take less."""
        return self._block.tell()

    def add(self, items: Sequence[Item]) -> bytes:
        """Raises PermanentAbortError for a value of another type than its column's: nothing is changed to fit."""
        columns = [
            self._values(items, name, letter, read)
            for (name, letter), read in zip(self._columns, self._readers, strict=True)
        ]
        for values in zip(*columns, strict=True) if columns else ((),) * len(items):
            fastavro.schemaless_writer(self._block, self._parsed, dict(zip(self._fields, values, strict=True)))
            self._records += 1
            if self._block.tell() >= BLOCK_BYTES:
                self._end_block()
        return self._take()

    def finish(self) -> bytes:
        if self._records:
            self._end_block()
        return self._take()

    def _values(self, items: Sequence[Item], name: str, letter: str, read: Any) -> list[Any]:
        try:
            return column_values(items, name, letter, read)
        except ArithmeticError as error:
            raise too_large(name, _DECIMAL, error) from None

    def _end_block(self) -> None:
        self._out.append(block_bytes(self._records, deflate(self._block.getvalue()), self._sync))
        self._block, self._records = io.BytesIO(), 0

    def _take(self) -> bytes:
        data, self._out = b"".join(self._out), []
        return data


# --------------------------------------------------------------------------- types


def schema_of(layout: AvroLayout) -> dict[str, Any]:
    number: Any = "string"
    if layout.numbers == "decimal":
        number = {"type": "bytes", "logicalType": "decimal", "precision": DECIMAL_DIGITS, "scale": DECIMAL_SCALE}
    types = {
        "N": number,
        "B": "bytes",
        "BOOL": "boolean",
        "SS": {"type": "array", "items": "string"},
        "NS": {"type": "array", "items": number},
        "BS": {"type": "array", "items": "bytes"},
    }
    names = field_names(name for name, _ in layout.columns)
    return {
        "type": "record",
        "name": "Item",
        "namespace": "ddbio",
        "fields": [
            {
                "name": field,
                "type": ["null", types.get(letter, "string")],
                "default": None,
                TYPE_KEY: letter,
                **({NAME_KEY: name} if field != name else {}),
            }
            for field, (name, letter) in zip(names, layout.columns, strict=True)
        ],
    }


def field_names(attributes: Iterable[str]) -> list[str]:
    """A name that Avro allows for each attribute, no two the same: of ASCII letters, digits and underscores, and not
    with a digit first."""
    attributes = list(attributes)
    taken = {name for name in attributes if _allowed(name) == name}
    names = []
    for attribute in attributes:
        name, number = _allowed(attribute), 1
        while name != attribute and name in taken:
            number += 1
            name = f"{_allowed(attribute)}_{number}"
        taken.add(name)
        names.append(name)
    return names


def _allowed(name: str) -> str:
    name = _NOT_IN_NAMES.sub("_", name)
    return f"_{name}" if name[:1].isdigit() or not name else name


def decimal_bytes(text: str) -> bytes:
    """The bytes of a decimal of `DECIMAL_SCALE` places. Raises ArithmeticError if a number does not fit exactly."""
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    unscaled: int = int("".join(map(str, digits))) if any(digits) else 0
    places = exponent + DECIMAL_SCALE
    if places >= 0 or not unscaled:
        unscaled *= int(10 ** min(max(places, 0), DECIMAL_DIGITS))
    else:
        unscaled, rest = divmod(unscaled, int(10 ** min(-places, DECIMAL_DIGITS)))
        if rest:
            raise ArithmeticError(f"{text} has more than {DECIMAL_SCALE} places")
    if len(str(unscaled)) > DECIMAL_DIGITS:
        raise ArithmeticError(f"{text} has more than {DECIMAL_DIGITS - DECIMAL_SCALE} digits before them")
    unscaled = -unscaled if sign else unscaled
    return unscaled.to_bytes((unscaled.bit_length() // 8) + 1, "big", signed=True)
