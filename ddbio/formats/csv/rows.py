"""The cells of one CSV row: quotes, escapes, and the faults of a bad row."""

from __future__ import annotations

import csv
import re
import sys

from ddbio.errors import RecordError

CELL_LIMIT_CHARACTERS = 64 * 1024 * 1024  # of the csv module, which is meant against memory running out
_ESCAPE_HINT = "; if a backslash makes the character after it plain, add --csv-escape '\\'"

# Python 3.10's csv module neither reads nor writes NUL. A lone surrogate, which no UTF-8 text has, takes its place.
TAKES_NUL = sys.version_info >= (3, 11)
NUL, NUL_STAND_IN = "\0", "\udc00"

csv.field_size_limit(CELL_LIMIT_CHARACTERS)


class RowParser:
    """escape: the character that makes the next one plain; empty for none. nulls: words that are kept as they are,
    escapes and all, if they are a whole cell."""

    def __init__(self, delimiter: str, escape: str = "", nulls: tuple[str, ...] = ()) -> None:
        self._delimiter = delimiter
        self._escape = escape
        self._next_line: list[str] = []
        lines = iter(self._next_line.pop, None)
        self._rows = csv.reader(lines, delimiter=delimiter, escapechar=escape or None, strict=True)
        words = [re.escape(word) for word in nulls if escape and escape in word]
        edge = re.escape(delimiter)
        self._escaped_null = re.compile(f"(?:^|(?<={edge}))(?:{'|'.join(words)})(?=$|{edge})") if words else None

    def has_escapes(self, text: str) -> bool:
        return bool(self._escape) and self._escape in text

    def cells(self, record: bytes) -> list[str]:
        """The cells of a record. Raises RecordError `bad-utf8` or `bad-csv`."""
        try:
            text = record.decode()
        except UnicodeDecodeError as error:
            raise RecordError("bad-utf8", f"byte {error.start + 1} of the row is not UTF-8") from None
        if text.endswith("\r"):
            text = text[:-1]
        if self.has_escapes(text):
            # The line end is for the csv module: without it, an escaped one before keeps the last cell open.
            text = f"{self._with_nulls_kept(text)}\n"
        elif '"' not in text:
            return text.split(self._delimiter)
        if not TAKES_NUL and NUL in text:
            return [cell.replace(NUL_STAND_IN, NUL) for cell in self._parsed(text.replace(NUL, NUL_STAND_IN))]
        return self._parsed(text)

    def _parsed(self, text: str) -> list[str]:
        self._next_line.append(text)
        try:
            return next(self._rows)
        except IndexError:  # the reader wants another line
            raise RecordError("bad-csv", f"a quote is not closed{self.hint(text)}") from None
        except csv.Error as error:
            raise RecordError("bad-csv", f"not valid CSV: {error}{self.hint(text)}") from None

    def hint(self, text: str) -> str:
        """Advice on reading a bad row, if its text suggests some."""
        looks_escaped = not self._escape and any(f"\\{each}" in text for each in ('"', self._delimiter, "\n"))
        return _ESCAPE_HINT if looks_escaped else ""

    def _with_nulls_kept(self, text: str) -> str:
        if self._escaped_null is None:
            return text
        return self._escaped_null.sub(lambda found: found[0].replace(self._escape, self._escape * 2), text)


def are_quoted(text: str, cells: list[str]) -> list[bool]:
    """Whether each cell of a row without escapes is in quotes. text: the row."""
    quoted, at = [], 0
    for cell in cells:
        quoted.append(text.startswith('"', at))
        at += len(cell) + (cell.count('"') + len('""') if quoted[-1] else 0) + len(",")
    return quoted
