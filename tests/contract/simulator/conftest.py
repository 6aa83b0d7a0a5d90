"""A simulator on a clock the test moves, and a boto3 client that never retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import urllib3
from botocore.config import Config

from ddbio.simulator import Simulator, ThroughputSettings
from ddbio.system.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def simulator(clock: ManualClock) -> Iterator[Simulator]:
    """Strict throughput: a second's capacity is all a budget keeps."""
    with Simulator(clock=clock, throughput=ThroughputSettings(burst_s=0)) as running:
        yield running


@pytest.fixture
def connect(simulator: Simulator) -> Iterator[Callable[..., Any]]:
    """Makes boto3 clients of the simulator; each is closed after the test."""
    clients = []

    def client(**config: Any) -> Any:
        settings = Config(**({"retries": {"total_max_attempts": 1}} | config))
        clients.append(boto3.client("dynamodb", "us-east-1", endpoint_url=simulator.url, config=settings))
        return clients[-1]

    yield client
    for each in clients:
        each.close()


@pytest.fixture
def client(connect: Callable[..., Any]) -> Any:
    return connect()


@pytest.fixture
def control(simulator: Simulator) -> Iterator[Callable[[str, dict[str, Any]], dict[str, Any]]]:
    """Calls the simulator's own operations over HTTP, without any credentials."""
    with urllib3.PoolManager(retries=False) as pool:

        def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
            target = {"X-Amz-Target": f"DdbioSimulator.{operation}"}
            answer: dict[str, Any] = pool.request("POST", simulator.url, headers=target, json=request).json()
            return answer

        yield call
