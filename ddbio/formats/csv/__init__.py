"""`csv`: a row a record, as spreadsheets, databases and people write them.

In, a row becomes an item by the layout of its file: the names and types of the columns, the delimiter, and the
meaning of an empty cell. The layout comes from the header (`ddbio.formats.csv.header`), the table's keys and the
options; it is made once a file and travels with its units, so that any slice can be read alone.

Out, the columns are known beforehand; nested values are written as JSON, sets as arrays, binary as base64.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Literal

from ddbio.errors import RecordError
from ddbio.formats.csv.cells import INFER, READERS, TEXT, UNTYPED, cell_writer
from ddbio.formats.csv.quoting import EndFinder, Splitter
from ddbio.formats.csv.rows import NUL, NUL_STAND_IN, TAKES_NUL, RowParser
from ddbio.native import CsvNotation, Rendering
from ddbio.values.items import AttributeMap, AttributeValue

UNIT_BYTES = 1024  # of an item that is one write unit
_SCALARS = {TEXT, INFER, "N", "B"}  # which count no more bytes in an item than in a row, with a delimiter


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """The layout of a CSV file, known before its rows are read.

    columns: their names. types: of each column, a key of `cells.READERS`; () when all are text.
    empty: how an empty cell is read: `drop`, no attribute; `null`; or `string`, the empty string in a text column.
    never_empty: columns in which an empty cell is always no attribute: those of keys.
    line_end: LF, which CRLF ends in, or CR. escape: a character that makes the next one plain; empty for none.
    nulls: words that are read as an empty cell.
    """

    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    delimiter: str = ","
    empty: str = "drop"
    never_empty: tuple[str, ...] = ()
    line_end: str = "\n"
    escape: str = ""
    nulls: tuple[str, ...] = ()


class Csv:
    suffix = ".csv"
    page_items: Any = list[dict[str, AttributeValue]]
    rendered: Rendering | None = None
    cut_anywhere = False

    def __init__(self, layout: CsvLayout | None = None) -> None:
        layout = layout or CsvLayout()
        types = layout.types or (TEXT,) * len(layout.columns)
        self._layout = layout
        self._columns = layout.columns
        self._readers = [READERS[letter or TEXT] for letter in types]
        typed = layout.types or (UNTYPED,) * len(layout.columns)
        self._writers = [(name, cell_writer(name, each)) for name, each in zip(layout.columns, typed, strict=True)]
        self._delimiter = layout.delimiter
        self._nulls = frozenset(layout.nulls)
        self._empty_cells = _empty_cells(layout, types)
        self._row_parser = RowParser(layout.delimiter, layout.escape, layout.nulls)
        self.cells = self._row_parser.cells
        self.line_end = layout.line_end.encode()
        self._dialect = self.line_end, layout.escape.encode()
        self.split = Splitter(layout.delimiter.encode(), *self._dialect)
        # Names count in every item; a cell with JSON in it counts at most twice its text.
        names_bytes = sum(len(name.encode()) for name in layout.columns)
        self.one_unit_bytes = (UNIT_BYTES - names_bytes) // (2 if set(types) - _SCALARS else 1) - 2
        self.head = rendered_header(layout.columns, layout.delimiter) if layout.columns else b""

    # -- in

    @property
    def notation(self) -> CsvNotation | None:
        """See `Noted`."""
        layout = self._layout
        if not f"{layout.delimiter}{layout.escape}".isascii() or len(set(layout.columns)) < len(layout.columns):
            return None
        types = layout.types or (TEXT,) * len(layout.columns)
        empty = [next(iter(each or ()), None) for each in self._empty_cells or repeat(None, len(types))]
        columns = [
            (name, letter or TEXT, each) for name, letter, each in zip(layout.columns, types, empty, strict=True)
        ]
        return CsvNotation(columns, layout.delimiter, layout.escape, layout.nulls)

    def end_finder(self) -> Callable[[bytes], int]:
        return EndFinder(self._delimiter.encode(), *self._dialect)

    def parse(self, record: bytes) -> AttributeMap:
        cells = self.cells(record)
        if len(cells) != len(self._columns):
            hint = self._row_parser.hint(record.decode())
            raise RecordError(
                "wrong-cells", f"the row has {_cells(len(cells))}, and there are {len(self._columns)} columns{hint}"
            )
        if self._nulls:
            cells = self._without_nulls(cells)
        try:
            if self._empty_cells is not None:
                return self._with_empty(cells)
            return {
                name: {"S": cell} if read is None else read(cell)
                for name, read, cell in zip(self._columns, self._readers, cells, strict=True)
                if cell
            }
        except RecordError as error:
            raise RecordError(error.code, f"{self._culprit(cells)}{error.message}") from None

    def _without_nulls(self, cells: list[str]) -> list[str]:
        nulls = self._nulls
        return ["" if cell in nulls else cell for cell in cells]

    def _with_empty(self, cells: list[str]) -> AttributeMap:
        assert self._empty_cells is not None
        return {
            name: ({"S": cell} if read is None else read(cell)) if cell else empty or {}
            for name, read, cell, empty in zip(self._columns, self._readers, cells, self._empty_cells, strict=True)
            if cell or empty
        }

    def _culprit(self, cells: list[str]) -> str:
        for name, read, cell in zip(self._columns, self._readers, cells, strict=True):
            try:
                if cell and read is not None:
                    read(cell)
            except RecordError:
                return f"column {name!r}: "
        return ""

    # -- out

    def render(self, items: list[dict[str, AttributeValue]]) -> bytes:
        columns, writers = self._columns, self._writers
        rows = [[write(item.get(name)) for name, write in writers] for item in items]
        # A line of blanks alone would be no row: in a file of one column every cell is in quotes.
        return rendered_rows(rows, self._delimiter, all_in_quotes=len(columns) == 1)


def rendered_header(columns: Sequence[str], delimiter: str = ",") -> bytes:
    """The first row of a file. Blanks around a name survive only if the name is in quotes."""
    has_blanks = any(name != name.strip() for name in columns)
    return rendered_rows([columns], delimiter, all_in_quotes=has_blanks or len(columns) == 1)


def rendered_rows(rows: Any, delimiter: str = ",", *, all_in_quotes: bool = False) -> bytes:
    """Rows of texts as lines of CSV."""
    if not TAKES_NUL and any(NUL in cell for row in rows for cell in row):
        rows = [[cell.replace(NUL, NUL_STAND_IN) for cell in row] for row in rows]
        return _csv_text(rows, delimiter, all_in_quotes).replace(NUL_STAND_IN, NUL).encode()
    return _csv_text(rows, delimiter, all_in_quotes).encode()


def _csv_text(rows: Any, delimiter: str, all_in_quotes: bool) -> str:
    lines = _Lines()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if all_in_quotes else csv.QUOTE_MINIMAL
    # The writer quotes cells that have a character of its line end in them: a bare \r has to be quoted too.
    csv.writer(lines, delimiter=delimiter, lineterminator="\r\n", quoting=quoting).writerows(rows)
    return "".join(lines)


class _Lines(list[str]):
    def write(self, line: str) -> None:
        self.append(line[:-2] + "\n")


def _empty_cells(layout: CsvLayout, types: tuple[str, ...]) -> list[dict[str, Any] | None] | None:
    """The value of an empty cell of each column; None if empty cells are dropped in all columns."""
    if layout.empty == "drop":
        return None
    by_type: Callable[[str], dict[str, Any] | None] = (
        (lambda _: {"NULL": True}) if layout.empty == "null" else (lambda letter: _EMPTY_STRING.get(letter))
    )
    return [
        None if name in layout.never_empty else by_type(letter)
        for name, letter in zip(layout.columns, types, strict=True)
    ]


_EMPTY_STRING = {TEXT: {"S": ""}, INFER: {"S": ""}}


def _cells(number: int) -> str:
    return f"{number} cell{'s' * (number != 1)}"
