"""What a run shows: nothing, sentences, a log for programs, its place on SIGUSR1; and how long it may take."""

from __future__ import annotations

import datetime
import json
import signal
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Run, Start
from tests.support.items import Item

IMPORT = ("-t", "Orders", "-s", "orders.json", "-p", "1", "--lanes", "1")


@pytest.fixture
def table(simulator: Simulator, orders: list[Item]) -> Simulator:
    simulator.create_table("Orders", "id:S")
    return simulator


def test_quiet_is_the_summary_and_nothing_else(run_import: Run, table: Simulator) -> None:
    done = run_import(*IMPORT, "-q")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("1,000 read, 1,000 written")


def test_a_log_for_programs(run_import: Run, table: Simulator, tmp_path: Path) -> None:
    done = run_import(*IMPORT, "--log-file", "run.log", "--log-format", "json", "--no-progress")
    assert done.code == 0 and "Importing" in done.err
    events = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines()]
    assert [each["event"] for each in events if each["event"] != "notice"] == ["start", "end"]
    assert all(datetime.datetime.fromisoformat(each["time"]).tzinfo for each in events)
    assert any("Importing" in each["text"] for each in events if each["event"] == "notice")
    end = events[-1]
    assert (end["exit_code"], end["error"]) == (0, None)
    assert (end["counts"]["read"], end["counts"]["written"], end["counts"]["units"]) == (1000, 1000, 1000)


def test_a_log_is_appended_to_and_nothing_else_is(run_import: Run, table: Simulator, tmp_path: Path) -> None:
    for _ in range(2):
        assert run_import(*IMPORT, "--log-file", "run.log").code == 0
    lines = (tmp_path / "run.log").read_text().splitlines()
    assert len([line for line in lines if " end ended with 0: read 1,000" in line]) == 2
    before = (tmp_path / "orders.json").read_bytes()
    for path in ("orders.json", "no/such/folder", "."):
        refused = run_import(*IMPORT, "--log-file", path)
        assert refused.code == 2 and refused.err.count("\n") == 1 and path in refused.err
    (tmp_path / "notes.txt").write_text("mine\n")
    assert run_import(*IMPORT, "--log-file", "notes.txt").code == 2
    assert (tmp_path / "notes.txt").read_text() == "mine\n"
    assert (tmp_path / "orders.json").read_bytes() == before


def test_a_signal_shows_where_it_is(start_import: Start, slow: Simulator, many: list[Item]) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.requests().get("BatchWriteItem", 0) > 5)
        command.signal(signal.SIGUSR1)
        done = command.wait()
    assert done.code == 0
    assert any(" items, " in line and "units/s" in line for line in done.err.splitlines())


def test_the_longest_duration(run_import: Run, slow: Simulator, many: list[Item]) -> None:
    done = run_import(*IMPORT, "--max-duration", "2s")
    assert done.code == 130 and "Stopping: 2 s are over (--max-duration)" in done.err
    assert "run the same command again to resume" in done.err
    written = len(slow.table("Orders").items())
    assert written < len(many)  # 0 if this machine is busy
    assert run_import(*IMPORT, "--max-duration", "1h").code == 0
    assert len(slow.table("Orders").items()) == len(many)


@pytest.mark.parametrize("text", ["0", "5x", "h", "-1s", ""])
def test_what_is_no_duration(run_import: Run, text: str) -> None:
    refused = run_import(*IMPORT, f"--max-duration={text}")
    assert refused.code == 2 and "is no duration such as 90s, 30m or 1h30m" in refused.err
