"""Small jobs, which a command does without worker processes: killed, stopped, at a standstill, and what they say."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from signal import Signals

import pytest

from ddbio.simulator import FaultPlan, Simulator
from ddbio.simulator.faults import UNAVAILABLE
from tests.support.commands import Run, Start, assert_holds, descendants, with_slack
from tests.support.items import Item, contents, plain_items, write_items

IMPORT = ("-t", "Orders", "-s", "orders.json", "--lanes", 1)
HERE = "in this process"


@pytest.fixture
def small(slow: Simulator, tmp_path: Path) -> list[Item]:
    """600 items in one unit of work; with one lane the import of them takes a second."""
    items = plain_items(600)
    write_items(tmp_path / "orders.json", items)
    return items


def written(simulator: Simulator) -> int:
    return simulator.table("Orders").item_count()


def test_a_killed_command_resumes_after_its_last_batch(
    start_import: Start, run_import: Run, slow: Simulator, small: list[Item]
) -> None:
    """Nothing was reported yet: what it had settled is in the checkpoint only."""
    with start_import(*IMPORT) as command:
        command.until(lambda: written(slow) >= 200)
        assert descendants(command.pid) == []
        command.signal(Signals.SIGKILL)
        command.wait()
    before, settled = slow.requests()["BatchWriteItem"], written(slow)
    done = run_import(*IMPORT)
    assert (done.code, done.counts["read"], done.counts["written"]) == (0, 600, 600), done.err
    assert HERE in done.log[0]
    assert_holds(slow, "Orders", small)
    again = slow.requests()["BatchWriteItem"] - before
    assert again <= (600 - settled) // 25 + 2, "at most the batch in flight is written once more"


@pytest.mark.parametrize("number", [Signals.SIGINT, Signals.SIGTERM], ids=lambda each: each.name)
def test_a_stop_is_in_order_and_the_same_command_resumes(
    start_import: Start, run_import: Run, slow: Simulator, small: list[Item], number: signal.Signals
) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: written(slow) >= 100)
        command.signal(number)
        done = command.wait()
    done.assert_error(130, "stopped", "to resume")
    assert 100 <= done.counts["written"] == written(slow) < 600
    assert run_import(*IMPORT).code == 0
    assert_holds(slow, "Orders", small)


def test_a_second_ctrl_c_does_not_wait_for_answers(start_import: Start, slow: Simulator, small: list[Item]) -> None:
    with start_import(*IMPORT) as command:
        command.until(lambda: written(slow) >= 100)
        slow.faults = FaultPlan(latency_s=30.0)
        time.sleep(0.1)
        command.signal(Signals.SIGINT)
        time.sleep(0.3)
        assert command.process.poll() is None
        command.signal(Signals.SIGINT)
        done = command.wait(with_slack(3.0))
    done.assert_error(130, "stopped")
    assert "were abandoned" in done.err


def test_a_standstill_ends_it_with_the_reason(run_import: Run, slow: Simulator, small: list[Item]) -> None:
    slow.faults = FaultPlan([UNAVAILABLE] * 10_000)
    done = run_import(*IMPORT, "--give-up-after", 1)
    done.assert_error(3, "ServiceUnavailable")


def test_processes_are_started_if_they_are_asked_for_or_the_job_is_not_small(
    run_import: Run, run_export: Run, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    items = plain_items(600, padding=2000)
    write_items(tmp_path / "orders.json", items)
    assert HERE not in run_import("-t", "Orders", "-s", "orders.json").log[0], "1.2 MB"
    write_items(tmp_path / "few.json", items[:400])
    assert HERE in run_import("-t", "Orders", "-s", "few.json").log[0]
    assert "with 1 process" in run_import("-t", "Orders", "-s", "few.json", "-p", 1).log[0]
    exported = run_export("-t", "Orders", "-d", "-")
    assert HERE in exported.log[0]
    assert len(exported.out.splitlines()) == len(contents(items))


def test_a_function_of_the_user_never_runs_in_the_first_process(
    run_import: Run, slow: Simulator, small: list[Item], tmp_path: Path
) -> None:
    """It may end its process: then the others, and the command, go on."""
    (tmp_path / "ends.py").write_text(
        "import os\ndef f(item):\n    return os._exit(3) if item['id'] == 'item-000300' else item\n"
    )
    done = run_import(*IMPORT, "--transform", "ends.py:f")
    assert HERE not in done.log[0]
    done.assert_error(3, "was given up")
