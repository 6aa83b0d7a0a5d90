"""How a connection between the hub and a seat begins: TCP, TLS unless both are on one machine, the proofs.

On one machine nobody is between the two. A seat there tries without TLS first, and with it if that is refused:
whoever forwards a port may be on the same machine as only one of the two.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass

import msgspec

from ddbio.cluster.frames import framed, read_frame
from ddbio.cluster.handshake import (
    MOST_BYTES,
    HubProof,
    HubSide,
    Message,
    Refusal,
    RefusedError,
    SeatHello,
    SeatProof,
    SeatSide,
    decoded,
)
from ddbio.cluster.tls import seat_context
from ddbio.errors import TransferError, UsageError

CONNECT_S = 10.0  # for each step
_STREAM_BYTES = 1 << 20  # read ahead at most
_NAME_CHARACTERS = 100
_ENDED = "the other end closed the connection"


@dataclass(frozen=True, slots=True)
class Stream:
    """A connection. name: of the seat."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    name: str


class ClosedError(TransferError):
    """The connection ended before the proofs."""


# -- the hub


def listening(address: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UsageError."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(where)
            sock.listen(socket.SOMAXCONN)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise UsageError(
            f"workers cannot join at {address}:{port}: {error.strerror or error}",
            "give another --hub-address or --hub-port",
        ) from None
    sock.setblocking(False)
    return sock


async def meet(sock: socket.socket, token: bytes, context: ssl.SSLContext | None, certificate: bytes) -> Stream:
    """The seat at the other end of an accepted connection. context: with the certificate; None for no TLS.

    Raises RefusedError, TransferError, OSError, if nobody with the token is there.
    """
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(_STREAM_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=context)
    writer = asyncio.StreamWriter(transport, protocol, reader, loop)
    side = HubSide(token, certificate)
    try:
        writer.write(_packed(side.answer(await _next(reader, SeatHello))))
        given = await _next(reader, SeatProof)
        side.check(given)
    except RefusedError as error:
        writer.write(_packed(Refusal(error.message, error.hint)))
        writer.close()
        raise
    except BaseException:
        transport.abort()
        raise
    name = "".join(letter for letter in given.name if letter.isprintable())
    return Stream(reader, writer, name[:_NAME_CHARACTERS])


# -- the seat


async def dial(host: str, port: int, token: bytes, name: str) -> Stream:
    """The hub. Raises RefusedError for another token or version, TransferError if it cannot be reached."""
    try:
        return await _dial(host, port, token, name, plainly=True)
    except ClosedError:
        return await _dial(host, port, token, name, plainly=False)


async def _dial(host: str, port: int, token: bytes, name: str, *, plainly: bool) -> Stream:
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, port, limit=_STREAM_BYTES), CONNECT_S)
        peer = writer.get_extra_info("peername")[0]
        if not (plainly and is_loopback(peer)):
            writer.transport.abort()
            encrypted = asyncio.open_connection(host, port, limit=_STREAM_BYTES, ssl=seat_context())
            reader, writer = await asyncio.wait_for(encrypted, CONNECT_S)
    except (OSError, asyncio.TimeoutError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer"
        raise TransferError(f"no driver can be reached at {host}:{port}: {reason}", "check --join") from None
    try:
        await asyncio.wait_for(_prove(reader, writer, token, name), CONNECT_S)
    except (OSError, asyncio.TimeoutError):
        writer.transport.abort()
        raise TransferError(f"{host}:{port} does not answer", "is a driver there?") from None
    except BaseException:
        writer.transport.abort()
        raise
    return Stream(reader, writer, name)


async def _prove(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: bytes, name: str) -> None:
    over = writer.get_extra_info("ssl_object")
    side = SeatSide(token, over.getpeercert(binary_form=True) if over is not None else b"")
    writer.write(_packed(side.hello()))
    writer.write(_packed(side.answer(await _next(reader, HubProof), name)))


# -- both


async def _next(reader: asyncio.StreamReader, kind: type[Message]) -> Message:
    frame = await read_frame(reader, MOST_BYTES)
    if frame is None:
        raise ClosedError(_ENDED)
    return decoded(frame, kind)


def _packed(message: msgspec.Struct) -> bytes:
    return framed(msgspec.msgpack.encode(message))


def is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
