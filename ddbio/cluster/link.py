"""A seat's end of its connection, in a thread of its own: it beats however busy the lanes are.

Messages leave in the order in which they are sent. `send` waits while too much is on its way: a slow hub slows the
lanes down, and does not fill the memory.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from ddbio.cluster.declared import DecodingError
from ddbio.cluster.declared_types import codec
from ddbio.cluster.fencing import BEATS, Lease
from ddbio.cluster.frames import framed, read_frame
from ddbio.cluster.meeting import Stream, dial
from ddbio.cluster.messages import Answer, Beat, Heard, Leaving, Question, Settled, Welcome
from ddbio.errors import DdbioError, TransferError
from ddbio.flow.context import new_event_loop
from ddbio.flow.sleeping import StopRequested

MOST_BYTES_UNDER_WAY = 16 << 20
SETTLED_EVERY_S = 0.1  # at most that much settled work of a killed seat is repeated
LAST_WORDS_S = 2.0  # for the last messages to leave


class Progress(Protocol):
    """Of the job that the seat works on. Both may be called from another thread."""

    job: int

    def memory(self) -> bytes:
        """Of the lanes' slots of the checkpoint; empty without one."""

    def latencies(self) -> dict[str, list[float]]:
        """Cells of the requests so far, by role."""


class Gone:
    """Taken like a message, the last one: the connection has ended, or the hub has not answered for too long.

    why: to follow "ended"; empty if it is not known.
    """

    def __init__(self, why: str = "") -> None:
        self.why = why


class Link:
    """A connection. take: gets each message, in the link's thread."""

    def __init__(self, host: str, port: int, token: bytes, name: str, take: Callable[[Any], None]) -> None:
        """Raises UsageError for another token or version, TransferError if the hub cannot be reached."""
        self._take = take
        self._changed = threading.Condition()  # of all that follows
        self._outgoing: deque[bytes] = deque()
        self._bytes = 0  # in it, or written and not sent yet
        self._answers: dict[int, Any] = {}
        self._next_question = 0
        self._began: DdbioError | bool = False
        self.gone = False
        self.progress: Progress | None = None
        self._why = ""
        self.lease = Lease(math.inf, 0.0)
        self._loop = new_event_loop()
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, args=(host, port, token, name), name="link", daemon=True)
        self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._began)
        if isinstance(self._began, DdbioError):
            raise self._began

    # -- for other threads

    def check(self) -> None:
        """Raises StopRequested once the seat must not work any more: then the connection ends, too, even if an answer
        of the hub is late. Called before and after every request."""
        if self.gone or time.monotonic() > self.lease.valid_until_s:
            with suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._expire)
            raise StopRequested

    def send(self, message: object, *, waits: bool = True) -> None:
        """A message to a hub that is gone is dropped. waits: while too much is on its way."""
        data = framed(codec().encode(message))
        with self._changed:
            if waits:
                self._changed.wait_for(lambda: self.gone or self._bytes < MOST_BYTES_UNDER_WAY)
            if not self.gone and self._queue(data):
                self._loop.call_soon_threadsafe(self._wake.set)

    def _queue(self, data: bytes) -> bool:
        """Returns whether it is the first one that waits."""
        self._outgoing.append(data)
        self._bytes += len(data)
        return len(self._outgoing) == 1

    def ask(self, job: int, subject: str, *values: Any) -> Any:
        """The hub's answer. Raises StopRequested if the hub is gone."""
        with self._changed:
            number, self._next_question = self._next_question, self._next_question + 1
        self.send(Question(number, job, subject, values))
        with self._changed:
            self._changed.wait_for(lambda: self.gone or number in self._answers)
            if number not in self._answers:
                raise StopRequested
            return self._answers.pop(number)

    def leave(self, reason: str, error: DdbioError | None = None) -> None:
        """End the connection, once no lane works any more."""
        self.send(Leaving(reason, error))
        with self._changed:
            self._changed.wait_for(lambda: self.gone or not self._bytes, LAST_WORDS_S)
        self.close()

    def close(self) -> None:
        with suppress(RuntimeError):  # it has ended by itself
            self._loop.call_soon_threadsafe(self._end)
        self._thread.join()

    # -- in the link's thread

    def _run(self, host: str, port: int, token: bytes, name: str) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._live(host, port, token, name))
        try:
            self._loop.run_until_complete(self._main)
        except asyncio.CancelledError:
            pass
        finally:
            with self._changed:
                self.gone = True
                self._began = self._began or TransferError("the driver ended the connection", "is it still running?")
                self._changed.notify_all()
            self._take(Gone(self._why))
            self._loop.close()

    def _end(self) -> None:
        self._main.cancel()

    async def _live(self, host: str, port: int, token: bytes, name: str) -> None:
        began_s = time.monotonic()
        try:
            stream = await dial(host, port, token, name)
        except DdbioError as error:
            self._begin(error)
            return
        parts = [asyncio.ensure_future(part) for part in (self._read(stream, began_s), self._write(stream))]
        try:
            ended, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in ended:
                part.result()
        finally:
            for part in parts:
                part.cancel()
            stream.writer.transport.abort()
            await asyncio.gather(*parts, return_exceptions=True)

    def _begin(self, outcome: DdbioError | bool) -> None:
        with self._changed:
            self._began = outcome
            self._changed.notify_all()

    async def _read(self, stream: Stream, began_s: float) -> None:
        beating: asyncio.Future[None] | None = None
        try:
            try:
                while (frame := await read_frame(stream.reader)) is not None:
                    message = codec().decode(frame)
                    if isinstance(message, Heard):
                        self.lease.heard(message.beat)
                    elif isinstance(message, Answer):
                        with self._changed:
                            self._answers[message.number] = message.value
                            self._changed.notify_all()
                    elif isinstance(message, Welcome):
                        self.lease = Lease(message.silence_s, began_s)
                        beating = asyncio.ensure_future(self._beat(message.silence_s))
                        self._begin(True)
                    else:
                        self._take(message)
            except (OSError, DecodingError) as error:
                self._why = f": {error}"
        finally:
            if beating is not None:
                beating.cancel()

    async def _write(self, stream: Stream) -> None:
        with suppress(OSError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                with self._changed:
                    messages = list(self._outgoing)
                    self._outgoing.clear()
                stream.writer.write(b"".join(messages))
                await stream.writer.drain()
                with self._changed:
                    self._bytes -= sum(map(len, messages))
                    self._changed.notify_all()

    async def _beat(self, silence_s: float) -> None:
        """Until the lease is over: then nobody at this end may work, and the connection ends."""
        sent, due_s = b"", -math.inf
        while not self.lease.is_over(now_s := time.monotonic()):
            progress = self.progress
            if now_s >= due_s:
                due_s = now_s + silence_s / BEATS
                of_job = (progress.job, progress.latencies()) if progress is not None else (-1, {})
                self.send(Beat(self.lease.beat(now_s), *of_job), waits=False)
            if progress is not None and (memory := progress.memory()) != sent:
                self.send(Settled(progress.job, memory), waits=False)
                sent = memory
            await asyncio.sleep(min(SETTLED_EVERY_S, silence_s / BEATS))
        self._expire()

    def _expire(self) -> None:
        """The lease is over, and stays over."""
        self._why = self._why or ": it did not answer in time"
        self._end()
