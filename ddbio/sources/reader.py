"""Reads the units of an import: blocks of whole records, in constant memory.

A unit that is a whole file may be compressed, and is read as a stream; a chunk carries its bytes; all others are
slices. If every line is a record, a slice owns the lines that *begin* in its byte range, so it is read from one byte
before its start (to see whether a line begins there) to the end of the line that crosses its end; such a file is cut
without reading it. Other formats are cut exactly between records, and determine where a block may end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import BinaryIO, cast

from ddbio.formats import LineFormat, RowFormat, Rows
from ddbio.formats.framing import last_byte
from ddbio.messages import ChunkUnit, ImportUnit, SliceUnit
from ddbio.messages.block import Block
from ddbio.messages.files import SourceFile
from ddbio.sources.blocks import Blocks
from ddbio.sources.document_blocks import blocks_of
from ddbio.sources.unpacking import FileStream
from ddbio.storage import Storages
from ddbio.storage.ranged import RangedFile

LOCAL_BLOCK_BYTES = 32 * 1024  # reads hit the page cache, so small blocks cost little and save memory
REMOTE_BLOCK_BYTES = 1024 * 1024  # each is a round trip to S3: a whole unit of the usual size
LOOK_BACK_BYTES = 64  # read before a slice's first line, to find the last non-blank byte
LINE_END_STEP_BYTES = 16 * 1024  # first read past a slice's end to find the line's end; doubles up to a block


class RecordReader:
    """Reads the records of units. Shared by the lanes of a worker."""

    def __init__(self, storages: Storages) -> None:
        self._storages = storages

    async def read(self, file: SourceFile, start: int, stop: int) -> bytes:
        storage = self._storages.of(file.uri)
        if not storage.remote:
            return storage.read_range(file, start, stop)
        return await asyncio.get_running_loop().run_in_executor(None, storage.read_range, file, start, stop)

    async def blocks(self, unit: ImportUnit, format: LineFormat) -> AsyncGenerator[Block, None]:
        """The records of a unit, from its cursor if it has one. Raises TransferError if they cannot all be read."""
        if isinstance(unit, ChunkUnit):
            blocks: AsyncGenerator[Block, None] = _blocks_of_chunk(unit)
        elif unit.packed or (unit.start == 0 and unit.stop >= unit.file.size_bytes):
            blocks = self._blocks_of_file(unit)
        else:
            blocks = self._blocks_of_slice(unit, format)
        async with aclosing(blocks):
            async for block in blocks:
                yield block

    async def rows(self, unit: SliceUnit, format: RowFormat) -> AsyncGenerator[Rows, None]:
        """The rows of a unit, from its cursor if it has one. Raises TransferError as `blocks` does."""
        storage = self._storages.of(unit.file.uri)
        file = cast(BinaryIO, RangedFile(unit.file, storage.read_range))
        skip = unit.cursor.lines if unit.cursor is not None else 0
        rows = format.rows_of_part(file, unit.start, unit.stop, skip)
        while True:
            if storage.remote:
                some = await asyncio.get_running_loop().run_in_executor(None, next, rows, None)
            else:
                some = next(rows, None)
            if some is None:
                return
            yield some
            await asyncio.sleep(0)  # decoding rows takes a while: let other lanes run

    async def _blocks_of_file(self, unit: SliceUnit) -> AsyncGenerator[Block, None]:
        """A whole file, which may be compressed and was not looked into before. It is read from its beginning, also
        if only its end is wanted."""
        start = unit.cursor.offset if unit.cursor is not None else unit.start
        # One object a line is resumed from there, but the byte before decides whether a record begins there.
        passing = 0 if unit.format.layout is not None else start - unit.start
        blocks, before = None, b""
        async with aclosing(self._unpacked(unit)) as pieces:
            async for piece in pieces:
                if blocks is None:
                    passed, piece = piece[:passing], piece[passing:]
                    passing, before = passing - len(passed), last_byte(passed) or before
                    if passing:
                        continue
                    blocks = blocks_of(unit.format, start, before)
                for block in blocks.feed(piece):
                    yield block
        for block in blocks.finish() if blocks is not None else ():
            yield block

    async def _unpacked(self, unit: SliceUnit) -> AsyncGenerator[bytes, None]:
        """The decompressed content of a whole file, from the unit's start."""
        stream, step = FileStream(unit.file.uri, unit.expected, skip=unit.start), self._block_bytes(unit.file)
        for at in range(0, unit.file.size_bytes, step):
            data = await self.read(unit.file, at, min(at + step, unit.file.size_bytes))
            for piece in stream.feed(data):
                yield piece
        stream.finish()

    def _block_bytes(self, file: SourceFile) -> int:
        return REMOTE_BLOCK_BYTES if self._storages.of(file.uri).remote else LOCAL_BLOCK_BYTES

    async def _blocks_of_slice(self, unit: SliceUnit, format: LineFormat) -> AsyncGenerator[Block, None]:
        file, stop = unit.file, min(unit.stop, unit.file.size_bytes)
        at = unit.cursor.offset if unit.cursor is not None else unit.start
        piece = before = b""  # bytes up to `at` that were read but not split yet
        # With a cursor still at the start no line is settled: the start may be in the middle of a line.
        if format.cut_anywhere and at == unit.start > 0:
            at, piece, before = await self._first_line(file, at, stop)
        elif format.cut_anywhere and at < stop:
            before = await self._last_byte(file, at)
        blocks = Blocks(at - len(piece), format.end_finder(), format.line_end, before)
        if piece or at < stop:
            async with aclosing(self._pieces(file, at, stop, piece, to_line_end=format.cut_anywhere)) as pieces:
                async for data in pieces:
                    for block in blocks.feed(data):
                        yield block
        for block in blocks.finish():
            yield block

    async def _pieces(
        self, file: SourceFile, at: int, stop: int, piece: bytes, *, to_line_end: bool
    ) -> AsyncGenerator[bytes, None]:
        """`piece`, then the bytes that follow it in [at, stop), then the rest of the last line."""
        block_bytes = self._block_bytes(file)
        while at < stop:
            until = min(at + block_bytes, stop)
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
            at, step = at + len(data), min(step * 2, block_bytes)
            if len(piece) >= block_bytes:
                yield piece
                piece = b""
                await asyncio.sleep(0)  # it may take long, and no other lane works during a read of the disk
        if piece:
            yield piece

    async def _first_line(self, file: SourceFile, start: int, stop: int) -> tuple[int, bytes, bytes]:
        """Find the first line that begins at or after `start`, after a line end in [start - 1, stop - 1): (offset
        read up to, bytes of that line read so far, the last non-blank byte before it). Returns (stop, b"", b"") if no
        line begins in the slice."""
        at, passed = max(0, start - LOOK_BACK_BYTES), b""
        while at < stop - 1:
            until = min(at + self._block_bytes(file), stop)
            data = await self.read(file, at, until)
            found = data.find(b"\n", max(0, start - 1 - at), stop - 1 - at)
            if found >= 0:
                line = at + found + 1
                before = last_byte(passed + data[:found])
                return at + len(data), data[found + 1 :], before or await self._last_byte(file, line)
            at, passed = until, data[-LOOK_BACK_BYTES:]
        return stop, b"", b""

    async def _last_byte(self, file: SourceFile, at: int) -> bytes:
        """The last non-blank byte before `at`; b"" if there is none."""
        found = b""
        while at > 0 and not found:
            start = max(0, at - LINE_END_STEP_BYTES)
            found, at = last_byte(await self.read(file, start, at)), start
        return found


async def _blocks_of_chunk(unit: ChunkUnit) -> AsyncGenerator[Block, None]:
    """The rest of the block after the unit's cursor. Raises the error that kept the parent from reading on."""
    block, done = unit.block, unit.cursor.offset - unit.start if unit.cursor is not None else 0
    if not done and (block.data or block.left_out):
        yield block
    elif len(block.data) > done and not block.left_out:
        before = last_byte(block.data[:done]) or block.before
        yield block._replace(offset=block.offset + done, data=block.data[done:], before=before)
    if unit.error is not None:
        raise unit.error
