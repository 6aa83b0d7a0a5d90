"""The row groups of a Parquet file, and the rows of one of them as JSON objects."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

import msgspec
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from ddbio.errors import PermanentError, RecordError
from ddbio.formats import Rows
from ddbio.formats.parquet import TYPE_KEY
from ddbio.values.items import check_number

BATCH_ROWS = 1000  # in memory as values at once
_BUFFER_BYTES = 1024 * 1024
_ENCODER = msgspec.json.Encoder()

Convert = Callable[[Any], Any]


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        raise PermanentError(f"{what} cannot be read as Parquet: {error}", "import a whole copy of it") from None


def row_groups(file: BinaryIO, uri: str) -> tuple[list[str], list[tuple[int, int]]]:
    """The columns of a file, and the start and end of each row group that has rows. Raises TransferError."""
    with _translated(f'"{uri}"'):
        metadata = pyarrow.parquet.ParquetFile(file).metadata
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
        starts = [_start(group) for group in groups]
        ends = [*starts[1:], file.seek(0, 2)]
        names = metadata.schema.to_arrow_schema().names
    return names, [(start, end) for group, start, end in zip(groups, starts, ends, strict=True) if group.num_rows > 0]


def _start(group: Any) -> int:
    column = group.column(0)
    offsets = (column.dictionary_page_offset, column.data_page_offset)
    return min(int(offset) for offset in offsets if offset)


def rows_of_row_group(
    file: BinaryIO, start: int, stop: int, skip: int, key_types: Mapping[str, str]
) -> Iterator[Rows]:
    """The rows from the number `skip` on. The offset of each in [start, stop) is an estimate."""
    with _translated("a row group"):
        source = pyarrow.parquet.ParquetFile(file, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        metadata = source.metadata
        number = next(each for each in range(metadata.num_row_groups) if _start(metadata.row_group(each)) == start)
        count = metadata.row_group(number).num_rows
        batches = source.iter_batches(BATCH_ROWS, row_groups=[number])
    at = 0
    while True:
        with _translated("a row group"):
            batch = next(batches, None)
            if batch is None:
                return
            first, at = at, at + batch.num_rows
            rows = _rows(batch.slice(max(0, skip - first)), key_types) if at > skip else []
        if rows:
            offset = start + (stop - start) * max(first, skip) // count
            yield Rows(offset, [_ENCODER.encode(row) for row in rows])


def _rows(batch: Any, key_types: Mapping[str, str]) -> list[dict[str, Any]]:
    columns = [
        (field.name, _values(batch.column(place), field, key_types.get(field.name)))
        for place, field in enumerate(batch.schema)
    ]
    names = [name for name, _ in columns]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in zip(*(values for _, values in columns), strict=True)
    ]


def _values(array: Any, field: Any, key_type: str | None) -> list[Any]:
    """The values of a column as the json format has them; None for a missing value."""
    types, kind = pyarrow.types, array.type
    if types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if types.is_floating(kind) or types.is_temporal(kind):
        # As text: the shortest that is read back as the same float, all digits of a time.
        array = pyarrow.compute.cast(array, pyarrow.string())
    letter = key_type or (field.metadata or {}).get(TYPE_KEY, b"").decode()
    convert = _converter(kind, letter)
    return [None if value is None else convert(value) for value in array.to_pylist()]


def _converter(kind: Any, letter: str) -> Convert:
    types = pyarrow.types
    if types.is_floating(kind):
        return _float
    if types.is_temporal(kind):
        return lambda text: text.replace(" ", "T", 1) if types.is_timestamp(kind) else text
    if types.is_string(kind) or types.is_large_string(kind):
        return {"N": _number, "JSON": _raw, "L": _raw, "M": _raw}.get(letter, str)
    if letter in ("SS", "NS", "BS"):
        member = _number if letter == "NS" else _binary_text if letter == "BS" else str
        return lambda members: {f"${letter}": [member(each) for each in members]}
    if letter == "S" and (types.is_integer(kind) or types.is_decimal(kind)):
        return str  # a key that is text in the table
    return _plain


def _plain(value: Any) -> Any:
    """A value of Python's, as pyarrow gives it, in any depth."""
    if isinstance(value, bytes):
        return {"$B": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return _map(value)
    if isinstance(value, list):
        if value and all(isinstance(each, tuple) for each in value):  # a map of Parquet's
            return _map(dict(value))
        return [_plain(each) for each in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return _float(str(value))  # a decimal, or a float inside a list or map


def _map(value: Mapping[Any, Any]) -> dict[str, Any]:
    members = {str(name): _plain(member) for name, member in value.items()}
    return {"$M": members} if len(members) == 1 and next(iter(members)).startswith("$") else members


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _float(text: str) -> msgspec.Raw:
    """text: digits; a value without digits keeps the name by which it is rejected."""
    return _raw(_NOT_FINITE.get(text, text))


_NOT_FINITE = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def _number(value: Any) -> Any:
    """A number from its text; other text stays text, and is judged with its record."""
    text = str(value)
    try:
        return _raw(check_number(text)) if text[:1] not in "+." and not text.endswith(".") else text
    except RecordError:
        return text


def _binary_text(value: bytes) -> str:
    return base64.b64encode(value).decode()
