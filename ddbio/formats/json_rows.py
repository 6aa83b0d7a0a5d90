"""Records of json to values, by the shape that they have (`ddbio.values.row_schema`).

Records that fit are decoded to structs made for the shape; the first that do not fit are what it learns from. What is
no item at all is not reported here: `JsonLines.parse` says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Annotated, Any

import msgspec
from msgspec import UNSET
from msgspec.structs import astuple

from ddbio.errors import RecordError
from ddbio.values.items import NumberText, to_value
from ddbio.values.row_schema import ANY, INTEGER, Layout, Shape, Values, row_type

_KINDS: dict[type, str] = {str: "S", int: INTEGER}
# What msgspec can tell to be an integer that DynamoDB keeps; larger ones are looked at one by one.
_LEAST, _MOST = -(2**63), 2**63 - 1
_DECODED: dict[str, Any] = {"S": str, INTEGER: Annotated[int, msgspec.Meta(ge=_LEAST, le=_MOST)], ANY: Any}


class JsonRows:
    """What the lanes of a worker know of the records of a source.

    parse: a record as a dict of plain values; raises RecordError.
    """

    def __init__(self, parse: Callable[[bytes], dict[str, Any]]) -> None:
        self._parse = parse
        self._shape = Shape()
        self._rows: _Rows | None = None

    def values(self, records: Sequence[bytes]) -> Values | None:
        """What is in the records; None where they are not alike, or not all of them are items."""
        values = self._rows.values(records) if self._rows is not None else None
        if values is None and self._learn(records) and self._rows is not None:
            values = self._rows.values(records)
        return values

    def _learn(self, records: Sequence[bytes]) -> bool:
        """Whether the shape has grown."""
        shape = self._shape
        if shape.letters and not shape.usable:
            return False
        try:
            items = [self._parse(record) for record in records]
        except RecordError:
            return False
        if any("" in item for item in items):  # such a record is rejected: the shape of the others does not have it
            return False
        if not shape.learn({name: _kind(value) for name, value in item.items()} for item in items):
            return False
        self._rows = _Rows(shape) if shape.usable else None
        return True


class _Rows:
    """How to read records of a shape."""

    def __init__(self, shape: Shape) -> None:
        names = shape.names()
        kinds = [shape.letters[name] for name in names]
        row = row_type(names, [_DECODED[kind] for kind in kinds], shape.optional)
        # As in json_lines: the text of a number comes before it could lose a digit.
        self._decode = msgspec.json.Decoder(row, float_hook=NumberText).decode
        self._layout = Layout(tuple(names), tuple(kinds))
        self._untyped = [place for place, kind in enumerate(kinds) if kind == ANY]
        self._missing = bool(shape.optional)

    def values(self, records: Sequence[bytes]) -> Values | None:
        try:
            cells = list(chain.from_iterable(map(astuple, map(self._decode, records))))
            values = Values(self._layout, cells, self._missing and UNSET in cells)
            for place in self._untyped:
                values.convert(place, to_value)
        except (msgspec.MsgspecError, ValueError, RecursionError, RecordError):
            return None
        return values


def _kind(value: Any) -> str:
    kind = _KINDS.get(type(value), ANY)
    return ANY if kind == INTEGER and not _LEAST <= value <= _MOST else kind
