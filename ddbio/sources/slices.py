"""The records of files as a source: units are slices and chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from ddbio.errors import TransferError
from ddbio.formats import Format
from ddbio.messages import ImportCursor, ImportUnit, Reject, Tally
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.lines import LinePlace, Lines
from ddbio.sources.reader import RecordReader


class SliceSource:
    """See `ddbio.sources.source.Source`. format_of: shared by the lanes of a worker."""

    marks_are_numbers = True

    def __init__(self, reader: RecordReader, format_of: Callable[[FormatSpec], Format], tally: Tally) -> None:
        self._reader = reader
        self._format_of = format_of
        self._tally = tally
        self._unit: ImportUnit
        self._lines: Lines

    def begin(self, unit: ImportUnit) -> None:
        self._unit = unit
        self._lines = Lines(unit, self._format_of(unit.format), self._tally)

    async def batches(self) -> AsyncGenerator[Lines, None]:
        lines = self._lines
        try:
            async with aclosing(self._reader.blocks(self._unit, lines.format)) as blocks:
                async for block in blocks:
                    lines.more = not block.left_out  # such a block is joined to nothing, and nothing to it
                    if lines.left and not lines.more:
                        yield lines
                    lines.add(block)
                    yield lines
        except TransferError:
            lines.more = False
            if lines.left:
                yield lines
            raise
        lines.more = False
        if lines.left:
            yield lines

    def mark(self) -> tuple[int, int]:
        return self._lines.mark()

    def end(self) -> tuple[int, int]:
        self._lines.end()
        return self._lines.mark()

    def cursor(self, mark: tuple[Any, ...], output: Any) -> ImportCursor:
        return ImportCursor(*mark)

    def reject(self, place: LinePlace, text: bytes, code: str, message: str, text_bytes: int | None = None) -> Reject:
        (offset, line, places), unit = place, self._unit
        reject = Reject(unit.file.uri, offset, unit.number, line + 1, code, message, text, text_bytes, unit.format)
        return reject if places is None else places.placed(reject)

    def close(self) -> None:
        pass
