"""A seat: joins the hub of a driver and works on its jobs, until the driver has no more.

`seat` is a plain function for any process: a command (`ddbio worker`), a task of Spark. It changes nothing of its
process: no signals, no collector, no name. It blocks its thread, and starts one more for its connection.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ddbio.cluster.declared_types import codec
from ddbio.cluster.job_here import Depart, JobHere
from ddbio.cluster.link import Gone, Link
from ddbio.cluster.machine import Machine
from ddbio.cluster.mailbox import Mailbox
from ddbio.cluster.messages import Goodbye, OpenJob
from ddbio.errors import InternalError, TransferError
from ddbio.messages import UnitReport

LEFT = "left on request"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 2.0  # between two attempts to reach a driver


def _usual_name() -> str:
    return f"{socket.gethostname()}/{os.getpid()}"


def _say_nothing(sentence: str) -> None: ...


def _note_nothing(report: UnitReport) -> None: ...


@dataclass(frozen=True, slots=True)
class SeatSettings:
    """name: of the seat, in notices of the driver. profile: of this machine's AWS configuration.

    patience_s: how long to look for a driver that is not there yet, or not any more. say: takes sentences on what
    happens. note: takes each report of a unit before it is sent.
    """

    name: str = field(default_factory=_usual_name)
    profile: str | None = None
    patience_s: float = 600.0
    say: Callable[[str], None] = _say_nothing
    note: Callable[[UnitReport], None] = _note_nothing


@dataclass(frozen=True, slots=True)
class SeatEnd:
    """jobs: that it worked on. reason: why the driver sent it home."""

    jobs: int
    reason: str


class Departure:
    """By `ask`, from any thread, a seat settles its requests in flight, reports, and leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mailbox: Mailbox | None = None
        self.asked = threading.Event()

    def ask(self) -> None:
        with self._lock:
            self.asked.set()
            if self._mailbox is not None:
                self._mailbox.put(Depart())

    def heed(self, mailbox: Mailbox) -> None:
        """Where the seat hears of it."""
        with self._lock:
            self._mailbox = mailbox
            if self.asked.is_set():
                mailbox.put(Depart())


def seat(
    address: tuple[str, int], token: bytes, settings: SeatSettings | None = None, departure: Departure | None = None
) -> SeatEnd:
    """Work on the jobs of the driver whose hub is at this host and port, until it sends the seat home.

    Raises UsageError if the driver has another token or version of ddbio, TransferError if there is no driver for
    too long.
    """
    return _Member(address, token, settings or SeatSettings(), departure or Departure()).run()


class _Member:
    """It joins anew, as another seat, whenever its connection ends or a fault of ours ends its lanes."""

    def __init__(self, address: tuple[str, int], token: bytes, settings: SeatSettings, departure: Departure) -> None:
        self._address = address
        self._token = token
        self._settings = settings
        self._departure = departure
        self._machine = Machine(settings.profile)
        codec()  # before there is a second thread: see `ddbio.cluster.hub`
        self._jobs = 0

    def run(self) -> SeatEnd:
        while True:
            mailbox = Mailbox()
            link = self._join(mailbox)
            if link is None:
                return SeatEnd(self._jobs, LEFT)
            self._departure.heed(mailbox)
            try:
                end = self._attend(link, mailbox)
            finally:
                link.close()
            if end is not None:
                return end

    def _join(self, mailbox: Mailbox) -> Link | None:
        """None if the seat is asked to leave. Raises UsageError, and TransferError after too long."""
        ends_s, pause_s = time.monotonic() + self._settings.patience_s, FIRST_PAUSE_S
        host, port = self._address
        waited = False
        while not self._departure.asked.is_set():
            try:
                link = Link(host, port, self._token, self._settings.name, mailbox.put)
                self._settings.say(f"Joined the driver at {host}:{port}")
                return link
            except TransferError:
                if time.monotonic() >= ends_s:
                    raise
            if not waited:
                waited = True
                self._settings.say(f"Waiting for a driver at {host}:{port}")
            self._departure.asked.wait(min(pause_s * random.uniform(0.5, 1), max(0.0, ends_s - time.monotonic())))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return None

    def _attend(self, link: Link, mailbox: Mailbox) -> SeatEnd | None:
        """Work until the connection ends. Returns the end of the seat, if the driver sends it home."""
        while True:
            message = mailbox.get()
            if isinstance(message, Goodbye):
                return SeatEnd(self._jobs, message.reason)
            if isinstance(message, Depart):
                link.leave(LEFT)
                return SeatEnd(self._jobs, LEFT)
            if isinstance(message, Gone):
                self._settings.say(f"The connection to the driver ended{message.why}")
                return None
            if isinstance(message, OpenJob) and not self._work(link, mailbox, message):
                return None

    def _work(self, link: Link, mailbox: Mailbox, opening: OpenJob) -> bool:
        """Returns whether the seat may go on."""
        self._jobs += 1
        try:
            JobHere(link, self._machine, opening, self._settings).run(mailbox)
            return True
        except Exception as error:  # the driver names the fault and hands the units to others
            crash = InternalError.of(error)
            self._settings.say(f"An error in ddbio: {crash.message}")
            link.leave("failed by an error in ddbio", crash)
            return False
