"""The seats of one machine, each in a process of its own, for `ddbio worker`.

A process that is killed is replaced. A request to stop lets each seat settle what it has begun and leave; a second
one, or the end of this process, ends them at once.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection as mp_connection
from multiprocessing.connection import Connection
from typing import Any, Protocol

from ddbio.cluster.seat import Departure, SeatEnd, SeatSettings, seat
from ddbio.engines.pool_worker import EXIT_PARENT_GONE, PARENT_DECIDES, settle_in
from ddbio.engines.process import WorkerProcess
from ddbio.errors import DdbioError, InternalError, TransferError
from ddbio.messages import Tally, UnitReport
from ddbio.system.stop import StopFlag

TICK_S = 0.2
COUNTS_EVERY_S = 0.5
SAME_WITHIN_S = 5.0  # the same sentence of several seats is one
LEAVE_PATIENCE_S = 10.0  # for seats to settle requests in flight
DEATHS_A_MINUTE = 10  # more are a fault that a new process has, too


@dataclass(frozen=True, slots=True)
class CrewSettings:
    """address: host and port of the hub. seats: how many processes. profile, patience_s: see `SeatSettings`."""

    address: tuple[str, int]
    seats: int
    profile: str | None = None
    patience_s: float = 600.0


@dataclass(frozen=True, slots=True)
class _Arguments:
    number: int
    token: bytes
    settings: CrewSettings


class _Leave:
    """To a seat's process: settle and leave."""


class Onlooker(Protocol):
    """Whoever shows what happens here."""

    def say(self, sentence: str) -> None: ...

    def worked(self, tally: Tally) -> None:
        """Called a few times a second. tally: the sum of all that the seats have reported to the driver."""


def work_here(settings: CrewSettings, token: bytes, stop: StopFlag, onlooker: Onlooker) -> SeatEnd:
    """Until all seats were sent home, or have left on request. Raises the first error by which one ended."""
    return _Crew(settings, token, stop, onlooker).run()


class _Crew:
    def __init__(self, settings: CrewSettings, token: bytes, stop: StopFlag, onlooker: Onlooker) -> None:
        self._settings = settings
        self._token = token
        self._stop = stop
        self._onlooker = onlooker
        self._asked_s: float | None = None
        self._deaths: list[float] = []
        self._said_s: dict[str, float] = {}
        self._tally = Tally()
        self._end = SeatEnd(0, "")
        self._processes: dict[int, WorkerProcess] = {}

    def run(self) -> SeatEnd:
        try:
            for number in range(self._settings.seats):
                self._start(number)
            while self._processes:
                self._listen()
                self._obey_stop()
                self._onlooker.worked(self._tally)
            return self._end
        finally:
            for process in self._processes.values():
                process.kill()
                process.close(LEAVE_PATIENCE_S)

    def _start(self, number: int) -> None:
        arguments = _Arguments(number, self._token, self._settings)
        self._processes[number] = WorkerProcess.start(_seat_main, arguments, blocked=PARENT_DECIDES)

    def _listen(self) -> None:
        sources: dict[Any, int] = {each.pipe: number for number, each in self._processes.items()}
        ends: dict[Any, int] = {each.sentinel: number for number, each in self._processes.items()}
        ready = mp_connection.wait([*sources, *ends], TICK_S)
        for each in ready:
            if each in sources:
                self._receive(self._processes[sources[each]])
        for each in ready:
            if each in ends:
                self._bury(ends[each])

    def _receive(self, process: WorkerProcess) -> None:
        try:
            while process.pipe.poll():
                message = process.pipe.recv()
                if isinstance(message, DdbioError):
                    raise message
                if isinstance(message, SeatEnd):
                    self._end = SeatEnd(self._end.jobs + message.jobs, self._end.reason or message.reason)
                    self._ask_to_leave()  # the driver has ended; one that did not reach it would look for it
                elif isinstance(message, Tally):
                    self._tally.add(message)
                else:
                    self._say(message)
        except (EOFError, OSError):
            pass  # its sentinel reports that

    def _say(self, sentence: str) -> None:
        """Once, if several seats say it."""
        now_s = time.monotonic()
        if now_s - self._said_s.get(sentence, -math.inf) > SAME_WITHIN_S:
            self._onlooker.say(sentence)
        self._said_s[sentence] = now_s

    def _bury(self, number: int) -> None:
        process = self._processes.pop(number)
        self._receive(process)
        process.close()
        if process.exit_code == 0 or self._asked_s is not None:
            return
        now_s = time.monotonic()
        self._deaths = [*(each for each in self._deaths if now_s - each < 60), now_s]
        if len(self._deaths) > DEATHS_A_MINUTE:
            raise TransferError(
                f"{len(self._deaths)} worker processes of this machine ended within a minute",
                "if memory is short, use fewer with -p",
            )
        self._say(f"Process {number} ended ({process.exit_code}); another one takes its place")
        self._start(number)

    def _obey_stop(self) -> None:
        if not self._stop.requests:
            return
        if self._asked_s is None:
            self._ask_to_leave()
        elif self._stop.requests > 1 or time.monotonic() - self._asked_s > LEAVE_PATIENCE_S:
            for process in self._processes.values():
                process.kill()

    def _ask_to_leave(self) -> None:
        if self._asked_s is None:
            self._asked_s = time.monotonic()
            for process in self._processes.values():
                with suppress(OSError):  # it has ended
                    process.pipe.send(_Leave())


class _Counts:
    """Sums the reports of a seat, and passes them on now and then."""

    def __init__(self, send: Callable[[Tally], None]) -> None:
        self._send = send
        self._tally = Tally()
        self._sent_s = time.monotonic()

    def note(self, report: UnitReport) -> None:
        self._tally.add(report.tally)
        if time.monotonic() - self._sent_s >= COUNTS_EVERY_S:
            self.flush()

    def flush(self) -> None:
        tally, self._tally, self._sent_s = self._tally, Tally(), time.monotonic()
        self._send(tally)


def _seat_main(pipe: Connection, arguments: _Arguments) -> None:
    """The life of a seat's process."""
    settle_in(f"ddbio worker {arguments.number}")
    departure, asked = Departure(), arguments.settings
    threading.Thread(target=_read_pipe, args=(pipe, departure), name="pipe", daemon=True).start()
    counts = _Counts(pipe.send)
    settings = SeatSettings(
        name=f"{socket.gethostname()}/{os.getpid()}",
        profile=asked.profile,
        patience_s=asked.patience_s,
        say=pipe.send,
        note=counts.note,
    )
    try:
        end = seat(asked.address, arguments.token, settings, departure)
        counts.flush()
        pipe.send(end)
    except DdbioError as error:
        pipe.send(error)
    except BaseException as error:
        pipe.send(InternalError.of(error))


def _read_pipe(pipe: Connection, departure: Departure) -> None:
    try:
        pipe.recv()
        departure.ask()
        pipe.recv()
    except (EOFError, OSError):
        os._exit(EXIT_PARENT_GONE)
