"""The HTTP/1.1 server of the database: one asyncio Protocol a connection, DynamoDB's JSON 1.0 protocol.

Requests of a connection are answered one after the other, in order. The operations are synchronous and never wait, so
the whole simulator runs in one thread and no operation sees another half finished. Only this module knows HTTP,
delays and cut connections; `ddbio.simulator.faults` decides which request gets which fault.
"""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, cast

import httptools

from ddbio.simulator.capacity import MAX_REQUEST_BYTES
from ddbio.simulator.control import CONTROL_OPERATIONS
from ddbio.simulator.database import Database
from ddbio.simulator.errors import ServiceError
from ddbio.simulator.faults import NO_FAULT, Fault, FaultPlan
from ddbio.simulator.operations import execute
from ddbio.simulator.partial import execute_half

_SERVICE = "DynamoDB_20120810"
_CONTROL = "DdbioSimulator"
_REASONS = {200: b"OK", 400: b"Bad Request", 413: b"Request Entity Too Large", 500: b"Internal Server Error"}
_GARBAGE = b"<html><body>502 Bad Gateway</body></html>"
_HEAD = (
    b"HTTP/1.1 %d %b\r\nServer: Server\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n"
    b"Connection: %b\r\nx-amzn-RequestId: %032X\r\nx-amz-crc32: %d\r\n\r\n"
)


class Reply(NamedTuple):
    """The reply to one request. fault: how it is lost or damaged on the way."""

    status: int
    body: bytes
    fault: Fault = NO_FAULT


class Service:
    """The state that all connections share: the database, the clock, the faults, and the connections themselves.

    clock: seconds, never running backwards. The database's time starts at 0 with this object.
    """

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self.database = database
        self.faults = FaultPlan()
        self.connections: set[Connection] = set()
        self.requests: Counter[str] = Counter()  # by operation
        self.access_keys: Counter[str] = Counter()  # requests by access key
        self.expired_keys: set[str] = set()  # refused access keys
        self.request_ids = itertools.count(1)
        self._clock = clock
        self._start_s = clock()

    def now_s(self) -> float:
        """Seconds since the simulator started."""
        return self._clock() - self._start_s

    def answer(self, target: str, access_key: str, body: bytes) -> Reply:
        """The reply to one request. target: its X-Amz-Target header. access_key: that of its signature, "" if
        unsigned. Signatures are not checked."""
        service, _, operation = target.partition(".")
        try:
            if service == _CONTROL and operation in CONTROL_OPERATIONS:
                return Reply(200, CONTROL_OPERATIONS[operation](self, body))
            if service != _SERVICE:
                raise ServiceError("UnknownOperationException")
            if not access_key:
                raise ServiceError("MissingAuthenticationTokenException", "Request is missing Authentication Token")
            self.access_keys[access_key] += 1
            if access_key in self.expired_keys:
                raise ServiceError("ExpiredTokenException")
        except ServiceError as error:
            return _refused(error)
        self.requests[operation] += 1
        return self._perform(operation, body, self.faults.next_fault(operation))

    def _perform(self, operation: str, body: bytes, fault: Fault) -> Reply:
        reply = Reply(200, b"{}", fault)
        if fault.applied or not (fault.error or fault.cut):
            try:
                reply = Reply(200, self._executed(operation, body, fault.partial), fault)
            except ServiceError as error:
                reply = _refused(error, fault)
        if fault.error:
            return _refused(ServiceError(fault.error, fault.message, status=fault.status), fault)
        return reply

    def _executed(self, operation: str, body: bytes, partial: bool) -> bytes:
        if partial:
            return execute_half(lambda half: execute(self.database, operation, half, self.now_s()), operation, body)
        return execute(self.database, operation, body, self.now_s())


def _refused(error: ServiceError, fault: Fault = NO_FAULT) -> Reply:
    return Reply(error.status, error.body(), fault)


class Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self._waiting: deque[Callable[[], Reply]] = deque()
        self._delayed: asyncio.TimerHandle | None = None

    # -- asyncio.Protocol --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the same methods
        self._service.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.connections.discard(self)
        if self._delayed is not None:
            self._delayed.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError:  # a fault of ours, for the event loop to report
            raise
        except httptools.HttpParserError:
            self._transport.abort()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    # -- httptools callbacks --

    def on_message_begin(self) -> None:
        self._target = ""
        self._access_key = ""
        self._body: list[bytes] = []
        self._body_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        lowered = name.lower()
        if lowered == b"x-amz-target":
            self._target = value.decode("latin-1")
        elif lowered == b"authorization":
            self._access_key = value.decode("latin-1").partition("Credential=")[2].partition("/")[0] or "unknown"

    def on_body(self, chunk: bytes) -> None:
        self._body_bytes += len(chunk)
        if self._body_bytes <= MAX_REQUEST_BYTES:
            self._body.append(chunk)

    def on_message_complete(self) -> None:
        if self._body_bytes > MAX_REQUEST_BYTES:
            self._waiting.append(lambda: _TOO_LARGE)
        else:
            body = b"".join(self._body)
            self._waiting.append(partial(self._service.answer, self._target, self._access_key, body))
        self._answer_next()

    # -- replies --

    def _answer_next(self) -> None:
        while self._waiting and self._delayed is None and not self._transport.is_closing():
            reply = self._waiting.popleft()()
            delay_s = reply.fault.delay_s + self._service.faults.latency_s
            if delay_s > 0:
                loop = asyncio.get_running_loop()
                self._delayed = loop.call_later(delay_s, self._send_delayed, reply)
            else:
                self._send(reply)

    def _send_delayed(self, reply: Reply) -> None:
        self._delayed = None
        self._send(reply)
        self._answer_next()

    def _send(self, reply: Reply) -> None:
        fault = reply.fault
        if fault.cut:
            self._transport.abort()
            return
        body = _GARBAGE if fault.damage == "garbage" else reply.body
        crc = zlib.crc32(body) ^ (fault.damage == "crc")
        ends = fault.close or fault.damage == "truncated"
        head = _HEAD % (
            reply.status,
            _REASONS.get(reply.status, b"Unknown"),
            len(body),
            b"close" if ends else b"keep-alive",
            next(self._service.request_ids),
            crc,
        )
        sent = body[: len(body) // 2] if fault.damage == "truncated" else body
        self._transport.write(head + sent)
        if ends:
            self._transport.close()


_TOO_LARGE = _refused(ServiceError("RequestEntityTooLargeException", "Request size exceeded the allowed maximum"))
