"""The log of a run: its events, and what happens if it cannot be written."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest

from ddbio.errors import TransferError, UsageError
from ddbio.job.accounts import Result
from ddbio.job.log import RunLog
from ddbio.job.progress import LINE_EVERY_S
from ddbio.messages import Tally
from ddbio.system.clock import ManualClock

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, datetime.timezone.utc)


def events(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_events_of_a_run(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "log"
    log = RunLog(str(path), "json", clock, lambda: NOW)
    log.say("a sentence")
    log.start(100.0, "B", float("inf"))
    log.update(5.0, Tally(read=1))
    clock.now_s += LINE_EVERY_S
    log.cap_in_force(500.0)
    log.update(5.0, Tally(read=2, throttled=3))
    log.update(5.0, Tally(read=3, throttled=9))
    clock.now_s += LINE_EVERY_S
    log.update(5.0, Tally(read=4, throttled=9))
    log.end(Result(Tally(read=4, written=4), 1.0, TransferError("broken", "mend it")))
    log.close()
    at = {"time": "2026-01-02T03:04:05.678+00:00"}
    assert events(path) == [
        {**at, "event": "notice", "text": "a sentence"},
        {**at, "event": "start", "total": 100.0, "unit": "B", "cap": None},
        {**at, "event": "progress", "done": 10.0, "cap": 500.0, "counts": {"read": 2, "throttled": 3}},
        {**at, "event": "throttle", "throttled": 3},
        {**at, "event": "progress", "done": 20.0, "cap": 500.0, "counts": {"read": 4, "throttled": 9}},
        {**at, "event": "throttle", "throttled": 6},
        {**at, "event": "end", "exit_code": 3, "error": "broken; mend it", "counts": {"read": 4, "written": 4}},
    ]


def test_text_has_a_line_for_each_event(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path / "log"), "text", ManualClock(), lambda: NOW)
    log.say("two\nlines")
    log.close()
    assert (tmp_path / "log").read_text() == "2026-01-02T03:04:05.678+00:00 notice two lines\n"


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the log"):
        RunLog(str(tmp_path / "no" / "log"), "text")
