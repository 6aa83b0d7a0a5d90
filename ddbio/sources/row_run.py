"""The unread rows of a slice, for formats whose files are not lines: Parquet, Avro.

Each row is JSON text of one object; only the format knows its position in the file. A mark is the offset of the next
row, as exactly as the format reports it, and the number of the unit's rows before it: a unit is resumed by that
number alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from ddbio.errors import RecordError
from ddbio.formats import RowFormat, Rows
from ddbio.messages import ImportCursor, SliceUnit, Tally
from ddbio.steps.records import Record


class RowRun:
    """The rows of one unit; see `ddbio.steps.records.Records` and `LineRun`. tally: counts rows taken and bytes."""

    usual = True

    def __init__(self, unit: SliceUnit, format: RowFormat, tally: Tally) -> None:
        cursor = unit.cursor or ImportCursor(unit.start, 0)
        self.format = format
        self.more = True
        self._unit = unit
        self._tally = tally
        self._number = cursor.lines  # of the next row in the unit
        self._rows: list[bytes] = []
        self._at = 0
        # The number and the offset of the first row of each batch that rows are left of, and of the one before.
        self._places = [(cursor.lines, cursor.offset)]

    def add(self, rows: Rows) -> None:
        """Append rows to those that are left."""
        rest = self._rows[self._at :]
        done = sum([first <= self._number for first, _ in self._places]) - 1  # places before the next row's
        self._places = [*self._places[done:], (self._number + len(rest), rows.offset)]
        self._rows, self._at = [*rest, *rows.texts], 0

    def mark(self) -> tuple[int, int]:
        offset = self._offset()
        self._tally.bytes = self._unit.source_bytes(offset)
        return offset, self._number

    def end(self) -> None:
        """All rows were taken."""
        self._places = [(self._number, max(self._offset(), self._unit.stop))]

    def _offset(self) -> int:
        return next(offset for first, offset in reversed(self._places) if first <= self._number)

    @property
    def lines(self) -> RowRun:
        return self

    def rows(self) -> None:
        return None

    @property
    def left(self) -> int:
        return len(self._rows) - self._at

    def run(self, most: int) -> list[bytes]:
        return self._rows[self._at : self._at + most]

    def take(self, run: list[bytes]) -> None:
        self._tally.read += len(run)
        self._pass(len(run))

    def each(self, most: int | None = None) -> Iterator[Record]:
        parse, small_bytes, is_small = self.format.parse, self.format.one_unit_bytes, self.format.is_one_unit
        for text in self._rows[self._at :] if most is None else self.run(most):
            place = self._offset(), self._number, None
            try:
                items = [parse(text)]
            except RecordError as error:
                yield Record(place, text, [], error=error)
            else:
                yield Record(place, text, items, len(text) <= small_bytes or is_small(text))
            self._tally.read += 1
            self._pass(1)

    def _pass(self, count: int) -> None:
        self._at += count
        self._number += count
