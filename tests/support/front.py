"""What stands between a command and the service in companies: a front that speaks TLS, and a proxy that tunnels.

Both forward bytes, and both can be told to turn bad while a command runs: what is open is cut then, what comes after
meets the new state.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Forwarder:
    """Forwards connections to a port of this machine. context: speak TLS with it. refusal: as a proxy, answer CONNECT
    with it instead of a tunnel."""

    def __init__(self, target: int, context: ssl.SSLContext | None = None, *, proxy: bool = False) -> None:
        self.target = target
        self.context = context
        self.refusal = b""
        self.hear: Callable[[bytes], object] = lambda data: None  # called with what is sent to the service
        self.port = 0
        self._proxy = proxy
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def turn_bad(self, *, context: ssl.SSLContext | None = None, refusal: bytes = b"") -> None:
        """Cut what is open; from now on speak TLS with `context`, or refuse tunnels."""
        self.refusal = refusal
        if context is not None:
            self.context = context
        self._call(self._turn(context is not None))

    async def _turn(self, listen_again: bool) -> None:
        if listen_again:
            self._server.close()
            await self._listen(self.port)
        for writer in list(self._open):
            writer.transport.abort()

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self.context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = {writer}
        self._open.add(writer)
        try:
            if self._proxy and not await self._tunnelled(reader, writer):
                return
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
            opened.add(there)
            self._open.add(there)
            await asyncio.gather(_pump(reader, there, self.hear), _pump(there_reader, writer))
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for each in opened:
                each.transport.abort()
            self._open -= opened

    async def _tunnelled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"CONNECT ")
        writer.write(self.refusal or b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.drain()
        if self.refusal:
            writer.close()
            await writer.wait_closed()
        return not self.refusal

    def _call(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)  # type: ignore[arg-type]

    def start(self) -> None:
        self._thread.start()
        self._call(self._listen(0))

    def stop(self) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.05)


async def _pump(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, hear: Callable[[bytes], object] = lambda data: None
) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            hear(data)
            sink.write(data)
            await sink.drain()
    sink.close()


@contextmanager
def forwarding(target: int, context: ssl.SSLContext | None = None, *, proxy: bool = False) -> Iterator[Forwarder]:
    forwarder = Forwarder(target, context, proxy=proxy)
    forwarder.start()
    try:
        yield forwarder
    finally:
        forwarder.stop()
