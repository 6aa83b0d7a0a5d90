"""A sample of the records of an import's files, from which the whole is estimated.

Small sources are read as a whole: then every figure is exact. Of larger ones, records are read at places that are
evenly spread over all bytes of all files, so that files of another kind, or sorted by size, are not missed. A file
that can only be read from its beginning (compressed, or one JSON array) shows just that; the bounds are wide then.
Figures are scaled by bytes.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate

from ddbio.forecast.forecast import Amount
from ddbio.formats import Format, RowFormat, get_format, line_format
from ddbio.messages import SliceUnit, Tally
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.cutting import Source
from ddbio.sources.reader import RecordReader
from ddbio.sources.slices import SliceSource
from ddbio.steps.records import Record
from ddbio.storage import Storages

WHOLE_BYTES = 4 * 1024 * 1024  # of sources that are read as a whole; a compressed byte counts as `PACKED_RATIO`
PACKED_RATIO = 8
PLACES = 48
PLACE_BYTES = 64 * 1024
MOST_ROWS = 4000  # of a part of a Parquet or Avro file
FILES_AT_ONCE = 8
_T = 2.01  # Student's, for 48 places
_HEAD_FACTOR = 2.0  # by which the rest of a file may differ from its beginning

Weigh = Callable[[Record], Mapping[str, float]]


@dataclass(slots=True)
class _Part:
    """Records that were read. source_bytes: that they cover in their file. ended: whether the part has no more."""

    source_bytes: int = 0
    ended: bool = False
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, weights: Mapping[str, float]) -> None:
        for name, value in weights.items():
            self.sums[name] = self.sums.get(name, 0.0) + value


@dataclass(frozen=True, slots=True)
class SourceSample:
    """total_bytes: of all sources. is_whole: whether all of it was read. only_heads: whether of some files, or parts
    of files, only the beginning was."""

    parts: Sequence[_Part]
    total_bytes: int
    is_whole: bool
    only_heads: bool = False

    def seen(self, name: str) -> float:
        """The sum in the sample."""
        return math.fsum(part.sums.get(name, 0.0) for part in self.parts)

    def total(self, name: str) -> Amount:
        """The sum over all records, by a ratio estimate: Cochran, Sampling Techniques, 3rd edition, 6.4."""
        seen, covered = self.seen(name), sum(part.source_bytes for part in self.parts)
        if self.is_whole or not covered:
            return Amount.exact(seen)
        ratio, count = seen / covered, len(self.parts)
        likely = ratio * self.total_bytes
        if count < 2:
            return Amount(likely, likely / _HEAD_FACTOR, likely * _HEAD_FACTOR)
        squares = math.fsum((part.sums.get(name, 0.0) - ratio * part.source_bytes) ** 2 for part in self.parts)
        unread = max(0.0, 1 - covered / self.total_bytes)
        off = _T * self.total_bytes / covered * math.sqrt(unread * squares * count / (count - 1))
        low, high = max(seen, likely - off), likely + off
        if self.only_heads:
            low, high = max(seen, min(low, likely / _HEAD_FACTOR)), max(high, likely * _HEAD_FACTOR)
        return Amount(likely, min(low, likely), high)


def sample_sources(sources: Sequence[Source], storages: Storages, weigh: Weigh) -> SourceSample | None:
    """weigh: the figures of a record, to be summed. None if a source can be read only once, or all are empty.

    Raises TransferError if a source cannot be read.
    """
    if not sources or any(source.file.is_stream for source in sources):
        return None
    total_bytes = sum(_size_of(source) for source in sources)
    weighted = sum(_size_of(source) * (PACKED_RATIO if source.packed else 1) for source in sources)
    is_whole = weighted <= WHOLE_BYTES
    units = list(_all_units(sources) if is_whole else _spread_units(sources, total_bytes, storages))
    parts = asyncio.run(_read_all(units, storages, weigh, whole=is_whole))
    return SourceSample(parts, total_bytes, is_whole, only_heads=not all(part.ended for part in parts))


def _size_of(source: Source) -> int:
    return source.file.size_bytes - (0 if source.is_whole else source.start)


def _only_from_start(unit: SliceUnit) -> bool:
    return unit.packed or unit.format.layout is not None


# -- the parts to read: units, each with the most bytes to read of it

Budgeted = tuple[SliceUnit, float]


def _all_units(sources: Sequence[Source]) -> Iterator[Budgeted]:
    for source in sources:
        for start, stop in source.cuts or [(source.start, source.file.size_bytes)]:
            yield _unit(source, start, stop), math.inf


def _spread_units(sources: Sequence[Source], total_bytes: int, storages: Storages) -> Iterator[Budgeted]:
    """At the middles of equal shares of all bytes."""
    ends, offsets = list(accumulate(map(_size_of, sources))), dict[int, list[int]]()
    for place in range(PLACES):
        at = int((place + 0.5) * total_bytes / PLACES)
        number = min(bisect_right(ends, at), len(sources) - 1)
        offsets.setdefault(number, []).append(at - ends[number] + sources[number].file.size_bytes)
    for number, places in offsets.items():
        yield from _units_at(sources[number], places, storages)


def _units_at(source: Source, places: Sequence[int], storages: Storages) -> Iterator[Budgeted]:
    size = source.file.size_bytes
    if source.is_whole:
        yield _unit(source, source.start, size), len(places) * PLACE_BYTES / (PACKED_RATIO if source.packed else 1)
    elif source.cuts is not None:
        for start, stop in dict.fromkeys(cut for at in places for cut in source.cuts if cut[0] <= at < cut[1]):
            yield _unit(source, start, stop), math.inf
    else:
        exact = not get_format(source.format).cut_anywhere
        for at in places:
            start = max(source.start, min(at, size - PLACE_BYTES))
            stop = min(start + PLACE_BYTES, size)
            if exact:
                start, stop = _whole_lines(source, start, stop, storages)
            if start < stop:
                yield _unit(source, start, stop), math.inf


def _whole_lines(source: Source, start: int, stop: int, storages: Storages) -> tuple[int, int]:
    """The lines within these bytes. A line may still be inside of a value that has line ends: it is then no record,
    as the format will say."""
    data, line_end = storages.read_range(source.file, start, stop), line_format(source.format).line_end
    first = 0 if start == source.start else data.find(line_end) + 1
    return start + first, start + data.rfind(line_end) + 1 if stop < source.file.size_bytes else stop


def _unit(source: Source, start: int, stop: int) -> SliceUnit:
    head_lines = source.head_lines if start == source.start else 0
    return SliceUnit(0, source.file, start, stop, format=source.format, packed=source.packed, head_lines=head_lines)


# -- reading them


class _EnoughError(Exception):
    """The part of the sample is read."""


class _BudgetedReader(RecordReader):
    """Reads at most so many bytes, and some more."""

    def __init__(self, storages: Storages, most_bytes: float) -> None:
        super().__init__(storages)
        self.bytes_read = 0
        self._most_bytes = most_bytes

    async def read(self, file: SourceFile, start: int, stop: int) -> bytes:
        if self.bytes_read >= self._most_bytes:
            raise _EnoughError
        data = await super().read(file, start, stop)
        self.bytes_read += len(data)
        return data


async def _read_all(units: Sequence[Budgeted], storages: Storages, weigh: Weigh, *, whole: bool) -> list[_Part]:
    format_of, turns = cache(get_format), asyncio.Semaphore(FILES_AT_ONCE)

    async def read(unit: SliceUnit, most_bytes: float) -> _Part:
        async with turns:
            rows = math.inf if whole else MOST_ROWS
            return await _read(unit, _BudgetedReader(storages, most_bytes), format_of, weigh, rows)

    return await asyncio.gather(*(read(unit, most_bytes) for unit, most_bytes in units))


async def _read(
    unit: SliceUnit,
    reader: _BudgetedReader,
    format_of: Callable[[FormatSpec], Format],
    weigh: Weigh,
    most_rows: float,
) -> _Part:
    part, tally = _Part(), Tally()
    source = SliceSource(reader, format_of, tally)
    source.begin(unit)
    of_rows = isinstance(format_of(unit.format), RowFormat)
    try:
        async with aclosing(source.batches()) as batches:
            async for records in batches:
                if of_rows and tally.read >= most_rows:
                    part.source_bytes = source.mark()[0] - unit.start
                    return part
                for record in records.each():
                    part.add(weigh(record))
    except _EnoughError:
        part.source_bytes = reader.bytes_read
        return part
    part.source_bytes = unit.file.size_bytes if _only_from_start(unit) else unit.stop - unit.start
    part.ended = True
    return part
