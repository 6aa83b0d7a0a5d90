"""The progress on a terminal: one line at any width, details with -v, colours; nothing of it is left at the end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from ddbio.simulator.faults import PARTIAL
from tests.support.commands import IMPORT
from tests.support.items import plain_items, write_items
from tests.support.screens import Terminal

pytestmark = pytest.mark.fuller

WORDS = ["-t", "Orders", "-s", "orders.json", "-p", "1", "--lanes", "2", "-c", "400"]
LONG = (
    *(r"\d+%", r"[\d.]+ of [\d.]+ MB", r"[\d,]+ items/s", r"[\d,]+ of [\d,]+ units/s", r"10 rejected"),
    *(r"\d+ throttled", r"0:00:\d\d left"),
)
SHORT = (r"\d+%", r"[\d.]+/[\d.]+kB", r"[\d.k]+/s", r"[\d.k]+/[\d.k]+ u/s", r"10 rej", r"\d+ thr", r"\d+s")
EITHER = [f"(?:{long}|{short})" for long, short in zip(LONG, SHORT, strict=True)]


@pytest.fixture
def busy(tmp_path: Path, simulator: Simulator) -> Simulator:
    """A table that sends a part of the second request back; it will get 1,000 items, and ten that lack its key."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan([None, PARTIAL], latency_s=0.01)
    write_items(tmp_path / "orders.json", [{"no": {"S": "key"}}] * 10 + plain_items(1000))
    return simulator


def terminal(columns: int, tmp_path: Path, environment: dict[str, str], *more: str) -> Terminal:
    return Terminal(columns, IMPORT, [*WORDS, *more], tmp_path, environment)


def progress(lines: list[str]) -> list[str]:
    return [line for line in lines if re.match(r"\d+%", line)]


@pytest.mark.parametrize(
    ("columns", "pattern"), [(60, ",? ".join(EITHER)), (100, ", ".join(EITHER)), (200, ", ".join(LONG))]
)
def test_one_line_says_it_all(
    busy: Simulator, tmp_path: Path, environment: dict[str, str], columns: int, pattern: str
) -> None:
    with terminal(columns, tmp_path, environment) as command:
        shown = command.until(lambda lines: any(re.fullmatch(pattern, line) for line in progress(lines)))
        assert len(progress(shown)) == 1 and "Importing" in shown[0]
        assert command.end() == 1
        left = " ".join(command.lines())
        assert not progress(command.lines()) and "1,010 read, 1,000 written, 10 rejected" in left
        assert b"\x1b[31m10 rej" in command.received


def test_details_and_no_colours(busy: Simulator, tmp_path: Path, environment: dict[str, str]) -> None:
    environment["NO_COLOR"] = "1"
    with terminal(100, tmp_path, environment, "-v") as command:
        shown = command.until(lambda lines: "  Orders: " in "\n".join(lines) and progress(lines) != [])
        place = shown.index(progress(shown)[0])
        assert shown[place + 1].startswith("  1 worker, ")
        assert re.fullmatch(
            r"  Orders: \d+ of \d+ WCU/s( \(cap 400\))?, answers in \d+ ms \(99%: \d+ ms\)", shown[place + 2]
        )
        assert command.end() == 1
        assert "connection" not in " ".join(command.lines())
        assert re.search(rb"\x1b\[[1-9]\d*m", command.received) is None


def test_a_terminal_of_a_few_columns_keeps_the_line_whole(
    busy: Simulator, tmp_path: Path, environment: dict[str, str]
) -> None:
    with terminal(24, tmp_path, environment) as command:
        shown = command.until(lambda lines: progress(lines) != [])
        assert re.fullmatch(r"\d+%( \S+)*", progress(shown)[0])
