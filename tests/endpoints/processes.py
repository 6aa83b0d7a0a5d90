"""Starts a server process on a free port of 127.0.0.1, waits until it answers, and stops that process, by its pid."""

from __future__ import annotations

import contextlib
import http.client
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
# Below the range from which the kernel takes ports for outgoing connections, also when 10,000 is added (SeaweedFS).
PORTS = range(11_000, 22_000)


def free_port(*offsets: int) -> int:
    """A port that is free, as are those at these offsets from it."""
    while True:
        port = random.choice(PORTS)
        if all(is_free(port + offset) for offset in (0, *offsets)):
            return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@contextlib.contextmanager
def server_process(
    command: Sequence[str], is_ready: Callable[[], bool], extra_env: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Run `command` in a throwaway folder, which is yielded when the server is ready; end it with SIGKILL.

    Nothing of such a server is worth an orderly stop, and SeaweedFS takes minutes over one.
    """
    with tempfile.TemporaryDirectory(prefix="ddbio-endpoint-", ignore_cleanup_errors=True) as folder:
        log = Path(folder, "server.log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*dies_with_us(), *command],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            wait_until_ready(process, is_ready, log)
            yield Path(folder)
        finally:
            process.kill()
            process.wait(STOP_TIMEOUT_S)


def dies_with_us() -> list[str]:
    """A prefix that makes the kernel end the server when a test process is killed and cannot do it itself."""
    setpriv = shutil.which("setpriv")  # util-linux; without it a killed test run leaves its servers behind
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def wait_until_ready(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while not is_ready():
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}:\n{tail(log)}")
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{process.args!r} was not ready after {READY_TIMEOUT_S} s:\n{tail(log)}")
        time.sleep(0.05)


def tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:])


def answers_http(port: int) -> bool:
    """Whether anything, if only an error, comes back for a GET."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
