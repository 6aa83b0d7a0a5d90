"""The messages that a seat has received: the thread that works waits for one, or its event loop takes them."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Take = Callable[[Any], None]


class Mailbox:
    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._messages: deque[Any] = deque()
        self._taker: tuple[asyncio.AbstractEventLoop, Take] | None = None

    def put(self, message: object) -> None:
        """From any thread."""
        with self._changed:
            if self._taker is not None:
                loop, take = self._taker
                loop.call_soon_threadsafe(take, message)
            else:
                self._messages.append(message)
                self._changed.notify()

    def get(self) -> Any:
        """The next message, once there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages)
            return self._messages.popleft()

    @contextmanager
    def taken_by(self, loop: asyncio.AbstractEventLoop, take: Take) -> Iterator[None]:
        """Until the end of the block, `take` is called in the event loop with each message, in their order. The loop
        must run once more after that: it may still have some."""
        with self._changed:
            for message in self._messages:
                loop.call_soon(take, message)
            self._messages.clear()
            self._taker = (loop, take)
        try:
            yield
        finally:
            with self._changed:
                self._taker = None
