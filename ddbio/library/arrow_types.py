"""The Arrow types of attributes, found from the first items or given, and batches of them. Pure.

Workers make a column for each attribute and type that it has (`ddbio.sinks.arrow_pages`). Here these become the
columns of a schema. A found schema has

- for numbers int64, or decimal128 with room for more digits than were seen, or their digits as a string;
- for text string, for binary binary, for booleans bool, for sets lists of these;
- for lists and maps, for nulls alone, and for attributes with values of several types, string: JSON text.

A value that a found or given type cannot hold exactly ends the scan with an error that names the attribute; only
numbers in a column of floats are rounded to those. Nothing is changed to fit, and nothing is left out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.compute
from pyarrow import types

from ddbio.errors import TransferError
from ddbio.sinks.arrow_pages import DIGITS, ROW

_JSON = {b"content": b"json"}  # the metadata of a found column of JSON text
_GIVE = "give the schema that you want with schema="
_MOST_DIGITS = 38


def table_of(page: bytes) -> Any:
    """The columns that a worker has made of some items."""
    return pyarrow.ipc.open_stream(page).read_all()


class Found:
    """The types of the first items. items: their number."""

    def __init__(self) -> None:
        self.items = 0
        self._digits: dict[str, dict[str, tuple[int, int]]] = {}  # by attribute and type

    def add(self, table: Any) -> None:
        self.items += table.num_rows
        for field in table.schema:
            if field.name == ROW:
                continue
            letter, _, name = field.name.partition(":")
            letters = self._digits.setdefault(name, {})
            before, now = letters.get(letter, (0, 0)), (0, 0)
            if field.metadata and DIGITS in field.metadata:
                whole, fraction = map(int, field.metadata[DIGITS].split(b","))
                now = whole, fraction
            letters[letter] = max(before[0], now[0]), max(before[1], now[1])

    def schema(self, keys: Iterable[str]) -> Any:
        """keys: the attributes whose columns come first; in an empty table the only ones."""
        names = dict.fromkeys(
            (*(key for key in keys if not self._digits or key in self._digits), *sorted(self._digits))
        )
        return pyarrow.schema([self._field(name) for name in names])

    def _field(self, name: str) -> Any:
        letters = self._digits.get(name, {"S": (0, 0)}).items() - {("NULL", (0, 0))}
        if len(letters) != 1:
            return pyarrow.field(name, pyarrow.string(), metadata=_JSON)
        ((letter, digits),) = letters
        if letter in ("L", "M"):
            return pyarrow.field(name, pyarrow.string(), metadata=_JSON)
        if letter in ("N", "NS"):
            number = _number_type(*digits)
            return pyarrow.field(name, number if letter == "N" else pyarrow.list_(number))
        plain = {"S": pyarrow.string(), "B": pyarrow.binary(), "BOOL": pyarrow.bool_()}
        sets = {"SS": pyarrow.list_(pyarrow.string()), "BS": pyarrow.list_(pyarrow.binary())}
        return pyarrow.field(name, {**plain, **sets}[letter])


def _number_type(whole: int, fraction: int) -> Any:
    whole, fraction = max(whole, 0), max(fraction, 0)
    if not fraction and whole <= 18:
        return pyarrow.int64()
    free = _MOST_DIGITS - whole - fraction
    if free < 0:
        return pyarrow.string()
    return pyarrow.decimal128(_MOST_DIGITS, fraction + min(fraction, free // 2))


class Columns:
    """Batches of a schema. found: the types were found, from so many first items; None if they were given. Then
    attributes that the schema does not have are left out."""

    def __init__(self, schema: Any, found: int | None = None) -> None:
        self.schema = schema
        self.found = found
        self._names = set(schema.names)

    def batch(self, table: Any) -> Any:
        """Raises TransferError for values that do not fit."""
        given: dict[str, dict[str, Any]] = {}
        for field, column in zip(table.schema, table.columns, strict=True):
            if field.name != ROW:
                letter, _, name = field.name.partition(":")
                given.setdefault(name, {})[letter] = column.combine_chunks()
        if self.found is not None and (more := sorted(given.keys() - self._names)):
            raise TransferError(
                f"the attribute {more[0]!r} is not among those of the first {self.found:,} items, from which the "
                "types were found",
                _GIVE,
            )
        arrays = [self._array(field, given.get(field.name, {}), table.num_rows) for field in self.schema]
        return pyarrow.record_batch(arrays, schema=self.schema)

    def _array(self, field: Any, letters: dict[str, Any], rows: int) -> Any:
        parts = [self._part(field, letter, column) for letter, column in letters.items() if letter != "NULL"]
        array = pyarrow.compute.coalesce(*parts) if len(parts) > 1 else parts[0] if parts else None
        if array is None:
            array = pyarrow.nulls(rows, field.type)
        if array.null_count and not field.nullable:
            raise TransferError(f"the schema says that {field.name!r} is never null, and an item lacks it", _GIVE)
        return array

    def _part(self, field: Any, letter: str, column: Any) -> Any:
        made = as_json if field.metadata and field.metadata.get(b"content") == b"json" else _MADE[letter]
        try:
            return made(letter, column, field.type)
        except (pyarrow.ArrowException, ValueError, TypeError, OverflowError) as error:
            why = (
                f"the types were found from the first {self.found:,} items" if self.found is not None else str(error)
            )
            raise TransferError(
                f"the attribute {field.name!r} has a value of type {letter} that does not fit {field.type}: {why}",
                _GIVE,
            ) from None


def as_json(letter: str, column: Any, kind: Any) -> Any:
    """Any values as JSON text."""
    if letter not in ("L", "M", "N"):
        texts = [None if value is None else _json(letter, value) for value in column.to_pylist()]
        column = pyarrow.array(texts, pyarrow.string())
    return column.cast(kind)


def _json(letter: str, value: Any) -> str:
    if letter == "NS":
        return f"[{','.join(value)}]"
    if letter in ("B", "BS"):
        value = (
            base64.b64encode(value).decode() if letter == "B" else [base64.b64encode(each).decode() for each in value]
        )
    return json.dumps(value, ensure_ascii=False)


def _text(letter: str, column: Any, kind: Any) -> Any:
    if not (_is_text(kind) or types.is_temporal(kind) or types.is_dictionary(kind)):
        raise TypeError(f"a text is no {kind}")
    return column.dictionary_encode().cast(kind) if types.is_dictionary(kind) else column.cast(kind)


def _number(letter: str, column: Any, kind: Any) -> Any:
    if types.is_integer(kind):
        return (
            column.cast(pyarrow.decimal128(_MOST_DIGITS, 0)).cast(kind)
            if _has_exponent(column)
            else column.cast(kind)
        )
    if not (types.is_floating(kind) or types.is_decimal(kind) or _is_text(kind)):
        raise TypeError(f"a number is no {kind}")
    return column.cast(kind)


def _has_exponent(column: Any) -> bool:
    return bool(pyarrow.compute.any(pyarrow.compute.match_substring(column, "e", ignore_case=True)).as_py())


def _bytes(letter: str, column: Any, kind: Any) -> Any:
    if _is_text(kind):
        return as_json(letter, column, kind)
    return column.cast(kind)


def _boolean(letter: str, column: Any, kind: Any) -> Any:
    if not (types.is_boolean(kind) or _is_text(kind)):
        raise TypeError(f"a boolean is no {kind}")
    return column.cast(kind)


def _set(letter: str, column: Any, kind: Any) -> Any:
    if _is_text(kind):
        return as_json(letter, column, kind)
    if not (types.is_list(kind) or types.is_large_list(kind)):
        raise TypeError(f"a set is no {kind}")
    member = {"SS": _text, "NS": _number, "BS": _bytes}[letter]
    values = member(letter[0], column.values, kind.value_type)
    plain = pyarrow.ListArray.from_arrays(column.offsets, values, mask=column.is_null())
    return plain.cast(kind)


def _document(letter: str, column: Any, kind: Any) -> Any:
    if _is_text(kind):
        return column.cast(kind)
    decoded = [None if text is None else json.loads(text, parse_float=Decimal) for text in column.to_pylist()]
    return pyarrow.array([_fitted(value, kind) for value in decoded], kind)


def _fitted(value: Any, kind: Any) -> Any:
    """A value of JSON for a nested type: pyarrow makes no float of a Decimal."""
    if value is None:
        return None
    if types.is_struct(kind) and isinstance(value, dict):
        return {field.name: _fitted(value.get(field.name), field.type) for field in kind}
    if types.is_map(kind) and isinstance(value, dict):
        return [(name, _fitted(each, kind.item_type)) for name, each in value.items()]
    if (types.is_list(kind) or types.is_large_list(kind)) and isinstance(value, list):
        return [_fitted(each, kind.value_type) for each in value]
    if types.is_floating(kind) and isinstance(value, int | Decimal) and not isinstance(value, bool):
        return float(value)
    if types.is_integer(kind) and isinstance(value, Decimal):
        if value != value.to_integral_value():  # pyarrow would cut it off
            raise ValueError(f"{value} is no whole number")
        return int(value)
    if _is_text(kind) and not isinstance(value, str):
        return json.dumps(value, default=str)
    return value


def _is_text(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


_MADE: dict[str, Callable[[str, Any, Any], Any]] = {
    "S": _text,
    "N": _number,
    "B": _bytes,
    "BOOL": _boolean,
    "SS": _set,
    "NS": _set,
    "BS": _set,
    "L": _document,
    "M": _document,
}
