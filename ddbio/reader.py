"""Reads the slices of an import: blocks of whole records, in constant memory.

Where every line is a record, a slice owns the lines that *begin* in its byte range, so it is read from one byte
before its start (to see whether a line begins there) to the end of the line that crosses its end; no file is read to
find out where to cut it. Other formats are cut exactly between records, and say where a block may end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from ddbio.blocks import Block, Blocks
from ddbio.formats import Format
from ddbio.storage import SourceFile, Storage
from ddbio.units import SliceUnit

LOCAL_BLOCK_BYTES = 128 * 1024  # a read of the page cache: small blocks keep many lanes in little memory
REMOTE_BLOCK_BYTES = 1024 * 1024  # a round trip to S3 each: a whole unit of the usual size
LINE_END_STEP_BYTES = 16 * 1024  # first look past a slice's end for the line's; doubles up to a block


class SliceReader:
    """Reads slices through a storage. Shared by the lanes of a worker."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._block_bytes = REMOTE_BLOCK_BYTES if storage.remote else LOCAL_BLOCK_BYTES

    async def read(self, file: SourceFile, start: int, stop: int) -> bytes:
        if not self._storage.remote:
            return self._storage.read_range(file, start, stop)
        return await asyncio.get_running_loop().run_in_executor(None, self._storage.read_range, file, start, stop)

    async def blocks(self, unit: SliceUnit, format: Format) -> AsyncIterator[Block]:
        """The records of a slice, from its cursor where it has one. Raises TransferError when the file cannot be
        read."""
        file, stop = unit.file, min(unit.stop, unit.file.size_bytes)
        at = unit.cursor.offset if unit.cursor is not None else unit.start
        piece = b""  # bytes up to `at` that were not looked at yet
        # A cursor that is still at the start has no line settled: the start may be in the middle of one.
        if format.cut_anywhere and at == unit.start > 0:
            at, piece = await self._first_line(file, at, stop)
        blocks = Blocks(at - len(piece), format.end_finder())
        if piece or at < stop:
            async for data in self._pieces(file, at, stop, piece, to_line_end=format.cut_anywhere):
                for block in blocks.feed(data):
                    yield block
        for block in blocks.finish():
            yield block

    async def _pieces(
        self, file: SourceFile, at: int, stop: int, piece: bytes, *, to_line_end: bool
    ) -> AsyncIterator[bytes]:
        """`piece`, then what follows it in [at, stop), then what the last line has behind that."""
        while at < stop:
            until = min(at + self._block_bytes, stop)
            piece += await self.read(file, at, until)
            at = until
            if at < stop:
                yield piece
                piece = b""
        ended, step = not to_line_end or piece.endswith(b"\n"), LINE_END_STEP_BYTES
        while not ended and at < file.size_bytes:
            data = await self.read(file, at, min(at + step, file.size_bytes))
            end = data.find(b"\n") + 1
            ended, piece = end > 0, piece + (data[:end] if end else data)
            at, step = at + len(data), min(step * 2, self._block_bytes)
            if len(piece) >= self._block_bytes:
                yield piece
                piece = b""
                await asyncio.sleep(0)  # it may go on for long, and a read of the disk lets nobody else work
        if piece:
            yield piece

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
