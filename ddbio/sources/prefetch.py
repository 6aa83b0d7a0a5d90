"""Prefetches an iterable in a background thread, so that the consumer can do other work instead of waiting for a
disk, a network or a keyboard."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import Generic, TypeVar

Item = TypeVar("Item")

_LOOK_EVERY_S = 0.1  # for `close`


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Prefetch(Generic[Item]):
    """An iterator that never waits: None means "nothing yet". Raises the iterable's exceptions.

    depth: how many items to prefetch. The thread starts with the first `next` and ends with the items or `close`; a
    thread that waits for its input does not keep the program from exiting.
    """

    def __init__(self, items: Iterable[Item], depth: int) -> None:
        self._items = items
        self._ready: Queue[Item | _End] = Queue(depth)
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def __iter__(self) -> Iterator[Item | None]:
        return self

    def __next__(self) -> Item | None:
        try:
            return self.take(wait=False)
        except Empty:
            return None

    def take(self, *, wait: bool) -> Item:
        """The next item. Raises StopIteration after the last; Empty if none is ready and `wait` is false."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._make, name="prefetch", daemon=True)
            self._thread.start()
        item = self._ready.get(block=wait)
        if isinstance(item, _End):
            self._ready.put(item)  # for the next call
            raise item.error or StopIteration
        return item

    def close(self) -> None:
        self._closed.set()

    def _make(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._give(item):
                    return
        except BaseException as raised:
            error = raised
        self._give(_End(error))

    def _give(self, item: Item | _End) -> bool:
        while not self._closed.is_set():
            with suppress(Full):
                self._ready.put(item, timeout=_LOOK_EVERY_S)
                return True
        return False


def prefetched(items: Iterable[Item], depth: int) -> Iterator[Item]:
    """The same items; while one is used, the next are prefetched."""
    ahead = Prefetch(items, depth)
    try:
        while True:
            try:
                item = ahead.take(wait=True)
            except StopIteration:
                return
            yield item
    finally:
        ahead.close()
