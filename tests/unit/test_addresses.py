"""Which address a connection goes to: the rules with time injected, then real sockets, one of which never answers."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.aws.credentials import Keys
from ddbio.dynamodb import addresses, connection
from ddbio.dynamodb.addresses import Address, Addresses, in_turn, interleaved
from ddbio.dynamodb.data_plane import DataPlane
from ddbio.dynamodb.wire import Endpoint
from ddbio.messages import Tally
from ddbio.rate.awaited import Awaited
from ddbio.rate.latency import LocalLatencies
from tests.support.loops import run
from tests.support.peer import Peer, listening, ok
from tests.support.service import RecordingPacer


def v4(number: int) -> Address:
    return Address(socket.AF_INET, 6, (f"192.0.2.{number}", 443))


def v6(number: int) -> Address:
    return Address(socket.AF_INET6, 6, (f"2001:db8::{number}", 443, 0, 0))


ADDRESS = st.builds(lambda make, number: make(number), st.sampled_from([v4, v6]), st.integers(1, 6))

# --------------------------------------------------------------------------- the order


def test_the_families_alternate_and_the_resolvers_first_is_first() -> None:
    assert interleaved([v6(1), v6(2), v6(3), v4(1), v4(2)]) == [v6(1), v4(1), v6(2), v4(2), v6(3)]
    assert interleaved([v4(1), v6(1), v6(2)]) == [v4(1), v6(1), v6(2)]
    assert interleaved([]) == []


@given(st.lists(ADDRESS))
def test_interleaving_keeps_every_address_once(found: list[Address]) -> None:
    mixed = interleaved(found)
    assert Counter(mixed) == Counter(set(found))
    for family in {each.family for each in found}:
        in_order = [each for each in dict.fromkeys(found) if each.family == family]
        assert [each for each in mixed if each.family == family] == in_order


@given(st.lists(ADDRESS, min_size=1, unique=True), st.integers(0, 20), st.dictionaries(ADDRESS, st.floats(0, 200)))
def test_an_avoided_address_is_tried_only_if_all_are(
    found: list[Address], turn: int, avoided_until_s: dict[Address, float]
) -> None:
    order = in_turn(found, turn, avoided_until_s, 100.0)
    usable = [each for each in found if avoided_until_s.get(each, 0.0) <= 100.0]
    assert set(order) == set(usable or found)
    assert len(order) == len(set(order))


@given(st.lists(ADDRESS, min_size=1, unique=True))
def test_every_address_has_its_turn_to_be_first(found: list[Address]) -> None:
    assert {in_turn(found, turn, {}, 0.0)[0] for turn in range(len(found))} == set(found)


# --------------------------------------------------------------------------- lookups and failures, time injected


class World:
    """A resolver, a network and a clock. dead: addresses that refuse."""

    def __init__(self, found: Sequence[Address]) -> None:
        self.found: Sequence[Address] | OSError = found
        self.dead: dict[Address, OSError] = {}
        self.now_s = 1000.0
        self.lookups = 0
        self.dialled: list[Address] = []
        self.addresses = Addresses(self.resolve, self.dial, lambda: self.now_s)

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.lookups += 1
        await asyncio.sleep(0)
        if isinstance(self.found, OSError):
            raise self.found
        return self.found

    async def dial(self, address: Address) -> socket.socket:
        self.dialled.append(address)
        if address in self.dead:
            raise self.dead[address]
        return socket.socket()

    async def connect(self) -> Address:
        sock, address = await self.addresses.connect("db.example", 443)
        sock.close()
        return address

    def refuse(self, *dead: Address) -> None:
        self.dead = {each: OSError(errno.ECONNREFUSED, f"refused by {each.sockaddr[0]}") for each in dead}


def test_one_lookup_serves_all_lanes_and_the_next_seconds() -> None:
    async def story() -> None:
        world = World([v4(1)])
        await asyncio.gather(*(world.connect() for _ in range(64)))
        assert world.lookups == 1
        world.now_s += addresses.FRESH_S - 0.001
        await world.connect()
        assert world.lookups == 1
        world.now_s += 0.001
        world.found = [v4(2)]
        assert (await world.connect(), world.lookups) == (v4(2), 2)

    run(story())


def test_lanes_spread_over_the_addresses() -> None:
    async def story() -> Counter[Address]:
        world = World([v4(1), v4(2), v6(1), v6(2)])
        return Counter(await asyncio.gather(*(world.connect() for _ in range(64))))

    assert run(story()) == dict.fromkeys((v4(1), v4(2), v6(1), v6(2)), 16)


def test_an_address_that_failed_is_avoided_for_a_while() -> None:
    async def story() -> None:
        world = World([v4(1), v4(2), v4(3)])
        world.refuse(v4(1))
        assert {await world.connect() for _ in range(30)} == {v4(2), v4(3)}
        assert world.dialled.count(v4(1)) == 1
        world.refuse()
        world.now_s += addresses.AVOIDED_S
        assert {await world.connect() for _ in range(3)} == {v4(1), v4(2), v4(3)}

    run(story())


def test_if_all_addresses_failed_all_are_tried_again() -> None:
    async def story() -> None:
        world = World([v4(1), v6(1)])
        world.refuse(v4(1), v6(1))
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                await world.connect()
        assert Counter(world.dialled) == {v4(1): 3, v6(1): 3}
        world.refuse(v6(1))
        assert await world.connect() == v4(1)

    run(story())


def test_a_connection_tries_a_few_addresses_and_the_next_one_the_others() -> None:
    async def story() -> None:
        world = World([v4(number) for number in range(1, 8)])
        world.refuse(*[v4(number) for number in range(1, 7)])
        with pytest.raises(ConnectionRefusedError):
            await world.connect()
        assert len(world.dialled) == addresses.MOST_TRIED
        assert await world.connect() == v4(7)

    run(story())


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_a_fault_of_this_machine_is_not_blamed_on_the_address(number: int) -> None:
    async def story() -> None:
        world = World([v4(1), v4(2)])
        world.dead = {v4(1): OSError(number, "too many open files")}
        with pytest.raises(OSError, match="too many open files"):
            await world.connect()
        world.dead = {}
        assert {await world.connect() for _ in range(2)} == {v4(1), v4(2)}

    run(story())


def test_a_failed_lookup_is_shared_and_soon_repeated() -> None:
    async def story() -> None:
        world = World([])
        world.found = socket.gaierror(socket.EAI_AGAIN, "not now")
        failures = await asyncio.gather(*(world.connect() for _ in range(64)), return_exceptions=True)
        assert {type(each) for each in failures} == {socket.gaierror}
        assert {str(each) for each in failures} == {str(world.found)}
        assert world.lookups == 1
        world.found = [v4(1)]
        world.now_s += addresses.FAILED_LOOKUP_S
        assert await world.connect() == v4(1)

    run(story())


def test_if_the_resolver_fails_the_old_addresses_serve_on() -> None:
    async def story() -> None:
        world = World([v4(1)])
        await world.connect()
        world.found = socket.gaierror(socket.EAI_AGAIN, "not now")
        world.now_s += addresses.FRESH_S
        assert await world.connect() == v4(1)
        world.found = [v4(2)]
        world.now_s += addresses.FAILED_LOOKUP_S
        assert (await world.connect(), world.lookups) == (v4(2), 3)

    run(story())


def test_a_lane_that_is_cancelled_in_its_lookup_leaves_it_to_the_others() -> None:
    async def story() -> None:
        world = World([v4(1)])
        lanes = [asyncio.ensure_future(world.connect()) for _ in range(3)]
        await asyncio.sleep(0)
        lanes[0].cancel()
        assert await asyncio.gather(*lanes[1:]) == [v4(1), v4(1)]

    run(story())


def test_a_name_without_addresses_is_named() -> None:
    async def story() -> None:
        with pytest.raises(OSError, match=r"db\.example has no address"):
            await World([]).connect()

    run(story())


# --------------------------------------------------------------------------- a black hole and real sockets

LANES = 64


@contextlib.contextmanager
def black_hole(port: int) -> Iterator[str]:
    """An address of the loopback whose port never answers: nobody accepts, and the queue of waiting ones is full."""
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.socket())
        hole.bind(("127.0.0.2", port))
        hole.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(hole.getsockname())
        yield "127.0.0.2"


@pytest.mark.parametrize("way", ["direct", "proxy"])
def test_a_dead_first_address_stalls_nothing(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """64 lanes of a worker, and a name whose first address never answers: one lookup, one short wait at most."""
    monkeypatch.setattr(addresses, "ADDRESS_TIMEOUT_S", 0.2)
    monkeypatch.setattr(connection, "CONNECT_TIMEOUT_S", 1.0)
    lookups: list[Any] = []

    async def story() -> list[Any]:
        async with listening(Peer([ok()] * 2 * LANES)) as peer:
            with black_hole(peer.port) as dead:

                def getaddrinfo(host: object, *_: object, **__: object) -> list[Any]:
                    lookups.append(host)
                    stream = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
                    return [(*stream, (address, peer.port)) for address in (dead, "127.0.0.1")]

                monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
                name = f"http://db.example:{peer.port}"
                endpoint = Endpoint(name, "eu-west-1", proxy_url=name if way == "proxy" else None)
                return await asyncio.gather(*(two_requests(client) for client in clients(endpoint)))

    assert run(story()) == [[200, 200]] * LANES
    assert lookups == ["db.example"]


def clients(endpoint: Endpoint) -> list[Any]:
    context: Any = SimpleNamespace(clock=time.monotonic, sleep=None, say=print, awaited=Awaited(), trouble=None)
    made = DataPlane(endpoint).clients(
        lambda: Keys("AKIA", "secret"), RecordingPacer(), LocalLatencies().of_worker(0)
    )  # type: ignore[arg-type]
    return [made.new(context, "Orders", Tally()) for _ in range(LANES)]


async def two_requests(client: Any) -> list[int]:
    """On two connections, one after the other."""
    statuses = []
    for _ in range(2):
        statuses.append((await client._connection.request("Host: db.example\r\n", b"{}")).status)
        client.close()
    return statuses
