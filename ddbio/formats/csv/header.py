"""The layout of a file of CSV, from its first bytes, the table's keys and what the user said. Run by the parent.

The delimiter, where it is not given, is the one of `, ; tab |` that makes the columns of the header out that the
table's key needs, and of those the one that makes most columns. Names given with `--columns` stand for a header that
is not there; a first row that repeats them is one all the same, and skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ddbio.errors import RecordError, UsageError
from ddbio.formats.csv import Csv, CsvLayout
from ddbio.formats.csv.cells import INFER, TEXT
from ddbio.formats.encoding import BYTE_ORDER_MARK, check_encoding
from ddbio.options import CsvOptions

DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}


def read_head(
    head: bytes, uri: str, options: CsvOptions, keys: Sequence[str], key_types: Mapping[str, str]
) -> tuple[CsvLayout, int]:
    """The layout of a file that begins with `head`, and where its first row begins.

    keys: the attributes that the table's key needs. key_types: of the keys of the table and of its indexes.
    Raises UsageError where the file cannot be imported with these columns.
    """
    check_encoding(head, uri)
    start = len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0
    start += len(head[start:]) - len(head[start:].lstrip(b"\r\n"))
    delimiter = options.delimiter or _delimiter_of(head[start:], uri, options, keys)
    first, size = _first_row(head[start:], delimiter, uri)
    if options.columns is None:
        columns, start = tuple(first), start + size
    else:
        columns = options.columns
        if tuple(first) == columns:
            start += size
    _check_columns(columns, uri, options, keys)
    types = tuple(_type_of(name, options, key_types) for name in columns)
    never_empty = tuple(name for name in columns if name in key_types)
    return CsvLayout(columns, types, delimiter, options.empty, never_empty), start


def _first_row(text: bytes, delimiter: str, uri: str) -> tuple[list[str], int]:
    """The cells of the first row, and its bytes with the line end."""
    reader = Csv(CsvLayout(delimiter=delimiter))
    record = next(iter(reader.split(text)), b"")
    try:
        return reader.cells(record), min(len(record) + 1, len(text))
    except RecordError as error:
        raise UsageError(f'the first row of "{uri}": {error}', "give --format where it is no CSV") from None


def _delimiter_of(text: bytes, uri: str, options: CsvOptions, keys: Sequence[str]) -> str:
    tab_first = sorted(DELIMITERS, key=lambda each: not (each == "\t" and uri.lower().endswith(".tsv")))
    rows = {delimiter: _row_or_none(text, delimiter) for delimiter in tab_first}

    def suits(delimiter: str) -> tuple[bool, int]:
        row = rows[delimiter]
        if options.columns is not None:
            return len(row) == len(options.columns), len(row)
        return set(keys) <= set(row), len(row)

    return max(tab_first, key=suits)


def _row_or_none(text: bytes, delimiter: str) -> list[str]:
    try:
        return _first_row(text, delimiter, "")[0]
    except UsageError:
        return []


def _type_of(name: str, options: CsvOptions, key_types: Mapping[str, str]) -> str:
    """What the table says of its keys stands above what the user says, and that above what is inferred."""
    return key_types.get(name) or dict(options.types).get(name) or (INFER if options.infer_types else TEXT)


def _check_columns(columns: tuple[str, ...], uri: str, options: CsvOptions, keys: Sequence[str]) -> None:
    what = "--columns" if options.columns is not None else f'the header of "{uri}"'
    if "" in columns:
        raise UsageError(
            f"{what} has no name for column {columns.index('') + 1}", "give every column a name, in the file"
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UsageError(f"{what} has {twice[0]!r} twice", "an item has every attribute once")
    missing = [name for name in keys if name not in columns]
    if missing:
        hint = "" if options.columns is not None else "; a file without a header needs --columns"
        raise UsageError(
            f"{what} lacks {missing[0]!r}, a key of the table", f"its columns are {_listed(columns)}{hint}"
        )


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:20])
    return f"{shown}, ..." if len(columns) > 20 else shown
