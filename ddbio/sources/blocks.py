"""Turns pieces of a file into blocks of whole records. Pure: no I/O; feed it the bytes in order.

A record is buffered until its end arrives, up to `RECORD_LIMIT_BYTES`: longer ones cannot be records (no request is
longer), and a file without line ends may have any size. Of such a record only the beginning is kept; the rest is
skipped, and the records after it are delivered as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ddbio.formats.encoding import BYTE_ORDER_MARK
from ddbio.formats.framing import last_byte
from ddbio.messages.block import Block

RECORD_LIMIT_BYTES = 16 * 1024 * 1024
KEPT_BYTES = 1024  # of a record over the limit


class Blocks:
    """Finds the ends of records in consecutive pieces.

    offset: of the first piece's first byte, where a record begins. find_end: `Format.end_finder()`.
    line_end: `Format.line_end`. before: see `Block`.
    """

    def __init__(
        self, offset: int, find_end: Callable[[bytes], int], line_end: bytes = b"\n", before: bytes = b""
    ) -> None:
        self._line_end = line_end
        self._offset = offset  # of the held bytes
        self._find_end = find_end
        self._held: list[bytes] = []  # the beginning of an incomplete record
        self._held_bytes = 0
        self._left_out = self._lines = 0
        self._before = before
        self._last = b""  # non-blank byte of the skipped ones

    def feed(self, piece: bytes) -> Iterator[Block]:
        """The blocks that this piece completes. Take all of them before the next piece."""
        if self._left_out:
            piece, ended = self._pass_over(piece)
            if not ended:
                return
            yield self._take(b"")
        end = self._find_end(piece)
        if end:
            yield self._take(piece[:end])
        self._hold(piece[end:])

    def finish(self) -> Iterator[Block]:
        """A last record without a line end, if there is one."""
        if self._held:
            yield self._take(b"")

    def _take(self, rest: bytes) -> Block:
        data = b"".join([*self._held, rest])
        offset, left_out, lines = self._offset, self._left_out, self._lines
        self._offset += len(data) + left_out
        self._held, self._held_bytes, self._left_out, self._lines = [], 0, 0, 0
        if offset == 0 and data.startswith(BYTE_ORDER_MARK):  # no part of the first record
            offset, data = len(BYTE_ORDER_MARK), data[len(BYTE_ORDER_MARK) :]
        before, self._before = self._before, self._last if left_out else last_byte(data) or self._before
        return Block(offset, data, left_out, lines, before)

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > RECORD_LIMIT_BYTES:
            beginning = b"".join(self._held)
            self._held = [beginning[:KEPT_BYTES]]
            self._left_out = self._held_bytes - KEPT_BYTES
            self._last = last_byte(beginning)
            self._lines = beginning.count(self._line_end, KEPT_BYTES)

    def _pass_over(self, piece: bytes) -> tuple[bytes, bool]:
        """Look for the end of an overlong record: (the bytes after it, whether it ended)."""
        at = 0
        while at < len(piece):
            line = piece[at : piece.find(self._line_end, at) + 1 or len(piece)]
            at += len(line)
            self._left_out += len(line)
            self._lines += line.endswith(self._line_end)
            self._last = last_byte(line) or self._last
            if self._find_end(line):
                return piece[at:], True
        return b"", False
