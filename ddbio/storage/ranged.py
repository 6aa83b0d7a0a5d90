"""A file of a storage as a file object, for libraries that need one. Blocks; caches nothing."""

from __future__ import annotations

import io
from collections.abc import Callable

from ddbio.messages.files import SourceFile


class RangedFile(io.RawIOBase):
    """read: `Storage.read_range`."""

    def __init__(self, file: SourceFile, read: Callable[[SourceFile, int, int], bytes]) -> None:
        super().__init__()
        self._file = file
        self._read = read
        self._at = 0

    @property
    def name(self) -> str:
        return self._file.uri

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size_bytes}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        stop = self._file.size_bytes if size < 0 else min(self._at + size, self._file.size_bytes)
        data = self._read(self._file, self._at, stop) if stop > self._at else b""
        self._at += len(data)
        return data
