"""Decodes records of json by their schema (`ddbio.values.row_schema`).

Records that fit are decoded to structs made for the schema; it is extended by the first ones that do not fit. Invalid
records are not reported here: `JsonLines.parse` raises their errors.
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
from ddbio.values.row_schema import ANY, INTEGER, LearnedSchema, RowBatch, RowSchema, row_type

_KINDS: dict[type, str] = {str: "S", int: INTEGER}
# msgspec checks that an integer is in this range, which DynamoDB keeps; larger ones are checked one by one.
_LEAST, _MOST = -(2**63), 2**63 - 1
_DECODED: dict[str, Any] = {"S": str, INTEGER: Annotated[int, msgspec.Meta(ge=_LEAST, le=_MOST)], ANY: Any}


class JsonRows:
    """The schema of a source's records, as learned by the lanes of a worker.

    parse: a record as a dict of plain values; raises RecordError.
    """

    def __init__(self, parse: Callable[[bytes], dict[str, Any]]) -> None:
        self._parse = parse
        self._schema = LearnedSchema()
        self._rows: _RowDecoder | None = None

    def values(self, records: Sequence[bytes]) -> RowBatch | None:
        """The values of the records; None if they are not alike, or not all of them are items."""
        values = self._rows.values(records) if self._rows is not None else None
        if values is None and self._learn(records) and self._rows is not None:
            values = self._rows.values(records)
        return values

    def _learn(self, records: Sequence[bytes]) -> bool:
        """Whether the schema has grown."""
        schema = self._schema
        if schema.letters and not schema.usable:
            return False
        try:
            items = [self._parse(record) for record in records]
        except RecordError:
            return False
        if any("" in item for item in items):  # such a record is rejected: the schema of the others does not have it
            return False
        if not schema.learn({name: _kind(value) for name, value in item.items()} for item in items):
            return False
        self._rows = _RowDecoder(schema) if schema.usable else None
        return True


class _RowDecoder:
    """How to read records of a schema."""

    def __init__(self, schema: LearnedSchema) -> None:
        names = schema.names()
        kinds = [schema.letters[name] for name in names]
        row = row_type(names, [_DECODED[kind] for kind in kinds], schema.optional)
        # As in json_lines: the text of a number comes before it could lose a digit.
        self._decode = msgspec.json.Decoder(row, float_hook=NumberText).decode
        self._schema = RowSchema(tuple(names), tuple(kinds))
        self._untyped = [place for place, kind in enumerate(kinds) if kind == ANY]
        self._missing = bool(schema.optional)

    def values(self, records: Sequence[bytes]) -> RowBatch | None:
        try:
            cells = list(chain.from_iterable(map(astuple, map(self._decode, records))))
            values = RowBatch(self._schema, cells, self._missing and UNSET in cells)
            for place in self._untyped:
                values.convert(place, to_value)
        except (msgspec.MsgspecError, ValueError, RecursionError, RecordError):
            return None
        return values


def _kind(value: Any) -> str:
    kind = _KINDS.get(type(value), ANY)
    return ANY if kind == INTEGER and not _LEAST <= value <= _MOST else kind
