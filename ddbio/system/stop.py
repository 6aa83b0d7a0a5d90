"""Counts the user's requests to stop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class StopFlag:
    """Counts the user's requests to stop: one means an orderly stop, two an immediate one.

    Signal handlers only count here.
    heeded: whether an engine is running that checks this flag.
    finishing: whether the rest of the run takes only a moment and should not be interrupted.
    """

    requests: int = 0
    heeded: bool = False
    finishing: bool = False

    def ask(self) -> None:
        self.requests += 1
