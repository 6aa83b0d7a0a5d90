"""Standard input as a source: read once, from its beginning to its end.

The bytes that were read to detect the format are returned again when the stream is read; other bytes can be read only
once. A read returns the available bytes and does not wait long for more.
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
_PATIENCE_S = 0.2  # wait for more, so that a slow stream is not cut into pieces of one record each


class StandardInput:
    """The reading half of a `Storage`, for one reader."""

    def __init__(self, fd: int = 0) -> None:
        self._fd = fd
        self._beginning = b""
        self._ended = False
        self._is_looked_at = False  # the format is being detected: all bytes are kept

    def list_files(self) -> list[SourceFile]:
        """Raises UsageError if it cannot be read."""
        try:
            if self._fd == 0 and sys.stdin is None:  # closed; another file may have its number by now
                raise OSError(errno.EBADF, "it is closed")
            os.read(self._fd, 0)  # fails for a folder, and for a file opened for writing only
        except OSError as error:
            message = f"standard input cannot be read: {error.strerror}"
            raise UsageError(message, "redirect it from a file or a pipe") from None
        return [SourceFile(STDIN, 0, "")]

    def read_range(self, start: int, stop: int) -> bytes:
        """Available bytes from `start`, fewer than `stop - start` if the stream is slow; empty at its end.

        start: 0 (then at least one whole line, if there are lines) or the end of the previous range. The first read
        from 0 detects the format: all bytes are kept until the second read from 0.
        """
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
        """Waits for the next bytes, and takes those that follow within `_PATIENCE_S`."""
        pieces, held_bytes, patience_ends_s = list[bytes](), 0, None
        while held_bytes < min(most_bytes, _PIECE_BYTES) and not self._ended and self._is_readable(patience_ends_s):
            try:
                data = os.read(self._fd, most_bytes - held_bytes)
            except OSError as error:
                raise TransferError(f"standard input can no longer be read: {error.strerror}") from None
            self._ended = not data
            pieces.append(data)
            held_bytes += len(data)
            patience_ends_s = patience_ends_s or time.monotonic() + _PATIENCE_S
        return b"".join(pieces)

    def _is_readable(self, until_s: float | None) -> bool:
        timeout_s = None if until_s is None else max(0.0, until_s - time.monotonic())
        return bool(select.select([self._fd], [], [], timeout_s)[0])
