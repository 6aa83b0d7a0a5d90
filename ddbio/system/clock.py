"""A clock for tests. Whatever keeps time takes its clock as a parameter: `time.monotonic`, or this."""

from __future__ import annotations


class ManualClock:
    """Time that moves only when it is told to. now_s: seconds, to be set by the test."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s
