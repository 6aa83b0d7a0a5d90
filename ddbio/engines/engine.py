"""The engine seam: an engine is one function that works units and yields what happened.

    engine(job, units, *, governor, keys, stop, recorder) -> Iterator[Event]

- `job` is picklable and opens its clients where it runs; `units` can be worked in any order, by anyone. They are made
  while they are worked; None among them stands for "no more at the moment".
- The engine supplies the governor, so the cap is the engine's to divide: shared memory for processes on one
  machine, a share of the cap for an executor of a cluster.
- A recorder is memory that outlives a worker; an engine whose workers share none of it with the caller uses none, and
  what a worker had not reported when it died is done again.
- Unit reports are the only way back; a `Lull` between them says that all there was to tell was told. An engine ends
  when every unit is done or failed, or when it was stopped.

`run_inline`, here, is a loop in this process: for tests, for small jobs, and for what a cluster's executor runs.
`run_processes`, in `ddbio.engines.pool`, is the one the commands use.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Protocol

from ddbio.aws.credentials import Keys
from ddbio.engines.lanes import run_lanes
from ddbio.flow.checkpoint import Recorder
from ddbio.flow.context import Job, WorkerContext, new_event_loop
from ddbio.messages import Event, Lull, Unit
from ddbio.rate.governor import Governor
from ddbio.system.stop import StopFlag

Events = Generator[Event, None, None]  # when it is closed, nobody works any more

HUNGRY_S = 0.01  # how soon to look again where there was no unit at the moment


class Engine(Protocol):
    def __call__(
        self,
        job: Job,
        units: Iterable[Unit | None],
        *,
        governor: Governor,
        keys: Callable[[], Keys],
        stop: StopFlag,
        recorder: Recorder | None = None,
    ) -> Events: ...


def run_inline(
    job: Job,
    units: Iterable[Unit | None],
    *,
    governor: Governor,
    keys: Callable[[], Keys],
    stop: StopFlag,
    recorder: Recorder | None = None,
) -> Events:
    """Work all units in this process, on an event loop that runs only while the caller waits for a report."""
    loop = new_event_loop()
    reports: deque[Event] = deque()
    context = WorkerContext(governor=governor, keys=keys, report=reports.append)
    waiting = iter(units)

    async def next_unit() -> Unit | None:
        for unit in waiting:
            if unit is not None:
                return unit
            await context.sleep(HUNGRY_S)
        return None

    lanes = loop.create_task(run_lanes(job, context, next_unit))
    try:
        while not lanes.done() or reports:
            if reports:
                while reports:
                    yield reports.popleft()
                yield Lull()
            if stop.requests:
                context.sleep.stop()
            if not lanes.done():
                loop.run_until_complete(asyncio.wait([lanes], timeout=0.05))
        lanes.result()
    finally:
        lanes.cancel()
        loop.run_until_complete(asyncio.gather(lanes, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
