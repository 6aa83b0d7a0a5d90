"""The findings of `ddbio doctor` that need no service."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest

from ddbio.verbs.diagnosis import clock, machine

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("ahead_s", "state", "text"),
    [
        (0, "ok", "0 s after the endpoint's"),
        (59, "ok", "59 s ahead of the endpoint's"),
        (-60, "fix", "60 s after the endpoint's"),
        (299, "fix", "299 s ahead of the endpoint's"),
        (-300, "fix", "300 s after the endpoint's; requests are refused"),
    ],
)
def test_the_clock(ahead_s: int, state: str, text: str) -> None:
    found = clock(format_datetime(NOW - timedelta(seconds=ahead_s)), NOW)
    assert (found.state, found.text, bool(found.hint)) == (state, text, state == "fix")


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_an_endpoint_without_a_clock(date: str) -> None:
    assert clock(date, NOW).state == "unknown"


def test_a_state_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    found = {each.name: each for each in machine(tmp_path / "a" / "b")}
    assert found["state folder"].state == "ok"
    assert list(tmp_path.iterdir()) == []
