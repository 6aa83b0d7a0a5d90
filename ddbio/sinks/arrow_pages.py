"""A sink that turns items into Arrow batches, one a report, which the parent loads (`ddbio.sinks.query_table`).

A column has the values of one attribute that have one type, so that no value has to be changed to fit: it is named by
the type's letter and the attribute, `N:price`. Numbers are their digits as text; the metadata has the most digits
before and after the point. Lists and maps are JSON text.
"""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow

from ddbio.errors import PermanentError
from ddbio.messages import Tally
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records
from ddbio.values.items import AttributeValue, json_number, plain_value

TYPED_ITEMS: Any = list[dict[str, AttributeValue]]
"""The row type to decode a page to."""
DIGITS = b"digits"  # in the metadata of a column of numbers: most before, and after the point
ROW = "row"  # a column without values: items without any attribute are rows, too

_TEXTS, _BINARIES = pyarrow.list_(pyarrow.string()), pyarrow.list_(pyarrow.binary())
TYPES = {
    "S": pyarrow.string(),
    "N": pyarrow.string(),
    "B": pyarrow.binary(),
    "BOOL": pyarrow.bool_(),
    "NULL": pyarrow.bool_(),
    "SS": _TEXTS,
    "NS": _TEXTS,
    "BS": _BINARIES,
    "L": pyarrow.string(),
    "M": pyarrow.string(),
}
_encode = msgspec.json.Encoder().encode
_items_decoder = msgspec.json.Decoder(TYPED_ITEMS)


class ArrowPages(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are pages of `TYPED_ITEMS`, or records of files."""

    def __init__(self, tally: Tally, where: str) -> None:
        self._tally = tally
        self._where = where
        self._items: list[dict[str, AttributeValue]] = []
        self.urgent = False

    def begin(self, unit: Any) -> None:
        self._items = []

    async def take(self, records: Records) -> None:
        items = records.rows()
        if items is None:
            items = self._made(records)
        self._items += items
        self._tally.written += len(items)
        self.urgent = True

    def _made(self, records: Records) -> list[dict[str, AttributeValue]]:
        made = []
        for record in records.each():
            if record.error is not None:
                beginning = record.text[:80].decode(errors="replace")
                raise PermanentError(f"{self._where}: {record.error}: {beginning}", "fix or remove the record")
            made += record.items
        decoded: list[dict[str, AttributeValue]] = _items_decoder.decode(_encode(made))
        return decoded

    def take_parts(self) -> dict[str, Any]:
        items, self._items, self.urgent = self._items, [], False
        return {"page": as_batch(items)} if items else {}


def as_batch(items: list[dict[str, AttributeValue]]) -> bytes:
    """The items as an Arrow stream of one batch."""
    columns: dict[str, list[Any]] = {}
    digits: dict[str, tuple[int, int]] = {}
    for row, item in enumerate(items):
        for name, value in item.items():
            letter, plain = _typed(value)
            column = f"{letter}:{name}"
            if column not in columns:
                columns[column] = [None] * len(items)
            columns[column][row] = plain
            if letter in ("N", "NS"):
                for text in [plain] if letter == "N" else plain:
                    digits[column] = _most(digits.get(column, (0, 0)), text)
    fields = [pyarrow.field(ROW, pyarrow.bool_())]
    arrays = [pyarrow.nulls(len(items), pyarrow.bool_())]
    for column, values in columns.items():
        kind = TYPES[column.partition(":")[0]]
        metadata = {DIGITS: "{},{}".format(*digits[column]).encode()} if column in digits else None
        fields.append(pyarrow.field(column, kind, metadata=metadata))
        arrays.append(pyarrow.array(values, kind))
    batch = pyarrow.record_batch(arrays, schema=pyarrow.schema(fields))
    stream = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(stream, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(stream.getvalue())


def _typed(value: AttributeValue) -> tuple[str, Any]:
    if value.S is not None:
        return "S", value.S
    if value.N is not None:
        return "N", _number(value.N)
    if value.BOOL is not None:
        return "BOOL", value.BOOL
    if value.NULL is not None:
        return "NULL", None
    if value.SS is not None:
        return "SS", value.SS
    if value.NS is not None:
        return "NS", [_number(member) for member in value.NS]
    if value.B is not None:
        return "B", base64.b64decode(value.B)
    if value.BS is not None:
        return "BS", [base64.b64decode(member) for member in value.BS]
    return ("L" if value.L is not None else "M"), _encode(plain_value(value)).decode()


def _number(text: str) -> str:
    return bytes(json_number(text)).decode()


def _most(known: tuple[int, int], text: str) -> tuple[int, int]:
    whole, _, fraction = text.partition(".")
    if "e" in text or "E" in text:
        _, digits, exponent = Decimal(text).as_tuple()
        assert isinstance(exponent, int)
        return max(known[0], len(digits) + exponent), max(known[1], -exponent)
    return max(known[0], len(whole.lstrip("-0"))), max(known[1], len(fraction))
