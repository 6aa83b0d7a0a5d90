"""The beginning of a file, decompressed if necessary, as many bytes as the detection of its format needs."""

from __future__ import annotations

from typing import BinaryIO, cast

from ddbio.errors import TransferError
from ddbio.formats.framing import FIRST_BLANKS
from ddbio.messages.files import SourceFile
from ddbio.sources.stream import ReadRange
from ddbio.sources.unpacking import FileStream, packed_as
from ddbio.storage.ranged import RangedFile

HEAD_BYTES = 64 * 1024  # of the first read
LONG_HEAD_BYTES = 4 * 1024 * 1024  # at most, if the first record is longer


class Beginning:
    """text: the bytes read so far, decompressed. is_whole: whether that is the whole file."""

    def __init__(self, file: SourceFile, read: ReadRange) -> None:
        self.file = file
        self.text = b""
        self.is_whole = not (file.size_bytes or file.is_stream)
        self.packed_as: str | None = None
        self._read = read
        self._stream = FileStream(file.uri)
        self._stored_bytes = 0
        self._damaged = False

    @property
    def name(self) -> str:
        return "standard input" if self.file.is_stream else self.file.uri.rpartition("/")[2]

    def open(self) -> BinaryIO:
        return cast(BinaryIO, RangedFile(self.file, self._read))

    @property
    def is_long(self) -> bool:
        """Whether no more of it is read."""
        return self._damaged or len(self.text) >= LONG_HEAD_BYTES

    @property
    def is_blank(self) -> bool:
        """Whether the file has no records."""
        return self.is_whole and not self.text.lstrip(FIRST_BLANKS)

    def grow(self) -> None:
        """Read more: up to eight times the current length; from a stream, its next bytes."""
        if self.file.is_stream:
            self._add(max(HEAD_BYTES, self._stored_bytes))
        else:
            size = min(max(HEAD_BYTES, 8 * len(self.text)), LONG_HEAD_BYTES)
            while len(self.text) < size and not (self.is_whole or self._damaged):
                self._add(size - len(self.text))

    def _add(self, size: int) -> None:
        file, at = self.file, self._stored_bytes
        stop = at + size if file.is_stream else min(at + size, file.size_bytes)
        data = self._read(file, at, stop)
        self._stored_bytes += len(data)
        self.is_whole = not data or (not file.is_stream and self._stored_bytes >= file.size_bytes)
        if not at:
            self.packed_as = packed_as(data)
        try:
            for piece in self._stream.feed(data) if data else ():
                self.text += piece
                if len(self.text) >= LONG_HEAD_BYTES:
                    self.is_whole = False  # there may be more
                    break
        except TransferError:  # the import of the file will report the damage
            self._damaged = True
