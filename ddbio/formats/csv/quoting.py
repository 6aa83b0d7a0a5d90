"""Where the records of CSV end: at every line end that is not between quotes.

A quote opens a quoted cell only where a cell begins; in the middle of one it is a character like any other
(`5" pipe`). Inside, two quotes are one, and one ends the quoting. Almost always every second quote opens and the
others close, which is checked in bulk; where it is not so, the quotes are walked one by one.

A quote that is not closed before the end of what there is to split is taken for a mistake of its line: that line is a
record by itself (and no good one), and those behind it are read as if nothing had been.
"""

from __future__ import annotations

from collections.abc import Iterator

QUOTE, LINE_END = b'"', b"\n"
MAX_MISTAKES = 100  # quotes without an end in one block, from which on every line of it is a record


class EndFinder:
    """See `Format.end_finder`. Remembers across pieces whether it is between quotes."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._inside = False
        self._before = LINE_END  # the last byte of the previous piece; b"" for a quote that closed

    def __call__(self, piece: bytes) -> int:
        if QUOTE not in piece:
            self._before = piece[-1:] or self._before
            return 0 if self._inside else piece.rfind(LINE_END) + 1
        parts = piece.split(QUOTE)
        opens = self._inside or parts[0] or self._before in (b"", LINE_END, self._delimiter)
        if opens and is_regular(parts, self._delimiter, inside=self._inside):
            end = self._last_end(parts, len(piece))
            self._inside ^= len(parts) % 2 == 0
            self._before = parts[-1][-1:]
            return end
        return self._walked(piece)

    def _last_end(self, parts: list[bytes], size: int) -> int:
        outside = len(parts) % 2 == (0 if self._inside else 1)  # what the last part is
        for part in reversed(parts):
            size -= len(part)
            if outside and (found := part.rfind(LINE_END)) >= 0:
                return size + found + 1
            size -= len(QUOTE)
            outside = not outside
        return 0

    def _walked(self, piece: bytes) -> int:
        end = 0
        for start, stop, outside in walk(piece, self._delimiter, inside=self._inside, before=self._before):
            if outside:
                end = max(end, piece.rfind(LINE_END, start, stop) + 1)
            self._inside = not outside
            self._before = piece[start:stop][-1:] if outside else b""
        return end


def is_regular(parts: list[bytes], delimiter: bytes, *, inside: bool) -> bool:
    """Whether every second quote opens a cell. parts: the text between the quotes; inside: of the first part."""
    opened_behind = parts[1:-1:2] if inside else parts[:-1:2]
    return {part[-1:] for part in opened_behind} <= {b"", LINE_END, delimiter}  # b"": between the halves of a pair


def walk(piece: bytes, delimiter: bytes, *, inside: bool, before: bytes) -> Iterator[tuple[int, int, bool]]:
    """The text between quotes and outside in turns: (start, stop, whether outside). before: the byte in front of it,
    b"" for a quote that closed."""
    start = 0
    while True:
        stop = piece.find(QUOTE, start) if inside else _opening(piece, start, delimiter, before)
        if stop < 0:
            yield start, len(piece), not inside
            return
        yield start, stop, not inside
        start, inside, before = stop + 1, not inside, b""


def _opening(piece: bytes, start: int, delimiter: bytes, before: bytes) -> int:
    """The next quote that opens a cell; a quote right behind one that closed is half of a pair, and opens again."""
    at = piece.find(QUOTE, start)
    while at >= 0:
        behind = piece[at - 1 : at] if at > start else before
        if behind in (b"", LINE_END, delimiter):
            return at
        at = piece.find(QUOTE, at + 1)
    return -1


def split_records(block: bytes, delimiter: bytes) -> list[bytes]:
    """The records of a block of whole records, without their line ends."""
    records: list[bytes] = []
    for _ in range(MAX_MISTAKES):
        found, block = _split(block, delimiter)
        records += found
        if not block:
            return records
    return records + _lines(block)


def _lines(block: bytes) -> list[bytes]:
    lines = block.split(LINE_END)
    if not lines[-1]:
        lines.pop()
    return lines


def _split(block: bytes, delimiter: bytes) -> tuple[list[bytes], bytes]:
    """Records, and what is still to be split: what stands behind the line of a quote that is not closed."""
    if QUOTE not in block:
        return _lines(block), b""
    parts = block.split(QUOTE)
    if not is_regular(parts, delimiter, inside=False):
        return _split_walking(block, delimiter)
    if LINE_END not in b"".join(parts[1::2]):
        return _lines(block), b""
    return _joined(_lines(block))


def _joined(lines: list[bytes]) -> tuple[list[bytes], bytes]:
    """Lines with regular quotes put together to records."""
    records: list[bytes] = []
    held: list[bytes] = []  # lines of a record that is not at its end
    for line in lines:
        odd = line.count(QUOTE) % 2
        if held:
            held.append(line)
            if odd:
                records.append(LINE_END.join(held))
                held = []
        elif odd:
            held = [line]
        else:
            records.append(line)
    return records + held[:1], b"".join([line + LINE_END for line in held[1:]])


def _split_walking(block: bytes, delimiter: bytes) -> tuple[list[bytes], bytes]:
    records, begin = [], 0
    outside = True
    for start, stop, outside in walk(block, delimiter, inside=False, before=LINE_END):
        while outside and (end := block.find(LINE_END, start, stop)) >= 0:
            records.append(block[begin:end])
            begin = start = end + 1
    if begin == len(block):
        return records, b""
    if outside:
        return [*records, block[begin:]], b""
    first, _, others = block[begin:].partition(LINE_END)
    return [*records, first], others
