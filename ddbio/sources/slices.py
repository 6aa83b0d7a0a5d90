"""The records of files as a source: units are slices and chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from ddbio.errors import TransferError
from ddbio.formats import Format, LineFormat, RowFormat, as_lines
from ddbio.messages import ImportCursor, ImportUnit, Reject, SliceUnit, Tally
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.lines import LinePlace, Lines
from ddbio.sources.reader import RecordReader
from ddbio.sources.row_run import RowRun
from ddbio.steps.item_sizes import ItemSizes
from ddbio.steps.records import Records


class SliceSource:
    """See `ddbio.sources.source.Source`. format_of: shared by the lanes of a worker. sizes: counts the items."""

    marks_are_numbers = True
    deleted_are_gone = False

    def __init__(
        self,
        reader: RecordReader,
        format_of: Callable[[FormatSpec], Format],
        tally: Tally,
        sizes: ItemSizes | None = None,
    ) -> None:
        self._reader = reader
        self._format_of = format_of
        self._tally = tally
        self._sizes = sizes
        self._unit: ImportUnit
        self._run: Lines | RowRun
        self._batches: AsyncGenerator[Lines | RowRun, None]

    def begin(self, unit: ImportUnit) -> None:
        format = self._format_of(unit.format)
        self._unit = unit
        if isinstance(format, RowFormat):
            assert isinstance(unit, SliceUnit), "the parent only streams lines"
            self._run = RowRun(unit, format, self._tally)
            self._batches = self._batches_of_rows(unit, self._run)
        else:
            self._run = Lines(unit, as_lines(format), self._tally)
            self._batches = self._batches_of_lines(unit, self._run)

    async def batches(self) -> AsyncGenerator[Records, None]:
        run = self._run
        try:
            async with aclosing(self._batches) as batches:
                async for each in batches:
                    yield each
        except TransferError:
            run.more = False
            if run.left:
                yield run
            raise
        run.more = False
        if run.left:
            yield run

    async def _batches_of_rows(self, unit: SliceUnit, run: RowRun) -> AsyncGenerator[RowRun, None]:
        async with aclosing(self._reader.rows(unit, run.format)) as batches:
            async for rows in batches:
                run.add(rows)
                self._count_sizes(rows.texts, run.format)
                yield run

    async def _batches_of_lines(self, unit: ImportUnit, lines: Lines) -> AsyncGenerator[Lines, None]:
        async with aclosing(self._reader.blocks(unit, lines.format)) as blocks:
            async for block in blocks:
                lines.more = not block.left_out  # the block of an overlong record comes alone
                if lines.left and not lines.more:
                    yield lines
                records = lines.add(block)
                self._count_sizes(records, lines.format)
                yield lines

    def _count_sizes(self, records: Sequence[bytes], format: LineFormat | RowFormat) -> None:
        if self._sizes is not None:
            self._sizes.count(records, format.parse)

    def mark(self) -> tuple[int, int]:
        return self._run.mark()

    def end(self) -> tuple[int, int]:
        self._run.end()
        return self._run.mark()

    def stopped(self, mark: tuple[Any, ...]) -> None: ...

    def cursor(self, mark: tuple[Any, ...], output: Any) -> ImportCursor:
        return ImportCursor(*mark)

    def reject(self, place: LinePlace, text: bytes, code: str, message: str, text_bytes: int | None = None) -> Reject:
        (offset, line, places), unit = place, self._unit
        reject = Reject(unit.file.uri, offset, unit.number, line + 1, code, message, text, text_bytes, unit.format)
        return reject if places is None else places.placed(reject)

    def close(self) -> None:
        pass
