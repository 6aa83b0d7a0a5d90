"""What a log shows of a run: how far it is, how fast, how long it will take; not too often."""

from __future__ import annotations

import pytest

from ddbio.cli.summaries import consumption
from ddbio.job.accounts import Result
from ddbio.job.progress import LINE_EVERY_S, WINDOW_S, LogProgress, line_of
from ddbio.messages import Tally
from ddbio.rate.caps import Cap
from ddbio.system.clock import ManualClock


class Log(LogProgress):
    def __init__(self) -> None:
        self.clock = ManualClock()
        super().__init__(self.clock)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def after(self, seconds: float, amount: float, tally: Tally) -> None:
        self.clock.now_s += seconds
        self.update(amount, tally)


def test_a_line_once_in_a_while() -> None:
    log = Log()
    log.start(100_000, "B", 500.0)
    for second in range(1, 61):
        log.after(1.0, 1000, Tally(read=10 * second, units=400.0 * second))
    assert LINE_EVERY_S == 20.0
    assert log.lines == [
        "20% done: 200 items, 10 items/s, 400 of 500 units/s, 0:01:20 left",
        "40% done: 400 items, 10 items/s, 400 of 500 units/s, 0:01:00 left",
        "60% done: 600 items, 10 items/s, 400 of 500 units/s, 0:00:40 left",
    ]


def test_a_short_run_says_nothing_of_the_kind() -> None:
    log = Log()
    log.start(100, "items", 500.0)
    log.after(19.9, 100, Tally(read=100))
    assert log.lines == []


def test_what_earlier_runs_did_counts_as_done_and_not_as_fast() -> None:
    log = Log()
    log.start(1000, "items", float("inf"), 500)
    log.after(20.0, 100, Tally(read=100, rejected=2, throttled=1234, units=50.0))
    assert log.lines == ["60% done: 100 items, 5 items/s, 2 units/s, 2 rejected, 1,234 throttled, 0:01:20 left"]


@pytest.mark.parametrize(("total", "amount"), [(0, 50), (40, 50), (40, 0)])
def test_without_a_total_that_can_be_believed_there_is_no_share(total: float, amount: float) -> None:
    """The service counts a table's items every six hours."""
    log = Log()
    log.start(total, "items", 10.0)
    log.after(25.0, amount, Tally(read=50, units=25.0))
    assert log.lines == ["50 items, 2 items/s, 1 of 10 units/s"]


def test_units_that_the_service_did_not_report_are_called_estimated() -> None:
    log = Log()
    log.start(0, "items", 10.0)
    log.after(20.0, 50, Tally(read=40, units=40.0, estimated=10.0))
    assert log.lines == ["40 items, 2 items/s, about 2 of 10 units/s"]
    cap = Cap(10.0, "-c", "WCU")
    said = consumption(Result(Tally(units=40.0, estimated=10.0), 20.0, None), cap)
    assert said == (
        "20.0 s, about 40.0 WCU consumed (10.0 of them estimated, not reported by the service), "
        "about 2.0 WCU/s (cap 10)"
    )
    assert "about" not in consumption(Result(Tally(units=40.0), 20.0, None), cap)


def test_the_rates_are_those_of_the_last_seconds() -> None:
    """A run that was fast for an hour and is slow now is slow; so is the time that it says is left."""
    log = Log()
    log.start(1_000_000, "items", float("inf"))
    tally = Tally()
    for speed, seconds in ((1000, 100), (10, 40)):
        for _ in range(seconds):
            tally.read += speed
            tally.units += speed / 2
            log.after(1.0, speed, tally)
    assert WINDOW_S == 10.0
    assert log.lines[4] == "10% done: 100,000 items, 1,000 items/s, 500 units/s, 0:15:00 left"
    assert log.lines[-1] == "10% done: 100,400 items, 10 items/s, 5 units/s, 1 day, 0:59:20 left"


def test_the_cap_is_the_one_in_force() -> None:
    log = Log()
    log.start(0, "items", 500.0)
    log.cap_in_force(320.0)
    log.after(20.0, 100, Tally(read=100, units=6000.0))
    assert log.lines == ["100 items, 5 items/s, 300 of 320 units/s"]


PARTS = {
    "share": "42%",
    "amount": "1,234.5 of 2,939.3 MB",
    "item rate": "12,345 items/s",
    "unit rate": "9,876 of 10,000 units/s",
    "rejected": "12 rejected",
    "throttled": "345 throttled",
    "left": "0:12:34 left",
}


@pytest.mark.parametrize("columns", range(1, 140))
def test_a_bar_has_whole_parts_that_fit(columns: int) -> None:
    line = line_of(PARTS, columns)
    assert len(line) <= columns
    assert set(filter(None, line.split(", "))) <= {*", ".join(PARTS.values()).split(", ")}


def test_a_bar_of_60_columns_says_what_matters() -> None:
    assert line_of(PARTS, 59) == "42%, 12,345 items/s, 9,876 of 10,000 units/s, 0:12:34 left"
    assert line_of(PARTS, 200) == ", ".join(
        PARTS[name] for name in ("share", "amount", "item rate", "unit rate", "rejected", "throttled", "left")
    )
