"""Standard input as a source: read once, from its beginning to its end.

The bytes that were looked at to recognise the format are returned again when the stream is read; bytes that were read
are gone. A reader gets what is there and does not wait long for more.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import time

from ddbio.errors import TransferError, UsageError
from ddbio.messages.files import STDIN, SourceFile

_PIECE_BYTES = 64 * 1024
_PATIENCE_S = 0.2  # for more, so that a slow stream does not become pieces of a record each


class StandardInput:
    """The reading half of a `Storage`, for one reader."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._beginning = b""
        self._ended = False
        self._is_looked_at = False  # and not read yet: all is kept

    def list_files(self) -> list[SourceFile]:
        """Raises UsageError when it cannot be read."""
        try:
            if self._fd == 0 and sys.stdin is None:  # closed; its number may stand for another file by now
                raise OSError(errno.EBADF, "it is closed")
            os.read(self._fd, 0)  # fails for a folder, and for what was opened for writing only
        except OSError as error:
            what = f"standard input cannot be read: {error.strerror}"
            raise UsageError(what, "redirect it from a file or a pipe") from None
        return [SourceFile(STDIN, 0, "")]

    def read_range(self, start: int, stop: int) -> bytes:
        """From 0: what is there up to `stop`, and at least one whole line if it has lines. From where the last range
        ended: what comes next, which is kept until 0 is asked for a second time. Nothing at the end."""
        if start == 0:
            self._is_looked_at = not self._beginning
            while len(self._beginning) < stop and b"\n" not in self._beginning and not self._ended:
                self._beginning += self._take(_PIECE_BYTES)
        elif self._is_looked_at and start == len(self._beginning):
            more = self._take(stop - start)
            self._beginning += more
            return more
        if start < len(self._beginning):
            return self._beginning[start:stop]
        self._beginning = b""
        return self._take(stop - start)

    def _take(self, most_bytes: int) -> bytes:
        """What comes next, and what follows it closely."""
        pieces, held_bytes, patience_ends_s = list[bytes](), 0, None
        while held_bytes < min(most_bytes, _PIECE_BYTES) and not self._ended and self._is_readable(patience_ends_s):
            try:
                data = os.read(self._fd, most_bytes - held_bytes)
            except OSError as error:
                raise TransferError(f"standard input cannot be read on: {error.strerror}") from None
            self._ended = not data
            pieces.append(data)
            held_bytes += len(data)
            patience_ends_s = patience_ends_s or time.monotonic() + _PATIENCE_S
        return b"".join(pieces)

    def _is_readable(self, until_s: float | None) -> bool:
        timeout_s = None if until_s is None else max(0.0, until_s - time.monotonic())
        return bool(select.select([self._fd], [], [], timeout_s)[0])
