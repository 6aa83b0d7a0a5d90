"""Streams that the parent reads for the workers, because they cannot be cut: large compressed files, standard input.

A stream becomes chunks of whole records, which are sent with their bytes. The parent holds the chunks that the
workers have and a few more, whatever the size of the stream. The chunks of a file are the same in every run: a
resumed run reads the file again and skips the chunks that are done.

Several files are read in turns: each file of a native export holds a hash range, so reading one after the other would
heat one partition after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from ddbio.errors import TransferError
from ddbio.messages import ChunkUnit, Expected
from ddbio.messages.block import Block
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.document_blocks import blocks_of
from ddbio.sources.prefetch import prefetched
from ddbio.sources.unpacking import MAGIC_BYTES, FileStream

CHUNK_BYTES = 256 * 1024
FILES_AT_ONCE = 8
_READ_BYTES = 1 << 20
_READS_AHEAD = 2

ReadRange = Callable[[SourceFile, int, int], bytes]  # `Storage.read_range`


class Stream:
    """Chunks of a file, each a unit without a number.

    pieces: its bytes. start: offset of its first record, decompressed. expected: from its manifest.
    chunk_bytes: the size of a chunk; None to pass on pieces as they arrive.
    """

    def __init__(
        self,
        file: SourceFile,
        format: FormatSpec,
        pieces: Iterable[bytes],
        *,
        start: int = 0,
        expected: Expected | None = None,
        chunk_bytes: int | None = CHUNK_BYTES,
    ) -> None:
        self._file = file
        self._format = format
        self._pieces = pieces
        self._start = start
        self._chunk_bytes = chunk_bytes
        self._unpacked = FileStream(file.uri, expected, skip=start)
        self._read_bytes = self._reported_bytes = 0

    def chunks(self) -> Iterator[ChunkUnit]:
        """The chunks; if the stream is damaged, those before the damage, then a unit that fails with it."""
        at = self._start
        try:
            for block in self._blocks():
                unit = self._unit(block)
                at = unit.stop
                yield unit
            if self._read_bytes > self._reported_bytes:  # the bytes after the last record
                yield self._unit(Block(at, b""))
        except TransferError as error:
            yield replace(self._unit(Block(at, b"")), error=error)

    def _unit(self, block: Block) -> ChunkUnit:
        source_bytes, self._reported_bytes = self._read_bytes - self._reported_bytes, self._read_bytes
        return ChunkUnit(0, self._file, block, source_bytes, format=self._format)

    def _blocks(self) -> Iterator[Block]:
        blocks, pieces = blocks_of(self._format, self._start), self._unpacked_pieces()
        for piece in evenly(pieces, self._chunk_bytes) if self._chunk_bytes else pieces:
            yield from blocks.feed(piece)
        yield from blocks.finish()

    def _unpacked_pieces(self) -> Iterator[bytes]:
        for piece in _with_whole_beginning(self._pieces):
            self._read_bytes += len(piece)
            yield from self._unpacked.feed(piece)
        self._unpacked.finish()


def _with_whole_beginning(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same, with a first piece that is long enough to know its compression."""
    beginning, rest = b"", iter(pieces)
    for piece in rest:
        beginning += piece
        if len(beginning) >= MAGIC_BYTES:
            break
    yield beginning
    yield from rest


def evenly(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in pieces of exactly `size`, except the last: the cuts do not depend on the decompressor."""
    held, held_bytes = list[bytes](), 0
    try:
        for piece in pieces:
            held.append(piece)
            held_bytes += len(piece)
            while held_bytes >= size:
                data = b"".join(held)
                yield data[:size]
                held, held_bytes = [data[size:]], held_bytes - size
    except TransferError:
        yield b"".join(held)  # the bytes before the damage
        raise
    if held_bytes:
        yield b"".join(held)


def file_pieces(file: SourceFile, read: ReadRange) -> Iterator[bytes]:
    """The bytes of a file; while one piece is used, the next are read."""
    ranges = range(0, file.size_bytes, _READ_BYTES)
    return prefetched((read(file, at, min(at + _READ_BYTES, file.size_bytes)) for at in ranges), _READS_AHEAD)


def stream_pieces(file: SourceFile, read: ReadRange) -> Iterator[bytes]:
    """The bytes of a stream, as they arrive."""
    at = 0
    while data := read(file, at, at + _READ_BYTES):
        yield data
        at += len(data)


def in_turns(streams: Sequence[Iterator[ChunkUnit]]) -> Iterator[ChunkUnit]:
    """The chunks of all streams, a few streams at a time in turns; always in the same order."""
    waiting, open_ones = deque(streams), deque[Iterator[ChunkUnit]]()
    while waiting or open_ones:
        while waiting and len(open_ones) < FILES_AT_ONCE:
            open_ones.append(waiting.popleft())
        stream = open_ones.popleft()
        for unit in stream:
            yield unit
            open_ones.append(stream)
            break
