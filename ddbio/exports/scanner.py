"""The worker's side of an export: the pages of a segment become the lines of its files.

A lane scans one segment page by page. The cursor moves to a page's `LastEvaluatedKey` when every line of the page is
durable in the segment's files; files that were started after that are started again by whoever continues.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec

from ddbio.capacity import MAX_PAGE_BYTES, page_read_units
from ddbio.dynamodb.client import DataClient
from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import scan_body, scan_operation
from ddbio.dynamodb.session import DataPlane
from ddbio.engines.worker import WorkerContext
from ddbio.errors import RecordError, TransferError
from ddbio.exports.compression import fit, get_compression
from ddbio.exports.page_stream import PageStream
from ddbio.exports.subset import WHOLE, Subset
from ddbio.formats import Columnar, Encoder, Format, FormatSpec, get_format
from ddbio.items import Addressed, AttributeMap
from ddbio.options import STDOUT, AwsSettings
from ddbio.storage import Output, Storage, WrittenFile, open_storage
from ddbio.transforms import Transform, TransformSpec, open_transform
from ddbio.units import ExportCursor, ExportedFile, SegmentUnit, Tally, Unit, UnitReport

Result = TypeVar("Result")

PAGE_INTERVAL_S = 0.02  # between two reports of a lane: every page, but for tiny ones
DEFAULT_EXPORT_LANES = 8  # a page is 1 MB: eight keep a CPU busy, and on S3 each holds a part in memory
FIRST_LIMIT = 1  # items of the first pages under a cap that small, when nothing is known of their size


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What every worker of an export must know; picklable.

    table: its name. item_bytes: average size of an item as the service reports it; 0 where it does not know.
    max_file_bytes: a file is closed before it would grow beyond.
    md5: files have their MD5 for a checksum. Nobody can go on computing it, so a file is only ever written whole.
    subset: which part of the table; all of it by default. transform: what becomes of an item, if anything.
    """

    table: str
    item_bytes: float
    data_plane: DataPlane
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

    def open(self, context: WorkerContext) -> ExportWork:
        return ExportWork(self, context)


class ExportWork:
    """An export opened in a worker: what its lanes share."""

    def __init__(self, job: ExportJob, context: WorkerContext) -> None:
        self.job = job
        self.context = context
        self.format = self.open_format()
        self.transform = open_transform(job.transform)
        self.scan = scan_operation(self.format.page_items if self.transform is None else list[AttributeMap])
        self.storage = open_storage(job.destination, job.aws, context.keys) if job.destination != STDOUT else None
        self.new_client = job.data_plane.open(context, job.table)
        self.page_size = PageSize(
            lambda: context.pacer.request_units()[0], job.item_bytes, consistent=job.consistent_read
        )

    def lane(self) -> ExportLane:
        return ExportLane(self)

    def open_format(self) -> Format:
        return get_format(self.job.format)

    def new_files(self, unit: SegmentUnit) -> SegmentFiles | PageStream:
        if self.storage is None:
            return PageStream(self.format, get_compression(self.job.compress), unit)
        kind = ColumnFiles if isinstance(self.format, Columnar) else SegmentFiles
        return kind(self.storage, self.job, self.format, unit)


class PageSize:
    """How large a page to ask for and what it will cost, learned from the pages seen so far. Shared by the lanes.

    most_units: what one request should cost at most; asked for each time, for a cap may change. A page that would
        cost more is made smaller with `Limit`.
    """

    _WEIGHT = 0.3  # of the newest page in the average

    def __init__(self, most_units: Callable[[], float], item_bytes: float, *, consistent: bool) -> None:
        self._most_units = most_units
        self._full_units = page_read_units(MAX_PAGE_BYTES + 1, consistent)
        self._bytes_per_unit = MAX_PAGE_BYTES / page_read_units(MAX_PAGE_BYTES, consistent)
        self._least_units = page_read_units(0, consistent)
        self._item_bytes = item_bytes
        self._page_units = self._full_units  # the first request is cautious: it reserves a full page

    @property
    def limit(self) -> int | None:
        """Items to ask for; None for as many as fit in 1 MB."""
        allowed_units = max(self._most_units(), self._least_units)
        if allowed_units >= self._full_units:
            return None
        if not self._item_bytes:
            return FIRST_LIMIT
        return max(1, math.floor(allowed_units * self._bytes_per_unit / self._item_bytes))

    @property
    def estimate(self) -> float:
        """Units to reserve for the next page. Close, also at first: what is reserved and not used comes back as a
        burst."""
        return self.estimate_of(self.limit)

    def estimate_of(self, limit: int | None) -> float:
        """The same for a page of that limit."""
        if limit is None:
            return min(self._page_units, self._full_units)
        return min(max(limit * self._item_bytes / self._bytes_per_unit, self._least_units), self._full_units)

    def learn(self, items: int, units: float) -> None:
        self._page_units += self._WEIGHT * (units - self._page_units)
        if items:
            size = units * self._bytes_per_unit / items
            self._item_bytes = (
                size if not self._item_bytes else self._item_bytes + self._WEIGHT * (size - self._item_bytes)
            )


class ExportLane:
    """Works one segment at a time."""

    def __init__(self, work: ExportWork) -> None:
        self._work = work
        self._context = work.context
        self._client: DataClient = work.new_client()
        self._quota = work.job.subset.quota

    async def close(self) -> None:
        self._client.close()

    async def work(self, unit: Unit) -> None:
        assert isinstance(unit, SegmentUnit)
        files = self._work.new_files(unit)
        key = unit.cursor.last_key if unit.cursor is not None else None
        if self._quota is not None:
            self._quota.begin(unit.number, unit.cursor.items if unit.cursor is not None else 0)
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
        if self._quota is not None:
            left = self._quota.left()
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
            raise TransferError(f"{unit.describe()} of table {job.table}: {error}", error.hint) from None
        items = reply.Items
        # Without a filter nothing is left out; there is a server that counts the item behind the page all the same.
        scanned = max(reply.ScannedCount, len(items)) if job.subset.filters else len(items)
        page_size.learn(scanned, sum(self._client.consumed))
        if self._quota is not None:
            items = items[: self._quota.take(unit.number, len(items))]
        cut = len(items) < len(reply.Items)
        files.aside.left_out += scanned - len(items)
        if self._work.transform is not None:
            items = self._transformed(items, self._work.transform, unit, files.aside)
        if items:
            await files.write_page(items)
        return None if cut else reply.next_key()

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
                raise TransferError(
                    f"{unit.describe()} of table {self._work.job.table}: the transform of {_beginning(item)} failed: "
                    f"{error}",
                    "mend the transform and export again",
                ) from None
            if any(type(each) is Addressed for each in ones):
                raise TransferError(
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


class SegmentFiles:
    """The files of one segment: rolls over before a file grows too large, and knows what of it is durable."""

    def __init__(self, storage: Storage, job: ExportJob, format: Format, unit: SegmentUnit) -> None:
        self._storage = storage
        self._job = job
        self._compression = get_compression(job.compress)
        self._packer = self._compression.packer()
        self._format = format
        self._suffix = format.suffix + self._compression.suffix
        self._unit = unit
        self._output: Output | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._output_items = 0
        self._number = 0
        self._finished: list[ExportedFile] = []
        self._items = 0  # in the files, since the segment's start
        self._cursor = unit.cursor or ExportCursor(None, 0, None, 0)
        self._durable = self._told = 0  # items up to the cursor; those already reported
        self._items_before = self._cursor.items
        self.aside = Tally()  # what of the page that is being written is left out, dropped or added
        self._aside_at_cursor = Tally()  # the same up to the cursor, since it was told
        self._finished_at_cursor = 0
        self._marked_output: Output | None = None

    async def open(self) -> None:
        """Go on with the file that the cursor tells of, if it does."""
        self._number = self._cursor.files_done
        state = self._cursor.output
        if state is not None:
            self._output = await self._in_thread(lambda: self._storage.reopen(state))
            self._output_items = self._cursor.output_items
            self._packer = self._compression.packer(*self._cursor.packer)

    async def write_page(self, items: list[Any]) -> None:
        await self.write(self._format.render(items), len(items))

    async def write(self, lines: bytes, items: int) -> None:
        """Append the records of a page. `items` is how many they are."""
        while lines:
            if self._output is None:
                self._output = await self._blocking(self._create)
            room = self._job.max_file_bytes - self._output.written_bytes
            packed, taken = fit(self._packer, self._format, lines, room, first=not self._output_items)
            if taken:
                count = items if taken == len(lines) else len(self._format.split(lines[:taken]))
                await self._blocking(lambda: self._append(packed))  # noqa: B023 - awaited at once
                self._packer.took(lines[:taken])
                self._output_items += count
                self._items += count
                items -= count
                lines = lines[taken:]
            if lines:
                await self._close_file()

    def mark(self, last_key: str | None) -> bool:
        """A page ends here. If all is durable the cursor moves up to it; whether it then points into a new upload."""
        output = self._output
        if output is not None and (self._job.md5 or output.durable_bytes < output.written_bytes):
            return False
        begun = output is not None and self._storage.remote and output is not self._marked_output
        self._marked_output = output
        state = output.state() if output is not None else None
        packer = self._packer.state if output is not None else ()
        items = self._items_before + self._items
        self._cursor = ExportCursor(last_key, self._number, state, self._output_items, packer, items)
        self._durable = self._items
        self._aside_at_cursor.add(self.aside)
        self.aside = Tally()
        self._finished_at_cursor = len(self._finished)
        return begun

    async def finish(self) -> None:
        """The segment is read: complete its last file."""
        if self._output is not None:
            await self._close_file()
        self.mark(None)

    def take_settled(self) -> tuple[ExportCursor, tuple[ExportedFile, ...], int]:
        """The cursor, and since the last call: files that were finished before it, items that are durable."""
        files = tuple(self._finished[: self._finished_at_cursor])
        del self._finished[: self._finished_at_cursor]
        self._finished_at_cursor = 0
        items, self._told = self._durable - self._told, self._durable
        return self._cursor, files, items

    def take_aside(self) -> Tally:
        """What before the cursor was left out, dropped or added, since the last call."""
        aside, self._aside_at_cursor = self._aside_at_cursor, Tally()
        return aside

    def _create(self) -> Output:
        name = f"{short_name(self._job.table)}-{self._unit.segment:04d}-{self._number:05d}{self._suffix}"
        output = self._storage.create(self._job.destination, name, self._job.max_file_bytes)
        self._packer = self._compression.packer()
        head = self._format.head
        beginning = self._packer.head + (self._packer.pack(head) if head else b"")
        self._md5 = hashlib.md5(beginning, usedforsecurity=False)
        if beginning:
            output.write(beginning)
            self._packer.took(head)
        return output

    def _append(self, packed: bytes) -> None:
        self._require().write(packed)
        if self._job.md5:
            self._md5.update(packed)

    def _require(self) -> Output:
        assert self._output is not None
        return self._output

    async def _close_file(self) -> None:
        written = await self._in_thread(self._finish_output)  # fsync, or the last part
        self._finished.append(ExportedFile(self._unit.segment, written, self._output_items))
        self._output, self._output_items = None, 0
        self._number += 1

    def _finish_output(self) -> WrittenFile:
        if tail := self._packer.tail():
            self._append(tail)
        written = self._require().finish()
        if self._job.md5:
            return replace(written, checksum=f"md5:{base64.b64encode(self._md5.digest()).decode()}")
        return written

    async def _blocking(self, call: Callable[[], Result]) -> Result:
        """Writing to a local file is a copy into the page cache: not worth a thread."""
        return await self._in_thread(call) if self._storage.remote else call()

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(None, call)


def _beginning(item: AttributeMap) -> str:
    text = msgspec.json.encode(item).decode()
    return text if len(text) <= 100 else f"{text[:97]}..."


class ColumnFiles(SegmentFiles):
    """Files that cannot be continued: the cursor moves only between two of them, so that whoever goes on begins the
    file again."""

    _encoder: Encoder

    async def write_page(self, items: list[Any]) -> None:
        assert isinstance(self._format, Columnar)
        if self._output is None:
            self._output = await self._blocking(self._create)
            self._encoder = self._format.new_encoder()
        data = self._encoder.add(items)
        if data:
            await self._blocking(lambda: self._require().write(data))
        self._output_items += len(items)
        self._items += len(items)
        if self._output.written_bytes + self._encoder.pending_bytes >= self._job.max_file_bytes:
            await self._close_file()

    def mark(self, last_key: str | None) -> bool:
        return False if self._output is not None else super().mark(last_key)

    def _finish_output(self) -> WrittenFile:
        self._require().write(self._encoder.finish())
        return super()._finish_output()


def short_name(table: str) -> str:
    """The name of a table that may be given by its ARN."""
    return table.rpartition("/")[2]
