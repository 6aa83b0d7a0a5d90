"""How a connection begins: with and without TLS, and what strangers get. On loopback sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from ddbio.cluster.handshake import RefusedError
from ddbio.cluster.meeting import Stream, dial, listening, meet
from ddbio.cluster.tls import hub_context
from ddbio.errors import DdbioError, TransferError, UsageError

TOKEN = b"a" * 32
Result = TypeVar("Result")


def at_hub(
    visit: Callable[[int], Awaitable[Result]], token: bytes = TOKEN, *, encrypted: bool = False
) -> tuple[Result, list[Stream | Exception]]:
    """What a visitor of a hub's port finds, and the hub of each of his connections."""
    context, certificate = hub_context() if encrypted else (None, b"")

    async def both() -> tuple[Result, list[Stream | Exception]]:
        listener, met = listening("127.0.0.1", 0), []

        async def accept() -> None:
            while True:
                sock, _ = await asyncio.get_running_loop().sock_accept(listener)
                sock.setblocking(False)
                try:
                    met.append(await meet(sock, token, context, certificate))
                except (DdbioError, OSError) as error:
                    met.append(error)
                    sock.close()

        accepting = asyncio.ensure_future(accept())
        try:
            found = await visit(listener.getsockname()[1])
            await asyncio.sleep(0.05)
            return found, met
        finally:
            accepting.cancel()
            for each in met:
                if isinstance(each, Stream):
                    each.writer.transport.abort()
            listener.close()
            await asyncio.sleep(0)

    return asyncio.run(both())


async def join(port: int) -> Stream:
    stream = await dial("127.0.0.1", port, TOKEN, "some\x1b[31m name")
    stream.writer.transport.abort()
    return stream


def test_on_one_machine_a_seat_joins_without_tls() -> None:
    seat, (hub,) = at_hub(join)
    assert isinstance(hub, Stream) and hub.name == "some[31m name"
    assert seat.writer.get_extra_info("ssl_object") is None


def test_a_hub_that_wants_tls_gets_it() -> None:
    """As from another machine; on this one it is tried after the plain way was refused."""
    seat, met = at_hub(join, encrypted=True)
    assert isinstance(met[-1], Stream)
    assert seat.writer.get_extra_info("ssl_object").version() >= "TLSv1.2"
    assert isinstance(met[0], Exception)


@pytest.mark.parametrize("encrypted", [False, True])
def test_another_token_is_refused_at_both_ends(encrypted: bool) -> None:
    async def visit(port: int) -> str:
        with pytest.raises(RefusedError) as refused:
            await join(port)
        return str(refused.value)

    said, met = at_hub(visit, b"b" * 32, encrypted=encrypted)
    assert said == "the driver has another token, or someone intercepts the connection; copy its token file"
    assert not [each for each in met if isinstance(each, Stream)]


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"\x00\x00\x00\x05hello", b"\xff" * 64, b""])
def test_a_stranger_gets_nothing(said: bytes) -> None:
    async def visit(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        writer.write_eof()
        try:
            return await reader.read()
        except OSError:
            return b""
        finally:
            writer.close()

    answer, met = at_hub(visit)
    assert answer == b""
    assert [type(each) for each in met] != [Stream] and len(met) == 1


def test_nobody_there_is_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(TransferError, match=f"no driver can be reached at 127.0.0.1:{port}"):
            asyncio.run(dial("127.0.0.1", port, TOKEN, "name"))


def test_a_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(UsageError, match=r"workers cannot join at .*: Address already in use"):
            listening("127.0.0.1", taken.getsockname()[1])
