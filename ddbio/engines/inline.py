"""The engine of one process, this one: for jobs that are done before a worker process could have started.

It keeps the promises of the process engine (`ddbio.engines.pool`): the progress that lanes settle survives this
process in the checkpoint, keys are renewed in a thread, a stop is obeyed in order, and at once if it is repeated or
takes too long. A fault of ddbio ends the run, because there is no other process to continue in.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ddbio.engines.engine import ABANDONED, HUNGRY_S, STOP_PATIENCE_S, TICK_S, Events, Running, RunningHere, Staff
from ddbio.engines.environment import Environment, Needs, local_environment, worker_context
from ddbio.engines.keyring import KeyRing
from ddbio.engines.lanes import blocking_threads, run_lanes
from ddbio.errors import DdbioError, InternalError
from ddbio.flow.context import Job, new_event_loop
from ddbio.flow.sleeping import StopRequested
from ddbio.messages import Event, Flushed, Notice, Tick, Unit, UnitBegun, UnitReport
from ddbio.system.stop import StopFlag

_TURN_S = 0.05  # how long the loop runs before the caller gets the reports


class InlineEngine:
    """Works all units on an event loop that runs only while the caller waits for an event."""

    shares_disk = True
    staff = Staff()

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        with local_environment(needs, job.lanes) as environment:
            yield RunningHere(environment, lambda units, stop: _work(job, needs, environment, units, stop))


def _work(job: Job, needs: Needs, environment: Environment, units: Iterable[Unit | None], stop: StopFlag) -> Events:
    keys = KeyRing({role: table.keys for role, table in needs.tables.items()})
    try:
        worker = _Worker(job, environment, keys, units, stop)
        try:
            yield from worker.run()
        finally:
            worker.close()
    finally:
        keys.end()


class _Worker:
    """The lanes of a job, on an event loop of their own."""

    def __init__(
        self, job: Job, environment: Environment, keys: KeyRing, units: Iterable[Unit | None], stop: StopFlag
    ) -> None:
        self._keys = keys
        self._units = iter(units)
        self._stop = stop
        self._stopped_s: float | None = None
        self._reports: deque[Event] = deque()
        self._in_hand = 0  # units that lanes work on
        self._reported_s = time.monotonic()
        self._abandoned = False
        self._fault: BaseException | None = None  # of a callback: its work is undone
        self._loop = new_event_loop()
        self._loop.set_exception_handler(self._callback_failed)
        self._threads = blocking_threads(job)
        self._loop.set_default_executor(self._threads)
        handed = keys.handed
        self._context = worker_context(
            job, environment, {role: partial(handed.__getitem__, role) for role in handed}, self._reports.append
        )
        self._lanes = self._loop.create_task(run_lanes(job, self._context, self._next_unit))

    def run(self) -> Iterator[Event]:
        while not self._lanes.done():
            self._loop.run_until_complete(asyncio.wait([self._lanes], timeout=_TURN_S))
            yield from self._news()
            if self._stop.requests and self._stop_fails():
                yield Notice(ABANDONED)
                self._abandoned = True
                self._cancel()
                yield from self._news()
                return
        self._raise_fault()

    def _news(self) -> Iterator[Event]:
        if self._reports:
            self._reported_s = time.monotonic()
            while self._reports:
                yield self._noted(self._reports.popleft())
            yield Flushed()
        elif self._in_hand and time.monotonic() - self._reported_s >= TICK_S:
            self._reported_s = time.monotonic()
            yield Tick()
        for sentence in self._keys.news():
            yield Notice(sentence)
        for _ in self._keys.renewed():
            pass  # lanes read them where the ring keeps them

    def _noted(self, event: Event) -> Event:
        if not isinstance(event, UnitReport):
            return event
        self._in_hand -= event.done or event.error is not None
        return self._keys.explained(event)

    async def _next_unit(self) -> Unit | None:
        try:
            for unit in self._units:
                if unit is not None:
                    self._in_hand += 1
                    self._reports.append(UnitBegun(unit.number, unit.describe()))
                    return unit
                await self._context.sleep(HUNGRY_S)
        except StopRequested:
            pass
        return None

    def _stop_fails(self) -> bool:
        """Ask the lanes to stop. Whether they have not in time, or must not be waited for any longer."""
        if self._stopped_s is None:
            self._stopped_s = time.monotonic()
            self._context.sleep.stop()
            return False
        impatient = self._stop.requests > 1 or time.monotonic() - self._stopped_s > STOP_PATIENCE_S
        return impatient and not self._lanes.done()

    def _callback_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Other errors of the loop come too late to matter."""
        if "handle" in context and (error := context.get("exception")) is not None:
            self._fault = error
            self._lanes.cancel()

    def _raise_fault(self) -> None:
        """Raise the error that ended the lanes, if one did: a fault of ddbio as InternalError."""
        if self._fault is not None:
            raise InternalError.of(self._fault)
        try:
            self._lanes.result()
        except DdbioError:
            raise
        except Exception as error:
            raise InternalError.of(error) from error

    def _cancel(self) -> None:
        self._lanes.cancel()
        self._loop.run_until_complete(asyncio.gather(self._lanes, return_exceptions=True))

    def close(self) -> None:
        """No lane works any more. Calls that block are waited for, unless the user has no patience left."""
        self._cancel()
        self._threads.shutdown(wait=not self._abandoned, cancel_futures=True)
        self._loop.close()
