"""A scripted HTTP peer on the loopback, for tests of what is sent and of everything that can be answered."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

HANG = object()  # an answer that never comes
CUT = object()  # the connection ends instead


@dataclass
class Request:
    """connection: number of the connection it came on."""

    connection: int
    head: str
    body: bytes

    @property
    def line(self) -> str:
        return self.head.split("\r\n", 1)[0]

    def header(self, name: str) -> str | None:
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


@dataclass
class Peer:
    """Answers requests with the bytes of `answers`, in order.

    An answer is bytes, a list of pieces to send one after the other, HANG or CUT; what comes after CUT in a list is
    not sent. first_bytes: what it says unasked on each new connection.
    """

    answers: list[object] = field(default_factory=list)
    first_bytes: bytes = b""
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    ended: list[int] = field(default_factory=list)  # connections the client closed
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        writer.write(self.first_bytes)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request = Request(number, head, b"")
                request.body = await reader.readexactly(int(request.header("Content-Length") or 0))
                self.requests.append(request)
                if not await self._answer(writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            self.ended.append(number)

    async def _answer(self, writer: asyncio.StreamWriter) -> bool:
        answer = self.answers.pop(0)
        for piece in answer if isinstance(answer, list) else [answer]:
            if piece is CUT:
                return False
            if piece is HANG:
                continue
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return True


@contextlib.asynccontextmanager
async def listening(peer: Peer, context: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Serve on a free port of 127.0.0.1 while the block runs."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await peer.serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError, asyncio.CancelledError):
                await asyncio.wait_for(writer.wait_closed(), 1)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Proxy(Peer):
    """An HTTP proxy for CONNECT: `answers` are its replies; after a whole one with status 200 it tunnels to `target`.

    user: for its URL, `user:password@`.
    """

    target: int = 0
    user: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(Request(self.connections, head, b""))
        reply = self.answers.pop(0)
        if reply is HANG:
            await asyncio.sleep(60)
        assert isinstance(reply, bytes)
        writer.write(reply)
        if b" 200 " in reply and reply.endswith(b"\r\n\r\n"):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
            finally:
                there_writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


def ok(body: bytes = b"{}", *headers: str, status: str = "200 OK", crc32: bool = True) -> bytes:
    """A whole answer, with DynamoDB's checksum."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    if crc32:
        lines.append(f"x-amz-crc32: {zlib.crc32(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def chunked(pieces: Iterable[bytes], *headers: str) -> bytes:
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    lines = ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body
