"""The layout of a CSV file, from its first bytes, the table's keys and the user's options. Run by the parent.

The delimiter, if it is not given, is the one of `, ; tab |` with which the header has the columns of the
table's key, and of those the one that yields most columns. Names given with `--columns` replace a missing header;
a first row that repeats them is taken for a header, and skipped.

Lines of blanks before the header are skipped. Blanks around a name are trimmed unless the name is in quotes or the
user keeps them. Names are compared with the table's keys after `--rename`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ddbio.errors import RecordError, UsageError
from ddbio.formats.csv import Csv, CsvLayout
from ddbio.formats.csv.cells import INFER, TEXT
from ddbio.formats.csv.rows import are_quoted
from ddbio.formats.declaration import named
from ddbio.formats.encoding import BYTE_ORDER_MARK, check_encoding
from ddbio.options import CsvOptions
from ddbio.values.names import NO_CHANGES, NameChanges

_BLANK_LINES = re.compile(rb"\s*[\r\n]")
_QUOTED = re.compile(rb'"[^"]*"')
_LINE_END = re.compile(rb"\r\n?|\n")
DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}


class Head(NamedTuple):
    """start: the offset of the first row. trimmed: a name that had blanks around it, as it is in the file."""

    layout: CsvLayout
    start: int
    trimmed: str | None = None


def read_head(
    head: bytes,
    uri: str,
    options: CsvOptions,
    keys: Sequence[str],
    key_types: Mapping[str, str],
    changes: NameChanges = NO_CHANGES,
) -> Head:
    """The layout of a file that begins with `head`, and the offset of its first row.

    keys: the attributes that the table's key needs. key_types: of the keys of the table and of its indexes.
    changes: renames and drops of the columns.
    Raises UsageError if the file cannot be imported with these columns.
    """
    check_encoding(head, uri)
    start = _first_record_at(head)
    text = head[start:]
    line_end = _line_end_of(text, uri, options)
    delimiter = options.delimiter or _delimiter_of(text, line_end, uri, options, keys, changes)
    first = _first_row(text, CsvLayout(delimiter=delimiter, line_end=line_end, escape=options.escape), uri)
    names = first.names(options)
    columns = names if options.columns is None else options.columns
    _check_columns(columns, uri, options, keys, changes)
    layout = CsvLayout(
        columns,
        tuple(_type_of(name, changes.attribute(name), options, key_types) for name in columns),
        delimiter,
        options.empty,
        tuple(name for name in columns if changes.attribute(name) in key_types),
        line_end,
        options.escape,
        options.nulls,
    )
    if names != columns:
        return Head(layout, start)  # there is no header
    return Head(layout, start + first.size_bytes, first.trimmed(options))


def _first_record_at(head: bytes) -> int:
    """After a byte order mark and lines of blanks."""
    start = len(BYTE_ORDER_MARK) if head.startswith(BYTE_ORDER_MARK) else 0
    blank_lines = _BLANK_LINES.match(head, start)
    return blank_lines.end() if blank_lines else start


def _line_end_of(text: bytes, uri: str, options: CsvOptions) -> str:
    """`\\n`, which CRLF ends in, or `\\r`, if the file has no other line end, except perhaps the last."""
    text = _QUOTED.sub(b"", text)
    first = _LINE_END.search(text)
    if first is None or first[0] != b"\r":
        return "\n"
    if b"\n" not in text.rstrip(b"\r\n"):
        return "\r"
    if options.columns is not None:
        return "\n"  # it is in a cell
    raise UsageError(
        f'the header of "{uri}" has a carriage return (CR) inside a name, for its lines end in LF or CRLF',
        "a file may have one kind of line end, LF, CRLF or CR; put a name with a line end in quotes",
    )


class _Row(NamedTuple):
    """size_bytes: with its line end. quoted: whether each cell is in quotes."""

    cells: list[str]
    quoted: list[bool]
    size_bytes: int

    def names(self, options: CsvOptions) -> tuple[str, ...]:
        """The cells as names of columns."""
        kept = [options.keep_blanks or quoted for quoted in self.quoted]
        return tuple(cell if keep else cell.strip() for cell, keep in zip(self.cells, kept, strict=True))

    def trimmed(self, options: CsvOptions) -> str | None:
        """The first cell that is not the name of its column."""
        return next((cell for cell, name in zip(self.cells, self.names(options), strict=True) if cell != name), None)


def _first_row(text: bytes, layout: CsvLayout, uri: str) -> _Row:
    reader = Csv(layout)
    record = next(iter(reader.split(text)), b"")
    try:
        cells = reader.cells(record)
    except RecordError as error:
        raise UsageError(f'the first row of "{uri}": {error}', "give --format if it is not CSV") from None
    return _Row(cells, are_quoted(record.decode(), cells), min(len(record) + 1, len(text)))


def _delimiter_of(
    text: bytes, line_end: str, uri: str, options: CsvOptions, keys: Sequence[str], changes: NameChanges
) -> str:
    tab_first = sorted(DELIMITERS, key=lambda each: not (each == "\t" and uri.lower().endswith(".tsv")))
    rows = {delimiter: _names_or_none(text, delimiter, line_end, options) for delimiter in tab_first}

    def suits(delimiter: str) -> tuple[bool, int]:
        row = rows[delimiter]
        if options.columns is not None:
            return len(row) == len(options.columns), len(row)
        return not changes.missing(keys, row), len(row)

    return max(tab_first, key=suits)


def _names_or_none(text: bytes, delimiter: str, line_end: str, options: CsvOptions) -> tuple[str, ...]:
    try:
        layout = CsvLayout(delimiter=delimiter, line_end=line_end, escape=options.escape)
        return _first_row(text, layout, "").names(options)
    except UsageError:
        return ()


def _type_of(column: str, attribute: str, options: CsvOptions, key_types: Mapping[str, str]) -> str:
    """The table's type of a key has precedence over the user's type, and that over the inferred one."""
    asked = dict(options.types)
    by_user = asked.get(column) or asked.get(attribute)
    return key_types.get(attribute) or by_user or (INFER if options.infer_types else TEXT)


def _check_columns(
    columns: tuple[str, ...], uri: str, options: CsvOptions, keys: Sequence[str], changes: NameChanges
) -> None:
    what = "--columns" if options.columns is not None else f'the header of "{uri}"'
    if "" in columns:
        raise UsageError(
            f"{what} has no name for column {columns.index('') + 1}", "give every column a name, in the file"
        )
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UsageError(f"{what} has {twice[0]!r} twice", "an item has every attribute once")
    if missing := changes.missing(keys, columns):
        hint = "" if options.columns is not None else _missing_key_hint(missing[0], columns)
        raise UsageError(
            f"{what} lacks {missing[0]!r}, a key of the table", f"its columns are {named(columns)}{hint}"
        )


def _missing_key_hint(key: str, columns: Sequence[str]) -> str:
    """The advice to rename the column whose name differs only in case, if there is one."""
    alike = next((name for name in columns if name.casefold() == key.casefold()), None)
    if alike is None:
        return "; a file without a header needs --columns"
    return f"; add --rename {shlex.quote(f'{alike}={key}')}"
