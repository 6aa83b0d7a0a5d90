"""What `ddbio worker` shows: the work of its processes together, and nothing while there is none."""

from __future__ import annotations

from ddbio.cli.worker import _Shown
from ddbio.job.progress import LogProgress
from ddbio.messages import Tally
from ddbio.system.clock import ManualClock


class Log(LogProgress):
    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def test_a_line_now_and_then_while_there_is_work() -> None:
    clock = ManualClock()
    log = Log(clock)
    shown, tally = _Shown(log, clock), Tally()
    shown.say("Joined")
    for seconds in range(220):
        if 60 <= seconds < 120:
            tally.add(Tally(read=10, units=5.0, requests=1))
        shown.worked(tally)
        clock.now_s += 1
    assert log.lines == [
        "Joined",
        "210 items, 10 items/s, 5 units/s",
        "410 items, 10 items/s, 5 units/s",
        "600 items, 9 items/s, 4 units/s",
    ]
    assert shown.sum == "; 600 items and 300.0 capacity units here"
