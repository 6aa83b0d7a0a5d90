"""One job on many machines: a driver, and workers that join it, are killed, stopped, or have no business there.

All of them are on this machine here; they share nothing but what a test says.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.support.commands import CHECKOUT, Commands, Completed, Running, assert_holds
from tests.support.items import Item, plain_items, write_items
from tests.support.native_exports import change, write_export

pytestmark = pytest.mark.fuller

TIMEOUT_S = 1.0  # of workers that are silent


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


class Cluster:
    """Starts drivers and workers of one port."""

    def __init__(self, commands: Commands, port: int) -> None:
        self._commands = commands
        self._port = port

    def driver(self, *words: object, expected: int = 2) -> AbstractContextManager[Running]:
        return self._commands.start(Path("-m"), "ddbio", *words, *self.of_hub(expected))

    def of_hub(self, expected: int = 2) -> tuple[object, ...]:
        hub = ("--engine", "hub", "--hub-port", self._port, "--token-file", "token", "--shared-filesystem")
        return (*hub, "--workers-expected", expected, "--worker-timeout", TIMEOUT_S)

    def worker(self, *words: object, token: str = "token") -> AbstractContextManager[Running]:
        join = ("--join", f"127.0.0.1:{self._port}", "--token-file", token)
        return self._commands.start(Path("-m"), "ddbio", "worker", *join, "--wait", 20, *words)


@pytest.fixture
def cluster(commands: Commands, port: int, environment: dict[str, str], tmp_path: Path) -> Cluster:
    environment["PYTHONPATH"] = str(CHECKOUT)
    token = tmp_path / "token"
    token.touch(0o600)
    token.write_text("0123456789abcdef" * 4)
    return Cluster(commands, port)


@pytest.fixture
def items(tmp_path: Path) -> list[Item]:
    """9,000 items in `orders.json`."""
    made = plain_items(9000, padding=60)
    write_items(tmp_path / "orders.json", made)
    return made


IMPORT = ("import", "-t", "Orders", "-s", "orders.json", "--lanes", 2)


def joined(command: Running, count: int) -> bool:
    return command._stream("err").count("has joined") >= count


def test_a_killed_process_is_replaced_and_a_stranger_turned_away(
    simulator: Simulator, cluster: Cluster, items: list[Item], tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.03)
    other = tmp_path / "other"
    other.touch(0o600)
    other.write_text("f" * 64)
    with cluster.driver(*IMPORT) as driver, cluster.worker("-p", 2) as worker:
        driver.until(lambda: joined(driver, 2))
        with cluster.worker("-p", 1, token="other") as stranger:
            driver.until(lambda: simulator.table("Orders").consumed("write") > 500)
            os.kill(worker.workers()[0], signal.SIGKILL)
            refused = stranger.wait()
        done, left = driver.wait(), worker.wait()
    refused.assert_error(2, "the driver has another token")
    assert (done.code, done.counts["read"], done.counts["written"]) == (0, 9000, 9000), done.err
    assert "was not heard of for 2 s after its connection ended; its work continues at others" in done.err
    assert "A connection from 127.0.0.1 was turned away" in done.err
    assert left.code == 0 and "finished: the driver has no more work" in left.err
    assert_holds(simulator, "Orders", items)
    for text in (done.err, left.err, refused.err):
        assert "0123456789abcdef" not in text and "ffffffff" not in text


def test_a_worker_that_was_suspended_writes_nothing_when_it_wakes_up(
    simulator: Simulator, cluster: Cluster, items: list[Item]
) -> None:
    """Its units are at others by then."""
    table = simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.03)
    with cluster.driver(*IMPORT) as driver, cluster.worker("-p", 1) as first, cluster.worker("-p", 1):
        driver.until(lambda: joined(driver, 2))
        driver.until(lambda: table.consumed("write") > 1000)
        (suspended,) = first.workers()
        os.kill(suspended, signal.SIGSTOP)
        done = driver.wait()
        assert (done.code, done.counts["written"]) == (0, 9000), done.err
        assert "was not heard of for 2 s; its work continues at others" in done.err
        before = table.consumed("write")
        os.kill(suspended, signal.SIGCONT)
        time.sleep(1.0)
        assert table.consumed("write") == before
    assert_holds(simulator, "Orders", items)


def test_a_killed_driver_stops_its_workers_and_another_engine_resumes(
    simulator: Simulator, cluster: Cluster, commands: Commands, tmp_path: Path
) -> None:
    """An export; its lines are the items of the table, each once."""
    items = plain_items(6000, padding=300)
    simulator.create_table("Orders", "id:S").put_items(items)
    simulator.faults = FaultPlan(latency_s=0.1)
    words: tuple[Any, ...] = ("export", "-t", "Orders", "-d", "out", "--segments", 40, "--lanes", 1)
    with cluster.worker("-p", 2) as worker:
        with cluster.driver(*words) as driver:
            driver.until(lambda: joined(driver, 2))
            driver.until(lambda: simulator.requests().get("Scan", 0) > 8)
            driver.signal(signal.SIGKILL)
            driver.process.wait()
        time.sleep(1.0)
        before = simulator.requests()
        time.sleep(0.5)
        assert simulator.requests() == before
        worker.signal(signal.SIGTERM)
        assert worker.wait().code == 130
    done = commands.run(Path("-m"), "ddbio", *words, "-p", 2)
    assert done.code == 0 and "Resuming" in done.err, done.err
    assert lines_of(tmp_path / "out") == sorted(item["id"]["S"] for item in items)


def lines_of(folder: Path) -> list[str]:
    """The keys in the files of an export."""
    files = [path for path in folder.glob("*.json") if not path.name.startswith("_")]
    return sorted(json.loads(line)["id"] for path in files for line in path.read_text().splitlines())


def test_a_limit_is_exact_and_a_worker_that_is_asked_to_leaves_its_work_to_others(
    simulator: Simulator, cluster: Cluster, tmp_path: Path
) -> None:
    simulator.create_table("Orders", "id:S").put_items(plain_items(4000, padding=900))
    simulator.faults = FaultPlan(latency_s=0.12)
    words = ("export", "-t", "Orders", "-d", "out", "--segments", 30, "--limit", 1777, "--lanes", 1)
    with cluster.driver(*words) as driver, cluster.worker("-p", 1) as first, cluster.worker("-p", 1):
        driver.until(lambda: joined(driver, 2))
        first.signal(signal.SIGTERM)
        left, done = first.wait(), driver.wait()
    assert left.code == 130 and left.err.splitlines()[-1].startswith("stopped: requests in flight were settled")
    assert done.code == 0, done.err
    keys = lines_of(tmp_path / "out")
    assert len(keys) == len(set(keys)) == 1777


def test_paths_of_the_driver_are_refused(
    simulator: Simulator, cluster: Cluster, commands: Commands, items: list[Item]
) -> None:
    simulator.create_table("Orders", "id:S")
    refused: Completed = commands.run(
        Path("-m"), "ddbio", *IMPORT, "--engine", "hub", "--token-file", "token", "--quiet"
    )
    refused.assert_error(2, "orders.json", "is a place on this machine", "--shared-filesystem")
    with suppress(KeyError):
        assert simulator.table("Orders").items() == []


OTHER_VERSION = "import ddbio.version\nddbio.version.__version__ = '9.9.9'\n"


def test_a_worker_of_another_version_is_refused_and_the_job_goes_on(
    simulator: Simulator, cluster: Cluster, items: list[Item], environment: dict[str, str], tmp_path: Path
) -> None:
    """Both ends say which version each has."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.03)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text(OTHER_VERSION)
    with cluster.driver(*IMPORT, expected=1) as driver, cluster.worker("-p", 1) as worker:
        driver.until(lambda: joined(driver, 1))
        environment["PYTHONPATH"] = f"{tmp_path / 'other'}{os.pathsep}{CHECKOUT}"
        with cluster.worker("-p", 1) as stranger:
            refused = stranger.wait()
        done, left = driver.wait(), worker.wait()
    refused.assert_error(2, "the worker has 'ddbio 9.9.9', the driver 'ddbio 0.", "install the same version")
    assert "turned away: the worker has 'ddbio 9.9.9', the driver 'ddbio 0." in done.err
    assert (done.code, done.counts["written"], left.code) == (0, 9000, 0), done.err
    assert_holds(simulator, "Orders", items)


def test_changes_are_undone_though_one_worker_is_killed_and_another_is_suspended(
    simulator: Simulator, cluster: Cluster, tmp_path: Path
) -> None:
    """None is taken for one that changed again; those that a worker had undone before it was killed are as before."""
    old = [{"id": {"S": f"k{number:05}"}, "n": {"N": "1"}} for number in range(1200)]
    new = [{**item, "n": {"N": "2"}} for item in old]
    changes = [change({"id": before["id"]}, after, before) for before, after in zip(old, new, strict=True)]
    write_export(tmp_path, "01", [changes[:400], changes[400:800], changes[800:]], incremental=True)
    table = simulator.create_table("Orders", "id:S")
    table.put_items(new)
    simulator.faults = FaultPlan(latency_s=0.03)
    revert = ("revert", "-t", "Orders", "-s", "exports", "--yes", "--lanes", 4)
    with cluster.driver(*revert) as driver, cluster.worker("-p", 2) as worker:
        driver.until(lambda: table.consumed("write") > 100)
        killed, suspended = worker.workers()
        os.kill(killed, signal.SIGKILL)
        driver.until(lambda: table.consumed("write") > 300)
        os.kill(suspended, signal.SIGSTOP)
        time.sleep(3 * TIMEOUT_S)
        os.kill(suspended, signal.SIGCONT)
        done = driver.wait()
        worker.wait()
    assert done.code == 0, done.err
    assert_holds(simulator, "Orders", old)
    counts = {word: int(number.replace(",", "")) for number, word in re.findall(r"(\d[\d,]*) ([a-z ]+)", done.out)}
    assert counts["restored"] + counts["already as before"] == counts["read"] == 1200, done.out
    assert counts["already as before"] < 200, "what the connections of two workers had sent and not reported"
    assert counts["rejected"] == 0 and "again" not in done.out
