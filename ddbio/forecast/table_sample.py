"""A sample of a table's items, from which the size of the table and the cost of work on it are estimated.

Segments of a parallel Scan are equal parts of the keys' hash space, so a random sample of whole small segments is an
unbiased sample of the table (`ddbio.values.sampling`). The table is divided into so many segments that one is about a
page of items; some of them are read, or all of them if the table is small: then every figure is exact.

The service's own count of items is exact but up to six hours old. If the sample does not contradict it, it is taken
as the likely figure, within the bounds of the sample; else the sample's own.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import stdev
from typing import Protocol

from ddbio.forecast.forecast import Amount
from ddbio.sources.segments import MAX_SEGMENTS
from ddbio.values.capacity import MAX_PAGE_BYTES, item_size_bytes, page_read_units
from ddbio.values.items import AttributeMap
from ddbio.values.sampling import estimate_total

SEGMENTS = 24  # that are read
SEGMENT_ITEMS = 250  # at most, as expected
SAMPLE_BYTES = 4 * 1024 * 1024  # to read, of items: 512 read units
SAMPLE_S = 5.0  # of the cap, and of time
PAGES_A_SEGMENT = 4  # of a segment with more, the rest is not read
FINER = 16  # by what segments are smaller if so many are too large that the table is larger than the service says
_LEAST_SEGMENTS = 2  # fewer have no spread
_UNIT_BYTES = MAX_PAGE_BYTES / page_read_units(MAX_PAGE_BYTES, False)  # of an eventually consistent read

SumsOf = Callable[[AttributeMap], Mapping[str, float]]


class SampledPage(Protocol):
    """items: that match. scanned: before the filter. units: consumed. next_key: None at the segment's end."""

    @property
    def items(self) -> Sequence[AttributeMap]: ...

    @property
    def scanned(self) -> int: ...

    @property
    def units(self) -> float: ...

    @property
    def next_key(self) -> object | None: ...


ReadPage = Callable[[int, int, object | None, int], SampledPage]
"""(segment, number of segments, key to continue from, most items) -> a page of an eventually consistent Scan."""


@dataclass(slots=True)
class _Segment:
    """A segment. size_bytes: of all its items. sums: over the items that match. ended: whether it was read to its
    end: if not, the figures are those of its first pages. pages: that were read; units: that they cost."""

    ended: bool = False
    pages: int = 0
    units: float = 0.0
    scanned: int = 0
    matching: int = 0
    size_bytes: float = 0.0
    sums: dict[str, float] = field(default_factory=dict)

    def add(self, page: SampledPage, sums_of: SumsOf) -> None:
        self.ended = page.next_key is None
        self.pages, self.units = self.pages + 1, self.units + page.units
        self.scanned += page.scanned
        self.matching += len(page.items)
        if len(page.items) == page.scanned:
            self.size_bytes += sum(map(item_size_bytes, page.items))
        else:  # those that were filtered out are known only by their cost, which is rounded up
            self.size_bytes += max(0.0, (page.units - page_read_units(0, False) / 2) * _UNIT_BYTES)
        for item in page.items:
            for name, value in sums_of(item).items():
                self.sums[name] = self.sums.get(name, 0.0) + value


@dataclass(frozen=True, slots=True)
class TableSample:
    """segments: that the table was divided into. read: those that were read. units, requests: consumed, and made.

    counted_items, counted_bytes: of the table or index, by the service's count.
    """

    segments: int
    read: Sequence[_Segment]
    units: float
    counted_items: int
    counted_bytes: int
    requests: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every segment of the sample was read to its end."""
        return all(each.ended for each in self.read)

    @property
    def is_whole(self) -> bool:
        """Whether the whole table was read."""
        return len(self.read) == self.segments and self.is_complete

    @property
    def items(self) -> Amount:
        return self._reconciled(lambda each: each.scanned, self.counted_items)

    @property
    def size_bytes(self) -> Amount:
        return self._reconciled(lambda each: each.size_bytes, self.counted_bytes)

    @property
    def matching(self) -> Amount:
        """The items that match the filter."""
        return self._scaled(lambda each: each.matching)

    @property
    def scanned_items(self) -> int:
        """Items in the sample."""
        return sum(each.scanned for each in self.read)

    @property
    def matching_items(self) -> int:
        return sum(each.matching for each in self.read)

    def total(self, name: str) -> Amount:
        """The sum over all items that match."""
        return self._scaled(lambda each: each.sums.get(name, 0.0))

    def share(self, share: float) -> Callable[[Amount], Amount]:
        """For amounts of the whole table: those of a random part of its hash space."""
        if share >= 1:
            return lambda amount: amount
        parts, counts = self.segments * share, [each.scanned for each in self.read]
        mean = sum(counts) / len(counts)
        off = 2 * stdev(counts) * math.sqrt(parts * (1 - share)) / (parts * mean) if mean and len(counts) > 1 else 1.0
        return lambda amount: Amount(
            amount.likely * share, amount.low * share * max(0.0, 1 - off), amount.high * share * (1 + off)
        )

    def _estimated(self, value: Callable[[_Segment], float]) -> Amount:
        values = [value(each) for each in self.read]
        found = estimate_total([round(each) for each in values], self.segments)
        if found.least is None or found.most is None:
            raise AssertionError("a sample has two segments at least")
        return Amount(found.total, min(found.least, found.total), found.most)

    def _reconciled(self, value: Callable[[_Segment], float], counted: float) -> Amount:
        found = self._estimated(value)
        if not self.is_complete and counted > found.low:  # the sample has no upper bound
            return Amount(counted, found.low, max(found.high, counted))
        return Amount(counted, found.low, found.high) if found.low <= counted <= found.high and counted else found

    def _scaled(self, value: Callable[[_Segment], float]) -> Amount:
        """A sum over items, in proportion to the items or to their bytes, which are known better than by the sample
        alone: whichever of the two explains more of the differences between segments."""
        found = self._estimated(value)
        of_items, of_bytes = (lambda each: float(each.scanned)), (lambda each: each.size_bytes)
        by, known = min(
            ((of_items, self.items), (of_bytes, self.size_bytes)), key=lambda pair: self._residue(value, pair[0])
        )
        raw = self._estimated(by).likely
        if not raw:
            return found
        likely = found.likely * known.likely / raw
        return Amount(likely, min(found.low, likely), max(found.high, likely))

    def _residue(self, value: Callable[[_Segment], float], by: Callable[[_Segment], float]) -> float:
        """The squares of the differences from a fixed ratio."""
        pairs = [(value(each), by(each)) for each in self.read]
        ratio = sum(one for one, _ in pairs) / (sum(other for _, other in pairs) or 1.0)
        return math.fsum((one - ratio * other) ** 2 for one, other in pairs)


def sample_table(
    read_page: ReadPage,
    counted_items: int,
    counted_bytes: int,
    *,
    units_per_s: float,
    sums_of: SumsOf = lambda item: {},
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> TableSample | None:
    """A sample within the cap, of `SAMPLE_S` at most; None if that is too little for an estimate.

    counted_items, counted_bytes: by the service's count. units_per_s: the cap; infinite for none.
    """
    segments, until_s = _suitable_segments(counted_items, counted_bytes, units_per_s), clock() + SAMPLE_S
    spent, requests = 0.0, 0
    while True:
        read, chosen = list[_Segment](), random.Random(segments).sample(range(segments), min(SEGMENTS, segments))
        for segment in chosen:
            found = _read_segment(read_page, segment, segments, _page_items(counted_items, segments), sums_of)
            units = found.units
            read.append(found)
            spent, requests = spent + units, requests + found.pages
            sleep(units / units_per_s)
            if clock() >= until_s or _are_too_large(read, len(chosen)):
                break
        if clock() >= until_s or not _are_too_large(read, len(chosen)) or segments == MAX_SEGMENTS:
            enough = len(read) >= min(segments, _LEAST_SEGMENTS)
            return TableSample(segments, read, spent, counted_items, counted_bytes, requests) if enough else None
        segments = min(segments * FINER, MAX_SEGMENTS)


def _suitable_segments(items: int, size_bytes: int, units_per_s: float) -> int:
    allowed_bytes = min(SAMPLE_BYTES, units_per_s * SAMPLE_S * _UNIT_BYTES)
    by_bytes = size_bytes / (allowed_bytes / SEGMENTS)
    return min(max(1, math.ceil(items / SEGMENT_ITEMS), math.ceil(by_bytes)), MAX_SEGMENTS)


def _page_items(items: int, segments: int) -> int:
    """The most items of a page: so many that most segments are one page."""
    return max(2 * math.ceil(items / segments), SEGMENT_ITEMS // 10) if items else SEGMENT_ITEMS


def _are_too_large(read: Sequence[_Segment], chosen: int) -> bool:
    """Whether the segments are larger than expected: a few may be, as keys may have many items."""
    return sum(not each.ended for each in read) > chosen // 4


def _read_segment(read_page: ReadPage, segment: int, segments: int, most_items: int, sums_of: SumsOf) -> _Segment:
    """The segment, or its first pages."""
    found, key = _Segment(), None
    for _ in range(PAGES_A_SEGMENT):
        page = read_page(segment, segments, key, most_items)
        key = page.next_key
        found.add(page, sums_of)
        if key is None:
            break
    return found
