"""The log of a run: its events, and what happens if it cannot be written."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ddbio.dynamodb.throttling import is_throttling
from ddbio.errors import TransferError, UsageError
from ddbio.job.live import Budget
from ddbio.job.log import RunLog
from ddbio.job.progress import LINE_EVERY_S
from ddbio.job.rejects import RejectingResult
from ddbio.messages import Tally
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.caps import Cap
from ddbio.sinks.reject_kinds import RejectKind
from ddbio.system.clock import ManualClock

NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000, datetime.timezone.utc)


LIVE: Any = SimpleNamespace(
    budgets=lambda: (Budget("target", "Orders", "", "WCU", BudgetRates(math.inf, 500.0, 1.23)),)
)


def events(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_events_of_a_run(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "log"
    log = RunLog(str(path), "json", clock, lambda: NOW)
    log.say("a sentence")
    log.start(100.0, "B", math.inf)
    log.update(5.0, Tally(read=1))
    clock.now_s += LINE_EVERY_S
    log.watch(LIVE)
    log.update(5.0, Tally(read=2, throttled=3, retries=1, reasons={"unprocessed items": 3, "timeout": 1}))
    log.update(5.0, Tally(read=3, throttled=9))
    clock.now_s += LINE_EVERY_S
    log.update(
        5.0, Tally(read=4, throttled=9, reasons={"unprocessed items": 4, "ThrottlingException": 5, "timeout": 1})
    )
    missing = RejectKind("missing-key", 2, "orders.json", 0, 1, "the key 'id' is missing")
    cap, error = Cap(5.0, "-c", "WCU"), TransferError("broken", "mend it")
    log.end(
        RejectingResult(Tally(read=4, rejected=2), 1.0, error, cap=cap, rejects="r.jsonl", reject_kinds=(missing,))
    )
    log.close()
    at = {"time": "2026-01-02T03:04:05.678+00:00"}
    budget = {
        "role": "target",
        "table": "Orders",
        "index": "",
        "kind": "WCU",
        "cap": None,
        "in_force": 500,
        "consumed": 1.2,
    }
    progress = {**at, "event": "progress", "cap": 500.0, "budgets": [budget]}
    assert events(path) == [
        {**at, "event": "notice", "text": "a sentence"},
        {**at, "event": "start", "total": 100.0, "unit": "B", "cap": None},
        {**progress, "done": 10.0, "counts": {"read": 2, "throttled": 3, "retries": 1}},
        {**at, "event": "throttle", "throttled": 3, "reasons": {"unprocessed items": 3}},
        {**progress, "done": 20.0, "counts": {"read": 4, "throttled": 9}},
        {**at, "event": "throttle", "throttled": 6, "reasons": {"unprocessed items": 1, "ThrottlingException": 5}},
        {**at, "event": "rejects", "rejected": 2, "codes": {"missing-key": 2}, "place": "r.jsonl"},
        {**at, "event": "end", "exit_code": 3, "error": "broken; mend it", "counts": {"read": 4, "rejected": 2}},
    ]


@pytest.mark.parametrize(
    ("reason", "of_throttling"),
    [
        ("ProvisionedThroughputExceededException", True),
        ("TableWriteKeyRangeThroughputExceeded", True),
        ("IndexReadAccountLimitExceeded", True),
        ("unprocessed items", True),
        ("InternalServerError", False),
        ("timeout", False),
        ("garbage", False),
    ],
)
def test_which_causes_are_throttling(reason: str, of_throttling: bool) -> None:
    assert is_throttling(reason) is of_throttling


def test_text_has_a_line_for_each_event(tmp_path: Path) -> None:
    log = RunLog(str(tmp_path / "log"), "text", ManualClock(), lambda: NOW)
    log.say("two\nlines")
    log.close()
    assert (tmp_path / "log").read_text() == "2026-01-02T03:04:05.678+00:00 notice two lines\n"


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the log"):
        RunLog(str(tmp_path / "no" / "log"), "text")
