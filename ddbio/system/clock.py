"""A clock for tests. All code that measures time gets its clock as a parameter: `time.monotonic`, or this one."""

from __future__ import annotations


class ManualClock:
    """Time that moves only when a test sets it. now_s: seconds."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s
