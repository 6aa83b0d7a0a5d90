"""An event loop in simulated time: a sleep takes no time, and what would run for minutes runs in milliseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Selector(selectors.SelectSelector):
    """Waits for nothing: moves the clock to the next timer instead."""

    now_s = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("every task waits, and no timer is set")
        self.now_s += max(0.0, timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """`time` is the simulated time in seconds."""

    def __init__(self) -> None:
        self._simulated = _Selector()
        super().__init__(self._simulated)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._simulated.now_s


def run_simulated(loop: SimulatedLoop, story: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end."""
    try:
        return loop.run_until_complete(asyncio.wait_for(story, 10_000))
    finally:
        loop.close()
