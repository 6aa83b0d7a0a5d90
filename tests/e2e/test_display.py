"""What a run shows: nothing, sentences, a log for programs, its place on SIGUSR1; and how long it may take."""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import urllib.request
from pathlib import Path

import pytest

from ddbio.simulator import Simulator
from tests.support.commands import Run, Start
from tests.support.items import Item

pytestmark = pytest.mark.fuller

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


@pytest.mark.parametrize("option", ["--report", "--rejects"])
def test_a_log_has_a_file_to_itself(run_import: Run, table: Simulator, tmp_path: Path, option: str) -> None:
    refused = run_import(*IMPORT, "--log-file", "x.rejects.jsonl", option, f"{tmp_path}/x.rejects.jsonl")
    refused.assert_one_line_error(2, f"is also the file of {option}")
    (tmp_path / "sources").mkdir()
    refused = run_import("-t", "Orders", "-s", "sources", "--log-file", "sources/run.json")
    refused.assert_one_line_error(2, "would be taken for a source by the next import")


def test_a_run_that_is_refused_has_an_end_in_its_log(run_import: Run, simulator: Simulator, tmp_path: Path) -> None:
    done = run_import(*IMPORT, "--log-file", "run.log", "--log-format", "json")
    (end,) = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines()]
    assert done.code == 2 and (end["event"], end["exit_code"], end["counts"]) == ("end", 2, {})
    assert 'table "Orders" in us-east-1 does not exist' in end["error"]


def test_metrics_during_a_run(start_import: Start, slow: Simulator, many: list[Item], tmp_path: Path) -> None:
    def scraped(name: str) -> float:
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+/metrics", (command.streams / "err").read_text())
        text = urllib.request.urlopen(address, timeout=10).read().decode()
        return float(re.findall(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[0])

    with start_import(*IMPORT, "--metrics", "0") as command:
        command.until(lambda: slow.requests().get("BatchWriteItem", 0) > 5)
        command.until(lambda: scraped('ddbio_items_total{count="written"}') > 0)
        assert 0 < scraped("ddbio_bytes_total") <= scraped('ddbio_work_done{unit="B"}')
        answered = 'ddbio_request_duration_seconds_count{role="target",table="Orders"}'
        assert 5 < scraped(answered) <= slow.requests()["BatchWriteItem"]
        assert scraped("ddbio_workers") == 1
        command.until(lambda: scraped("ddbio_connections") == 1)
        done = command.wait()
    assert done.code == 0 and "Metrics: http" in done.err


@pytest.mark.parametrize(
    ("port", "words"), [("x", "is no port"), ("65536", "is no port"), ("PORT", "Address already in use")]
)
def test_a_port_that_cannot_be_had(run_import: Run, table: Simulator, port: str, words: str) -> None:
    given = port.replace("PORT", table.url.rpartition(":")[2])
    run_import(*IMPORT, "--metrics", given, "--log-file", "run.log").assert_one_line_error(2, words)


@pytest.mark.parametrize("option", [[], ["-q"], ["--no-progress"]], ids=["usual", "quiet", "no progress"])
def test_a_signal_shows_where_it_is(
    start_import: Start, slow: Simulator, many: list[Item], option: list[str]
) -> None:
    with start_import(*IMPORT, *option) as command:
        command.until(lambda: slow.requests().get("BatchWriteItem", 0) > 5)
        command.signal(signal.SIGUSR1)
        done = command.wait()
    assert done.code == 0
    assert any(" items, " in line and "units/s" in line for line in done.err.splitlines())
    assert (" Importing " in done.err) is (option != ["-q"]) and " at work" in done.err


def test_a_signal_before_there_is_anything_to_show_is_ignored(start_import: Start, table: Simulator) -> None:
    def has_begun() -> bool:
        status = Path(f"/proc/{command.pid}/status").read_text()
        caught = int(re.search(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)[1], 16)  # type: ignore[index]
        return bool(caught >> (signal.SIGTERM - 1) & 1)

    with start_import(*IMPORT) as command:
        command.until(has_begun)
        command.signal(signal.SIGUSR1)
        done = command.wait()
    assert done.code == 0


def test_signals_do_not_end_a_worker(start_import: Start, slow: Simulator, many: list[Item]) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: slow.requests().get("BatchWriteItem", 0) > 5)
        (worker,) = command.workers()
        os.kill(worker, signal.SIGUSR1)
        done = command.wait()
    assert done.code == 0 and "worker" not in done.err


def test_the_longest_duration(run_import: Run, slow: Simulator, many: list[Item], tmp_path: Path) -> None:
    done = run_import(*IMPORT, "--max-duration", "2s", "--log-file", "run.log")
    said = "Stopping: 2 s are over (--max-duration)"
    assert done.code == 130 and said in done.err and f" notice {said}\n" in (tmp_path / "run.log").read_text()
    assert "run the same command again to resume" in done.err
    written = len(slow.table("Orders").items())
    assert written < len(many)  # 0 if this machine is busy
    assert run_import(*IMPORT, "--max-duration", "1h").code == 0
    assert len(slow.table("Orders").items()) == len(many)


@pytest.mark.parametrize("text", ["0", "5x", "h", "-1s", ""])
def test_what_is_no_duration(run_import: Run, text: str) -> None:
    refused = run_import(*IMPORT, f"--max-duration={text}")
    assert refused.code == 2 and "is no duration such as 90s, 30m or 1h30m" in refused.err
