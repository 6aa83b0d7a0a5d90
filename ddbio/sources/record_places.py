"""Maps positions of records in a block back to their positions in the file.

The records of `ddbio.formats.documents` become a block with one record a line. Offsets in a block count the bytes of
these lines; rejects need the offsets in the file.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import accumulate

from ddbio.formats.documents import Fault, Records
from ddbio.messages import Reject
from ddbio.messages.block import RecordPlaces

_LINE_END_INSIDE = b"\r"  # whitespace in JSON, too; neither is allowed inside a string
_RETURNS = re.compile(rb"\r\r?")


def compact(records: Records) -> list[bytes]:
    """The records without line ends inside; lengths and validity do not change."""
    return [text.replace(b"\n", _LINE_END_INSIDE) if b"\n" in text else text for text in records.texts]


def restored(record: bytes) -> bytes:
    """The record before `compact`, except for empty lines in it."""
    return _RETURNS.sub(lambda found: b"\r\n" if len(found[0]) == 2 else b"\n", record)


@dataclass(frozen=True, slots=True)
class Places:
    """For one block. start: its offset. starts: of its records, relative to that. offsets, lines: see `Records`,
    relative to the first record's."""

    start: int
    offset: int
    line: int
    starts: array[int]
    offsets: array[int]
    lines: array[int]
    faults: dict[int, Fault] = field(default_factory=dict)

    @classmethod
    def of(cls, start: int, records: Records) -> Places:
        offset, line = records.offsets[0], records.lines[0]
        starts = accumulate([len(text) + 1 for text in records.texts[:-1]], initial=0)
        return cls(
            start,
            offset,
            line,
            _small(list(starts)),
            _small([each - offset for each in records.offsets]),
            _small([each - line for each in records.lines]),
            records.faults,
        )

    def placed(self, reject: Reject) -> Reject:
        """A reject of a record of this block, with its position in the file."""
        number = bisect_right(self.starts, reject.offset - self.start) - 1
        fault = self.faults.get(number)
        return replace(
            reject,
            offset=self.offset + self.offsets[number],
            line_in_file=self.line + self.lines[number] + 1,
            code=fault.code if fault else reject.code,
            message=fault.message if fault else reject.message,
            record=restored(reject.record),
        )


def _small(numbers: list[int]) -> array[int]:
    """Ascending numbers, in few bytes, because they are sent with the block."""
    return array("I" if numbers[-1] < 2**32 else "Q", numbers)


class PlaceIndex:
    """The places of blocks with records that are not taken yet."""

    def __init__(self) -> None:
        self._places: list[RecordPlaces] = []

    def add(self, places: RecordPlaces, taken: int) -> None:
        """taken: the offset before which all records are taken."""
        following = [each.start for each in self._places[1:]] + [places.start]
        done = sum([start <= taken for start in following])
        self._places = [*self._places[done:], places]

    def at(self, offset: int) -> RecordPlaces | None:
        """The places of the block that contains `offset`; None if offsets are those of the file."""
        for places in reversed(self._places):
            if places.start <= offset:
                return places
        return None
