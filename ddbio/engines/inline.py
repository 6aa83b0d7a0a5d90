"""The engine of one process, this one: for tests, for small jobs, and for an executor of a cluster."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from ddbio.engines.engine import HUNGRY_S, Events, Running, RunningHere
from ddbio.engines.environment import Environment, Needs, kept_limit, local_environment, worker_context
from ddbio.engines.lanes import run_lanes
from ddbio.flow.context import Job, new_event_loop
from ddbio.messages import Event, Flushed, Unit, UnitBegun
from ddbio.system.scratch import no_room
from ddbio.system.stop import StopFlag


class InlineEngine:
    """Works all units on an event loop that runs only while the caller waits for a report."""

    shares_disk = True

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        with ExitStack() as stack:
            try:
                limit = kept_limit(needs.limit, stack) if needs.limit is not None else None
            except OSError as error:
                raise no_room(error) from None
            environment = local_environment(needs, limit)
            yield RunningHere(environment, lambda units, stop: _work(job, needs, environment, units, stop))


def _work(job: Job, needs: Needs, environment: Environment, units: Iterable[Unit | None], stop: StopFlag) -> Events:
    loop = new_event_loop()
    reports: deque[Event] = deque()
    keys = {role: table.keys for role, table in needs.tables.items()}
    context = worker_context(job, environment, keys, reports.append)
    waiting = iter(units)

    async def next_unit() -> Unit | None:
        for unit in waiting:
            if unit is not None:
                reports.append(UnitBegun(unit.number, unit.describe()))
                return unit
            await context.sleep(HUNGRY_S)
        return None

    lanes = loop.create_task(run_lanes(job, context, next_unit))
    try:
        while not lanes.done() or reports:
            if reports:
                while reports:
                    yield reports.popleft()
                yield Flushed()
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
