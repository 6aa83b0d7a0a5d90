"""The worker side: one event loop and its lanes. Knows units, not processes; the engine decides where it runs.

A **lane** is one connection working one unit, one request at a time. Requests in flight are lanes, order within a
unit is the order of its bytes, and many units interleave, which also keeps sorted input from heating one partition.

An engine hands a picklable `Job` to each worker; the worker opens it there, so clients are built where they are
used. All that a lane needs of the world around it is in `WorkerContext`, supplied by the engine.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from ddbio.aws.credentials import KeysProvider
from ddbio.flow.checkpoint import Seat
from ddbio.messages import Event, Notice, Trouble, Unit
from ddbio.rate.awaited import Awaited
from ddbio.rate.governor import Governor, Pacing
from ddbio.rate.pacer import Pacer
from ddbio.rate.page_pacer import PagePacer

REPORT_INTERVAL_S = 0.5  # how often a lane tells how far it is; without a recorder, what is repeated after a death
RECORDED_INTERVAL_S = 1.0  # with one: only who watches the progress waits for it

TROUBLE_EVERY_S = 1.0


class StopRequested(Exception):  # noqa: N818 - control flow, not a fault
    """The run is being stopped; raised out of every sleep so that lanes end between two requests."""


class Sleeper:
    """`asyncio.sleep` that a stop interrupts. One a worker, shared by its lanes."""

    def __init__(self) -> None:
        self._sleeping: set[asyncio.Future[None]] = set()
        self.stopping = False

    async def __call__(self, seconds: float) -> None:
        """Sleep. Raises StopRequested when the run is being stopped, or is stopped meanwhile."""
        self.check()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, future)
        self._sleeping.add(future)
        try:
            await future
        finally:
            timer.cancel()
            self._sleeping.discard(future)
        self.check()

    def check(self) -> None:
        """Raise StopRequested when the run is being stopped."""
        if self.stopping:
            raise StopRequested

    def stop(self) -> None:
        self.stopping = True
        for future in list(self._sleeping):
            _wake(future)


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@dataclass(slots=True)
class WorkerContext:
    """What the engine supplies to a worker.

    keys: the newest AWS keys the parent handed over.
    report: takes a report, or a notice for the user, to the parent; may be called from the event loop only.
    share: of the job's rate that this worker is expected to spend.
    opened: called when the job is open here, before any unit is worked.
    seats: in the recorder, one for each lane; none where only reports count.
    """

    governor: Governor
    keys: KeysProvider
    report: Callable[[Event], None]
    sleep: Sleeper = field(default_factory=Sleeper)
    clock: Callable[[], float] = time.monotonic
    share: float = 1.0
    opened: Callable[[], None] = lambda: None
    seats: Iterator[Seat] = field(default_factory=lambda: iter(()))
    pacer: Pacing = field(init=False)
    awaited: Awaited = field(default_factory=Awaited)
    _said: set[str] = field(default_factory=set)
    _troubled_s: float = -math.inf

    def __post_init__(self) -> None:
        self.pacer = Pacer(self.governor, self.sleep, self.clock, share=self.share)

    def pace_pages(self, most_units: float) -> None:
        """The requests of this worker are pages from now on. most_units: the most that one can cost."""
        self.pacer = PagePacer(self.governor, most_units, self.sleep, self.clock)

    def say(self, sentence: str) -> None:
        """Tell the user something about the run, once."""
        if sentence not in self._said:
            self._said.add(sentence)
            self.report(Notice(sentence))

    def trouble(self, reason: str) -> None:
        """Tell the parent why requests fail; many lanes may say so at once, one of them is heard."""
        if self.clock() - self._troubled_s >= TROUBLE_EVERY_S:
            self._troubled_s = self.clock()
            self.report(Trouble(reason))


class Lane(Protocol):
    """One connection, one unit at a time."""

    async def work(self, unit: Unit) -> None:
        """Work the unit to its end, reporting on the way and `done` at the end.

        Raises StopRequested (after reporting the cursor), DdbioError when the unit cannot go on.
        """

    async def close(self) -> None: ...


class Work(Protocol):
    """A job opened in a worker: what its lanes share."""

    def lane(self) -> Lane: ...


class Job(Protocol):
    """What is to be done, as picklable plain data. lanes: how many a worker runs at most."""

    @property
    def lanes(self) -> int: ...

    def open(self, context: WorkerContext) -> Work: ...


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's where it is installed (a third less CPU per request), asyncio's otherwise."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
