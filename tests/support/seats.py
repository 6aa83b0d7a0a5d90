"""Seats for tests, which join a hub on this machine: threads, or processes that are replaced if they die."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ddbio.cluster.declared_types import codec
from ddbio.cluster.engine import HubEngine, HubSettings
from ddbio.cluster.seat import SeatSettings, seat
from ddbio.engines.engine import Running, Staff
from ddbio.engines.environment import Needs
from ddbio.errors import TransferError
from ddbio.flow.context import Job
from tests.support.toy_job import ToyJob

TOKEN = b"0123456789abcdef" * 4
SEAT = """
import sys
from ddbio.cluster.declared_types import codec
from ddbio.cluster.seat import SeatSettings, seat
from tests.support.toy_job import ToyJob
codec().declare(ToyJob)
seat(("127.0.0.1", int(sys.argv[1])), sys.argv[2].encode(), SeatSettings(name=f"seat {sys.argv[3]}", patience_s=10))
"""


class SeatedEngine:
    """A hub and its seats, for one job. in_processes: so that they may be killed."""

    shares_disk = True

    def __init__(self, seats: int, *, in_processes: bool = False, silence_s: float = 0.5) -> None:
        self.seats = seats
        self.staff = Staff("worker", seats)
        self.in_processes = in_processes
        self.silence_s = silence_s

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        codec().declare(ToyJob)
        settings = HubSettings(TOKEN, expected=self.seats, silence_s=self.silence_s, shares_disk=True)
        seats = kept_processes if self.in_processes else threads
        with ExitStack() as stack, HubEngine(settings) as hub:
            stack.enter_context(seats(hub.address[1], self.seats))  # left when the hub has sent them home
            with hub.open(job, needs) as running:
                yield running


@contextmanager
def threads(port: int, count: int, patience_s: float = 1.0) -> Iterator[None]:
    """Seats that end when the hub sends them home. patience_s: to find it."""

    def sit(number: int) -> None:
        with suppress(TransferError):  # one that is late finds no hub any more
            seat(("127.0.0.1", port), TOKEN, SeatSettings(name=f"seat {number}", patience_s=patience_s))

    started = [threading.Thread(target=sit, args=(number,)) for number in range(count)]
    for each in started:
        each.start()
    try:
        yield
    finally:
        for each in started:
            each.join(5 + patience_s)
            assert not each.is_alive(), "it was not sent home"


@contextmanager
def kept_processes(port: int, count: int) -> Iterator[None]:
    """So many seats until the end of the block: one that dies is replaced."""
    ended, processes = threading.Event(), [start_seat(port, number) for number in range(count)]

    def replace() -> None:
        while not ended.wait(0.05):
            for number, process in enumerate(processes):
                if process.poll() not in (None, 0):
                    processes[number] = start_seat(port, number)

    keeper = threading.Thread(target=replace)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
        for process in processes:
            process.kill()
            process.wait()


def start_seat(port: int, name: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    return subprocess.Popen([sys.executable, "-c", SEAT, str(port), TOKEN.decode(), str(name)], env=environment)
