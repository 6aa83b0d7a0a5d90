"""The rows of a query as a text table, CSV, JSON lines or Parquet. Numbers keep all their digits."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

BATCH_ROWS = 1000
Write = Callable[[bytes], object]
_encode = msgspec.json.Encoder().encode


def batches(cursor: Any) -> Iterator[list[Sequence[Any]]]:
    while rows := cursor.fetchmany(BATCH_ROWS):
        yield rows


def write_json(cursor: Any, write: Write) -> int:
    """An object a row, as the json format has items: nulls are omitted. Returns the number of rows."""
    names = _distinct([each[0] for each in cursor.description])
    columns, rows_written = list(zip(names, [str(each[1]) for each in cursor.description], strict=True)), 0
    for rows in batches(cursor):
        objects = (
            {name: _plain(value, kind) for (name, kind), value in zip(columns, row, strict=True) if value is not None}
            for row in rows
        )
        write(b"".join(_encode(each) + b"\n" for each in objects))
        rows_written += len(rows)
    return rows_written


def write_csv(cursor: Any, write: Write) -> int:
    columns, rows_written = cursor.description, 0
    write(_csv([[each[0] for each in columns]]))
    for rows in batches(cursor):
        write(_csv([[_cell(value) for value in row] for row in rows]))
        rows_written += len(rows)
    return rows_written


def write_table(cursor: Any, write: Write) -> int:
    """Aligned to the first rows; a row that is wider later is written in full."""
    names, rows_written, widths = [each[0] for each in cursor.description], 0, None
    right = [
        any(word in str(each[1]) for word in ("INT", "DECIMAL", "DOUBLE", "FLOAT")) for each in cursor.description
    ]
    for rows in batches(cursor):
        cells = [[_printable(_cell(value)) for value in row] for row in rows]
        if widths is None:
            widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
            write(_lines([names, ["-" * width for width in widths]], widths, right))
        write(_lines(cells, widths, right))
        rows_written += len(rows)
    if widths is None:
        write(_lines([names], [len(name) for name in names], right))
    return rows_written


def arrow_reader(cursor: Any) -> Any:
    """The rows as a pyarrow.RecordBatchReader."""
    return cursor.to_arrow_reader(100_000) if hasattr(cursor, "to_arrow_reader") else cursor.fetch_record_batch()


def write_parquet(cursor: Any, write: Write) -> int:
    import pyarrow
    import pyarrow.parquet

    reader = arrow_reader(cursor)
    rows = 0
    stream = io.BytesIO()
    with pyarrow.parquet.ParquetWriter(stream, reader.schema, compression="zstd") as file:
        for batch in reader:
            file.write_batch(batch)
            rows += batch.num_rows
            write(stream.getvalue())
            stream.seek(0)
            stream.truncate()
    write(stream.getvalue())
    return rows


WRITERS = {"table": write_table, "csv": write_csv, "json": write_json, "parquet": write_parquet}


def _distinct(names: Sequence[str]) -> list[str]:
    """An object has one member of a name: further columns of that name get a number, as DuckDB numbers them."""
    distinct: list[str] = []
    for name in names:
        numbered = (f"{name}_{number}" for number in count(1))
        distinct.append(
            name if name not in distinct else next(each for each in numbered if each not in {*names, *distinct})
        )
    return distinct


def _lines(rows: Sequence[Sequence[str]], widths: Sequence[int], right: Sequence[bool]) -> bytes:
    lines = (
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _csv(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _printable(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | dict | tuple):
        return _encode(_plain(value, "")).decode()
    return str(value)


def _plain(value: Any, kind: str) -> Any:
    """For JSON. kind: the DuckDB type of a column."""
    if kind == "JSON" and isinstance(value, str):
        return msgspec.Raw(value.encode())
    if isinstance(value, bool) or value is None or isinstance(value, str | float):
        return value
    if isinstance(value, int):
        return msgspec.Raw(str(value).encode())
    if isinstance(value, Decimal):
        return msgspec.Raw(f"{value:f}".encode())
    if isinstance(value, bytes):
        return {"$B": base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return [_plain(each, "") for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each, "") for name, each in value.items()}
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
