"""Who may stand at the hub's port without the token, and for how long."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.cluster.declared_types import codec
from ddbio.cluster.door import PAUSE_S, TELL_MOST, TELL_S, Notices, Strangers, connections
from ddbio.cluster.frames import read_frame
from ddbio.cluster.hub import Hub
from ddbio.cluster.meeting import dial

# --------------------------------------------------------------------------- the strangers


def test_the_first_of_the_address_with_most_leaves_for_one_more() -> None:
    strangers: Strangers[str] = Strangers(4)
    assert [strangers.enter(name, name[0]) for name in ("a1", "b1", "b2", "a2")] == [None] * 4
    strangers.leave("a1", "a")
    assert strangers.enter("b3", "b") is None
    assert strangers.enter("c1", "c") == "b1"
    strangers.leave("b1", "b")
    assert strangers.enter("c2", "c") == "b2"


@given(st.lists(st.sampled_from("aaaaaaaab"), max_size=60), st.integers(2, 6))
def test_a_flood_from_one_address_drives_no_other_one_away(hosts: list[str], most: int) -> None:
    strangers: Strangers[tuple[int, str]] = Strangers(most)
    there: list[tuple[int, str]] = []
    for number, host in enumerate(hosts):
        others = sum(each[1] == "b" for each in there)
        leaves = strangers.enter((number, host), host)
        if leaves is not None:
            assert leaves[1] == "a" or others > len(there) - others or others * 2 == len(there)
            assert leaves == next(each for each in there if each[1] == leaves[1])
            there.remove(leaves)
        there.append((number, host))
        assert len(there) <= most


def test_one_that_was_admitted_makes_room() -> None:
    strangers: Strangers[int] = Strangers(2)
    for number in range(20):
        assert strangers.enter(number, "a") is None
        strangers.leave(number, "a")


# --------------------------------------------------------------------------- notices


def test_a_flood_is_told_of_in_a_few_lines() -> None:
    told: list[str] = []
    now_s = [0.0]
    notices = Notices(told.append, lambda: now_s[0])
    for number in range(100):
        notices.say(f"turned {number}")
    assert told == [f"turned {number}" for number in range(TELL_MOST)]
    now_s[0] = TELL_S
    notices.say("turned again")
    assert told[-1] == f"turned again (and {100 - TELL_MOST} more before)"
    now_s[0] = 2 * TELL_S
    notices.say("once")
    assert told[-1] == "once"


# --------------------------------------------------------------------------- accepting


def accepted(*outcomes: Any) -> tuple[list[Any], list[str], list[float]]:
    """What comes of these outcomes of accept: the connections, what was told, the pauses."""
    told: list[str] = []
    pauses_s: list[float] = []
    waiting = iter(outcomes)

    async def accept() -> Any:
        outcome = next(waiting)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def sleep(seconds: float) -> None:
        pauses_s.append(seconds)

    async def run() -> list[Any]:
        count = sum(not isinstance(each, Exception) for each in outcomes)
        arriving = connections(accept, told.append, sleep)
        found = [await anext(arriving) for _ in range(count)]
        await arriving.aclose()
        return found

    return asyncio.run(run()), told, pauses_s


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_driver_short_of_files_accepts_later_and_says_so(number: int) -> None:
    found, told, pauses_s = accepted(OSError(number, "no"), ("sock", ("10.0.0.1", 5)))
    assert (found, pauses_s) == ([("sock", "10.0.0.1")], [PAUSE_S])
    assert "No worker can join" in told[0] and "ulimit -n" in told[0]


def test_a_connection_that_ends_before_it_is_accepted_is_none() -> None:
    found, told, pauses_s = accepted(ConnectionAbortedError(errno.ECONNABORTED, "gone"), ("sock", ("::1", 5, 0, 0)))
    assert (found, told, pauses_s) == ([("sock", "::1")], [], [0.0])


# --------------------------------------------------------------------------- the hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub(b"t" * 32, "127.0.0.1", 0, 5.0, time.monotonic)
    yield hub
    hub.close("the test is over")


def test_a_worker_joins_through_a_crowd_that_says_nothing(hub: Hub) -> None:
    with ExitStack() as crowd:
        for _ in range(220):
            crowd.enter_context(socket.create_connection(("127.0.0.1", hub.port)))
        stream = asyncio.run(join(hub.port))
        assert stream == "Welcome"


async def join(port: int) -> str:
    stream = await dial("127.0.0.1", port, b"t" * 32, "worker")
    frame = await asyncio.wait_for(read_frame(stream.reader), 10)
    stream.writer.transport.abort()
    assert frame is not None
    return type(codec().decode(frame)).__name__


def test_the_crowd_is_let_go_and_told_of_in_a_few_lines(hub: Hub) -> None:
    crowd = [socket.create_connection(("127.0.0.1", hub.port)) for _ in range(3)]
    for sock in crowd:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n" * 20)
    told = [hub.events.get(timeout=10).reason for _ in crowd]
    assert all(each.startswith("A connection from 127.0.0.1 was turned away: ") for each in told)
    for sock in crowd:
        sock.settimeout(10)
        assert sock.recv(1) == b""
        sock.close()
