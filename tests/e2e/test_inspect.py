"""`ddbio inspect`: the figures of a table and a sample, as text and JSON; the same if it was killed and resumed."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.support.commands import CHECKOUT, Commands, Run, descendants, is_alive, wait_until

pytestmark = pytest.mark.fuller

INSPECT = (Path("-m"), "ddbio", "inspect", "-t", "Orders")


@pytest.fixture(autouse=True)
def this_checkout(environment: dict[str, str]) -> None:
    environment["PYTHONPATH"] = str(CHECKOUT)


@pytest.fixture
def inspect(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(*INSPECT, *arguments, **options)


def fill(simulator: Simulator, count: int) -> Any:
    """A tenth of the items are in one partition, half in the index, a quarter expired."""
    table = simulator.create_table("Orders", "id:S", "at:N", global_indexes={"byDay": ["day:S"]})
    table.put_items(
        [
            {
                "id": {"S": "heavy" if number % 10 == 0 else f"{number % 701:05}"},
                "at": {"N": str(number)},
                **({"day": {"S": "monday"}} if number % 2 else {}),
                "ttl": {"N": str(int(time.time()) + (-1000 if number % 4 == 0 else 10**6))},
            }
            for number in range(count)
        ]
    )
    return table


def profile(text: str) -> Any:
    report = json.loads(text)
    return {**report["profile"], "counts": [report["counts"][name] for name in ("read", "counted", "left_out")]}


def test_the_figures_as_text(inspect: Run, simulator: Simulator) -> None:
    fill(simulator, 1000)
    names = {"region_name": "us-east-1", "aws_access_key_id": "x", "aws_secret_access_key": "y"}
    client = boto3.client("dynamodb", endpoint_url=simulator.url, **names)
    client.update_time_to_live(TableName="Orders", TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    done = inspect("-p", 2, "--segments", 6)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    client.close()
    assert lines[0].startswith("1,000 items of ")
    assert "sizes of items:" in lines and "largest items:" in lines
    heavy = lines[lines.index("heaviest partition keys, by bytes (exact):") + 1]
    assert heavy.endswith("%, 100 items: heavy")
    assert any(line.startswith("  ttl: ") and "N 100%" in line for line in lines)
    assert any(line.startswith("index byDay (ALL): 500 entries (50.0% of the items) of ") for line in lines)
    assert any(line.startswith("TTL by ttl: 25.0% of the items expired and still there (") for line in lines)
    assert any(line.startswith("by segment: 6 segments, ") for line in lines)


def test_one_that_is_killed_is_finished_by_the_same_command(
    commands: Commands, inspect: Run, simulator: Simulator
) -> None:
    fill(simulator, 3000)
    whole = profile(inspect("-p", 1, "--segments", 150, "--json").out)
    simulator.faults = FaultPlan(latency_s=0.03)
    asked = ("-p", 1, "--lanes", 2, "--segments", 200, "--json")
    before = simulator.table("Orders").consumed("read")
    for more in (25, 55):
        with commands.start(*INSPECT, *asked) as command:
            command.until(lambda more=more: simulator.table("Orders").consumed("read") - before > more)
            pids = descendants(command.pid)
            command.signal(signal.SIGKILL)
            command.wait(5)
            wait_until(lambda pids=pids: not any(map(is_alive, pids)), 2.0)
    simulator.faults = FaultPlan()
    done = inspect(*asked)
    assert done.code == 0, done.err
    assert "Resuming: " in done.err
    again = profile(done.out)
    for each in (whole, again):
        for attribute in each["attributes"].values():
            del attribute["example"]  # of the first page in some order
    assert again == whole


def test_a_sample(inspect: Run, simulator: Simulator) -> None:
    table = fill(simulator, 2000)
    done = inspect("-p", 1, "--segments", 100, "--sample", "20%")
    assert done.code == 0, done.err
    assert " in 20 of 100 segments; about " in done.out and "with 95 % confidence" in done.out
    assert table.consumed("read") < 100


def test_an_empty_table(inspect: Run, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S")
    assert inspect("-p", 1).out.splitlines()[0] == "0 items of 0 B"
