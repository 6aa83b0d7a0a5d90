"""Finds the ends of CSV records: every line end that is not between quotes.

A quote opens a quoted cell only at the start of a cell; in the middle of one it is a character like any other
(`5" pipe`). Inside, two quotes are one, and one ends the quoting. Almost always every second quote opens and the
others close, which is checked in bulk; if that fails, the quotes are walked one by one.

A file has one kind of line end, LF (CRLF ends in one) or CR. An escape character, if the file has one, makes the
character after it plain: both are masked, byte by byte, before the search.

A quote that is not closed before the end of the text to split is taken for a mistake in its line: that line is a
(bad) record by itself, and the lines after it are read as if there were no quote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from functools import cache

QUOTE, LINE_END = b'"', b"\n"
_PLAIN = b"x"  # replaces an escaped character
MAX_MISTAKES = 100  # quotes without an end in one block, from which on every line of it is a record


class EndFinder:
    """See `Format.end_finder`. Remembers across pieces whether it is between quotes."""

    def __init__(self, delimiter: bytes, line_end: bytes = LINE_END, escape: bytes = b"") -> None:
        self._line_end = line_end
        self._openers = frozenset((line_end, delimiter))
        self._escape = escape
        self._escaped = False  # the last byte of the previous piece escapes the first one of the next
        self._inside = False
        self._before = line_end  # the last byte of the previous piece; b"" for a quote that closed

    def __call__(self, piece: bytes) -> int:
        if self._escape and piece:
            piece, self._escaped = masked(piece, self._escape, escaped=self._escaped)
        if QUOTE not in piece:
            self._before = piece[-1:] or self._before
            return 0 if self._inside else piece.rfind(self._line_end) + 1
        parts = piece.split(QUOTE)
        opens = self._inside or parts[0] or not self._before or self._before in self._openers
        if opens and is_regular(parts, self._openers, inside=self._inside):
            end = self._last_end(parts, len(piece))
            self._inside ^= len(parts) % 2 == 0
            self._before = parts[-1][-1:]
            return end
        return self._walked(piece)

    def _last_end(self, parts: list[bytes], size: int) -> int:
        outside = len(parts) % 2 == (0 if self._inside else 1)  # whether the last part is outside quotes
        for part in reversed(parts):
            size -= len(part)
            if outside and (found := part.rfind(self._line_end)) >= 0:
                return size + found + 1
            size -= len(QUOTE)
            outside = not outside
        return 0

    def _walked(self, piece: bytes) -> int:
        end = 0
        for start, stop, outside in walk(piece, self._openers, inside=self._inside, before=self._before):
            if outside:
                end = max(end, piece.rfind(self._line_end, start, stop) + 1)
            self._inside = not outside
            self._before = piece[start:stop][-1:] if outside else b""
        return end


def masked(piece: bytes, escape: bytes, *, escaped: bool = False) -> tuple[bytes, bool]:
    """The piece with its escaped characters masked, and whether its last byte escapes the next piece's first.

    escaped: whether its own first byte is escaped.
    """
    if escaped:
        piece = _PLAIN + piece[1:]
    if escape not in piece:
        return piece, False
    piece = _escapes(escape).sub(_PLAIN * 2, piece)
    return piece, piece.endswith(escape)


@cache
def _escapes(escape: bytes) -> re.Pattern[bytes]:
    return re.compile(re.escape(escape) + b".", re.DOTALL)


def is_regular(parts: list[bytes], openers: Set[bytes], *, inside: bool) -> bool:
    """Whether every second quote opens a cell.

    parts: the text between the quotes. openers: the bytes after which a cell begins. inside: of the first part.
    """
    opened_behind = parts[1:-1:2] if inside else parts[:-1:2]
    return {part[-1:] for part in opened_behind} <= {b"", *openers}  # b"": between the halves of a pair


def walk(piece: bytes, openers: Set[bytes], *, inside: bool, before: bytes) -> Iterator[tuple[int, int, bool]]:
    """The text between quotes and outside in turns: (start, stop, whether outside). before: the byte in front of it,
    b"" for a quote that closed."""
    start = 0
    while True:
        stop = piece.find(QUOTE, start) if inside else _opening(piece, start, openers, before)
        if stop < 0:
            yield start, len(piece), not inside
            return
        yield start, stop, not inside
        start, inside, before = stop + 1, not inside, b""


def _opening(piece: bytes, start: int, openers: Set[bytes], before: bytes) -> int:
    """The next quote that opens a cell; a quote right after one that closed is half of a pair, and opens again."""
    at = piece.find(QUOTE, start)
    while at >= 0:
        previous = piece[at - 1 : at] if at > start else before
        if not previous or previous in openers:
            return at
        at = piece.find(QUOTE, at + 1)
    return -1


class Splitter:
    """Splits blocks of whole records."""

    def __init__(self, delimiter: bytes, line_end: bytes = LINE_END, escape: bytes = b"") -> None:
        self._line_end = line_end
        self._openers = frozenset((line_end, delimiter))
        self._escape = escape

    def __call__(self, block: bytes) -> list[bytes]:
        """The records of a block of whole records, without their line ends."""
        if not self._escape or self._escape not in block:
            return self._records(block)
        records, at = [], 0
        for record in self._records(masked(block, self._escape)[0]):
            records.append(block[at : at + len(record)])
            at += len(record) + len(self._line_end)
        return records

    def _records(self, block: bytes) -> list[bytes]:
        records: list[bytes] = []
        for _ in range(MAX_MISTAKES):
            found, block = self._split(block)
            records += found
            if not block:
                return records
        return records + self._lines(block)

    def _lines(self, block: bytes) -> list[bytes]:
        lines = block.split(self._line_end)
        if not lines[-1]:
            lines.pop()
        return lines

    def _split(self, block: bytes) -> tuple[list[bytes], bytes]:
        """Records, and the text still to be split: that after the line of a quote that is not closed."""
        if QUOTE not in block:
            return self._lines(block), b""
        parts = block.split(QUOTE)
        if not is_regular(parts, self._openers, inside=False):
            return self._split_walking(block)
        if self._line_end not in b"".join(parts[1::2]):
            return self._lines(block), b""
        return self._joined(self._lines(block))

    def _joined(self, lines: list[bytes]) -> tuple[list[bytes], bytes]:
        """Joins lines with regular quotes into records."""
        records: list[bytes] = []
        held: list[bytes] = []  # lines of a record that is not at its end
        for line in lines:
            odd = line.count(QUOTE) % 2
            if held:
                held.append(line)
                if odd:
                    records.append(self._line_end.join(held))
                    held = []
            elif odd:
                held = [line]
            else:
                records.append(line)
        return records + held[:1], b"".join([line + self._line_end for line in held[1:]])

    def _split_walking(self, block: bytes) -> tuple[list[bytes], bytes]:
        records, begin = [], 0
        outside = True
        for start, stop, outside in walk(block, self._openers, inside=False, before=self._line_end):
            while outside and (end := block.find(self._line_end, start, stop)) >= 0:
                records.append(block[begin:end])
                begin = start = end + 1
        if begin == len(block):
            return records, b""
        if outside:
            return [*records, block[begin:]], b""
        first, _, others = block[begin:].partition(self._line_end)
        return [*records, first], others
