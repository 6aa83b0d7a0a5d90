"""The lane: works on a unit by passing records from its source through the steps to its sink.

It decides when to report, when a position is clean and recorded, and when to stop. Records and positions are opaque
to it: only the source interprets a mark, and only the sink its state (`ddbio.steps.records`, `ddbio.sinks.sink`). So
a verb that reads records and processes them is a `Task`, and needs no other kind of lane.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from ddbio.errors import TransferError
from ddbio.flow.context import PAGES_INTERVAL_S, RECORDED_INTERVAL_S, REPORT_INTERVAL_S, WorkerContext
from ddbio.flow.settlement import Settlement
from ddbio.messages import Tally, Unit
from ddbio.sinks.sink import Desk, Sink
from ddbio.sources.source import Source
from ddbio.steps.item_sizes import ItemSizes, Strides
from ddbio.steps.records import Mark, Place, Records
from ddbio.steps.reject_limit import RejectWatch
from ddbio.steps.transform import Transform, Transformed
from ddbio.values.capacity import MAX_BATCH_WRITES

REPORT_REJECTS = 100  # a lane that holds this many rejects reports at once
USUAL_LANES = 32  # of a worker; more of them report as often together as these do
STOP_EXPECTED_S = 5.0  # for the parent to stop a run in which too many records were rejected
CLEAN_AFTER_SENDS = 8  # requests with unprocessed writes in a row: then a lane sends those without adding new ones


@dataclass
class Task:
    """A job opened in a worker: makes its lanes.

    source, sink: make one for a lane, called with the lane's side of it.
    report_every_s: between two reports of a lane; by default `REPORT_INTERVAL_S`, or `RECORDED_INTERVAL_S` with a
        checkpoint, and then longer for each of more than `USUAL_LANES`.
    """

    context: WorkerContext
    source: Callable[[Desk], Source]
    sink: Callable[[Desk], Sink]
    transform: Transform | None = None
    report_every_s: float | None = None

    def __post_init__(self) -> None:
        self.rejects = RejectWatch(self.context.reject_count)
        self.strides = Strides()
        self.lanes = 0

    def lane(self) -> FlowLane:
        self.lanes += 1
        return FlowLane(self)


class FlowLane:
    """One connection to the source and to the sink, one unit at a time."""

    def __init__(self, task: Task) -> None:
        self.tally, self.spent, self.sizes = Tally(), Tally(), ItemSizes(task.strides)
        self._task = task
        self._context = context = task.context
        self._transform = task.transform
        self._rejects = task.rejects
        self._source = task.source(self)
        self._sink = task.sink(self)
        slot = context.next_slot() if self._source.marks_are_numbers else None
        self._settlement = Settlement(self._source, self._sink, self.tally, self.spent, slot, self.sizes)
        self._is_recorded = slot is not None
        self._report_due_s = 0.0
        self._unclean_sends = 0

    async def close(self) -> None:
        self._source.close()
        self._sink.close()

    async def work(self, unit: Unit) -> None:
        """Work on the unit to its end; reports progress, and `done` at the end.

        Raises StopRequested (after reporting the cursor), DdbioError if the unit cannot be continued.
        """
        self._settlement.begin(unit)
        self._report_due_s, self._unclean_sends = self._context.clock() + self._first_s(), 0
        try:
            await self._sink.open()
            async with aclosing(self._source.batches()) as batches:
                await self._pass_on(batches)
            await self._sink.finish()
        except BaseException:
            self._settlement.stop()
            self._report()
            raise
        self._settlement.finish()
        self._report(done=True)

    async def _pass_on(self, batches: AsyncGenerator[Records, None]) -> None:
        transform = self._transform
        while True:
            try:
                records = await anext(batches, None)
            except TransferError:  # all that could be read is settled
                await self._settle_now()
                raise
            if records is None:
                return
            await self._sink.take(records if transform is None else Transformed(records, transform))
            await self.between_requests(0)

    # -- the side of the sink: see `ddbio.sinks.sink.Desk`

    async def between_requests(self, sent: int = 1) -> None:
        self._unclean_sends += sent
        mark = self._source.mark()
        if mark is not None:
            due = self._context.clock() >= self._report_due_s
            if self._sink.settled:
                self._come_clean(mark)
            elif due or self._unclean_sends >= CLEAN_AFTER_SENDS:  # a throttled table might never get there by itself
                await self._settle_now()
            if due or self._sink.urgent:
                self._report()
        if self._rejects.too_many:
            await self._expect_stop()
        self._context.sleep.check()

    def reject(self, place: Place, text: bytes, code: str, message: str, text_bytes: int | None = None) -> None:
        self.tally.rejected += 1
        self._settlement.rejects.append(self._source.reject(place, text, code, message, text_bytes))

    async def hand_over_rejects(self) -> None:
        counted = self._rejects.counted
        held = len(self._settlement.rejects) + (self._sink.unsettled if counted else 0)  # may be rejected, too
        most = MAX_BATCH_WRITES if counted else REPORT_REJECTS
        if held >= most and self._source.mark() is not None:
            await self._settle_now()
            self._report()
            await asyncio.sleep(0)  # a lane with nothing but rejects would never yield to the others
            if self._rejects.too_many:
                await self._expect_stop()
            self._context.sleep.check()

    # -- settlement

    async def _settle_now(self) -> None:
        """Settle all records that were taken, if the sink can do that now."""
        await self._sink.drain()
        mark = self._source.mark()
        if mark is not None and self._sink.settled:
            self._come_clean(mark)

    def _come_clean(self, mark: Mark) -> None:
        self._unclean_sends = 0
        if self._settlement.come_clean(mark):
            self._report()  # they are nowhere else: a position that counts them needs them

    async def _expect_stop(self) -> None:
        """Wait for the parent to stop the run; raises StopRequested when it does."""
        await self._context.sleep(STOP_EXPECTED_S)
        self._rejects.too_many = False

    def _report(self, *, done: bool = False) -> None:
        self._report_due_s = self._context.clock() + self._interval_s()
        report = self._settlement.report(done=done)
        self._context.report(report)
        self._rejects.reported(len(report.rejects))

    def _interval_s(self) -> float:
        if self._task.report_every_s is not None:
            return self._task.report_every_s
        return (
            RECORDED_INTERVAL_S * max(1.0, self._task.lanes / USUAL_LANES) if self._is_recorded else REPORT_INTERVAL_S
        )

    def _first_s(self) -> float:
        """Until the first report: soon, if nothing else records what is settled; the next page may be slow."""
        return self._interval_s() if self._is_recorded else min(PAGES_INTERVAL_S, self._interval_s())
