"""A job at a seat: opened, and its units worked, on an event loop in the thread that calls.

As `ddbio.engines.pool_worker`, with a connection in place of the pipe, and without changes to its process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

from ddbio.aws.credentials import Keys, KeysProvider, NewestKeys
from ddbio.cluster import messages
from ddbio.cluster.declared_types import codec
from ddbio.cluster.fenced import fenced
from ddbio.cluster.link import Gone, Link
from ddbio.cluster.machine import Machine
from ddbio.cluster.mailbox import Mailbox
from ddbio.cluster.questions import LimitAtHub, RejectCountAtHub
from ddbio.cluster.travel import unpacking
from ddbio.engines.lanes import blocking_threads, run_lanes
from ddbio.engines.unit_queue import UnitQueue
from ddbio.errors import DdbioError
from ddbio.flow.checkpoint import OwnSlots
from ddbio.flow.context import Job, OpenTable, WorkerContext, new_event_loop
from ddbio.flow.sleeping import Sleeper
from ddbio.messages import Event, UnitReport
from ddbio.messages.leases import SeatMessage
from ddbio.rate.latency import LocalLatencies
from ddbio.rate.leases import SeatLeases
from ddbio.system.scratch import Scratch


class Depart:
    """In the mailbox: the seat is asked to leave."""


class Onlooker(Protocol):
    """Whoever shows what happens here. say: takes sentences. note: takes each report of a unit before it is sent."""

    @property
    def say(self) -> Callable[[str], None]: ...

    @property
    def note(self) -> Callable[[UnitReport], None]: ...


class JobHere:
    """One job. Its methods run in the event loop, but for `run`, and those that the link's thread calls."""

    def __init__(self, link: Link, machine: Machine, opening: messages.OpenJob, onlooker: Onlooker) -> None:
        self.job = opening.job
        self._link = link
        self._machine = machine
        self._opening = opening
        self._onlooker = onlooker
        self._loop = new_event_loop()
        self._sleep = Sleeper()
        self._units = UnitQueue(lambda unit: self._send(messages.Begun(self.job, unit.number)))
        self._lanes: asyncio.Task[None] | None = None
        self._keys: dict[str, Keys] = dict(opening.keys or {})
        self._latencies: dict[str, LocalLatencies] = {}
        self._slots: OwnSlots | None = None
        self._leases: SeatLeases | None = None
        self._broken: BaseException | None = None
        self._later: list[Any] = []  # messages after the end of this job

    def run(self, mailbox: Mailbox) -> None:
        """Work until the hub ends the job, or is gone. Raises any fault of ours, once no lane works any more."""
        with ExitStack() as stack:
            stack.callback(self._loop.close)
            asyncio.set_event_loop(self._loop)
            stack.callback(asyncio.set_event_loop, None)
            self._loop.set_exception_handler(self._callback_failed)
            scratch = Scratch.create()
            stack.callback(scratch.remove)
            with mailbox.taken_by(self._loop, self._take):
                self._loop.run_until_complete(self._work(scratch, stack))
                self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.run_until_complete(asyncio.sleep(0))  # messages that came meanwhile
        for message in self._later:
            mailbox.put(message)
        if self._broken is not None:
            raise self._broken

    # -- for the link's thread

    def memory(self) -> bytes:
        return self._slots.copy() if self._slots is not None else b""

    def latencies(self) -> dict[str, list[float]]:
        return {role: each.cells() for role, each in self._latencies.items()}

    # -- the lanes

    async def _work(self, scratch: Scratch, stack: ExitStack) -> None:
        try:
            job, context = self._unpack(scratch, stack)
        except DdbioError as error:
            self._send(messages.RefusedJob(self.job, error))
            return
        self._onlooker.say(f"Working on {_named(job)}")
        self._link.progress = self
        self._loop.set_default_executor(blocking_threads(job))
        self._lanes = self._loop.create_task(run_lanes(job, context, self._units.next))
        try:
            await asyncio.wait([self._lanes])
        finally:
            self._link.progress = None
        failure = None if self._lanes.cancelled() else self._lanes.exception()
        if isinstance(failure, DdbioError):  # those of units are reported by their lanes: this one is about the job
            self._send(messages.RefusedJob(self.job, failure))
        else:
            self._broken = self._broken or failure
        if self._broken is not None:
            return
        if self._leases is not None:
            self._leases.flush()
        self._send(messages.Ended(self.job))

    def _unpack(self, scratch: Scratch, stack: ExitStack) -> tuple[Job, WorkerContext]:
        opening, machine = self._opening, self._machine
        changes = unpacking(scratch.path, opening.files, profile=machine.profile, endpoint=machine.reach)
        job: Job = codec().decode(opening.content, changes)
        ask = partial(self._link.ask, self.job)
        keys = self._keys_of(job, stack)
        self._slots = OwnSlots(job.lanes)
        scanned = {role: table.most_page_units is not None for role, table in job.tables.items()}
        self._leases = SeatLeases(opening.terms, scanned, self._send_paced, self._sleep.until)
        tables: dict[str, OpenTable] = {}
        for role, table in job.tables.items():
            latencies = self._latencies[role] = LocalLatencies()
            pacer = self._leases.pacing[role]
            connections = fenced(table.data_plane, self._link.check)
            clients = table.data_plane.clients(keys[role], pacer, latencies.of_worker(0), connections)
            tables[role] = OpenTable(table.info.name, pacer, keys[role], clients)
        context = WorkerContext(
            tables=tables,
            report=self._report,
            sleep=self._sleep,
            limit=LimitAtHub(opening.limit, ask) if opening.limit is not None else None,
            reject_count=RejectCountAtHub(ask) if opening.counts_rejects else None,
            slots=self._slots.slots() if opening.keeps_slots else iter(()),
            opened=lambda: self._send(messages.Opened(self.job)),
        )
        return job, context

    def _keys_of(self, job: Job, stack: ExitStack) -> Mapping[str, KeysProvider]:
        """Those that the driver sends, or those of this machine. Raises UsageError if it has none."""
        if self._opening.keys is not None:
            return {role: partial(self._keys.__getitem__, role) for role in job.tables}
        providers: dict[str, KeysProvider] = {}
        for role, table in job.tables.items():
            newest = NewestKeys(self._machine.keys_for(table.data_plane.endpoint))
            stack.callback(newest.end)
            providers[role] = partial(getattr, newest, "current")
        return providers

    def _report(self, event: Event) -> None:
        if isinstance(event, UnitReport):
            self._onlooker.note(event)
        self._send(messages.Report(self.job, event))

    def _send_paced(self, message: SeatMessage) -> None:
        self._link.send(messages.Asked(self.job, message), waits=False)

    def _send(self, message: object) -> None:
        self._link.send(message)

    def _callback_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A failed callback left its work undone; other errors of the loop come too late to matter."""
        if "handle" in context and (error := context.get("exception")) is not None:
            self._broken = self._broken or error
            self._drop()

    # -- messages

    def _take(self, message: Any) -> None:
        if isinstance(message, Gone):
            self._later.append(message)
            self._drop()
        elif self._later or isinstance(message, messages.OpenJob | messages.Goodbye):
            self._later.append(message)
        elif isinstance(message, Depart):
            self._later.append(message)
            self._finish_now()
        elif getattr(message, "job", self.job) == self.job:  # not of a job before
            self._act(message)

    def _act(self, message: Any) -> None:
        if isinstance(message, messages.Give):
            self._units.give(message.unit)
        elif isinstance(message, messages.NewKeys):
            self._keys[message.role] = message.keys
        elif isinstance(message, messages.Granted) and self._leases is not None:
            self._leases.received(message.message)
        elif isinstance(message, messages.Finish):
            self._units.finish()
        elif isinstance(message, messages.Stop):
            self._finish_now()
        elif isinstance(message, messages.Drop):
            self._drop()

    def _finish_now(self) -> None:
        """Settle the requests in flight, and no more."""
        self._units.drop()
        self._sleep.stop()

    def _drop(self) -> None:
        """End at once: requests without an answer are abandoned."""
        self._units.drop()
        if self._leases is not None:
            self._leases.lost()
        if self._lanes is not None:
            self._lanes.cancel()


def _named(job: Job) -> str:
    names = list(dict.fromkeys(table.info.name for table in job.tables.values()))
    return f"table{'s' * (len(names) > 1)} {' and '.join(names)}"
