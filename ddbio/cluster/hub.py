"""The hub: the driver's end of all connections. One event loop in a thread of its own.

It meets seats, watches that they live, answers their questions and serves their leases. Everything else that a seat
says goes to the thread that runs the job, which keeps the books (`ddbio.cluster.engine`).

A seat is lost only when it has said that it stopped, or when nothing was heard of it for so long that it has stopped
by itself (`ddbio.cluster.fencing`). The end of its connection alone proves neither.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Any, Protocol

from ddbio.cluster.declared import DecodingError
from ddbio.cluster.declared_types import codec
from ddbio.cluster.door import Door, Notices, connections
from ddbio.cluster.events import Joined, Lost, Received, Turned
from ddbio.cluster.fencing import BEATS, Watch
from ddbio.cluster.frames import framed, read_frame
from ddbio.cluster.meeting import Stream, listening
from ddbio.cluster.messages import (
    Answer,
    Asked,
    Beat,
    Drop,
    Goodbye,
    Heard,
    Leaving,
    OpenJob,
    Question,
    Settled,
    Welcome,
)
from ddbio.cluster.tls import hub_context, is_loopback
from ddbio.errors import DdbioError, InternalError
from ddbio.flow.context import new_event_loop
from ddbio.messages.leases import SeatMessage

GOODBYE_S = 1.0  # for the last messages to leave


class Attendant(Protocol):
    """The present job, as the hub's thread serves it."""

    def opening(self) -> OpenJob:
        """For a seat that begins to work on the job."""

    def joined(self, seat: int) -> None: ...
    def left(self, seat: int) -> None: ...
    def paced(self, seat: int, message: SeatMessage) -> None: ...
    def ended(self) -> None: ...

    def answer(self, subject: str, values: tuple[Any, ...]) -> Any:
        """Raises ValueError for a question that no seat asks."""


@dataclass(slots=True)
class _Seat:
    """A seat that has proved that it has the token. writer: None once the connection has ended. served: it has had a
    job."""

    number: int
    name: str
    writer: asyncio.StreamWriter | None
    memory: bytes = b""
    served: bool = False


class Hub:
    """address, port: to listen on; 0 for any free port. silence_s: see `ddbio.cluster.fencing`.

    loop: the event loop of its thread.
    """

    def __init__(
        self,
        token: bytes,
        address: str,
        port: int,
        silence_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises UsageError if it cannot listen there."""
        self.events: SimpleQueue[Any] = SimpleQueue()  # Joined, Received, Lost, Turned, or an error of ours
        self._silence_s = silence_s
        self._clock = clock
        self._watch = Watch(silence_s)
        self._seats: dict[int, _Seat] = {}
        self._notices = Notices(lambda sentence: self.events.put(Turned(sentence)), clock)
        self._next_number = 0
        self._job: Attendant | None = None
        self._job_number = -1
        self._latencies: dict[int, dict[str, list[float]]] = {}  # of the job, by seat and role
        context: ssl.SSLContext | None = None
        certificate = b""
        if not is_loopback(address):
            context, certificate = hub_context()
        self._door = Door(token, context, certificate, self._notices)
        self._listener = listening(address, port)
        self.port = int(self._listener.getsockname()[1])
        self._tasks: set[asyncio.Task[None]] = set()
        self.loop = new_event_loop()
        self.loop.set_exception_handler(self._failed)
        self.loop.call_soon(self._begin)
        codec()  # two threads that load its modules at once might each find some half loaded
        self._thread = threading.Thread(target=self.loop.run_forever, name="hub", daemon=True)
        self._thread.start()

    # -- for the thread that runs the jobs

    def begin_job(self, number: int, job: Attendant) -> None:
        """Give a job to all seats, and to each that joins from now on. `events` begins anew."""
        self._there(partial(self._begin_job, number, job))

    def end_job(self) -> dict[int, bytes]:
        """The seats have no job now. Returns the memory of each: its slots of the checkpoint."""
        self._there(self._end_job)
        return {seat.number: seat.memory for seat in self._seats.values()}

    def send(self, seat: int, message: object) -> None:
        """From any thread, soon. A seat that is gone gets nothing."""
        data = framed(codec().encode(message))
        if threading.current_thread() is self._thread:
            self._write(seat, data)
        else:
            self.loop.call_soon_threadsafe(self._write, seat, data)

    def latencies(self, role: str) -> list[list[float]]:
        """The cells of all seats of the job so far, lost ones too."""
        return [cells[role] for cells in list(self._latencies.values()) if role in cells]

    def close(self, reason: str) -> None:
        """Send all seats home."""
        asyncio.run_coroutine_threadsafe(self._close(reason), self.loop).result()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def _there(self, action: Callable[[], None]) -> None:
        """Do it in the hub's thread, and wait until it is done."""

        async def act() -> None:
            action()

        asyncio.run_coroutine_threadsafe(act(), self.loop).result()

    # -- in the hub's thread

    def _begin(self) -> None:
        self._start(self._accept())
        self._start(self._watch_over())

    def _start(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.events.put(InternalError.of(error))

    def _failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "handle" in context and (error := context.get("exception")) is not None:
            self.events.put(InternalError.of(error))

    def _begin_job(self, number: int, job: Attendant) -> None:
        left, self.events = self.events, SimpleQueue()
        while not left.empty():
            if isinstance(each := left.get(), InternalError | Turned):
                self.events.put(each)
        self._latencies = {}
        self._job, self._job_number = job, number
        for seat in self._seats.values():
            seat.memory = b""
            self._offer(seat)

    def _end_job(self) -> None:
        if self._job is not None:
            for seat in self._seats:
                self._job.left(seat)
                self.send(seat, Drop(self._job_number))  # to those that have just joined
            self._job.ended()
        self._job = None

    def _offer(self, seat: _Seat) -> None:
        if self._job is not None and seat.writer is not None:
            self._job.joined(seat.number)
            self.send(seat.number, self._job.opening())
            self.events.put(Joined(seat.number, seat.name, seat.served))
            seat.served = True

    async def _close(self, reason: str) -> None:
        for task in self._tasks:
            task.cancel()
        writers = [seat.writer for seat in self._seats.values() if seat.writer is not None]
        goodbye = framed(codec().encode(Goodbye(reason)))
        for writer in writers:
            writer.write(goodbye)
            writer.close()
        ended = [asyncio.ensure_future(writer.wait_closed()) for writer in writers]
        if ended:
            await asyncio.wait(ended, timeout=GOODBYE_S)
        for each in ended:
            each.cancel()
        await asyncio.gather(*ended, *self._tasks, return_exceptions=True)
        self._listener.close()

    # -- connections

    async def _accept(self) -> None:
        arriving = connections(lambda: self.loop.sock_accept(self._listener), self._notices.say)
        async with aclosing(arriving):
            async for sock, host in arriving:
                self._start(self._attend(sock, host))

    async def _attend(self, sock: socket.socket, host: str) -> None:
        """The life of one connection."""
        stream = await self._door.met(sock, host)
        if stream is None:
            return
        seat = self._admit(stream)
        try:
            while (frame := await read_frame(stream.reader)) is not None:
                self._take(seat, codec().decode(frame))
        except OSError:
            pass  # its silence says the rest
        except DecodingError as error:
            self.events.put(Turned(f"{seat.name} sent something unexpected: {error}"))
        finally:
            seat.writer = None
            stream.writer.transport.abort()

    def _admit(self, stream: Stream) -> _Seat:
        seat = _Seat(self._next_number, stream.name, stream.writer)
        self._next_number += 1
        self._seats[seat.number] = seat
        self._watch.heard(seat.number, self._clock())
        self.send(seat.number, Welcome(seat.number, self._silence_s))
        self._offer(seat)
        return seat

    def _write(self, number: int, data: bytes) -> None:
        seat = self._seats.get(number)
        if seat is not None and seat.writer is not None:
            seat.writer.write(data)

    # -- messages

    def _take(self, seat: _Seat, message: Any) -> None:
        if seat.number not in self._seats:
            return  # it was given up: it stops by itself
        if isinstance(message, Beat):
            self._watch.heard(seat.number, self._clock())
            self.send(seat.number, Heard(message.number))
            if message.job == self._job_number:
                self._latencies[seat.number] = message.latencies
        elif isinstance(message, Leaving):
            self._lose(seat, message.reason, message.error, said_so=True)
        elif self._job is not None and getattr(message, "job", None) == self._job_number:
            self._take_of_job(self._job, seat, message)

    def _take_of_job(self, job: Attendant, seat: _Seat, message: Any) -> None:
        if isinstance(message, Settled):
            seat.memory = message.memory
        elif isinstance(message, Asked):
            job.paced(seat.number, message.message)
        elif isinstance(message, Question):
            try:
                value = job.answer(message.subject, message.values)
            except (ValueError, TypeError) as error:
                raise DecodingError(str(error)) from None
            self.send(seat.number, Answer(message.number, value))
        else:
            self.events.put(Received(seat.number, message))

    # -- the end of a seat

    async def _watch_over(self) -> None:
        while True:
            await asyncio.sleep(self._silence_s / BEATS)
            for number in self._watch.silent(self._clock()):
                seat = self._seats[number]
                ended = "" if seat.writer is not None else " after its connection ended"
                self._lose(seat, f"was not heard of for {2 * self._silence_s:g} s{ended}", said_so=False)

    def _lose(self, seat: _Seat, how: str, error: DdbioError | None = None, *, said_so: bool) -> None:
        self._watch.forget(seat.number)
        del self._seats[seat.number]
        if seat.writer is not None:
            seat.writer.transport.abort()
        if self._job is not None:
            self._job.left(seat.number)
        self.events.put(Lost(seat.number, seat.name, how, said_so, error, seat.memory))
