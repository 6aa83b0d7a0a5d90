"""The worker's side of an import: the records of a unit become batches of writes.

A lane keeps a list of *pending* writes, in the order of their records. A batch is what is pending; what the service
leaves unprocessed stays pending and the next records fill the batch up again. So the cursor is simply the first
pending record, and a record is settled exactly when it leaves the list: written, superseded by a later record of the
same key, rejected, or, where nothing may be overwritten, skipped. What a record writes is its mode's
(`ddbio.sinks.table_writes`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from copy import copy
from typing import TYPE_CHECKING

import msgspec

from ddbio.dynamodb.client import DataClient
from ddbio.dynamodb.errors import Kind, ServiceError
from ddbio.dynamodb.operations import halves
from ddbio.errors import AbortError, PermanentAbortError, RecordError, TransferError
from ddbio.flow.checkpoint import LaneSlot
from ddbio.flow.context import RECORDED_INTERVAL_S, REPORT_INTERVAL_S, TARGET
from ddbio.flow.position import Position, counted_before
from ddbio.formats import Format
from ddbio.formats.framing import JsonText, last_byte, may_be_inside
from ddbio.messages import ChunkUnit, ImportCursor, ImportUnit, Reject, SliceUnit, Tally, Unit, UnitReport
from ddbio.messages.block import Block
from ddbio.sinks.batch import Batch, Write
from ddbio.sinks.fast_batch import SmallPuts
from ddbio.sinks.multi_table import unknown_table
from ddbio.sources.blocks import RECORD_LIMIT_BYTES
from ddbio.sources.record_places import PlaceBook
from ddbio.steps.transform import Transform
from ddbio.values.capacity import MAX_BATCH_WRITES, MAX_REQUEST_BYTES
from ddbio.values.equality import same_item
from ddbio.values.items import Addressed, AttributeMap
from ddbio.values.keys import ItemKey

if TYPE_CHECKING:
    from ddbio.flow.import_job import ImportWork

REPORT_REJECTS = 100  # a lane reports at once when it holds so many rejects
STOP_EXPECTED_S = 5.0  # for the parent to stop a run in which too many records were rejected
REST_BYTES = 32 * 1024  # of records that wait for the next block: larger ones are no quick batch, and fill the memory
CLEAN_AFTER_SENDS = 8  # with some of each left unprocessed: then a lane sends what is pending without adding to it


class ImportLane:
    """Works one unit at a time. Reports only *clean* positions: those at which nothing was pending.

    So a unit that changes hands goes on from a position before which every record is settled and counted, and after
    which none is: what is repeated is repeated whole.
    """

    def __init__(self, work: ImportWork) -> None:
        self._work = work
        self._context = work.context
        self._client: DataClient = work.context.client(TARGET)
        self._pending = Batch(lambda: work.context.pacer(TARGET).request_units()[0], work.mode.most_writes)
        self._rejects: list[Reject] = []
        self._rest: list[bytes] = []  # records at the end of a block, fewer than a batch: they go with the next block
        self._unit: ImportUnit
        self._format: Format
        self._small_puts: SmallPuts
        self._here: Position
        self._clean: Position
        self._reported = Tally()  # all that was counted of the unit up to the last report
        self._report_due_s = 0.0
        self._slot = work.context.next_slot()
        self._most_rejects = REPORT_REJECTS if work.context.reject_count is None else MAX_BATCH_WRITES
        self._interval_s = REPORT_INTERVAL_S if self._slot is None else RECORDED_INTERVAL_S
        self._unclean_sends = 0
        self._places = PlaceBook()
        self._inside = False  # the next line may be a part of something that begins before it

    async def close(self) -> None:
        self._client.close()

    async def work(self, unit: Unit) -> None:
        assert isinstance(unit, SliceUnit | ChunkUnit)
        self._begin(unit)
        try:
            async with aclosing(self._blocks(unit)) as blocks:
                async for block in blocks:
                    await self._import(block)
            await self._import_rest()
            await self._drain()
        except BaseException:
            self._report()
            raise
        self._clean.offset = max(self._clean.offset, unit.stop)
        if self._slot is not None:
            self._record(self._slot, done=True)
        self._report(done=True)

    async def _import(self, block: Block) -> None:
        self._arrive(block)
        if block.left_out:
            await self._import_rest()
            await self._reject_beginning(block)
        elif self._work.transform is None:
            await self._import_block(block.offset, block.data)
        else:
            await self._import_shaped(block.offset, block.data, self._work.transform)

    async def _blocks(self, unit: ImportUnit) -> AsyncGenerator[Block, None]:
        """The records of the unit. Where they cannot be read to their end, all that could be is settled before the
        error is raised."""
        try:
            async with aclosing(self._work.reader.blocks(unit, self._format)) as blocks:
                async for block in blocks:
                    yield block
        except TransferError:
            await self._import_rest()
            await self._drain()
            raise

    def _begin(self, unit: ImportUnit) -> None:
        self._unit = unit
        self._format = self._work.format_of(unit.format)
        self._small_puts = self._work.small_puts_of(unit.format)
        self._here, self._clean = Position.of(unit), Position.of(unit)
        self._reported = counted_before(unit)
        self._client.tally = self._reported.copy()
        self._rest = []
        self._places.begin()
        self._inside = False
        self._pending.clear()
        self._pending.replaced = self._here.replaced
        if self._slot is not None:
            self._slot.next_unit()
        self._rejects.clear()
        self._report_due_s = self._context.clock() + self._interval_s

    def _arrive(self, block: Block) -> None:
        if block.places is not None:
            self._places.add(block.places, self._clean.offset)
        if not self._rest:
            self._inside = self._is_inside(block.before)

    def _is_inside(self, before: bytes) -> bool:
        """Whether the next line may be a part of something, by the last byte before it."""
        one_a_line = self._format.cut_anywhere and self._unit.format.layout is None
        return one_a_line and may_be_inside(before)

    # -- records to pending writes

    async def _import_block(self, offset: int, block: bytes, *, last: bool = False) -> None:
        """A batch at a time where all is as usual, else record by record."""
        pending, records = self._pending, self._format.split(block)
        line_end = self._format.line_end
        has_long_records = block.count(line_end) > len(records)  # some are more than a line
        if self._rest:
            has_long_records |= any(line_end in record for record in self._rest)
            records, self._rest = self._rest + records, []
        else:
            self._here.offset = offset
        at = 0
        while at < len(records):
            if not pending.room:
                await self._flush()
                continue
            run = records[at : at + pending.room]
            if len(run) < pending.room and not last and sum(map(len, run)) <= REST_BYTES:
                self._rest = run
                return
            if has_long_records or not await self._import_whole(run):
                await self._import_each(records, at, at + len(run), has_long_records)
            at += len(run)

    async def _import_rest(self) -> None:
        if self._rest:
            await self._import_block(self._here.offset, b"", last=True)

    async def _import_whole(self, run: Sequence[bytes]) -> bool:
        """Import small records as one batch, without a `Write` for each.

        Returns whether that could be done. If not, nothing was sent or counted.
        """
        mode, client = self._work.mode, self._client
        if (
            self._inside
            or mode.body_of_puts is None
            or len(run) < mode.most_writes
            or not self._pending.takes_whole(len(run))
        ):
            return False
        puts = self._small_puts.prepare(run)
        if puts is None:
            return False
        units, body = mode.estimates.of_small_puts(len(run), puts.entries), mode.body_of_puts(puts.requests)
        if len(body) > MAX_REQUEST_BYTES or (puts.entries and not self._pending.takes_whole(units[0])):
            return False
        estimate = mode.estimates.of_batch([units])
        try:
            left = self._keys_of((await client.call(mode.operation, body, estimate)).unprocessed())
        except ServiceError:
            self._make_pending(run)
            await self._pause_if(await self._send_halves(self._pending.writes()))
        else:
            if left:
                self._make_pending(run)
                self._written(self._pending.writes(), left)
                await self._pause_if(True)
            else:
                mode.estimates.learn(estimate, client.consumed)
                self._pass_by(run)
                self._here.written += len(run)
        await self._look_around()
        return True

    def _make_pending(self, run: Sequence[bytes]) -> None:
        """A batch that did not go through whole: from here on each of its records counts by itself."""
        format, mode, offset = self._format, self._work.mode, self._here.offset
        for line, record in enumerate(run, self._here.lines):
            attributes = format.parse(record)
            key, units = mode.key_of(attributes), mode.units_of(attributes, True)
            accepted = self._pending.offer(mode.new_write(offset, line, key, record, attributes, units))
            assert accepted, "there was room for the whole of it"
            offset += len(record) + 1
        self._pass_by(run)

    def _pass_by(self, run: Sequence[bytes]) -> None:
        here = self._here
        here.read += len(run)
        here.lines += len(run)
        here.offset += sum(map(len, run)) + len(run)

    async def _import_each(self, records: Sequence[bytes], begin: int, end: int, has_long_records: bool) -> None:
        format, mode, pending, here = self._format, self._work.mode, self._pending, self._here
        parse, line_end, one_unit_bytes, is_one_unit = (
            format.parse,
            format.line_end,
            format.one_unit_bytes,
            _is_one_unit(format),
        )
        key_of, units_of, new_write, offer = mode.key_of, mode.units_of, mode.new_write, pending.offer
        for number, record in enumerate(records[begin:end], begin):
            if not record or record.isspace():
                here.blank += 1
                here.pass_by(record, self._format.line_end)
                continue
            try:
                attributes = parse(record)
                if self._inside:
                    _check_not_inside(records, number)
                key = key_of(attributes)
                units = units_of(attributes, len(record) <= one_unit_bytes or is_one_unit(record))
            except RecordError as error:
                await self._reject(record, error)
                continue
            write = new_write(here.offset, here.lines, key, record, attributes, units)
            while not offer(write):
                await self._flush()  # the position is still in front of this record
            self._inside = False
            here.read += 1
            here.offset += len(record) + 1
            here.lines += record.count(line_end) + 1 if has_long_records else 1

    async def _import_shaped(self, offset: int, block: bytes, transform: Transform) -> None:
        """The same where a record becomes any number of items: all of them are written, or it is rejected."""
        pending, here = self._pending, self._here
        here.offset = offset
        records = self._format.split(block)
        for place, record in enumerate(records):
            if not record or record.isspace():
                here.blank += 1
                here.pass_by(record, self._format.line_end)
                continue
            try:
                attributes = self._format.parse(record)
                if self._inside:
                    _check_not_inside(records, place)
                writes = [self._new_write(record, item) for item in transform(attributes)]
            except RecordError as error:
                await self._reject(record, error)
                continue
            for number, write in enumerate(writes):
                while not pending.offer(write):
                    # In front of a record the position may be clean, between its items it is not.
                    await (self._send_pending() if number else self._flush())
            self._inside = False
            here.read += 1
            here.added += max(0, len(writes) - 1)
            here.dropped += not writes
            here.pass_by(record, self._format.line_end)

    def _new_write(self, record: bytes, attributes: AttributeMap) -> Write:
        mode, here = self._work.mode, self._here
        if type(attributes) is Addressed:
            self._check_address(attributes.table)
        key = mode.key_of(attributes)
        return mode.new_write(here.offset, here.lines, key, record, attributes, mode.units_of(attributes, False))

    def _check_address(self, table: str) -> None:
        tables = self._work.tables
        if not any(table in (each.name, each.address) for each in tables):
            raise unknown_table(table, [each.name for each in tables])

    async def _reject(self, record: bytes, error: RecordError) -> None:
        here = self._here
        self._inside = self._is_inside(last_byte(record))
        self._note_reject(here.offset, here.lines, record, error.code, error.message)
        here.read += 1
        here.pass_by(record, self._format.line_end)
        await self._report_rejects()

    async def _reject_beginning(self, block: Block) -> None:
        """A record that is too long to be one, of which the block has the beginning."""
        here, size = self._here, len(block.data) + block.left_out - bool(block.lines)  # without its line end
        here.offset = block.offset
        message = (
            f"the record has {size:,} bytes, and no record has more than {RECORD_LIMIT_BYTES:,}; "
            "only its beginning is here, all of it is in the source from this offset on"
        )
        self._note_reject(here.offset, here.lines, block.data, "line-too-long", message, size)
        here.read += 1
        here.pass_by(block.data, self._format.line_end, block.left_out, block.lines)
        await self._report_rejects()

    async def _report_rejects(self) -> None:
        counted = self._context.reject_count is not None
        held = len(self._rejects) + (len(self._pending) if counted else 0)  # what is pending may be refused, too
        if held >= self._most_rejects:
            await self._drain()
            self._report()
            await asyncio.sleep(0)  # nothing else makes a lane wait that has only rejects
            await self._heed_stop()

    async def _heed_stop(self) -> None:
        """Raise StopRequested if the run is being stopped; if it is about to be, wait for that."""
        if self._work.too_many_rejects:
            await self._context.sleep(STOP_EXPECTED_S)
            self._work.too_many_rejects = False
        self._context.sleep.check()

    def _note_reject(
        self, offset: int, line: int, record: bytes, code: str, message: str, record_bytes: int | None = None
    ) -> None:
        self._here.rejected += 1
        unit = self._unit
        uri, number, format = unit.file.uri, unit.number, unit.format
        reject = Reject(uri, offset, number, line + 1, code, message, record, record_bytes, format)
        self._rejects.append(self._places.placed(reject))

    # -- pending writes to the table

    async def _drain(self) -> None:
        while self._pending:
            await self._send_pending()
        self._come_clean()

    def _come_clean(self) -> None:
        """Nothing is pending: everything before this position is settled."""
        self._here.replaced = self._pending.replaced
        self._clean = copy(self._here)
        self._unclean_sends = 0
        if self._slot is not None:
            if self._rejects:
                self._report()  # they are nowhere else: without them the place behind them does not count
            else:
                self._record(self._slot)

    async def _flush(self) -> None:
        """One batch of all that is pending. What stays unprocessed stays pending, unless a report is due."""
        await self._send_pending()
        await self._look_around()

    async def _look_around(self) -> None:
        """Between two batches: is the position clean, is a report due, is the run being stopped?"""
        self._unclean_sends += 1
        if not self._pending:
            self._come_clean()
        elif self._unclean_sends >= CLEAN_AFTER_SENDS:  # else a table that is short of units would never let it
            await self._drain()
        if self._context.clock() >= self._report_due_s:
            await self._drain()
            self._report()
        await self._heed_stop()

    async def _send_pending(self) -> None:
        await self._pause_if(await self._send(self._pending.writes()))

    async def _pause_if(self, left_unprocessed: bool) -> None:
        if left_unprocessed:
            await self._client.pause("the table leaves items unprocessed")

    async def _send(self, batch: Sequence[Write]) -> bool:
        """Send a batch; in two where it is too large or refused, so that a bad item ends up alone.

        Returns whether items were left unprocessed.
        """
        mode = self._work.mode
        body = mode.body(batch)
        if len(body) > MAX_REQUEST_BYTES and len(batch) > 1:
            return await self._send_halves(batch)
        estimate = mode.estimates.of_batch([write.units for write in batch])
        try:
            reply = await self._client.call(mode.operation, body, estimate, mode.condition_units(batch))
        except ServiceError as error:
            if len(batch) > 1:
                return await self._send_halves(batch)
            self._refused(batch[0], error)
            return False
        left = self._keys_of(reply.unprocessed())
        if not left:
            mode.estimates.learn(estimate, self._client.consumed)
        self._written(batch, left)
        return bool(left)

    async def _send_halves(self, batch: Sequence[Write]) -> bool:
        first, second = halves(batch)
        left_of_first = await self._send(first)
        left_of_second = await self._send(second)
        return left_of_first or left_of_second

    def _keys_of(self, unprocessed: Iterable[AttributeMap]) -> set[ItemKey]:
        try:
            return {self._work.mode.key_of(item) for item in unprocessed}
        except (RecordError, AttributeError, TypeError):  # no key of this table, or no attribute map at all
            raise _not_sent() from None

    def _refused(self, write: Write, error: ServiceError) -> None:
        if error.kind is Kind.CONDITION:  # the key is taken, and that is no fault of the record
            own = error.applied_before and self._is_there(write, error.item)
            self._here.written += own
            self._here.skipped += not own
            self._pending.settle([write])
            return
        self._note_reject(write.offset, write.line, write.record, error.name, error.message)
        self._pending.reject(write)

    def _is_there(self, write: Write, item: AttributeMap | None) -> bool:
        """Whether the item that is there is the one an earlier attempt without an answer wrote."""
        return item is not None and same_item(item, msgspec.json.decode(write.item))

    def _written(self, batch: Sequence[Write], left: set[ItemKey]) -> None:
        here, deletes = self._here, self._work.mode.deletes
        if not left and len(batch) == len(self._pending):  # nearly always
            self._pending.clear()
            here.written += len(batch)
            here.deleted += deletes(batch)
            return
        written = [write for write in batch if write.key not in left]
        if len(written) + len(left) != len(batch):
            raise _not_sent()
        self._pending.settle(written)
        here.written += len(written)
        here.deleted += deletes(written)
        if left:
            self._client.left_unprocessed(len(left), len(batch))

    # -- reports

    def _record(self, slot: LaneSlot, done: bool = False) -> None:
        """What a report would say now, where it survives this process. Called for every batch."""
        unit, clean, spent = self._unit, self._clean, self._client.tally
        place = (*msgspec.structs.astuple(clean), unit.source_bytes(clean.offset))
        slot.write(
            unit.number, done, *place, spent.units, spent.estimated, spent.requests, spent.throttled, spent.retries
        )

    def _report(self, *, done: bool = False) -> None:
        """Tell the parent the last clean position and what was counted up to it since the last report."""
        before, total = self._reported, self._total()
        tally, self._reported = total.minus(before), total
        rejects = tuple(self._rejects[: tally.rejected])
        del self._rejects[: tally.rejected]
        self._report_due_s = self._context.clock() + self._interval_s
        cursor = ImportCursor(self._clean.offset, self._clean.lines)
        self._context.report(UnitReport(self._unit.number, cursor, tally, rejects, done=done))
        self._work.rejects_reported(len(rejects))

    def _total(self) -> Tally:
        """All that was counted of the unit up to the last clean position; requests up to now."""
        clean, total = self._clean, self._client.tally.copy()
        for name in clean.__struct_fields__[2:]:
            setattr(total, name, getattr(clean, name))
        # The line that crosses a slice's end is read by this unit and skipped by the next: its bytes count there.
        total.bytes = self._unit.source_bytes(clean.offset)
        return total


def _is_one_unit(format: Format) -> Callable[[bytes], bool]:
    """Whether a record longer than `one_unit_bytes` is one write unit; only formats of JSON text can tell."""
    return format.is_one_unit if isinstance(format, JsonText) else lambda _: False


def _check_not_inside(records: Sequence[bytes], number: int) -> None:
    """Raise RecordError for an object that may be a part of another: unless the next line begins with an object. No
    value inside another one is followed by that, so the line before was only cut off."""
    following = next((text for record in records[number + 1 :] if (text := record.lstrip())), b"")
    if not following.startswith(b"{"):
        raise RecordError(
            "part-of-record", "this line is inside of something that begins before it, and that is no record"
        )


def _not_sent() -> AbortError:
    return PermanentAbortError("the service returned unprocessed items that were not sent", "check --endpoint-url")
