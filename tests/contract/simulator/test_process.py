"""The simulator as a process of its own, and the AWS CLI as its client."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from ddbio.simulator import Simulator

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-m", "ddbio.simulator"]
AWS = Path(sys.executable).with_name("aws")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def started(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*COMMAND, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def url_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


@pytest.fixture
def url() -> Iterator[str]:
    with started("--table", "Orders", "--key", "id:S,at:N", "--wcu", "7") as process:
        yield url_line(process)
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_url_and_ends_cleanly(number: signal.Signals) -> None:
    with started("--table", "Orders") as process:
        url = url_line(process)
        client = boto3.client("dynamodb", "us-east-1", endpoint_url=url)
        client.put_item(TableName="Orders", Item={"id": {"S": "1"}})
        assert client.scan(TableName="Orders")["Count"] == 1
        process.send_signal(number)  # with a connection still open
        output, errors = process.communicate(timeout=10)
        client.close()
    assert (process.returncode, output) == (0, "")
    explained, pasted = errors.splitlines()
    assert "paste" in explained
    assert pasted.split() == [
        "export",
        f"AWS_ENDPOINT_URL_DYNAMODB={url}",
        "AWS_REGION=us-east-1",
        "AWS_ACCESS_KEY_ID=any",
        "AWS_SECRET_ACCESS_KEY=any",
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--host", "0.0.0.0"], "other machines can reach 0.0.0.0"),
        (["--host", "::"], "other machines can reach ::"),
        (["--port", "{taken}"], "cannot listen on 127.0.0.1 port {taken}: "),
        (["--key", "id:X", "--table", "T"], "id:X"),
    ],
)
def test_what_it_refuses_to_do(options: list[str], complaint: str, taken_port: int) -> None:
    options, complaint = [o.format(taken=taken_port) for o in options], complaint.format(taken=taken_port)
    done = subprocess.run([*COMMAND, *options], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_in_a_process_it_refuses_the_same(taken_port: int) -> None:
    with pytest.raises(ValueError, match="this machine only"):
        Simulator(host="0.0.0.0")
    simulator = Simulator(port=taken_port)
    with pytest.raises(OSError):  # its number differs between systems
        simulator.start()
    simulator.stop()


def test_what_is_in_the_tables_can_be_seen_after_it_ended() -> None:
    with Simulator() as simulator:
        simulator.create_table("Orders", "id:S").put_items([{"id": {"S": "1"}}])
        threads = {thread.name for thread in threading.enumerate()}
        assert "ddbio-simulator" in threads
    assert simulator.table("Orders").items() == [{"id": {"S": "1"}}]
    assert "ddbio-simulator" not in {thread.name for thread in threading.enumerate()}


def aws(url: str, *arguments: str) -> Any:
    """What the AWS CLI says, parsed."""
    done = subprocess.run(
        [AWS, "dynamodb", *arguments, "--endpoint-url", url, "--output", "json"],
        env=os.environ | {"AWS_MAX_ATTEMPTS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout) if done.stdout else None


@pytest.mark.fuller
def test_the_aws_cli_creates_describes_fills_and_scans_a_table(url: str) -> None:
    aws(
        url, "create-table", "--table-name", "Made", "--billing-mode", "PAY_PER_REQUEST",
        "--attribute-definitions", "AttributeName=id,AttributeType=S",
        "--key-schema", "AttributeName=id,KeyType=HASH",
    )  # fmt: skip
    table = aws(url, "describe-table", "--table-name", "Orders")["Table"]
    assert (table["TableStatus"], table["ProvisionedThroughput"]["WriteCapacityUnits"]) == ("ACTIVE", 7)
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["id", "at"]
    aws(url, "put-item", "--table-name", "Made", "--item", '{"id": {"S": "\u00e9"}, "n": {"N": "007"}}')
    assert aws(url, "scan", "--table-name", "Made")["Items"] == [{"id": {"S": "\u00e9"}, "n": {"N": "7"}}]
