"""Records of json to columns, by the shape that they have (`ddbio.shape`).

Records that fit are decoded to structs made for the shape; the first that do not fit are what it learns from. What is
no item at all is nobody's business here: `JsonLines.parse` says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple

from ddbio.errors import RecordError
from ddbio.items import NumberText, to_value
from ddbio.shape import ANY, Columns, Layout, Shape, row_type

_LETTERS: dict[type, str] = {str: "S", int: "N"}
# What msgspec can tell to be an integer that DynamoDB keeps; larger ones are looked at one by one.
_LEAST, _MOST = -(2**63), 2**63 - 1
_DECODED: dict[str, Any] = {"S": str, "N": Annotated[int, msgspec.Meta(ge=_LEAST, le=_MOST)], ANY: Any}


class JsonRows:
    """What the lanes of a worker know of the records of a source.

    parse: a record as a dict of plain values; raises RecordError.
    """

    def __init__(self, parse: Callable[[bytes], dict[str, Any]]) -> None:
        self._parse = parse
        self._shape = Shape()
        self._rows: _Rows | None = None

    def columns(self, records: Sequence[bytes]) -> Columns | None:
        """What the records say of each attribute; None where they are not alike, or not all of them are items."""
        columns = self._rows.columns(records) if self._rows is not None else None
        if columns is None and self._learn(records) and self._rows is not None:
            columns = self._rows.columns(records)
        return columns

    def _learn(self, records: Sequence[bytes]) -> bool:
        """Whether the shape has grown."""
        shape = self._shape
        if shape.letters and not shape.usable:
            return False
        try:
            items = [self._parse(record) for record in records]
        except RecordError:
            return False
        if not shape.learn({name: _letter(value) for name, value in item.items()} for item in items):
            return False
        self._rows = _Rows(shape) if shape.usable else None
        return True


class _Rows:
    """How to read records of a shape."""

    def __init__(self, shape: Shape) -> None:
        names = shape.names()
        letters = [shape.letters[name] for name in names]
        optional = [name in shape.optional for name in names]
        row = row_type(names, [_DECODED[letter] for letter in letters], shape.optional)
        self._layout = Layout(tuple(names), tuple(letters), tuple(optional))
        # As in json_lines: the text of a number comes before it could lose a digit.
        self._decode = msgspec.json.Decoder(row, float_hook=NumberText).decode
        self._converted = [
            (place, _CONVERTED[letter], optional[place])
            for place, letter in enumerate(letters)
            if letter in _CONVERTED
        ]

    def columns(self, records: Sequence[bytes]) -> Columns | None:
        try:
            values: list[Any] = list(zip(*map(astuple, map(self._decode, records)), strict=True))
            for place, convert, optional in self._converted:
                column = values[place]
                values[place] = _where_set(convert, column) if optional else list(map(convert, column))
        except (msgspec.MsgspecError, ValueError, RecursionError, RecordError):
            return None
        return Columns(self._layout, values)


_CONVERTED: dict[str, Callable[[Any], Any]] = {"N": str, ANY: to_value}


def _where_set(convert: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    return [value if value is UNSET else convert(value) for value in values]


def _letter(value: Any) -> str:
    letter = _LETTERS.get(type(value), ANY)
    return ANY if letter == "N" and not _LEAST <= value <= _MOST else letter
