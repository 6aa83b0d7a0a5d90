"""Items to a file of Parquet, a row group at a time. No I/O: gives the bytes to append."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow
import pyarrow.parquet

from ddbio.errors import PermanentAbortError
from ddbio.formats.parquet import TYPE_KEY, ParquetLayout
from ddbio.values.items import AttributeValue, plain_value

ROW_GROUP_BYTES = 8 * 1024 * 1024  # of values, before compression: each lane holds one
DECIMAL_DIGITS, DECIMAL_SCALE = 38, 9
_ENCODER = msgspec.json.Encoder()

Item = dict[str, AttributeValue]


class ColumnsWriter:
    """One file: rows in, bytes out."""

    def __init__(self, layout: ParquetLayout) -> None:
        self._columns = layout.columns
        self._schema = schema_of(layout)
        self._readers = {name: _reader(letter, layout.numbers) for name, letter in layout.columns}
        self._sink = _Sink()
        self._writer = pyarrow.parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._batches: list[Any] = []
        self._pending_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Of rows that are not in the bytes given out yet; what they take in the file is less."""
        return self._pending_bytes

    def add(self, items: Sequence[Item]) -> bytes:
        """Raises PermanentAbortError for a value of another type than its column's: nothing is changed to fit."""
        arrays = [self._array(items, name, letter) for name, letter in self._columns]
        batch = pyarrow.record_batch(arrays, schema=self._schema)
        self._batches.append(batch)
        self._pending_bytes += batch.nbytes
        if self._pending_bytes >= ROW_GROUP_BYTES:
            self._flush()
        return self._sink.take()

    def finish(self) -> bytes:
        if self._batches:
            self._flush()
        self._writer.close()
        return self._sink.take()

    def _flush(self) -> None:
        table = pyarrow.Table.from_batches(self._batches, self._schema)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))
        self._batches, self._pending_bytes = [], 0

    def _array(self, items: Sequence[Item], name: str, letter: str) -> Any:
        read = self._readers[name]
        values = [None if (value := item.get(name)) is None else read(value) for item in items]
        field = self._schema.field(name)
        for item, value in zip(items, values, strict=True):
            if value is _MISFIT:
                raise _misfit(item, name, letter)
        try:
            return pyarrow.array(values, field.type)
        except pyarrow.ArrowInvalid as error:
            raise PermanentAbortError(
                f"a number of attribute {name!r} does not fit into {field.type}: {error}",
                "export numbers as text with --numbers string",
            ) from None


class _Sink(io.RawIOBase):
    """Where pyarrow writes to."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        data, self._pieces = b"".join(self._pieces), []
        return data


# --------------------------------------------------------------------------- types

_MISFIT = object()  # in the place of a value that is not of its column's type


def schema_of(layout: ParquetLayout) -> Any:
    number = pyarrow.decimal128(DECIMAL_DIGITS, DECIMAL_SCALE) if layout.numbers == "decimal" else pyarrow.string()
    types = {
        "N": number,
        "B": pyarrow.binary(),
        "BOOL": pyarrow.bool_(),
        "SS": pyarrow.list_(pyarrow.string()),
        "NS": pyarrow.list_(number),
        "BS": pyarrow.list_(pyarrow.binary()),
    }
    return pyarrow.schema(
        [
            pyarrow.field(name, types.get(letter, pyarrow.string()), metadata={TYPE_KEY: letter.encode()})
            for name, letter in layout.columns
        ]
    )


def _reader(letter: str, numbers: str) -> Callable[[AttributeValue], Any]:
    number: Callable[[str], Any] = Decimal if numbers == "decimal" else str
    readers: dict[str, Callable[[AttributeValue], Any]] = {
        "S": lambda value: _MISFIT if value.S is None else value.S,
        "N": lambda value: _MISFIT if value.N is None else number(value.N),
        "B": lambda value: _MISFIT if value.B is None else base64.b64decode(value.B),
        "BOOL": lambda value: _MISFIT if value.BOOL is None else value.BOOL,
        "SS": lambda value: _MISFIT if value.SS is None else value.SS,
        "NS": lambda value: _MISFIT if value.NS is None else [number(member) for member in value.NS],
        "BS": lambda value: _MISFIT if value.BS is None else [base64.b64decode(member) for member in value.BS],
    }
    if letter not in readers:
        return lambda value: _ENCODER.encode(plain_value(value)).decode()
    read = readers[letter]
    return lambda value: None if value.NULL is not None else read(value)


def _misfit(item: Item, name: str, letter: str) -> PermanentAbortError:
    kind = next(each for each in AttributeValue.__struct_fields__ if getattr(item[name], each) is not None)
    return PermanentAbortError(
        f"attribute {name!r} is of type {kind} in one item, and its column of type {letter}",
        f"export the column as JSON: --columns ...,{name}:JSON",
    )
