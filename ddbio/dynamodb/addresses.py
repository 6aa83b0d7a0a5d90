"""Which address of a name a connection goes to.

All lanes of a worker share one `Addresses`: a name is looked up once for all of them, and again after some seconds.
The families alternate (RFC 8305, section 4), every connection begins with the next address, and an address that
failed is avoided for a while, unless all addresses of the name failed.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

FRESH_S = 10.0  # how long a lookup serves; the service's own records live 5 s, a lost host much longer
FAILED_LOOKUP_S = 1.0  # how long a failed lookup serves, so that 64 waiting lanes do not repeat it one by one
AVOIDED_S = 45.0  # how long an address that failed is left alone
ADDRESS_TIMEOUT_S = 2.5  # for TCP to connect to one address: two lost SYNs (1 s, then 1 s more) are survived
LOOKUP_TIMEOUT_S = 10.0
MOST_TRIED = 4  # addresses a connection; the retry layer begins the next connection with the others

_FAULTS_OF_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)  # no address is to blame for these


class Address(NamedTuple):
    """What `socket.socket` and `connect` take."""

    family: int
    protocol: int
    sockaddr: tuple[Any, ...]


Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
Dial = Callable[[Address], Awaitable[socket.socket]]


def interleaved(found: Iterable[Address]) -> list[Address]:
    """The addresses without repeats, one of each family in turn, beginning with the family that came first."""
    families: dict[int, list[Address]] = {}
    for address in dict.fromkeys(found):
        families.setdefault(address.family, []).append(address)
    rows = itertools.zip_longest(*families.values())
    return [address for row in rows for address in row if address is not None]


def in_turn(
    addresses: Sequence[Address], turn: int, avoided_until_s: Mapping[Address, float], now_s: float
) -> list[Address]:
    """The addresses to try, in order: another one first at every turn, the avoided ones only if all are avoided."""
    usable = [each for each in addresses if avoided_until_s.get(each, now_s) <= now_s] or list(addresses)
    first = turn % len(usable)
    return usable[first:] + usable[:first]


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a name in the resolver's order. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [Address(family, protocol, sockaddr) for family, _, protocol, _, sockaddr in found]


async def dial(address: Address) -> socket.socket:
    """A socket that is connected to this address. Raises OSError, also if it takes too long."""
    sock = socket.socket(address.family, socket.SOCK_STREAM, address.protocol)
    try:
        sock.setblocking(False)
        connecting = asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
        await asyncio.wait_for(connecting, ADDRESS_TIMEOUT_S)
    except asyncio.TimeoutError:
        sock.close()
        detail = f"no connection to {address.sockaddr[0]} within {ADDRESS_TIMEOUT_S:g} s"
        raise OSError(errno.ETIMEDOUT, detail) from None
    except BaseException:
        sock.close()
        raise
    return sock


@dataclass(frozen=True, slots=True)
class _Lookup:
    """An answer of the resolver. failure: why there is no newer one."""

    addresses: list[Address]
    until_s: float
    failure: OSError | None = None


class Addresses:
    """The addresses of names, for all connections of one event loop. clock: seconds, monotonic."""

    def __init__(
        self, resolve: Resolve = resolve, dial: Dial = dial, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._resolve = resolve
        self._dial = dial
        self._clock = clock
        self._looking_up = asyncio.Lock()
        self._lookups: dict[tuple[str, int], _Lookup] = {}
        self._avoided_until_s: dict[Address, float] = {}
        self._turn = 0

    async def connect(self, host: str, port: int) -> tuple[socket.socket, Address]:
        """A socket connected to one of the host's addresses, and which. Raises the OSError of the last one tried."""
        failure = OSError(errno.EADDRNOTAVAIL, f"{host} has no address")
        for address in (await self.to_try(host, port))[:MOST_TRIED]:
            try:
                sock = await self._dial(address)
            except OSError as exc:
                if exc.errno in _FAULTS_OF_OURS:
                    raise
                self.avoid(address)
                failure = exc
            else:
                self._avoided_until_s.pop(address, None)
                return sock, address
        raise failure

    async def to_try(self, host: str, port: int) -> list[Address]:
        """The addresses to try, in order. Raises OSError if the name cannot be resolved."""
        addresses = await self._of(host, port)
        if not addresses:
            return []
        self._turn += 1
        return in_turn(addresses, self._turn - 1, self._avoided_until_s, self._clock())

    def avoid(self, address: Address) -> None:
        """Take other addresses for a while: this one failed."""
        self._avoided_until_s[address] = self._clock() + AVOIDED_S

    async def _of(self, host: str, port: int) -> list[Address]:
        async with self._looking_up:  # a lane that waited here finds the answer
            lookup = self._lookups.get((host, port))
            if lookup is None or lookup.until_s <= self._clock():
                lookup = self._lookups[host, port] = await self._look_up(host, port, lookup)
        if lookup.failure is not None and not lookup.addresses:
            raise type(lookup.failure)(*lookup.failure.args)
        return lookup.addresses

    async def _look_up(self, host: str, port: int, old: _Lookup | None) -> _Lookup:
        """The resolver's answer; if it fails, the old addresses for a moment longer: they may still serve."""
        try:
            found = await asyncio.wait_for(self._resolve(host, port), LOOKUP_TIMEOUT_S)
        except asyncio.TimeoutError:
            failure = OSError(errno.ETIMEDOUT, f"no address of {host} within {LOOKUP_TIMEOUT_S:g} s")
        except OSError as exc:
            failure = exc
        else:
            return _Lookup(interleaved(found), self._clock() + FRESH_S)
        return _Lookup(old.addresses if old else [], self._clock() + FAILED_LOOKUP_S, failure)
