"""Turns pieces of a JSON file that is not one object a line into blocks of one record a line.

Offsets in the blocks count the bytes of these lines; `Block.places` has the offsets in the file. Line ends inside a
record become other whitespace, so that any reader of lines can read it.
"""

from __future__ import annotations

from collections.abc import Iterator

from ddbio.formats import line_format
from ddbio.formats.documents import DocumentLayout, Records, Scanner
from ddbio.messages.block import Block
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.blocks import Blocks
from ddbio.sources.record_places import Places, compact


class DocumentBlocks:
    """See `Blocks`. done: the offset of the first record to yield; blocks before it are skipped."""

    def __init__(self, layout: DocumentLayout, done: int = 0) -> None:
        self._scanner = Scanner(layout)
        self._offset = 0
        self._done = done

    def feed(self, piece: bytes) -> Iterator[Block]:
        for records in self._scanner.feed(piece):
            yield from self._wanted(self._block(records))

    def finish(self) -> Iterator[Block]:
        for records in self._scanner.finish():
            yield from self._wanted(self._block(records))

    def _block(self, records: Records) -> Block:
        places = Places.of(self._offset, records)
        data = b"\n".join(compact(records))
        block = Block(self._offset, data if records.left_out else data + b"\n", records.left_out, places=places)
        self._offset += len(block.data) + block.left_out
        return block

    def _wanted(self, block: Block) -> Iterator[Block]:
        skip = self._done - block.offset
        if skip <= 0:
            yield block
        elif skip < len(block.data) and not block.left_out:
            yield block._replace(offset=self._done, data=block.data[skip:])


def blocks_of(spec: FormatSpec, start: int, before: bytes = b"") -> Blocks | DocumentBlocks:
    """Makes blocks of a file of that format, resuming at `start`.

    Feed it a file that is not one record a line from its beginning, any other from `start`.
    """
    if spec.layout is not None:
        assert isinstance(spec.layout, DocumentLayout)
        return DocumentBlocks(spec.layout, start)
    format = line_format(spec)
    return Blocks(start, format.end_finder(), format.line_end, before)
