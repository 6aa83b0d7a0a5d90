"""A file that the parent appends the pages of reports to, each once, however often the job is killed and resumed.

The journal notes how many bytes of the file count. What a killed run wrote after them is cut off.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ddbio.errors import TransferError, UsageError


class PageFile:
    """Readable only by the user. size_bytes: of the part that counts."""

    def __init__(self, path: Path, size_bytes: int = 0) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self._unsafe = False
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._fd = os.open(path, flags, 0o600)
            if os.fstat(self._fd).st_size < size_bytes:
                raise UsageError(f'"{path}" lacks differences that earlier runs found', "start over with --fresh")
            os.ftruncate(self._fd, size_bytes)
        except OSError as error:
            raise self._unwritable(error) from None

    def add(self, page: bytes) -> None:
        """Raises TransferError; the file then ends where it did before."""
        done = 0
        try:
            while done < len(page):
                done += os.write(self._fd, page[done:])
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, self.size_bytes)
            raise self._unwritable(error) from None
        self.size_bytes += len(page)
        self._unsafe = True

    def sync(self) -> None:
        """Make durable what was added. Raises TransferError."""
        if self._unsafe:
            try:
                os.fsync(self._fd)
            except OSError as error:
                raise self._unwritable(error) from None
            self._unsafe = False

    def close(self) -> None:
        os.close(self._fd)

    def _unwritable(self, error: OSError) -> TransferError:
        return TransferError(
            f'cannot write the differences to "{self.path}": {error.strerror}',
            "make room there and run the same command again",
        )
