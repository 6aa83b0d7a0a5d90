"""The worker's side of an export: the pages of a segment become the lines of its files.

A lane scans one segment page by page. The cursor moves to a page's `LastEvaluatedKey` when every line of the page is
durable in the segment's files; files that were started after that are started again by whoever continues.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.client import DataClient
from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import Operation, ScanReply, scan_body, scan_operation
from ddbio.errors import PermanentError, RecordError
from ddbio.flow.context import SOURCE, JobTable, WorkerContext
from ddbio.formats import Columnar, Format, get_format
from ddbio.formats.compression import get_compression
from ddbio.messages import SegmentUnit, Tally, Unit, UnitReport
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import STDOUT
from ddbio.sinks.segment_files import ColumnFiles, SegmentFiles
from ddbio.sinks.stdout import PageStream
from ddbio.sources.subset import WHOLE, Subset
from ddbio.steps.transform import Transform, TransformSpec, open_transform
from ddbio.storage import open_storage
from ddbio.values.capacity import MAX_PAGE_BYTES, page_read_units
from ddbio.values.items import Addressed, AttributeMap, UnknownTypeError

PAGE_INTERVAL_S = 0.05  # between two reports of a lane: every page of a service that takes its usual time for one
DEFAULT_EXPORT_LANES = 8  # a page is 1 MB: eight keep a CPU busy, and on S3 each holds a part in memory
FIRST_LIMIT = 1  # items of the first pages under a cap that small, when nothing is known of their size


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What every worker of an export must know; picklable.

    item_bytes: average size of an item as the service reports it; 0 where it does not know.
    max_file_bytes: a file is closed before it would grow beyond.
    md5: files have their MD5 for a checksum. Nobody can go on computing it, so a file is only ever written whole.
    subset: which part of the table; all of it by default. transform: what becomes of an item, if anything.
    """

    source: JobTable
    item_bytes: float
    format: FormatSpec
    destination: str
    aws: AwsSettings
    max_file_bytes: int
    consistent_read: bool
    lanes: int = DEFAULT_EXPORT_LANES
    compress: str = "none"
    md5: bool = False
    subset: Subset = WHOLE
    transform: TransformSpec | None = None

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source}

    @property
    def table(self) -> str:
        """What requests call it."""
        return self.source.info.address

    def open(self, context: WorkerContext) -> ExportWork:
        return ExportWork(self, context)


class ExportWork:
    """An export opened in a worker: what its lanes share."""

    def __init__(self, job: ExportJob, context: WorkerContext) -> None:
        self.job = job
        self.context = context
        self.format = self.open_format()
        self.transform = open_transform(job.transform)
        self.scan = self._scan_operation()
        to_stdout = job.destination == STDOUT
        self.storage = None if to_stdout else open_storage(job.destination, job.aws, context.keys(SOURCE))
        self.page_size = PageSize(
            lambda: context.pacer(SOURCE).request_units()[0], job.item_bytes, consistent=job.consistent_read
        )

    def lane(self) -> ExportLane:
        return ExportLane(self)

    def open_format(self) -> Format:
        return get_format(self.job.format)

    def _scan_operation(self) -> Operation[ScanReply]:
        if self.transform is not None:
            return scan_operation(list[AttributeMap])
        return scan_operation(self.format.page_items, self.format.alike)

    def new_files(self, unit: SegmentUnit) -> SegmentFiles | PageStream:
        if self.storage is None:
            return PageStream(self.format, get_compression(self.job.compress), unit)
        kind = ColumnFiles if isinstance(self.format, Columnar) else SegmentFiles
        return kind(self.storage, self.job, self.format, unit)


def most_page_units(consistent: bool) -> float:
    """What no page costs more than: 1 MB, and the item that crosses it."""
    return page_read_units(MAX_PAGE_BYTES + 1, consistent)


class PageSize:
    """How large a page to ask for and what it will cost, learned from the pages seen so far. Shared by the lanes.

    most_units: what one request should cost at most; asked for each time, for a cap may change. A page that would
        cost more is made smaller with `Limit`. Items vary, and a limit counts items: it is chosen so that also a page
        of items that are larger than the mean, by what pages deviated lately, costs no more.
    """

    _WEIGHT = 0.3  # of the newest page in the averages

    def __init__(self, most_units: Callable[[], float], item_bytes: float, *, consistent: bool) -> None:
        self._most_units = most_units
        self._full_units = most_page_units(consistent)
        self._bytes_per_unit = MAX_PAGE_BYTES / page_read_units(MAX_PAGE_BYTES, consistent)
        self._least_units = page_read_units(0, consistent)
        self._item_bytes = item_bytes
        self._deviation_bytes = 0.0  # of an item, from page to page
        self._page_units = self._full_units  # the first request is cautious: it reserves a full page

    @property
    def limit(self) -> int | None:
        """Items to ask for; None for as many as fit in 1 MB."""
        allowed_units = max(self._most_units(), self._least_units)
        if allowed_units >= self._full_units:
            return None
        if not self._item_bytes:
            return FIRST_LIMIT
        large_bytes = self._item_bytes + self._deviation_bytes
        return max(1, math.floor(allowed_units * self._bytes_per_unit / large_bytes))

    @property
    def estimate(self) -> float:
        """Units to reserve for the next page."""
        return self.estimate_of(self.limit)

    def estimate_of(self, limit: int | None) -> float:
        """The same for a page of that limit."""
        if limit is None:
            return min(self._page_units, self._full_units)
        return min(max(limit * self._item_bytes / self._bytes_per_unit, self._least_units), self._full_units)

    def learn(self, items: int, units: float) -> None:
        self._page_units += self._WEIGHT * (units - self._page_units)
        if items:
            self._learn_item(units * self._bytes_per_unit / items)

    def _learn_item(self, size_bytes: float) -> None:
        if not self._item_bytes:
            self._item_bytes, self._deviation_bytes = size_bytes, size_bytes / 2
            return
        off_bytes = size_bytes - self._item_bytes
        self._item_bytes += self._WEIGHT * off_bytes
        self._deviation_bytes += self._WEIGHT * (abs(off_bytes) - self._deviation_bytes)


class KeyCircle:
    """Finds out that a scan goes in a circle, by Brent's algorithm: it remembers one key, and a later one each time
    the scan has come twice as far. A circle of n pages is found within 3 n, with the memory of one key.
    """

    def __init__(self) -> None:
        self._key = ""
        self._pages, self._most = 0, 1

    def closes(self, key: str) -> bool:
        """Whether the scan has been at this key before; called with the key after each page."""
        if key == self._key:
            return True
        self._pages += 1
        if self._pages == self._most:
            self._key, self._pages, self._most = key, 0, 2 * self._most
        return False


class ExportLane:
    """Works one segment at a time."""

    def __init__(self, work: ExportWork) -> None:
        self._work = work
        self._context = work.context
        self._client: DataClient = work.context.client(SOURCE)
        self._limit = work.context.limit
        self._keys = KeyCircle()

    async def close(self) -> None:
        self._client.close()

    async def work(self, unit: Unit) -> None:
        assert isinstance(unit, SegmentUnit)
        files = self._work.new_files(unit)
        self._keys = KeyCircle()
        key = unit.cursor.last_key if unit.cursor is not None else None
        if self._limit is not None:
            self._limit.begin(unit.number, unit.cursor.items if unit.cursor is not None else 0)
        report_due_s = self._context.clock() + PAGE_INTERVAL_S
        try:
            await files.open()
            while True:
                key = await self._page(unit, files, key)
                if key is None:
                    break
                begun = files.mark(key)
                # An upload that the parent does not know of cannot be continued: the first word of it goes at once.
                if begun or self._context.clock() >= report_due_s:
                    self._report(unit, files)
                    report_due_s = self._context.clock() + PAGE_INTERVAL_S
                self._context.sleep.check()
            await files.finish()
        except BaseException:
            self._report(unit, files)  # and leave the file that is being written to whoever goes on
            raise
        self._report(unit, files, done=True)

    async def _page(self, unit: SegmentUnit, files: SegmentFiles | PageStream, key: str | None) -> str | None:
        """Scan one page into the files; where the next one begins, None at the segment's end, or the limit's."""
        job, page_size = self._work.job, self._work.page_size
        limit = page_size.limit
        if self._limit is not None:
            left = self._limit.left()
            if left <= 0:
                return None
            if not job.subset.filters:  # what a filter will leave of a page nobody knows
                limit = min(left, limit or left)
        body = scan_body(
            job.table,
            segment=unit.segment,
            total_segments=unit.total_segments,
            consistent=job.consistent_read,
            start_key=key,
            limit=limit,
            members=job.subset.members,
        )
        try:
            reply = await self._client.call(self._work.scan, body, (page_size.estimate_of(limit),))
        except ServiceError as error:
            raise PermanentError(f"{unit.describe()} of table {job.table}: {error}", error.hint) from None
        next_key = reply.next_key()
        if next_key is not None and (self._keys.closes(next_key) or (key is not None and _is_same(next_key, key))):
            raise PermanentError(
                f"{unit.describe()} of table {job.table}: the service says to continue at a key that was scanned "
                "already, and the scan would never end",
                "check --endpoint-url",
            )
        items = reply.Items
        # Without a filter nothing is left out; there is a server that counts the item behind the page all the same.
        scanned = max(reply.ScannedCount, len(items)) if job.subset.filters else len(items)
        page_size.learn(scanned, sum(self._client.consumed))
        if self._limit is not None:
            items = items[: self._limit.take(unit.number, len(items))]
        cut = len(items) < len(reply.Items)
        files.aside.left_out += scanned - len(items)
        if self._work.transform is not None:
            items = self._transformed(items, self._work.transform, unit, files.aside)
        if items:
            try:
                await files.write_page(items)
            except UnknownTypeError as error:
                message = f"{unit.describe()} of table {job.table}: the service sent {error}"
                raise PermanentError(message, "check --endpoint-url; a newer ddbio may know the type") from None
        return None if cut else next_key

    def _transformed(
        self, items: list[AttributeMap], transform: Transform, unit: SegmentUnit, aside: Tally
    ) -> list[Any]:
        """The items as the transform makes them, in the form that the format renders. A rejected item would be lost:
        what cannot be transformed fails the unit."""
        made: list[AttributeMap] = []
        for item in items:
            try:
                ones = transform(item)
            except RecordError as error:
                raise PermanentError(
                    f"{unit.describe()} of table {self._work.job.table}: the transform of {_beginning(item)} failed: "
                    f"{error}",
                    "mend the transform and export again",
                ) from None
            if any(type(each) is Addressed for each in ones):
                raise PermanentError(
                    f"{unit.describe()}: the transform sends {_beginning(item)} to a table", "return the item alone"
                )
            aside.added += max(0, len(ones) - 1)
            aside.dropped += not ones
            made += ones
        page: list[Any] = msgspec.json.decode(msgspec.json.encode(made), type=self._work.format.page_items)
        return page

    def _report(self, unit: SegmentUnit, files: SegmentFiles | PageStream, *, done: bool = False) -> None:
        cursor, exported, items = files.take_settled()
        tally, self._client.tally = self._client.tally, Tally()
        aside = files.take_aside()
        tally.add(aside)
        tally.read = items + aside.left_out + aside.dropped - aside.added
        tally.written = sum(each.items for each in exported)
        tally.bytes = sum(each.file.size_bytes for each in exported)
        page = b""
        if isinstance(files, PageStream):
            page = files.take_page()
            tally.written, tally.bytes = items, len(page)
        self._context.report(UnitReport(unit.number, cursor, tally, files=exported, page=page, done=done))


def _is_same(key: str, other: str) -> bool:
    return key == other or bool(msgspec.json.decode(key) == msgspec.json.decode(other))


def _beginning(item: AttributeMap) -> str:
    text = msgspec.json.encode(item).decode()
    return text if len(text) <= 100 else f"{text[:97]}..."
