"""How many lanes a worker has: as many as help, up to the job's number.

A worker begins with one. When every lane awaits an answer and the event loop has nothing else to do, it starts more:
another connection would then be busy while these wait. A job that waits for its cap, for capacity or for its source
has some lane that awaits no answer, and stays with the lanes it has. So does one that keeps the CPU busy: it always
finds an answer that has come meanwhile. A lane that was started stays until there is no more work.

A lane that was not started holds nothing: no connection, no unit, no block or page, no file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor

from ddbio.errors import DdbioError
from ddbio.flow.context import Job, Lane, WorkerContext
from ddbio.flow.sleeping import StopRequested
from ddbio.messages import Tally, Unit, UnitReport

NextUnit = Callable[[], Awaitable["Unit | None"]]

_TURNS = 2  # of the event loop, in which it sees the answers that have come; it would sleep in the next one
_GROWTH = 2  # lanes for each of which one more is started at once


def blocking_threads(job: Job) -> ThreadPoolExecutor:
    """For calls that block (S3, fsync): a thread for each lane that may be in one, started when first needed."""
    return ThreadPoolExecutor(job.lanes, thread_name_prefix="blocking")


async def run_lanes(job: Job, context: WorkerContext, next_unit: NextUnit) -> None:
    """Run the job's lanes until `next_unit` gives None to each, or the context's sleeper is stopped."""
    await _Lanes(job, context, next_unit).run()


class _Lanes:
    def __init__(self, job: Job, context: WorkerContext, next_unit: NextUnit) -> None:
        self._work = job.open(context)
        context.opened()
        self._most = job.lanes
        self._context = context
        self._next_unit = next_unit
        self._lanes: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()  # a lane has
        self._looking = False

    async def run(self) -> None:
        self._context.awaited.watch = self._request_began
        self._start(1)
        try:
            while self._lanes:
                await self._ended.wait()
                self._ended.clear()
                for lane in [each for each in self._lanes if each.done()]:
                    self._lanes.remove(lane)
                    self._most = 0  # there is no more work
                    lane.result()
        finally:
            self._most = 0
            for lane in self._lanes:
                lane.cancel()
            await asyncio.gather(*self._lanes, return_exceptions=True)

    def _start(self, count: int) -> None:
        for _ in range(min(count, self._most - len(self._lanes))):
            lane = asyncio.ensure_future(_run_lane(self._work.lane(), self._context, self._next_unit))
            lane.add_done_callback(lambda _: self._ended.set())
            self._lanes.add(lane)

    def _request_began(self) -> None:
        if not self._looking and self._all_wait():
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look, self._context.awaited.ended, _TURNS)

    def _look(self, ended: int, turns: int) -> None:
        """Start more lanes if no request has ended since `ended` had, for so many turns of the event loop."""
        if turns:
            asyncio.get_running_loop().call_soon(self._look, ended, turns - 1)
            return
        self._looking = False
        if self._all_wait() and self._context.awaited.ended == ended:
            self._start(1 + len(self._lanes) // _GROWTH)

    def _all_wait(self) -> bool:
        return len(self._lanes) < self._most and self._context.awaited.count >= len(self._lanes)


async def _run_lane(lane: Lane, context: WorkerContext, next_unit: NextUnit) -> None:
    try:
        while not context.sleep.stopping and (unit := await next_unit()) is not None:
            try:
                await lane.work(unit)
            except StopRequested:
                return
            except DdbioError as error:
                context.report(UnitReport(unit.number, cursor=None, tally=Tally(), error=error))
    finally:
        await lane.close()
