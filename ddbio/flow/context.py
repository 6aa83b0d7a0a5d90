"""The worker side: one event loop and its lanes. It knows units, not processes; the engine decides where it runs.

A **lane** is one connection that works on one unit, one request at a time. A lane has one request in flight, keeps
the order of a unit's bytes, and many units interleave, which also keeps sorted input from heating one partition.

An engine sends a picklable `Job` to each worker, which opens it, so clients are built where they are used. A job is
plain data: it names its tables by their *role* (`source`, `target`). The environment of a lane is its
`WorkerContext`, which the engine makes: clients of the tables, limits that all lanes share, keys, the clock, and
reports to the parent.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ddbio.aws.credentials import KeysProvider
from ddbio.dynamodb.client import DataClient
from ddbio.dynamodb.data_plane import Clients, DataPlane
from ddbio.flow.checkpoint import LaneSlot
from ddbio.flow.sleeping import Sleep
from ddbio.messages import Event, Notice, Tally, Trouble, Unit
from ddbio.rate.awaited import Awaited
from ddbio.rate.governor import Pacing
from ddbio.steps.limit import Limit
from ddbio.steps.reject_limit import RejectCount
from ddbio.values.table import TableInfo

SOURCE, TARGET = "source", "target"  # the roles of tables

REPORT_INTERVAL_S = 0.5  # between two reports of a lane; without a checkpoint, a killed lane repeats that much work
PAGES_INTERVAL_S = 0.05  # the same, if they carry the pages that were read since: so few are in memory
RECORDED_INTERVAL_S = 1.0  # with a checkpoint: only the progress display depends on it

TROUBLE_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class JobTable:
    """A table of a job, as plain data: its description and its endpoint.

    most_page_units: the most that one page can cost, if the table is scanned; None if the cost of a request is known
        before it is sent.
    """

    info: TableInfo
    data_plane: DataPlane
    most_page_units: float | None = None


@dataclass(frozen=True, slots=True)
class OpenTable:
    """A table of a job, opened in a worker. name: for messages. keys: provides the newest AWS keys of its account."""

    name: str
    pacer: Pacing
    keys: KeysProvider
    clients: Clients


@dataclass(slots=True)
class WorkerContext:
    """The environment that the engine supplies to a worker.

    tables: by role.
    report: sends a report, or a notice for the user, to the parent; may be called from the event loop only.
    limit: on the items that all lanes of the job may write; None for no limit.
    reject_count: of all lanes of the job; None if rejects are not limited by a number.
    slots: in the checkpoint, one for each lane; none without a checkpoint.
    opened: called when the job is open in this worker, before its first unit.
    """

    tables: Mapping[str, OpenTable]
    report: Callable[[Event], None]
    sleep: Sleep
    clock: Callable[[], float] = time.monotonic
    limit: Limit | None = None
    reject_count: RejectCount | None = None
    slots: Iterator[LaneSlot] = field(default_factory=lambda: iter(()))
    opened: Callable[[], None] = lambda: None
    awaited: Awaited = field(default_factory=Awaited)
    _said: set[str] = field(default_factory=set)
    _troubled_s: float = -math.inf

    def client(self, role: str, tally: Tally) -> DataClient:
        """A client of one of the job's tables, for one lane, which closes it. tally: counts its requests."""
        table = self.tables[role]
        of_target = role == TARGET and len(self.tables) > 1
        return table.clients.new(self, table.name, tally, of_target=of_target)

    def request_units(self, role: str) -> Callable[[], float]:
        """A function that returns how many units of that table one request should cost at most, at the moment."""
        request_units = self.tables[role].pacer.request_units
        return lambda: request_units()[0]

    def pacer(self, role: str) -> Pacing:
        """The pacer for all requests of this worker to that table."""
        return self.tables[role].pacer

    def keys(self, role: str) -> KeysProvider:
        """The newest AWS keys of that table's account."""
        return self.tables[role].keys

    def next_slot(self) -> LaneSlot | None:
        """The checkpoint slot of a new lane, if there is a checkpoint."""
        return next(self.slots, None)

    def say(self, sentence: str) -> None:
        """Send a notice to the user, once."""
        if sentence not in self._said:
            self._said.add(sentence)
            self.report(Notice(sentence))

    def trouble(self, reason: str) -> None:
        """Report why requests fail; at most once in `TROUBLE_EVERY_S`, however many lanes call it."""
        if self.clock() - self._troubled_s >= TROUBLE_EVERY_S:
            self._troubled_s = self.clock()
            self.report(Trouble(reason))


class Lane(Protocol):
    """One connection, one unit at a time."""

    async def work(self, unit: Unit) -> None:
        """Work on the unit to its end; reports progress, and `done` at the end.

        Raises StopRequested (after reporting the cursor), DdbioError if the unit cannot be finished.
        """

    async def close(self) -> None: ...


class Work(Protocol):
    """A job opened in a worker and shared by its lanes."""

    def lane(self) -> Lane: ...


class Job(Protocol):
    """The work to do, as picklable plain data.

    lanes: the most lanes of a worker. tables: by role. opens_together: no unit is started before every worker has
    opened the job, because it contains the user's code, which may fail in only one of them.
    """

    @property
    def lanes(self) -> int: ...

    @property
    def tables(self) -> Mapping[str, JobTable]: ...

    @property
    def opens_together(self) -> bool: ...

    def open(self, context: WorkerContext) -> Work: ...


def new_event_loop() -> asyncio.AbstractEventLoop:
    """uvloop's if it is installed (a third less CPU per request), asyncio's otherwise."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
