"""The door of the hub: connections until they have proved that they have the token.

Anybody can connect, and say nothing. So those at the door are few at once: when one more comes, the one that has
waited longest leaves, of the address that has most of them there. A flood from one machine keeps out no worker of
another one, and a worker of the same machine only if the flood is faster than a handshake.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Generic, TypeVar

from ddbio.cluster.meeting import Stream, is_loopback, meet
from ddbio.errors import DdbioError

HANDSHAKE_S = 10.0  # for a connection to prove that it has the token
MOST_STRANGERS = 64  # at once: a worker needs some milliseconds
PAUSE_S = 0.5  # after a connection that could not be accepted for lack of something
TELL_S = 60.0  # in this time so many are told of:
TELL_MOST = 5
_SHORT_OF = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

Stranger = TypeVar("Stranger")


class Strangers(Generic[Stranger]):
    """By address, each in the order of their arrival."""

    def __init__(self, most: int = MOST_STRANGERS) -> None:
        self._most = most
        self._by_host: dict[str, list[Stranger]] = {}

    def enter(self, stranger: Stranger, host: str) -> Stranger | None:
        """Who has to leave for this one."""
        leaves = None
        if sum(map(len, self._by_host.values())) >= self._most:
            most = max(self._by_host, key=lambda each: len(self._by_host[each]))
            leaves = self._by_host[most][0]
            self.leave(leaves, most)
        self._by_host.setdefault(host, []).append(stranger)
        return leaves

    def leave(self, stranger: Stranger, host: str) -> None:
        """It was admitted, turned away, or had to leave, which it may tell twice."""
        waiting = self._by_host.get(host, [])
        if stranger in waiting:
            waiting.remove(stranger)
        if not waiting:
            self._by_host.pop(host, None)


class Notices:
    """So that a flood does not fill a log. tell: takes a sentence."""

    def __init__(self, tell: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._tell = tell
        self._clock = clock
        self._began_s = clock()
        self._count = 0

    def say(self, sentence: str) -> None:
        now_s = self._clock()
        if now_s - self._began_s >= TELL_S:
            untold, self._count, self._began_s = self._count - TELL_MOST, 0, now_s
            sentence += f" (and {untold:,} more before)" if untold > 0 else ""
        self._count += 1
        if self._count <= TELL_MOST:
            self._tell(sentence)


async def connections(
    accept: Callable[[], Awaitable[tuple[socket.socket, Any]]],
    tell: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncGenerator[tuple[socket.socket, str], None]:
    """Each connection and the address at its other end, for ever. A connection that is lost before it is accepted, or
    cannot be accepted, is none."""
    while True:
        try:
            sock, peer = await accept()
        except OSError as error:
            if error.errno in _SHORT_OF:
                tell(
                    f"No worker can join: {os.strerror(error.errno or 0)}; raise the limit of open files (ulimit -n)"
                )
            await sleep(PAUSE_S if error.errno in _SHORT_OF else 0.0)
        else:
            yield sock, str(peer[0])


class Door:
    """Where strangers prove that they have the token. context, certificate: of TLS, for those of other machines."""

    def __init__(self, token: bytes, context: ssl.SSLContext | None, certificate: bytes, notices: Notices) -> None:
        self._token = token
        self._context = context
        self._certificate = certificate
        self._notices = notices
        self._strangers: Strangers[asyncio.Task[Any]] = Strangers()

    async def met(self, sock: socket.socket, host: str) -> Stream | None:
        """The seat at the other end of a connection; None if it was turned away. Called in a task of its own, which
        is cancelled if it has to leave."""
        task = asyncio.current_task()
        assert task is not None
        if (leaves := self._strangers.enter(task, host)) is not None:
            leaves.cancel()
        context, certificate = (None, b"") if is_loopback(host) else (self._context, self._certificate)
        try:
            return await asyncio.wait_for(meet(sock, self._token, context, certificate), HANDSHAKE_S)
        except (DdbioError, OSError, asyncio.TimeoutError) as error:
            sock.close()
            reason = str(error) or "it did not prove that it has the token"
            self._notices.say(f"A connection from {host} was turned away: {reason}")
            return None
        except asyncio.CancelledError:
            sock.close()
            raise
        finally:
            self._strangers.leave(task, host)
