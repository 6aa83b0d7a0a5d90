"""How a run is stopped in order when its time is over."""

from __future__ import annotations

import pytest

from ddbio.cli.display import stop_late
from ddbio.job.progress import QuietProgress
from ddbio.system.stop import StopFlag


class Shown(QuietProgress):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize(
    ("flag", "requests", "said"),
    [
        (StopFlag(), 1, 1),
        (StopFlag(heeded=True), 1, 1),
        (StopFlag(finishing=True), 1, 0),  # between two jobs, or at the end of the last one
        (StopFlag(requests=1, heeded=True), 1, 0),  # never asked twice: that would abandon requests in flight
    ],
)
def test_a_late_run_is_stopped_once(flag: StopFlag, requests: int, said: int) -> None:
    shown = Shown()
    stop_late(flag, shown, 90)
    assert flag.requests == requests
    assert shown.said == ["Stopping: 90 s are over (--max-duration)"] * said
