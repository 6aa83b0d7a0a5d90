"""A table as a sink: records become writes, writes become requests.

A lane keeps a batch of *pending* writes, in the order of their records. A request contains all pending writes; those
that the service leaves unprocessed stay pending, and the next records fill up the batch. So all records taken are
settled exactly when nothing is pending: a write leaves the batch when it is written, superseded by a later record of
the same key, rejected, or skipped because its key exists. The mode decides how a record is written
(`ddbio.sinks.table_writes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ddbio.dynamodb.client import DataClient
from ddbio.dynamodb.errors import ServiceError
from ddbio.errors import RecordError
from ddbio.formats import Format
from ddbio.formats.scanned import ScannedItems
from ddbio.sinks.batch import Batch, Write
from ddbio.sinks.fast_batch import FastBatches, put_encoder
from ddbio.sinks.item_batches import ItemBatches
from ddbio.sinks.multi_table import MultiTablePuts, unknown_table
from ddbio.sinks.sender import Sender
from ddbio.sinks.sink import Desk
from ddbio.sinks.table_writes import MODES, OpenMode, WriteMode
from ddbio.steps.records import LineRun, Record, Records
from ddbio.values.capacity import MAX_REQUEST_BYTES
from ddbio.values.items import Addressed, AttributeMap
from ddbio.values.table import TableInfo

REST_BYTES = 32 * 1024  # of records that may wait for the next block: more would not fit the fast path


class TableWriter:
    """A table, or several, opened for writes in a worker and shared by its lanes.

    tables: the first, and others to which a transform may send items. mode: one of `ddbio.sinks.table_writes.MODES`,
    or a function that makes one.
    """

    def __init__(
        self,
        tables: Sequence[TableInfo],
        mode: str | OpenMode = "put",
    ) -> None:
        self.tables = tables
        opened = MODES[mode] if isinstance(mode, str) else mode
        self.mode: WriteMode = MultiTablePuts(tables) if len(tables) > 1 else opened(tables[0])
        self._fast_batches: dict[Format, FastBatches | ItemBatches] = {}

    def fast_batches(self, format: Format) -> FastBatches | ItemBatches | None:
        """The fast path for a format; None if the mode does more than put items into one table."""
        if self.mode.body_of_puts is None:
            return None
        found = self._fast_batches.get(format)
        if found is None:
            table = self.tables[0]
            if isinstance(format, ScannedItems):
                found = ItemBatches(table, format)
            else:
                found = FastBatches(table, format, self.mode.key_of, put_encoder(table, format))
            self._fast_batches[format] = found
        return found

    def check_address(self, table: str) -> None:
        """Raises RecordError if the table is not one of these."""
        if not any(table in (each.name, each.address) for each in self.tables):
            raise unknown_table(table, [each.name for each in self.tables])


class TableSink:
    """See `ddbio.sinks.sink.Sink`.

    request_units: returns the most units that one request should cost; called each time, because a cap may change.
    """

    urgent = False

    def __init__(
        self, writer: TableWriter, client: DataClient, request_units: Callable[[], float], desk: Desk
    ) -> None:
        self._writer = writer
        self._mode = writer.mode
        self._client = client
        self._desk = desk
        self._pending = Batch(request_units, writer.mode.most_writes)
        self._sender = Sender(writer.mode, client, self._pending, desk)

    def begin(self, unit: Any) -> None:
        self._pending.clear()
        self._pending.replaced = self._desk.tally.replaced

    async def open(self) -> None:
        pass

    @property
    def settled(self) -> bool:
        return not self._pending

    @property
    def unsettled(self) -> int:
        return len(self._pending)

    def state(self) -> None:
        self._desk.tally.replaced = self._pending.replaced

    async def drain(self) -> None:
        while self._pending:
            await self._sender.send_pending()

    async def finish(self) -> None:
        await self.drain()

    def take_parts(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self._client.close()

    # -- records to pending writes

    async def take(self, records: Records) -> None:
        if records.lines is None:
            await self._take_each(records.each())
        else:
            await self._take_lines(records.lines)

    async def _take_lines(self, lines: LineRun) -> None:
        """Take lines a whole request at a time on the fast path, else record by record."""
        pending, whole = self._pending, self._writer.fast_batches(lines.format)
        while lines.left:
            room = pending.room
            if not room:
                await self._flush()
                continue
            run = lines.run(room)
            if len(run) < room and lines.more and sum(map(len, run)) <= REST_BYTES:
                return
            if not (whole and lines.usual and await self._put_whole(whole, lines, run)):
                await self._take_each(lines.each(len(run)))

    async def _put_whole(self, whole: FastBatches | ItemBatches, lines: LineRun, run: list[bytes]) -> bool:
        """The fast path: put small records in one request, without a `Write` for each.

        Returns false, with nothing sent or taken, if the records must take the slow path.
        """
        mode, pending, sender = self._mode, self._pending, self._sender
        if len(run) < mode.most_writes or not pending.takes_whole(len(run)):
            return False
        puts = whole.prepare(run)
        if puts is None or mode.body_of_puts is None:
            return False
        units, body = mode.estimates.of_puts(puts.units, puts.entries), mode.body_of_puts(puts.requests)
        if len(body) > MAX_REQUEST_BYTES or (units[0] > len(run) and not pending.takes_whole(units[0])):
            return False
        estimate = mode.estimates.of_batch([units])
        try:
            reply = await self._client.call(mode.operation, body, estimate)
        except ServiceError:
            await self._take_each(lines.each(len(run)))
            await sender.divide()
        else:
            if mode.operation.left_over(reply):
                self._make_pending(lines, run)
                await sender.keep(reply)
            else:
                mode.estimates.learn(estimate, self._client.consumed)
                lines.take(run)
                self._desk.tally.written += len(run)
        await self._desk.between_requests()
        return True

    def _make_pending(self, lines: LineRun, run: list[bytes]) -> None:
        """After a batch was partly unprocessed: make each of its records a pending write.

        Together they may be more than a batch takes: their sizes were only estimated when they were sent.
        """
        for record in lines.each(len(run)):
            self._pending.add(self._write(record, record.items[0]))

    async def _take_each(self, records: Iterator[Record]) -> None:
        """Take records one by one. Either all items made from a record are written, or the record is rejected."""
        offer, tally, some_rejected = self._pending.offer, self._desk.tally, False
        for record in records:  # getting it marks the record before as taken
            if some_rejected:
                some_rejected = False
                await self._desk.hand_over_rejects()
            try:
                if record.error is not None:
                    raise record.error
                writes = [self._write(record, item) for item in record.items]
            except RecordError as error:
                some_rejected = True
                self._desk.reject(record.place, record.text, error.code, error.message, record.text_bytes)
                continue
            for number, write in enumerate(writes):
                while not offer(write):
                    # Before a record the position may be clean; between its items it cannot be.
                    await (self._sender.send_pending() if number else self._flush())
            if len(writes) != 1:
                tally.added += max(0, len(writes) - 1)
                tally.dropped += not writes
        if some_rejected:
            await self._desk.hand_over_rejects()

    def _write(self, record: Record, item: AttributeMap) -> Write:
        mode = self._mode
        if type(item) is Addressed:
            self._writer.check_address(item.table)
        key = mode.key_of(item)
        return mode.new_write(record.place, key, record.text, item, mode.units_of(item, record.small))

    async def _flush(self) -> None:
        """Send all pending writes. Unprocessed ones stay pending, unless a report is due."""
        await self._sender.send_pending()
        await self._desk.between_requests()
