"""The requests of a worker that have no answer yet. If every lane awaits one, more connections may help."""

from __future__ import annotations

from collections.abc import Callable


class Awaited:
    """Counts requests. count: unanswered ones. ended: answered ones in total. watch: called after each start."""

    def __init__(self) -> None:
        self.count = self.ended = 0
        self.watch: Callable[[], None] | None = None

    def begin(self) -> None:
        self.count += 1
        if self.watch is not None:
            self.watch()

    def end(self) -> None:
        self.count -= 1
        self.ended += 1
