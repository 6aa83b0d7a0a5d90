"""Where records stand in their file, if that is not where they stand in what was made of it.

The records of `ddbio.formats.documents` become a block of one record a line. Offsets in it count the bytes of such
lines; rejects must have those of the file.
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

_LINE_END_INSIDE = b"\r"  # blank in JSON, too; and inside a string neither of them may stand
_RETURNS = re.compile(rb"\r\r?")


def compact(records: Records) -> list[bytes]:
    """The records without line ends, each as long as it was and as valid as it was."""
    return [text.replace(b"\n", _LINE_END_INSIDE) if b"\n" in text else text for text in records.texts]


def restored(record: bytes) -> bytes:
    """A record as it was before `compact`, but for empty lines in it."""
    return _RETURNS.sub(lambda found: b"\r\n" if len(found[0]) == 2 else b"\n", record)


@dataclass(frozen=True, slots=True)
class Places:
    """Of one block. start: its offset. starts: of its records, from there. offsets, lines: see `Records`, from the
    first record's."""

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
        """A reject of a record of this block, with where it stands in the file."""
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
    """Ascending numbers, in few bytes: they travel with the block."""
    return array("I" if numbers[-1] < 2**32 else "Q", numbers)


class PlaceBook:
    """The places of the blocks whose records are not all taken."""

    def __init__(self) -> None:
        self._places: list[RecordPlaces] = []

    def add(self, places: RecordPlaces, taken: int) -> None:
        """taken: the offset before which all records are taken."""
        following = [each.start for each in self._places[1:]] + [places.start]
        done = sum([start <= taken for start in following])
        self._places = [*self._places[done:], places]

    def at(self, offset: int) -> RecordPlaces | None:
        """The places of the block in which the record at `offset` is; None if its offset is that in the file."""
        for places in reversed(self._places):
            if places.start <= offset:
                return places
        return None
