"""Sends writes until the fate of each is known: refused batches in halves, unprocessed writes again.

One a lane. A write leaves the lane's batch when it is written, rejected or skipped; an unprocessed write stays there.
A write whose condition does not hold may be replaced by another one, for the item as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ddbio.dynamodb.client import DataClient
from ddbio.dynamodb.errors import Kind, ServiceError
from ddbio.dynamodb.operations import halves
from ddbio.errors import AbortError, PermanentAbortError, RecordError
from ddbio.sinks.batch import Batch, Write
from ddbio.sinks.sink import Desk
from ddbio.sinks.table_writes import Outcome, WriteMode
from ddbio.values.capacity import MAX_REQUEST_BYTES
from ddbio.values.items import AttributeMap
from ddbio.values.keys import ItemKey

CONFLICT = "the item had changed"  # why an update is repeated


class Sender:
    """pending: the batch of the lane."""

    def __init__(self, mode: WriteMode, client: DataClient, pending: Batch, desk: Desk) -> None:
        self._mode = mode
        self._client = client
        self._pending = pending
        self._desk = desk

    async def send_pending(self) -> None:
        """Send all pending writes, in one request or several."""
        await self.pause_if(await self._send(self._pending.writes()))

    async def divide(self) -> None:
        """Send all pending writes in halves, because the service refused them together."""
        batch = self._pending.writes()
        if batch:
            await self.pause_if(await (self._send_halves(batch) if len(batch) > 1 else self._send(batch)))

    async def keep(self, reply: Any) -> None:
        """Settle the pending writes by the reply to a request of all of them, some of which were left unprocessed."""
        self._written(self._pending.writes(), self._keys_of(reply.unprocessed()))
        await self.pause_if(True)

    async def pause_if(self, left_unprocessed: bool) -> None:
        if left_unprocessed:
            await self._client.pause("the table leaves items unprocessed")

    async def _send(self, batch: Sequence[Write]) -> bool:
        """Send a batch; in halves if it is too large or refused, so that a bad item ends up alone.

        Returns whether items were left unprocessed.
        """
        mode = self._mode
        body = mode.body(batch)
        if len(body) > MAX_REQUEST_BYTES and len(batch) > 1:
            return await self._send_halves(batch)
        operation, estimate = mode.operation_of(batch), mode.estimates.of_batch([write.units for write in batch])
        try:
            reply = await self._client.call(operation, body, estimate, mode.condition_units(batch))
        except ServiceError as error:
            if len(batch) > 1:
                return await self._send_halves(batch)
            self._refused(batch[0], error)
            return False
        left = self._keys_of(reply.unprocessed()) if operation.left_over(reply) else set()
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
            return {self._mode.key_of(item) for item in unprocessed}
        except (RecordError, AttributeError, TypeError):  # no key of this table, or no attribute map at all
            raise _not_sent() from None

    def _refused(self, write: Write, error: ServiceError) -> None:
        if error.kind is Kind.CONDITION:
            self._condition_failed(write, error)
            return
        self._desk.reject(write.place, write.record, error.name, error.message)
        self._pending.reject(write)

    def _condition_failed(self, write: Write, error: ServiceError) -> None:
        tally = self._desk.tally
        try:
            outcome = self._mode.condition_failed(write, error)
        except RecordError as refusal:
            self._desk.reject(write.place, write.record, refusal.code, refusal.message)
            self._pending.settle([write])
            return
        self._pending.settle([write])
        if isinstance(outcome, Write):
            self._client.repeated(CONFLICT)
            self._pending.offer(outcome)  # an empty batch accepts any write
        elif outcome is Outcome.WRITTEN:
            tally.written += 1
            tally.deleted += self._mode.deletes([write])
        else:
            tally.skipped += outcome is Outcome.SKIPPED
            tally.dropped += outcome is Outcome.DROPPED

    def _written(self, batch: Sequence[Write], left: set[ItemKey]) -> None:
        tally, deletes = self._desk.tally, self._mode.deletes
        if not left and len(batch) == len(self._pending):  # nearly always
            self._pending.clear()
            tally.written += len(batch)
            tally.deleted += deletes(batch)
            return
        written = [write for write in batch if write.key not in left]
        if len(written) + len(left) != len(batch):
            raise _not_sent()
        self._pending.settle(written)
        tally.written += len(written)
        tally.deleted += deletes(written)
        if left:
            self._client.left_unprocessed(len(left), len(batch))


def _not_sent() -> AbortError:
    return PermanentAbortError("the service returned unprocessed items that were not sent", "check --endpoint-url")
