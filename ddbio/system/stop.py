"""How often the user asked to stop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class StopFlag:
    """How often the user asked to stop: once means orderly, twice at once. Signal handlers only count here.

    heeded: whether an engine is at work that looks at it.
    finishing: whether what is left of the run takes a moment only, and is better not interrupted.
    """

    requests: int = 0
    heeded: bool = False
    finishing: bool = False

    def ask(self) -> None:
        self.requests += 1
