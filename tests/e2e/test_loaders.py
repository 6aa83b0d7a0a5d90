"""The loaders' interface, in scripts as their users have them, and their command."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.endpoints import Registry
from tests.support.commands import CHECKOUT, Commands, Completed, descendants, is_alive, wait_until
from tests.support.environment import running
from tests.support.free_loop import WATCH, assert_loop_stays_free

pytestmark = pytest.mark.fuller

COLUMNS = ["id", "timestamp", "category", "user_name", "email", "amount", "status", "description"]
THREADED = """
from ddbio.loaders import ThreadedDynamoDBLoader

loader = ThreadedDynamoDBLoader(
    table_name="Orders", region="us-east-1", max_workers=10, batch_size=25, max_retries=3, base_delay=0.1,
    max_delay=5.0,
)
result = loader.load_csv("orders.csv")
"""
ASYNC = """
import asyncio
from ddbio.loaders import AsyncDynamoDBLoader

async def main():
    loader = AsyncDynamoDBLoader(table_name="Orders", region="us-east-1", max_workers=20, batch_size=25)
    return await loader.load_csv("orders.csv")

result = asyncio.run(main())
"""
SHOWN = """
import dataclasses, json
print(json.dumps({**dataclasses.asdict(result), "rate": result.success_rate()}))
"""


def run_script(commands: Commands, folder: Path, text: str) -> dict[str, Any]:
    """The result that a script shows."""
    (folder / "job.py").write_text(text + SHOWN)
    done = commands.run(folder / "job.py")
    assert (done.code, done.err) == (0, ""), done.err
    result: dict[str, Any] = json.loads(done.out)
    assert result["total_records"] == result["successful_writes"] + result["failed_writes"]
    assert (result["failed_writes"] == 0) == (result["errors"] == [])
    assert result["duration_seconds"] > 0
    return result


def run_command(commands: Commands, *arguments: object) -> Completed:
    return commands.run(Path("-m"), "ddbio.loaders", *arguments)


def write_rows(path: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return rows


def rows_of(count: int, **more: str) -> list[dict[str, str]]:
    return [{"id": f"{n}", "amount": f"{n}.50", "note": "" if n % 2 else "a, b", **more} for n in range(count)]


def found(simulator: Simulator, table: str = "Orders") -> list[dict[str, Any]]:
    return sorted(simulator.table(table).items(), key=lambda item: str(item["id"]))


def as_items(rows: list[dict[str, str]], key: str = "S") -> list[dict[str, Any]]:
    typed = [{name: {key if name == "id" else "S": cell} for name, cell in row.items()} for row in rows]
    return sorted(typed, key=lambda item: str(item["id"]))


@pytest.mark.parametrize("script", [THREADED, ASYNC])
@pytest.mark.parametrize("server", ["simulator", "moto"])
def test_their_data_set(
    commands: Commands, endpoints: Registry, environment: dict[str, str], tmp_path: Path, script: str, server: str
) -> None:
    endpoint = running(endpoints, "dynamodb", server)
    client = endpoint.client()
    table = f"Loaded-{abs(hash((script, server))) % 10**6}"
    client.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    environment.update(endpoint.env)
    assert (
        commands.run(CHECKOUT / "GenerateTestData.py", "-c", 300, "-f", "orders.csv", "--dataset", "loader").code == 0
    )
    result = run_script(commands, tmp_path, script.replace("Orders", table))
    assert (result["total_records"], result["successful_writes"], result["rate"]) == (300, 300, 100.0)
    with (tmp_path / "orders.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == COLUMNS
    items = [page for each in client.get_paginator("scan").paginate(TableName=table) for page in each["Items"]]
    assert sorted(items, key=lambda item: item["id"]["S"]) == as_items(rows)


@pytest.mark.parametrize("script", [THREADED, ASYNC])
def test_a_numeric_key_and_a_byte_order_mark(
    commands: Commands, simulator: Simulator, tmp_path: Path, script: str
) -> None:
    simulator.create_table("Orders", "id:N")
    rows = write_rows(tmp_path / "orders.csv", rows_of(60))
    (tmp_path / "orders.csv").write_bytes(b"\xef\xbb\xbf" + (tmp_path / "orders.csv").read_bytes())
    assert run_script(commands, tmp_path, script)["successful_writes"] == 60
    assert found(simulator) == as_items(rows, "N")


@pytest.mark.parametrize("script", [THREADED, ASYNC])
def test_bad_rows_are_named_and_harm_no_other(
    commands: Commands, simulator: Simulator, tmp_path: Path, script: str
) -> None:
    simulator.create_table("Orders", "id:S")
    rows = rows_of(501)
    rows[100]["id"] = ""
    write_rows(tmp_path / "orders.csv", rows)
    with (tmp_path / "orders.csv").open("a") as file:
        file.write("too,many,cells,here\r\n")
    result = run_script(commands, tmp_path, script)
    assert (result["total_records"], result["successful_writes"], result["failed_writes"]) == (502, 500, 2)
    line_102, line_503 = sorted(result["errors"], key=lambda error: error.partition(", line ")[2])
    assert "orders.csv, line 102: " in line_102 and "orders.csv, line 503: " in line_503
    assert len((tmp_path / result["rejects"]).read_text().splitlines()) == 2
    assert found(simulator) == as_items(rows[:100] + rows[101:])


@pytest.mark.parametrize("script", [THREADED, ASYNC])
def test_a_missing_table_fails_all_records(
    commands: Commands, simulator: Simulator, tmp_path: Path, script: str
) -> None:
    write_rows(tmp_path / "orders.csv", rows_of(30))
    result = run_script(commands, tmp_path, script)
    assert (result["total_records"], result["failed_writes"]) == (30, 30)
    (error,) = result["errors"]
    assert 'table "Orders" in us-east-1 does not exist' in error


@pytest.mark.parametrize("script", [THREADED, ASYNC])
def test_a_missing_file_is_the_error_of_open(
    commands: Commands, simulator: Simulator, tmp_path: Path, script: str
) -> None:
    (tmp_path / "job.py").write_text(
        f"try:\n    import builtins\n    exec({script!r})\nexcept FileNotFoundError as e:\n    print(e)"
    )
    done = commands.run(tmp_path / "job.py")
    assert (done.code, done.err) == (0, "")
    assert "'orders.csv'" in done.out


def test_a_file_whose_name_is_a_pattern(commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    rows = write_rows(tmp_path / "[o]rders*.csv", rows_of(3))
    write_rows(tmp_path / "orders.csv", rows_of(30))
    assert run_script(commands, tmp_path, THREADED.replace("orders.csv", "[o]rders*.csv"))["total_records"] == 3
    assert found(simulator) == as_items(rows)


SEVERAL = """
from concurrent.futures import ThreadPoolExecutor
from ddbio.loaders import LoadResult, ThreadedDynamoDBLoader
loader = ThreadedDynamoDBLoader("Orders")
with ThreadPoolExecutor(3) as executor:
    results = list(executor.map(loader.load_csv, ["0.csv", "1.csv", "2.csv"]))
total, written = sum(each.total_records for each in results), sum(each.successful_writes for each in results)
result = LoadResult(total, written, 0, 1.0)
"""
SEVERAL_ASYNC = """
import asyncio
from ddbio.loaders import AsyncDynamoDBLoader, LoadResult
async def main():
    loader = AsyncDynamoDBLoader("Orders")
    return await asyncio.gather(*(loader.load_csv(f"{n}.csv") for n in range(3)))
results = asyncio.run(main())
total, written = sum(each.total_records for each in results), sum(each.successful_writes for each in results)
result = LoadResult(total, written, 0, 1.0)
"""


@pytest.mark.parametrize("script", [SEVERAL, SEVERAL_ASYNC])
def test_several_files_at_once(commands: Commands, simulator: Simulator, tmp_path: Path, script: str) -> None:
    simulator.create_table("Orders", "id:S")
    rows = [write_rows(tmp_path / f"{n}.csv", [{"id": f"{n}-{m}"} for m in range(40)]) for n in range(3)]
    assert run_script(commands, tmp_path, script)["successful_writes"] == 120
    assert found(simulator) == as_items([row for each in rows for row in each])


# --------------------------------------------------------------------------- the event loop

WATCHED = (
    WATCH
    + """
import asyncio
from ddbio.loaders import AsyncDynamoDBLoader

async def main():
    spent = []
    watching = asyncio.create_task(watch(spent))
    await asyncio.sleep(0.01)
    result = await AsyncDynamoDBLoader("Orders").load_csv("orders.csv")
    watching.cancel()
    assert len(spent) > 100
    result.rejects = " ".join(map(str, map(max, zip(*spent))))
    return result
result = asyncio.run(main())
"""
)


def test_the_event_loop_stays_free(commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    """In a thread of the same process it would wait for up to 100 ms."""
    simulator.create_table("Orders", "id:S")
    write_rows(tmp_path / "orders.csv", rows_of(5000))

    def longest_waits() -> list[float]:
        result = run_script(commands, tmp_path, WATCHED)
        assert result["successful_writes"] == 5000
        return [float(each) for each in str(result["rejects"]).split()]

    assert_loop_stays_free(longest_waits)


CANCELLED = """
import asyncio
from pathlib import Path
from ddbio.loaders import AsyncDynamoDBLoader
async def main():
    load = asyncio.create_task(AsyncDynamoDBLoader("Orders", max_workers=1).load_csv("orders.csv"))
    while not Path("cancel").exists():
        await asyncio.sleep(0.02)
    load.cancel()
    try:
        await load
    except asyncio.CancelledError:
        print("cancelled")
asyncio.run(main())
"""


def cancel_a_load(commands: Commands, folder: Path, simulator: Simulator) -> None:
    """As soon as something is written."""
    (folder / "job.py").write_text(CANCELLED)
    with commands.start(folder / "job.py") as command:
        command.until(lambda: found(simulator))
        (folder / "cancel").touch()
        assert command.wait().out == "cancelled\n"


def test_a_cancelled_load_settles_and_is_resumed(commands: Commands, slow: Simulator, tmp_path: Path) -> None:
    slow.faults = FaultPlan(latency_s=0.2)
    rows = write_rows(tmp_path / "orders.csv", rows_of(3000))
    cancel_a_load(commands, tmp_path, slow)
    done_before, consumed = len(found(slow)), slow.table("Orders").consumed("write")
    assert 0 < done_before < 3000
    slow.faults = FaultPlan()
    result = run_script(commands, tmp_path, ASYNC)
    assert (result["total_records"], result["successful_writes"]) == (3000, 3000)
    assert slow.table("Orders").consumed("write") == 3000 == consumed + 3000 - done_before, "nothing is written twice"
    assert found(slow) == as_items(rows)


def test_ctrl_c_in_a_script_settles_first(commands: Commands, slow: Simulator, tmp_path: Path) -> None:
    slow.faults = FaultPlan(latency_s=0.1)
    write_rows(tmp_path / "orders.csv", rows_of(3000))
    (tmp_path / "stopped.py").write_text(THREADED.replace("max_workers=10", "max_workers=1"))
    with commands.start(tmp_path / "stopped.py") as command:
        command.until(lambda: found(slow))
        command.signal(signal.SIGINT)
        done = command.wait()
    assert done.err.endswith("KeyboardInterrupt\n")
    assert 0 < len(found(slow)) < 3000
    slow.faults = FaultPlan()
    assert run_script(commands, tmp_path, THREADED)["successful_writes"] == 3000
    assert slow.table("Orders").consumed("write") == 3000


def test_a_load_that_is_cancelled_at_once(commands: Commands, slow: Simulator, tmp_path: Path) -> None:
    write_rows(tmp_path / "orders.csv", rows_of(30))
    (tmp_path / "cancel").touch()
    (tmp_path / "job.py").write_text(CANCELLED.replace("while not", "await asyncio.sleep(0)\n    while not"))
    done = commands.run(tmp_path / "job.py")
    assert (done.code, done.out, done.err) == (0, "cancelled\n", "")
    assert found(slow) == []
    assert run_script(commands, tmp_path, ASYNC)["successful_writes"] == 30


def test_another_file_of_the_same_name_is_loaded_from_its_beginning(
    commands: Commands, slow: Simulator, tmp_path: Path
) -> None:
    slow.faults = FaultPlan(latency_s=0.2)
    write_rows(tmp_path / "orders.csv", rows_of(3000))
    cancel_a_load(commands, tmp_path, slow)
    assert found(slow)
    slow.faults = FaultPlan()
    rows = write_rows(tmp_path / "orders.csv", rows_of(3000, more="yes"))
    result = run_script(commands, tmp_path, THREADED)
    assert (result["total_records"], result["successful_writes"]) == (3000, 3000)
    assert found(slow) == as_items(rows)


KILLED = """
import asyncio, os, signal
from pathlib import Path
from ddbio.loaders import AsyncDynamoDBLoader
async def kill():
    while True:
        await asyncio.sleep(0.01)
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            parent = each.with_name("stat").read_text().rpartition(")")[2].split()[1]
            if each.read_text().startswith("ddbio load") and parent == str(os.getpid()):
                return os.kill(int(each.parent.name), signal.SIGKILL)
async def main():
    killing = asyncio.create_task(kill())
    return await AsyncDynamoDBLoader("Orders", max_workers=1).load_csv("orders.csv")
result = asyncio.run(main())
"""


def test_the_process_of_a_load_is_killed(commands: Commands, slow: Simulator, tmp_path: Path) -> None:
    write_rows(tmp_path / "orders.csv", rows_of(300))
    result = run_script(commands, tmp_path, KILLED)
    assert result["failed_writes"] == 300
    assert "ended with -9" in result["errors"][0]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_an_async_program(
    commands: Commands, slow: Simulator, tmp_path: Path, ending: signal.Signals
) -> None:
    slow.faults = FaultPlan(latency_s=0.1)
    write_rows(tmp_path / "orders.csv", rows_of(3000))
    (tmp_path / "job.py").write_text(ASYNC.replace("max_workers=20", "max_workers=1"))
    with commands.start(tmp_path / "job.py") as command:
        command.until(lambda: found(slow))
        below = descendants(command.pid)
        assert len(below) == 2  # the load and its worker
        command.signal(ending)
        done = command.wait()
        wait_until(lambda: not any(map(is_alive, below)), 10.0)
    assert ending == signal.SIGKILL or done.err.endswith("KeyboardInterrupt\n")
    assert 0 < len(found(slow)) < 3000
    slow.faults = FaultPlan()
    assert run_script(commands, tmp_path, ASYNC)["successful_writes"] == 3000
    assert slow.table("Orders").consumed("write") == 3000, "both settle what is in flight"


def test_a_file_that_is_no_csv_has_failed(commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    (tmp_path / "orders.csv").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    result = run_script(commands, tmp_path, THREADED)
    assert (result["failed_writes"], result["rate"]) == (1, 0.0)
    assert "is a zip archive" in result["errors"][0]


# --------------------------------------------------------------------------- the command


def test_the_command(commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:S")
    rows = write_rows(tmp_path / "orders.csv", rows_of(1200))
    done = run_command(
        commands,
        *("--csv", "orders.csv", "--table", "Orders", "--region", "eu-west-1", "--workers", 4),
        *("--batch-size", 25, "--max-retries", 3),
    )
    assert done.code == 0, done.err
    assert "Total Records:     1,200\nSuccessful Writes: 1,200\nFailed Writes:     0\n" in done.out
    assert "Success Rate:      100.00%\n" in done.out and "Errors" not in done.out
    assert "with 2 processes" in done.err or "with 1 process" in done.err
    assert found(simulator) == as_items(rows)


def test_the_command_with_a_bad_row(commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    simulator.create_table("Orders", "id:N")
    write_rows(tmp_path / "orders.csv", [{"id": "1"}, {"id": "x"}])
    done = run_command(commands, "--csv", "orders.csv", "-t", "Orders", "-r", "us-east-1", "-w", 2, "-b", 10)
    assert done.code == 1
    assert "Successful Writes: 1\nFailed Writes:     1\nSuccess Rate:      50.00%\n" in done.out
    assert "Errors encountered (1):\n  - " in done.out and "orders.csv, line 3: " in done.out


def test_the_command_without_a_file_or_a_table(commands: Commands, simulator: Simulator, tmp_path: Path) -> None:
    done = run_command(commands, "--csv", "gone.csv", "--table", "Orders")
    assert (done.code, done.out, done.err) == (1, "", "ddbio.loaders: error: CSV file not found: gone.csv\n")
    write_rows(tmp_path / "orders.csv", rows_of(30))
    done = run_command(commands, "--csv", "orders.csv", "--table", "Orders")
    assert done.code == 1 and "Failed Writes:     30\n" in done.out and "does not exist" in done.out
    done = run_command(commands, "--csv", "orders.csv", "--table", "Orders", "--batch-size", 0)
    assert (done.code, done.err) == (1, "ddbio.loaders: error: batch_size must be greater than 0, got 0\n")
    done = run_command(commands, "--csv", "orders.csv")
    assert (done.code, done.out) == (2, "") and "--table" in done.err


def test_the_command_is_stopped_and_resumed(commands: Commands, slow: Simulator, tmp_path: Path) -> None:
    slow.faults = FaultPlan(latency_s=0.1)
    write_rows(tmp_path / "orders.csv", rows_of(3000))
    with commands.start(Path("-m"), "ddbio.loaders", "--csv", "orders.csv", "--table", "Orders", "-w", 1) as command:
        command.until(lambda: slow.table("Orders").items())
        command.signal(signal.SIGINT)
        done = command.wait()
    assert done.code == 130 and "stopped after" in done.out
    slow.faults = FaultPlan()
    done = run_command(commands, "--csv", "orders.csv", "--table", "Orders", "-w", 1)
    assert done.code == 0 and "Successful Writes: 3,000\n" in done.out
    assert slow.table("Orders").consumed("write") == 3000
