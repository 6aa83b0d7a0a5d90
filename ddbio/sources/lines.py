"""Splits the blocks of a slice into records, and keeps its read position.

Everything about line ends and offsets is here. A mark is the offset of the next record and the number of line ends
before it; a place is the same for one record, with its `RecordPlaces` if offsets are not those of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ddbio.errors import RecordError
from ddbio.formats import LineFormat
from ddbio.formats.framing import JsonText, last_byte, may_be_inside
from ddbio.messages import ImportCursor, ImportUnit, Tally
from ddbio.messages.block import Block, RecordPlaces
from ddbio.sources.blocks import RECORD_LIMIT_BYTES
from ddbio.sources.record_places import PlaceIndex
from ddbio.steps.records import Record

LinePlace = tuple[int, int, "RecordPlaces | None"]  # offset, line ends before it, offsets in the file if they differ


class Lines:
    """The records of one unit. tally: counts records taken, blank lines and bytes."""

    def __init__(self, unit: ImportUnit, format: LineFormat, tally: Tally) -> None:
        cursor = unit.cursor or ImportCursor(unit.start, 0)
        self.format = format
        self.more = True
        self._unit = unit
        self._tally = tally
        self._offset, self._line = cursor.offset, cursor.lines  # of the next record; line ends from the unit's start
        self._records: list[bytes] = []
        self._at = 0
        self._beginning: Block | None = None  # of an overlong record
        self._spanning = False  # whether some records span lines
        self._one_a_line = format.cut_anywhere and unit.format.layout is None
        self._inside = False  # whether the next line may be part of a value that begins before it
        self._places = PlaceIndex()

    def add(self, block: Block) -> list[bytes]:
        """Append the records of a block to those that are left, and return them. The block of an overlong one comes
        alone."""
        if block.places is not None:
            self._places.add(block.places, self._offset)
        rest = self._records[self._at :]
        if not rest:
            self._offset = block.offset
            self._inside = self._may_be_inside(block.before)
        self._beginning = block if block.left_out else None
        records = [block.data] if block.left_out else self.format.split(block.data)
        self._spanning = (not self.format.cut_anywhere or block.left_out > 0) and self._some_span(
            block, rest, records
        )
        self._records, self._at = [*rest, *records] if rest else records, 0
        return records

    def _some_span(self, block: Block, rest: list[bytes], records: list[bytes]) -> bool:
        """Whether there are more line ends than records; never in a format of which every line is a record."""
        line_end = self.format.line_end
        return block.data.count(line_end) > len(records) or any(line_end in record for record in rest)

    def mark(self) -> tuple[int, int]:
        self._tally.bytes = self._unit.source_bytes(self._offset)
        return self._offset, self._line

    def end(self) -> None:
        """All records were taken. The line that crosses a slice's end is read by its unit and skipped by the next,
        where its bytes count."""
        self._offset = max(self._offset, self._unit.stop)

    # -- as `LineRun`

    @property
    def lines(self) -> Lines:
        return self

    def rows(self) -> None:
        return None

    @property
    def left(self) -> int:
        return len(self._records) - self._at

    @property
    def usual(self) -> bool:
        return not (self._spanning or self._inside or self._beginning is not None)

    def run(self, most: int) -> list[bytes]:
        return self._records[self._at : self._at + most]

    def take(self, run: list[bytes]) -> None:
        count = len(run)
        self._tally.read += count
        self._at += count
        self._line += count
        self._offset += sum(map(len, run)) + count

    def each(self, most: int | None = None) -> Iterator[Record]:
        if self._beginning is not None:
            yield from self._too_long(self._beginning)
            return
        tally, parse, small_bytes, is_small = self._tally, self.format.parse, *self._smallness()
        for record in self._records[self._at :] if most is None else self._records[self._at : self._at + most]:
            if not record or record.isspace():
                tally.blank += 1
            else:
                place = self._offset, self._line, self._places.at(self._offset)
                try:
                    items = [parse(record)]
                    if self._inside:
                        self._check_not_inside()
                except RecordError as error:
                    yield Record(place, record, [], error=error)
                    self._inside = self._may_be_inside(last_byte(record))
                else:
                    yield Record(place, record, items, len(record) <= small_bytes or is_small(record))
                    self._inside = False
                tally.read += 1
            self._at += 1
            self._offset += len(record) + 1
            self._line += record.count(self.format.line_end) + 1 if self._spanning else 1

    def _smallness(self) -> tuple[int, Callable[[bytes], bool]]:
        """Up to how many bytes every record is one write unit, and a function that finds that of a longer one."""
        format = self.format
        return format.one_unit_bytes, format.is_one_unit if isinstance(format, JsonText) else lambda _: False

    def _too_long(self, block: Block) -> Iterator[Record]:
        """An overlong record, of which the block has the beginning."""
        size = len(block.data) + block.left_out - bool(block.lines)  # without its line end
        message = (
            f"the record has {size:,} bytes, and no record has more than {RECORD_LIMIT_BYTES:,}; "
            "only its beginning is here, the source has all of it at this offset"
        )
        place = self._offset, self._line, self._places.at(self._offset)
        yield Record(place, block.data, [], error=RecordError("line-too-long", message), text_bytes=size)
        self._tally.read += 1
        self._at += 1
        self._offset += len(block.data) + block.left_out
        self._line += block.data.count(self.format.line_end) + block.lines
        self._beginning = None

    def _may_be_inside(self, before: bytes) -> bool:
        """Whether the next line may be part of a larger value, judged by the last byte before it."""
        return self._one_a_line and may_be_inside(before)

    def _check_not_inside(self) -> None:
        """Raise RecordError for an object that may be part of another, unless the next line begins with an object: a
        value inside another one is never followed by that, so the line before was only truncated."""
        following = next((text for record in self._records[self._at + 1 :] if (text := record.lstrip())), b"")
        if not following.startswith(b"{"):
            raise RecordError("part-of-record", "this line is part of a value that begins before it and is no record")
