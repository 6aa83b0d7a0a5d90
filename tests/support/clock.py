"""Time that moves only when a test says so."""

from __future__ import annotations

import asyncio

from ddbio.flow.context import StopRequested


class Clock:
    """Time that moves only when told."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


class FakeSleep:
    """Stands for `ddbio.flow.context.Sleeper`: no time passes, but on its clock; remembers the waits.

    stop_after: raise StopRequested at the sleep or check of that number.
    """

    def __init__(self, clock: Clock, stop_after: int | None = None) -> None:
        self.waits: list[float] = []
        self.stopping = False
        self._clock = clock
        self._left = stop_after

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.check()
        self._clock.now_s += seconds
        await asyncio.sleep(0)

    def check(self) -> None:
        if self._left is not None:
            self._left -= 1
            self.stopping = self._left < 0
        if self.stopping:
            raise StopRequested
