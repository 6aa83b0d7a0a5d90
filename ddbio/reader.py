"""Reads the slices of an import: blocks of whole records, in constant memory.

Where every line is a record, a slice owns the lines that *begin* in its byte range, so it is read from one byte
before its start (to see whether a line begins there) to the end of the line that crosses its end; no file is read to
find out where to cut it. Other formats are cut exactly between records, and say where a block may end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ddbio.errors import TransferError
from ddbio.formats import Format
from ddbio.storage import SourceFile, Storage
from ddbio.units import SliceUnit

LOCAL_BLOCK_BYTES = 128 * 1024  # a read of the page cache: small blocks keep many lanes in little memory
REMOTE_BLOCK_BYTES = 1024 * 1024  # a round trip to S3 each: a whole unit of the usual size
LINE_END_STEP_BYTES = 16 * 1024  # first look past a slice's end for the line's; doubles from there
LINE_LIMIT_BYTES = 16 * 1024 * 1024  # past a slice's end: no request is longer, and a file without line ends may be
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SliceReader:
    """Reads slices through a storage. Shared by the lanes of a worker."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._block_bytes = REMOTE_BLOCK_BYTES if storage.remote else LOCAL_BLOCK_BYTES

    async def read(self, file: SourceFile, start: int, stop: int) -> bytes:
        if not self._storage.remote:
            return self._storage.read_range(file, start, stop)
        return await asyncio.get_running_loop().run_in_executor(None, self._storage.read_range, file, start, stop)

    async def blocks(self, unit: SliceUnit, format: Format) -> AsyncIterator[tuple[int, bytes]]:
        """Pairs of (offset of the first byte, whole records); the last record of a file may lack its line end.

        Starts at the unit's cursor where it has one. Raises TransferError when the file cannot be read, or where a
        line is so long that it is no record.
        """
        file, stop = unit.file, min(unit.stop, unit.file.size_bytes)
        at = unit.cursor.offset if unit.cursor is not None else unit.start
        piece = b""  # bytes up to `at` that were not looked at yet
        # A cursor that is still at the start has no line settled: the start may be in the middle of one.
        if format.cut_anywhere and at == unit.start > 0:
            at, piece = await self._first_line(file, at, stop)
        begin, held = at - len(piece), b""  # held: the beginning of a record whose end is still to come
        find_end = format.end_finder()
        while at < stop or piece:
            if at < stop:
                until = min(at + self._block_bytes, stop)
                piece += await self.read(file, at, until)
                at = until
            if at < stop:
                end = find_end(piece)
            else:
                if format.cut_anywhere and not piece.endswith(b"\n"):
                    piece += await self._rest_of_line(file, stop)
                end = len(piece)
            if end:
                data = held + piece[:end]
                yield _without_mark(begin, data)
                begin, held = begin + len(data), piece[end:]
            else:
                held += piece
            piece = b""

    async def _first_line(self, file: SourceFile, start: int, stop: int) -> tuple[int, bytes]:
        """Where the first line at or after `start` begins is found in [start - 1, stop - 1): (offset read up to,
        bytes of that line read so far). A slice in which no line begins gives (stop, b"")."""
        at = start - 1
        while at < stop - 1:
            until = min(at + self._block_bytes, stop)
            data = await self.read(file, at, until)
            found = data.find(b"\n", 0, stop - 1 - at)
            if found >= 0:
                return at + len(data), data[found + 1 :]
            at = until
        return stop, b""

    async def _rest_of_line(self, file: SourceFile, stop: int) -> bytes:
        pieces, step, at = [], LINE_END_STEP_BYTES, stop
        while at < file.size_bytes:
            data = await self.read(file, at, min(at + step, file.size_bytes))
            end = data.find(b"\n") + 1
            pieces.append(data[:end] if end else data)
            if end:
                break
            at, step = at + len(data), step * 2
            if at - stop > LINE_LIMIT_BYTES:
                raise TransferError(
                    f'"{file.uri}": the line that byte {stop:,} is in does not end for {LINE_LIMIT_BYTES:,} bytes',
                    "every record must be a line of its own",
                )
        return b"".join(pieces)


def _without_mark(offset: int, data: bytes) -> tuple[int, bytes]:
    """A byte order mark at the start of a file is no part of its first record."""
    if offset == 0 and data.startswith(BYTE_ORDER_MARK):
        return len(BYTE_ORDER_MARK), data[len(BYTE_ORDER_MARK) :]
    return offset, data
