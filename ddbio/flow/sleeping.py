"""The sleep of a worker's lanes, which a stop ends, and a double with a manual clock for tests."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ddbio.system.clock import ManualClock


class StopRequested(Exception):  # noqa: N818 - control flow, not a fault
    """The run is being stopped. Every sleep raises it, so that lanes end between two requests."""


class Sleep(Protocol):
    """How lanes sleep. stopping: whether the run is being stopped."""

    @property
    def stopping(self) -> bool: ...

    async def __call__(self, seconds: float) -> None:
        """Sleep. Raises StopRequested if the run is stopped before or during the sleep."""

    async def until(self, future: asyncio.Future[None]) -> None:
        """Wait for the future, which a stop sets, too. Raises StopRequested as a sleep does."""

    def check(self) -> None:
        """Raise StopRequested if the run is being stopped."""

    def stop(self) -> None: ...


class Sleeper:
    """`asyncio.sleep` that a stop interrupts. One a worker, shared by its lanes."""

    def __init__(self) -> None:
        self._sleeping: set[asyncio.Future[None]] = set()
        self.stopping = False

    async def __call__(self, seconds: float) -> None:
        self.check()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, future)
        try:
            await self.until(future)
        finally:
            timer.cancel()

    async def until(self, future: asyncio.Future[None]) -> None:
        self.check()
        self._sleeping.add(future)
        try:
            await future
        finally:
            self._sleeping.discard(future)
        self.check()

    def check(self) -> None:
        if self.stopping:
            raise StopRequested

    def stop(self) -> None:
        self.stopping = True
        for future in list(self._sleeping):
            _wake(future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class ManualSleeper:
    """For tests: a sleep only advances its clock.

    stop_after: stop after that many sleeps and checks. waits: the seconds of all sleeps.
    """

    def __init__(self, clock: ManualClock, stop_after: int | None = None) -> None:
        self.waits: list[float] = []
        self.stopping = False
        self._clock = clock
        self._left = stop_after

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.check()
        self._clock.now_s += seconds
        await asyncio.sleep(0)

    async def until(self, future: asyncio.Future[None]) -> None:
        self.check()
        await future

    def check(self) -> None:
        if self._left is not None:
            self._left -= 1
            self.stopping = self._left < 0
        if self.stopping:
            raise StopRequested

    def stop(self) -> None:
        self.stopping = True
