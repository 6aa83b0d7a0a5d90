"""The units that a worker has in hand: messages bring them, lanes take them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from ddbio.messages import Unit


class UnitQueue:
    """All methods are called in the event loop of the lanes. began: called with each unit that a lane takes."""

    def __init__(self, began: Callable[[Unit], None]) -> None:
        self._began = began
        self._units: deque[Unit] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()  # lanes without a unit
        self._no_more = False

    def give(self, unit: Unit) -> None:
        self._units.append(unit)
        self._wake(1)

    def finish(self) -> None:
        """There will be no more units; lanes that wait for one end."""
        self._no_more = True
        self._wake(len(self._waiting))

    def drop(self) -> None:
        """The same, and the units that no lane has taken are left to others."""
        self._units.clear()
        self.finish()

    async def next(self) -> Unit | None:
        """The next unit, as soon as there is one; None if there will be none."""
        while not self._units and not self._no_more:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter
        if not self._units:
            return None
        unit = self._units.popleft()
        self._began(unit)
        return unit

    def _wake(self, lanes: int) -> None:
        while self._waiting and lanes:
            waiter = self._waiting.popleft()
            if not waiter.done():  # cancelled
                waiter.set_result(None)
                lanes -= 1
