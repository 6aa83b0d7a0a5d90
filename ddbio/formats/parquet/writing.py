"""Writes items to a Parquet file, a row group at a time. No I/O: returns the bytes to append."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow
import pyarrow.parquet

from ddbio.formats.parquet import TYPE_KEY, ParquetLayout
from ddbio.formats.typed_columns import DECIMAL_DIGITS, DECIMAL_SCALE, Item, Sink, column_values, reader, too_large

ROW_GROUP_BYTES = 8 * 1024 * 1024  # of values, before compression: each lane holds one


class ColumnsWriter:
    """One file: rows in, bytes out."""

    def __init__(self, layout: ParquetLayout) -> None:
        self._columns = layout.columns
        self._schema = schema_of(layout)
        number = Decimal if layout.numbers == "decimal" else str
        self._readers = {name: reader(letter, number) for name, letter in layout.columns}
        self._sink = Sink()
        self._writer = pyarrow.parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._batches: list[Any] = []
        self._pending_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Uncompressed bytes of the rows not yet returned as bytes; in the file they take less."""
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
        values, kind = column_values(items, name, letter, self._readers[name]), self._schema.field(name).type
        try:
            return pyarrow.array(values, kind)
        except pyarrow.ArrowInvalid as error:
            raise too_large(name, str(kind), error) from None


# --------------------------------------------------------------------------- types


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
