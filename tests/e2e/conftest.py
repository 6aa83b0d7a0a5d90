"""What the end-to-end tests have in common: the real scripts as subprocesses, in a folder and an environment of their
own, against servers on real sockets.

    def test_it(run_import, simulator):
        done = run_import("-t", "Orders", "-s", "orders.json")     # in tmp_path
        assert done.code == 0

A command finds the simulator by the environment, as `simulator` puts its address there. After every command that
ended by itself its folder for temporary files must be empty.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddbio.simulator import FaultPlan, Simulator
from tests.endpoints import Endpoint, Registry
from tests.support.commands import EXPORT, IMPORT, Commands, Run, Start
from tests.support.environment import AWS_ENVIRONMENT, running
from tests.support.items import Item, plain_items, write_items


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """All of the environment that commands get; a test may change it before it runs one."""
    return {
        **AWS_ENVIRONMENT,
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "TMPDIR": str(tmp_path_factory.mktemp("temporary")),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
        "PYTHONWARNINGS": "always::ResourceWarning",
    }


@pytest.fixture(params=["core", pytest.param("python", marks=pytest.mark.fuller)])
def both_paths(request: pytest.FixtureRequest, environment: dict[str, str]) -> None:
    """The commands of a test run with the native core, if it is there, and once more without it."""
    if request.param == "python":
        environment["DDBIO_NATIVE"] = "0"


@pytest.fixture
def commands(tmp_path: Path, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path, environment, tmp_path_factory.mktemp("streams"))


@pytest.fixture
def run_import(commands: Commands) -> Run:
    """`run_import("-t", "Orders", ...) -> Completed`: DDBImport.py from beginning to end."""
    return lambda *arguments, **options: commands.run(IMPORT, *arguments, **options)


@pytest.fixture
def run_export(commands: Commands) -> Run:
    return lambda *arguments, **options: commands.run(EXPORT, *arguments, **options)


@pytest.fixture
def start_import(commands: Commands) -> Start:
    """`with start_import("-t", "Orders", ...) as command`: DDBImport.py, running."""
    return lambda *arguments, **options: commands.start(IMPORT, *arguments, **options)


@pytest.fixture
def start_export(commands: Commands) -> Start:
    return lambda *arguments, **options: commands.start(EXPORT, *arguments, **options)


@pytest.fixture
def simulator(environment: dict[str, str]) -> Iterator[Simulator]:
    """A DynamoDB of this test's own, which the commands find by their environment."""
    with Simulator() as running:
        environment["AWS_ENDPOINT_URL_DYNAMODB"] = running.url
        yield running


@pytest.fixture(params=["moto"])  # in the test's id: `tests.endpoints.scheduling` looks there
def s3(request: pytest.FixtureRequest, endpoints: Registry, environment: dict[str, str]) -> Endpoint:
    """An S3, which the commands find by their environment."""
    endpoint = running(endpoints, "s3", request.param)
    environment.update(endpoint.env)
    return endpoint


@pytest.fixture
def orders(tmp_path: Path) -> list[Item]:
    """1,000 items; they are in `orders.json` in the current folder of the commands."""
    items = plain_items(1000)
    write_items(tmp_path / "orders.json", items)
    return items


@pytest.fixture
def slow(simulator: Simulator) -> Simulator:
    """A table whose every answer takes 30 ms; no cap, no throttling. With few lanes a run lasts for seconds."""
    simulator.create_table("Orders", "id:S")
    simulator.faults = FaultPlan(latency_s=0.03)
    return simulator


@pytest.fixture
def many(tmp_path: Path) -> list[Item]:
    """4,500 items in 8 units of work; they are in `orders.json`."""
    items = plain_items(4500, padding=60)
    write_items(tmp_path / "orders.json", items)
    return items
