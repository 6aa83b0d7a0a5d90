"""Cuts a job into units: the same files and options give the same units, numbers and order, also when a run is
resumed.

If every line of a file is a record, the file is cut without reading it, and the plan is complete at once. If records
span lines, the file is read once for the ends of records while the first units are being worked on: such a plan grows
(`Plan`). A few small files are read before.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import chain, count, islice, repeat

from ddbio.formats import get_format, line_format
from ddbio.messages import ChunkUnit, Expected, SliceUnit
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.plan import Plan
from ddbio.sources.stream import CHUNK_BYTES, ReadRange, Stream, file_pieces, in_turns, stream_pieces

MIB = 1024 * 1024
UNIT_BYTES = MIB  # of an import: about a second of a lane's work, and the size of a ranged GET
MIN_UNIT_BYTES = 64 * 1024
PLANNED_LANES = 32  # of a worker; how many it will have is not known, and many are for a service that is far away
UNITS_A_LANE = 16  # at least, if the source is large enough: at the end of a job, lanes idle for half a unit
SECONDS_A_UNIT = 10  # at most, under a small cap
MAX_UNITS = 1_000_000  # a larger plan would take too much memory; units grow instead
BYTES_A_WRITE_UNIT = 1024

SCAN_BYTES = 8 * MIB  # per read when looking for the ends of records: few round trips, little memory
BROKEN_RECORD_BYTES = 4 * MIB  # an item has at most 400 KB, and no format makes it ten times as large
FIRST_WINDOW_UNITS, WINDOW_UNITS = 32, 256
SMALL_FILES, SMALL_BYTES = 8, MIB  # read before the work begins: each file is a round trip to S3


def unit_bytes(total_bytes: int, lanes: int, cap_units_per_s: float) -> int:
    """The slice size of an import. lanes: of all workers; cap: infinite for none."""
    lane_bytes_per_s = cap_units_per_s * BYTES_A_WRITE_UNIT / lanes
    size = min(UNIT_BYTES, total_bytes // max(1, lanes * UNITS_A_LANE), lane_bytes_per_s * SECONDS_A_UNIT)
    return max(int(size), MIN_UNIT_BYTES, math.ceil(total_bytes / MAX_UNITS))


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import, and how to read it.

    start: offset of its first record, after `head_lines` lines of a header; in the decompressed text if it is
        compressed.
    cuts: its slices, if they are known already.
    packed: it is compressed, by its name or its first bytes. expected: from its manifest.
    """

    file: SourceFile
    format: FormatSpec
    start: int = 0
    head_lines: int = 0
    cuts: tuple[Cut, ...] | None = None
    packed: bool = False
    expected: Expected | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it can only be read from its beginning."""
        return self.packed or self.format.layout is not None


Cut = tuple[int, int]  # [start, stop)


def plan_phases(phases: Sequence[Sequence[Source]], size: int, read: ReadRange) -> Plan:
    """The slices of all sources; a phase starts when all slices of the one before are settled."""

    def plan(phase: int, first: int) -> Plan:
        def following(count: int) -> Plan:
            return plan(phase + 1, first + count)

        then = following if phase + 1 < len(phases) else None
        return plan_slices(phases[phase], size, read, first=first, then=then)

    return plan(0, 0)


def plan_slices(
    sources: Sequence[Source],
    size: int,
    read: ReadRange,
    seed: int = 0,
    *,
    first: int = 0,
    then: Callable[[int], Plan] | None = None,
) -> Plan:
    """The slices of all files, in shuffled order.

    Shuffled because files are often sorted by partition key: neighbours in a file would heat one partition. Files
    that must be read to be cut come after the others and are shuffled a window at a time; iterating the plan raises
    the exceptions of `read`. A few small ones are cut at once, so that the plan is complete and the job can be found
    to be small; then this function raises them. A file that can only be read from its beginning (`Source.is_whole`)
    is a single unit if it is no larger than `size`; larger ones come in chunks (`ddbio.sources.stream`), after all
    others.

    first: the number of the first unit. then: see `Plan`.
    """
    cut_anywhere = cache(lambda spec: get_format(spec).cut_anywhere)
    fed = [each for each in sources if each.file.is_stream or (each.is_whole and each.file.size_bytes > size)]
    rest = [each for each in sources if each not in fed]
    to_read = [each for each in rest if not (each.cuts or each.is_whole or cut_anywhere(each.format))]
    known = [each for each in rest if each not in to_read]
    units = [_unit(source, cut) for source in known for cut in source.cuts or _even_cuts(source, size)]
    units = [replace(unit, number=number) for number, unit in enumerate(units, first)]
    randomness = random.Random(seed)
    randomness.shuffle(units)
    numbers = count(first + len(units))
    cuts = (_unit(source, cut, next(numbers)) for source in to_read for cut in exact_cuts(source, size, read))
    if not fed and _are_small(to_read):
        return Plan([*units, *_shuffled(cuts, randomness)], then=then)
    randomness.shuffle(fed)
    streams = [_stream(source, read, min(size, CHUNK_BYTES)) for source in fed]
    chunks = (replace(unit, number=next(numbers)) for unit in in_turns(streams))
    return Plan(units, chain(_shuffled(cuts, randomness), chunks), then)


def _are_small(sources: Sequence[Source]) -> bool:
    return len(sources) <= SMALL_FILES and sum(each.file.size_bytes for each in sources) <= SMALL_BYTES


def _stream(source: Source, read: ReadRange, chunk_bytes: int) -> Iterator[ChunkUnit]:
    file, format, start = source.file, source.format, source.start
    if file.is_stream:
        stream = Stream(file, format, stream_pieces(file, read), start=start, chunk_bytes=None)
    else:
        pieces, expected = file_pieces(file, read), source.expected
        stream = Stream(file, format, pieces, start=start, expected=expected, chunk_bytes=chunk_bytes)
    head_lines = source.head_lines
    for unit in stream.chunks():
        yield replace(unit, head_lines=head_lines)
        head_lines = 0


def _unit(source: Source, cut: Cut, number: int = 0) -> SliceUnit:
    return SliceUnit(
        number,
        source.file,
        *cut,
        format=source.format,
        packed=source.packed,
        expected=source.expected,
        head_lines=source.head_lines if cut[0] == source.start else 0,
    )


def _even_cuts(source: Source, size: int) -> Iterator[Cut]:
    end = source.file.size_bytes
    if source.is_whole:
        return iter([(source.start, end)])
    return ((start, min(start + size, end)) for start in range(source.start, end, size))


def exact_cuts(source: Source, size: int, read: ReadRange) -> Iterator[Cut]:
    """Slices of about `size` bytes that begin and end at record boundaries, found by reading the whole file.

    A record that does not end within `BROKEN_RECORD_BYTES` is broken (a quote that was never closed): its first line
    becomes a slice, and the search continues after it.
    """
    at = source.start
    while at < source.file.size_bytes:
        at = yield from _whole_records(source, at, size, read)
        if at < source.file.size_bytes:
            stop = _end_of_line(source, at, read)
            yield at, stop
            at = stop


def _whole_records(source: Source, begin: int, size: int, read: ReadRange) -> Generator[Cut, None, int]:
    """Cuts from `begin` to the end of the file, or to a record without an end; returns that offset."""
    find_end, end = line_format(source.format).end_finder(), source.file.size_bytes
    for at, piece in _pieces(source.file, begin, size, read):
        found = find_end(piece)
        if found:
            yield begin, at + found
            begin = at + found
        elif at + len(piece) - begin > BROKEN_RECORD_BYTES:
            return begin
    if begin < end:
        yield begin, end
    return end


def _pieces(file: SourceFile, start: int, size: int, read: ReadRange) -> Iterator[tuple[int, bytes]]:
    """The file from `start` in pieces of `size` bytes: (offset, bytes)."""
    for at in range(start, file.size_bytes, max(size, SCAN_BYTES)):
        data = read(file, at, min(at + max(size, SCAN_BYTES), file.size_bytes))
        for inner in range(0, len(data), size):
            yield at + inner, data[inner : inner + size]


def _end_of_line(source: Source, at: int, read: ReadRange) -> int:
    line_end = line_format(source.format).line_end
    for offset, piece in _pieces(source.file, at, MIN_UNIT_BYTES, read):
        found = piece.find(line_end) + 1
        if found:
            return offset + found
    return source.file.size_bytes


def _shuffled(units: Iterator[SliceUnit], randomness: random.Random) -> Iterator[SliceUnit]:
    """In windows, the first of which is small, so that no worker waits for it."""
    for size in chain((FIRST_WINDOW_UNITS,), repeat(WINDOW_UNITS)):
        window = list(islice(units, size))
        if not window:
            return
        randomness.shuffle(window)
        yield from window
