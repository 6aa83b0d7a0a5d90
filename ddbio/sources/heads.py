"""The beginning of a file, unpacked if it is compressed, as much of it as its format needs to be detected."""

from __future__ import annotations

from typing import BinaryIO, cast

from ddbio.errors import TransferError
from ddbio.formats.framing import FIRST_BLANKS
from ddbio.messages.files import SourceFile
from ddbio.sources.stream import ReadRange
from ddbio.sources.unpacking import FileStream, packed_as
from ddbio.storage.ranged import RangedFile

HEAD_BYTES = 64 * 1024  # of a file that is read at once
LONG_HEAD_BYTES = 4 * 1024 * 1024  # of one whose first record is longer


class Beginning:
    """text: what is known of it. is_whole: that is all. detected: what it is, if it is JSON."""

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
        """Whether the file has no record at all."""
        return self.is_whole and not self.text.lstrip(FIRST_BLANKS)

    def grow(self) -> None:
        """Read more of it: eight times what was read, or of a stream what comes next."""
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
        except TransferError:  # whoever imports the file reports the damage
            self._damaged = True
