"""One connection against a scripted peer: what is sent, and what becomes of every way an answer can fail to come."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import itertools
import random
import socket
import ssl
import sys
import zlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from botocore.httpsession import create_urllib3_context
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.aws.tls import verifying_context
from ddbio.dynamodb import connection as module
from ddbio.dynamodb.addresses import Address, Addresses
from ddbio.dynamodb.connection import Connection
from ddbio.dynamodb.wire import Endpoint, Response, WireError
from tests.support.certificates import Certificates
from tests.support.loops import LOOPS, run
from tests.support.peer import CUT, HANG, Peer, Proxy, chunked, listening, ok

LARGE = random.Random(1).randbytes(1_200_000)
HEADERS = "Host: localhost\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\n"
Loop = Callable[[], asyncio.AbstractEventLoop]
Story = Callable[[Connection, Peer], Awaitable[Any]]


@pytest.fixture(params=LOOPS.values(), ids=LOOPS.keys())
def new_loop(request: pytest.FixtureRequest) -> Loop:
    loop: Loop = request.param
    return loop


def play(new_loop: Loop, peer: Peer, story: Story, timeout_s: float = 5.0) -> Any:
    """Tell a story of one connection to a peer."""

    async def told() -> Any:
        async with listening(peer):
            endpoint = Endpoint(f"http://127.0.0.1:{peer.port}", "eu-west-1")
            connection = Connection(endpoint, None, timeout_s=timeout_s)
            try:
                return await story(connection, peer)
            finally:
                connection.close()
                await asyncio.sleep(0.01)  # the peer sees it

    return run(told(), new_loop)


async def ask(connection: Connection, body: bytes = b"{}") -> Response:
    return await connection.request(HEADERS, body)


async def failure_of(connection: Connection) -> WireError:
    with pytest.raises(WireError) as caught:
        await ask(connection)
    return caught.value


# --------------------------------------------------------------------------- what is sent


def test_a_request_is_its_headers_and_its_body(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> None:
        await connection.request(HEADERS, b'{"TableName":"T"}')

    peer = Peer([ok()])
    play(new_loop, peer, story)
    (request,) = peer.requests
    assert request.line == "POST / HTTP/1.1"
    assert request.header("X-Amz-Target") == "DynamoDB_20120810.Scan"
    assert request.header("Content-Length") == "17"
    assert request.header("Accept-Encoding") == "identity"
    assert request.header("Proxy-Authorization") is None
    assert request.body == b'{"TableName":"T"}'


def test_a_connection_is_used_again(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> list[Response]:
        return [await ask(connection) for _ in range(3)]

    peer = Peer([ok(b"1"), ok(b"", status="400 Bad Request"), ok(b"3")])
    assert play(new_loop, peer, story) == [Response(200, b"1"), Response(400, b""), Response(200, b"3")]
    assert peer.connections == 1


@pytest.mark.parametrize(
    "last",
    [
        ok(b"1", "Connection: close"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n1",
        [ok(b"1"), CUT],  # kept alive, and then closed all the same
    ],
)
def test_a_connection_that_ended_is_opened_again(new_loop: Loop, last: object) -> None:
    async def story(connection: Connection, peer: Peer) -> list[bytes | memoryview]:
        first = await ask(connection)
        await asyncio.sleep(0.02)
        return [first.body, (await ask(connection)).body]

    peer = Peer([last, ok(b"2")])
    assert play(new_loop, peer, story) == [b"1", b"2"]
    assert [request.connection for request in peer.requests] == [0, 1]


def test_a_connection_that_was_idle_for_long_is_not_used_again(
    new_loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address translation on the way may have forgotten it: what is sent on it then goes nowhere."""
    peer = Peer([ok(b"1"), ok(b"2"), ok(b"3")])

    async def story(connection: Connection, peer: Peer) -> None:
        for idle_limit_s in (60.0, 60.0, -1.0):
            monkeypatch.setattr(module, "IDLE_LIMIT_S", idle_limit_s)
            await ask(connection)

    play(new_loop, peer, story)
    assert [request.connection for request in peer.requests] == [0, 0, 1]


def test_the_kernel_looks_after_idle_connections(new_loop: Loop) -> None:
    found: list[int] = []

    async def story(connection: Connection, peer: Peer) -> None:
        await ask(connection)
        assert connection._transport is not None
        sock = connection._transport.get_extra_info("socket")
        found.extend([sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), module.KEEPALIVE_S])
        if hasattr(socket, "TCP_KEEPIDLE"):
            found[1] = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)

    play(new_loop, Peer([ok(b"1")]), story)
    assert found == [1, 60]


def test_asked_to_close_the_next_request_may_follow_at_once(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> list[bytes | memoryview]:
        return [(await ask(connection)).body for _ in range(20)]

    bodies = [b"%d" % number if number % 3 else LARGE for number in range(20)]
    peer = Peer([ok(body, "Connection: close") for body in bodies])
    assert play(new_loop, peer, story) == bodies


# --------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        (ok(b'{"a":1}'), Response(200, b'{"a":1}')),
        (ok(b""), Response(200, b"")),
        (ok(b"x" * 3_000_000), Response(200, b"x" * 3_000_000)),
        (ok(b"{}", crc32=False), Response(200, b"{}")),
        (ok(b"busy", status="503 Service Unavailable"), Response(503, b"busy")),
        (ok(b"", status="500 "), Response(500, b"")),
        (chunked([b"ab", b"c" * 300, b"d"]), Response(200, b"ab" + b"c" * 300 + b"d")),
        (chunked([b"ab", b"c"], f"X-Amz-CRC32: {zlib.crc32(b'abc')}"), Response(200, b"abc")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"1"), Response(200, b"1")),
        (b"HTTP/1.1 103 Early Hints\r\nx-amz-crc32: 7\r\n\r\n" + ok(b"1", crc32=False), Response(200, b"1")),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", ok(b"1")], Response(200, b"1")),
        (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 0\r\n\r\n" + ok(LARGE), Response(200, LARGE)),
        (ok(LARGE, crc32=False), Response(200, LARGE)),
        (ok(LARGE, status="500 Internal Server Error"), Response(500, LARGE)),
        (ok(LARGE).replace(b"Content-Length", b"CONTENT-LENGTH"), Response(200, LARGE)),
        (chunked([LARGE, b"", LARGE][::2], f"x-amz-crc32: {zlib.crc32(LARGE * 2)}"), Response(200, LARGE * 2)),
    ],
    ids=range(16),
)
def test_an_answer_is_its_status_and_its_body(new_loop: Loop, answer: object, response: Response) -> None:
    async def story(connection: Connection, peer: Peer) -> tuple[Response, Response]:
        return await ask(connection), await ask(connection)

    peer = Peer([answer, ok(b"next")])
    assert play(new_loop, peer, story) == (response, Response(200, b"next"))
    assert peer.connections == 1


def test_an_answer_may_come_byte_by_byte(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> Response:
        return await ask(connection)

    answer = chunked([b"abc", b"defg"], f"x-amz-crc32: {zlib.crc32(b'abcdefg')}")
    assert play(new_loop, Peer([[answer[at : at + 1] for at in range(len(answer))]]), story).body == b"abcdefg"


class Wire:
    """In the place of a transport: what comes from it, and in which pieces, is up to the test."""

    def __init__(self) -> None:
        self.connection = Connection(Endpoint("http://localhost:1", "eu-west-1"), None)
        self.open = True
        self.connection.connection_made(self)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        pass

    def abort(self) -> None:
        self.open = False

    def receive(self, data: bytes) -> None:
        while data and self.open:
            buffer = self.connection.get_buffer(-1)
            buffer[: len(data)] = data[: len(buffer)]
            self.connection.buffer_updated(min(len(buffer), len(data)))
            data = data[len(buffer) :]

    async def answer(self, pieces: Sequence[bytes]) -> Response:
        asked = asyncio.ensure_future(ask(self.connection))
        await asyncio.sleep(0)
        for piece in pieces:
            self.receive(piece)
        return await asked


_READ, _GROWTH = module._READ_BYTES, module._GROWTH_BYTES
LENGTHS = st.sampled_from(
    [0, 1, 300, _READ - 200, _READ, _READ + 1, 100_000, _GROWTH - 1, _GROWTH, _GROWTH + 1, 600_000]
)
CUTS = st.lists(st.integers(0, 200) | st.integers(0, 70_000) | st.integers(0, 600_000), max_size=6)


@given(st.lists(st.tuples(LENGTHS, CUTS, st.booleans()), min_size=1, max_size=5))
@example([(600_000, [], False), (300, [], False), (100_000, [], False), (600_000, [], True)])
@example([(600_000, [99, 131], False), (600_000, [200_000], False)])
def test_an_answer_may_come_in_any_pieces(answers: list[tuple[int, list[int], bool]]) -> None:
    async def story() -> None:
        there = Wire()
        for number, (length, cuts, in_chunks) in enumerate(answers):
            body = bytes([number]) + LARGE[: length - 1] if length else b""
            answer = chunked([body], f"x-amz-crc32: {zlib.crc32(body)}") if in_chunks and body else ok(body)
            places = sorted({0, len(answer), *(cut for cut in cuts if cut < len(answer))})
            pieces = [answer[start:end] for start, end in itertools.pairwise(places)]
            assert await there.answer(pieces) == Response(200, body)
        assert there.open

    run(story())


def test_the_memory_of_a_large_body_is_used_again_when_nobody_holds_it() -> None:
    async def story() -> None:
        there = Wire()

        async def large(body: bytes) -> memoryview:
            found = (await there.answer([ok(body)])).body
            assert type(found) is memoryview
            assert found == body
            return found

        first = (await large(LARGE)).obj
        assert (await large(LARGE[::-1])).obj is first
        assert type((await there.answer([ok(b"small")])).body) is bytes
        held = await large(LARGE)
        assert held.obj is first
        assert (await large(LARGE[::-1])).obj is not first
        assert held == LARGE
        held = await large(b'{"Items":[%b]}' % b",".join(b'{"n":%d}' % number for number in range(20_000)))
        items = msgspec.json.decode(held, type=dict[str, list[msgspec.Raw]])["Items"]
        del held
        await large(LARGE)
        assert [bytes(item) for item in items[-2:]] == [b'{"n":19998}', b'{"n":19999}']

    run(story())


def test_memory_that_is_large_even_for_a_page_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_KEPT_BYTES", 1_000_000)

    async def story() -> None:
        there = Wire()
        body = (await there.answer([ok(LARGE)])).body
        assert body == LARGE
        assert (len(there.connection._page), there.connection._body) == (0, [])
        assert (await there.answer([ok(LARGE[:-1])])).body == LARGE[:-1]

    run(story())


def test_who_announces_more_than_there_can_be_gets_no_memory_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_STRAIGHT_BYTES", 1_000_000)

    async def story() -> None:
        there = Wire()
        assert (await there.answer([ok(LARGE)])).body == LARGE
        assert len(there.connection._page) == 0
        asked = asyncio.ensure_future(ask(there.connection))
        await asyncio.sleep(0)
        there.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999\r\n\r\n" + LARGE)
        assert len(there.connection._page) == 0
        there.connection.connection_lost(None)
        with pytest.raises(WireError, match="cut"):
            await asked

    run(story())


def test_without_isal_it_is_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal.isal_zlib", None)
    spec = importlib.util.find_spec("ddbio.dynamodb.connection")
    assert spec is not None and spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "ddbio.dynamodb.connection", again)
    spec.loader.exec_module(again)
    assert again.crc32 is zlib.crc32


# --------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("answer", "kind", "detail"),
    [
        (CUT, "cut", "after 0 bytes of the answer"),
        ([b"HTTP/1.1 200", CUT], "cut", "after 12 bytes of the answer"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", CUT], "cut", "of the answer"),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", CUT], "cut", "of the answer"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", CUT], "cut", "of the answer"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "garbage", "not HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x50", "garbage", "not HTTP"),
        (b"HTTP/1.1 99999 What\r\n\r\n", "garbage", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "garbage", "not HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "garbage", ""),
        (ok(b"{}").replace(b"{}", b"[]"), "checksum", "the 2 bytes received"),
        (ok(b"{}", "x-amz-crc32: nonsense", crc32=False), "checksum", "x-amz-crc32"),
        (ok(b"{}", "x-amz-crc32:", crc32=False), "checksum", "x-amz-crc32"),
        (chunked([b"a", b"b"], f"x-amz-crc32: {zlib.crc32(b'a')}"), "checksum", "the 2 bytes received"),
        ([ok(LARGE)[:500_000], CUT], "cut", "after 500000 bytes of the answer"),
        ([ok(LARGE)[:60], ok(LARGE)[60:-1], CUT], "cut", f"after {len(ok(LARGE)) - 1} bytes of the answer"),
        ([b"HTTP/1.1 200 OK\r\n\r\n" + LARGE, CUT], "cut", "of the answer"),
        (ok(LARGE)[:-1] + b"\0", "checksum", "the 1200000 bytes received"),
        (ok(LARGE, "Transfer-Encoding: chunked"), "garbage", "not HTTP"),
        ([chunked([LARGE])[:500_000], CUT], "cut", "after 500000 bytes of the answer"),
    ],
    ids=range(20),
)
def test_without_a_whole_answer_the_request_fails_and_the_next_one_does_not(
    new_loop: Loop, answer: object, kind: str, detail: str
) -> None:
    async def story(connection: Connection, peer: Peer) -> tuple[WireError, Response]:
        return await failure_of(connection), await ask(connection)

    peer = Peer([answer, ok(b"again")])
    failure, response = play(new_loop, peer, story)
    assert (failure.kind, failure.sent, detail in failure.detail) == (kind, True, True), str(failure)
    assert response.body == b"again"
    assert [request.connection for request in peer.requests] == [0, 1]


@pytest.mark.parametrize(
    "answer",
    [HANG, [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", HANG], [ok(LARGE)[:500_000], HANG]],
    ids=range(3),
)
def test_an_answer_that_does_not_come_in_time_is_not_waited_for(new_loop: Loop, answer: object) -> None:
    async def story(connection: Connection, peer: Peer) -> tuple[WireError, Response]:
        return await failure_of(connection), await ask(connection)

    failure, response = play(new_loop, Peer([answer, ok(LARGE[::-1])]), story, timeout_s=0.2)
    assert (failure.kind, failure.sent) == ("timeout", True)
    assert response.body == LARGE[::-1]


def test_a_late_answer_is_not_taken_for_the_next(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> tuple[WireError, Response]:
        failure = await failure_of(connection)
        peer.answers.append(ok(b"right"))
        return failure, await ask(connection)

    class Late(Peer):
        async def _answer(self, writer: asyncio.StreamWriter) -> bool:
            if self.answers[0] is HANG:
                self.answers.pop(0)
                await asyncio.sleep(0.06)
                writer.write(ok(b"wrong"))
                return True
            return await super()._answer(writer)

    failure, response = play(new_loop, Late([HANG]), story, timeout_s=0.04)
    assert (failure.kind, response.body) == ("timeout", b"right")


def test_bytes_nobody_asked_for_are_not_taken_for_an_answer(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> list[bytes | memoryview]:
        first = await ask(connection)
        await asyncio.sleep(0.02)
        return [first.body, (await ask(connection)).body]

    peer = Peer([[ok(b"1"), ok(b"unasked")], ok(b"2")])
    assert play(new_loop, peer, story) == [b"1", b"2"]


@pytest.mark.parametrize("split", [5, 38, 42])
def test_a_second_answer_behind_the_first_is_not_taken_for_the_next(new_loop: Loop, split: int) -> None:
    """Its beginning comes with the first one, the rest when the next request is under way already."""
    unasked = ok(b"unasked", crc32=False)

    class Ahead(Peer):
        async def _answer(self, writer: asyncio.StreamWriter) -> bool:
            if len(self.requests) == 1:
                writer.write(ok(b"1") + unasked[:split])
            else:
                on_the_same = self.requests[-1].connection == 0
                writer.write(unasked[split:] * on_the_same + ok(b"2"))
            return True

    async def story(connection: Connection, peer: Peer) -> list[bytes | memoryview]:
        return [(await ask(connection)).body, (await ask(connection)).body]

    assert len(unasked) > split
    assert play(new_loop, Ahead(), story) == [b"1", b"2"]


@pytest.mark.parametrize("split", [0, 1, 500_000])
def test_bytes_behind_a_large_body_are_not_taken_for_the_next(new_loop: Loop, split: int) -> None:
    async def story(connection: Connection, peer: Peer) -> list[bytes | memoryview]:
        return [(await ask(connection)).body, (await ask(connection)).body]

    whole = ok(LARGE)
    peer = Peer([[whole[:-split], whole[-split:] + b"H"] if split else whole + ok(LARGE), ok(b"2")])
    assert play(new_loop, peer, story) == [LARGE, b"2"]
    assert [request.connection for request in peer.requests] == [0, 1]


@pytest.mark.parametrize("extra", [b"H", b"\r\n", ok(b"unasked"), ok(LARGE)], ids=range(4))
@pytest.mark.parametrize("start", [50, 1000, 800_000])
def test_whatever_comes_behind_a_large_body_ends_the_connection(start: int, extra: bytes) -> None:
    async def story() -> None:
        there = Wire()
        whole = ok(LARGE) + extra
        assert (await there.answer([whole[:start], whole[start:]])).body == LARGE
        assert not there.open

    run(story())


def test_a_peer_that_speaks_first_is_left_alone(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> WireError:
        return await failure_of(connection)

    failure = play(new_loop, Peer([HANG], first_bytes=b"220 mail.example.com ESMTP\r\n"), story)
    assert failure.kind in ("garbage", "cut")


def test_a_peer_that_hangs_up_at_once_is_a_cut(new_loop: Loop) -> None:
    """Before the request is sent, or after: it depends on who is faster."""

    class Busy(Peer):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

    async def story(connection: Connection, peer: Peer) -> set[str]:
        return {(await failure_of(connection)).kind for _ in range(20)}

    assert play(new_loop, Busy(), story) <= {"cut", "connect"}


def test_a_connection_that_is_lost_while_it_is_made_was_never_sent(new_loop: Loop) -> None:
    class Unlucky(Connection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            asyncio.get_running_loop().call_soon(self.connection_lost, ConnectionResetError("reset by peer"))

    async def told() -> WireError:
        async with listening(Peer([ok()])) as peer:
            failure = await failure_of(Unlucky(Endpoint(f"http://127.0.0.1:{peer.port}", "x"), None))
            await asyncio.sleep(0.01)  # the socket is closed
            return failure

    failure = run(told(), new_loop)
    assert (failure.kind, failure.sent) == ("cut", False)


@pytest.mark.parametrize("answer", [HANG, [ok(LARGE)[:500_000], HANG]], ids=range(2))
def test_a_cancelled_request_ends_its_connection(new_loop: Loop, answer: object) -> None:
    async def story(connection: Connection, peer: Peer) -> Response:
        task = asyncio.ensure_future(ask(connection))
        while not peer.requests:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while not peer.ended:
            await asyncio.sleep(0.001)
        return await ask(connection)

    peer = Peer([answer, ok(b"again")])
    assert play(new_loop, peer, story).body == b"again"
    assert peer.connections == 2


def test_a_connection_that_is_closed_under_a_request_fails_it(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> WireError:
        asyncio.get_running_loop().call_later(0.02, connection.close)
        return await failure_of(connection)

    assert play(new_loop, Peer([HANG]), story).kind == "cut"


def test_closing_twice_is_closing(new_loop: Loop) -> None:
    async def story(connection: Connection, peer: Peer) -> bytes | memoryview:
        connection.close()
        await ask(connection)
        connection.close()
        connection.close()
        return (await ask(connection)).body

    assert play(new_loop, Peer([ok(), ok(b"2")]), story) == b"2"


def test_a_refused_connection_was_never_sent(new_loop: Loop) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and nobody listens
        endpoint = Endpoint(f"http://127.0.0.1:{bound.getsockname()[1]}", "eu-west-1")
        failure = run(failure_of(Connection(endpoint, None)), new_loop)
    assert (failure.kind, failure.sent) == ("connect", False)


# --------------------------------------------------------------------------- endpoints


@pytest.mark.parametrize(
    ("url", "tls", "address", "host"),
    [
        ("http://localhost:8000", False, ("localhost", 8000), "localhost:8000"),
        ("http://localhost", False, ("localhost", 80), "localhost"),
        ("http://localhost:443", False, ("localhost", 443), "localhost:443"),
        ("https://dynamodb.eu-west-1.amazonaws.com", True, ("dynamodb.eu-west-1.amazonaws.com", 443), None),
        ("https://DynamoDB.eu-west-1.amazonaws.com:443/", True, ("dynamodb.eu-west-1.amazonaws.com", 443), None),
        ("https://[::1]:8443", True, ("::1", 8443), "[::1]:8443"),
        ("http://[::1]", False, ("::1", 80), "[::1]"),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(url: str, tls: bool, address: tuple[str, int], host: str | None) -> None:
    endpoint = Endpoint(url, "eu-west-1")
    assert (endpoint.tls, endpoint.address, endpoint.host_header) == (tls, address, host or address[0])


# --------------------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


def play_tls(
    new_loop: Loop,
    peer: Peer,
    story: Story,
    certificates: Certificates,
    *,
    ca: str | None = None,
    server: ssl.SSLContext | None = None,
    proxy: Proxy | None = None,
    timeout_s: float = 5.0,
) -> Any:
    """The same over TLS, through a proxy where one is given (its port is added to its URL)."""

    async def told() -> Any:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(listening(peer, server or certificates.server))
            proxy_url = None
            if proxy is not None:
                await stack.enter_async_context(listening(proxy))
                proxy.target = peer.port
                proxy_url = f"http://{proxy.user}localhost:{proxy.port}"
            endpoint = Endpoint(
                f"https://localhost:{peer.port}", "eu-west-1", ca or certificates.authority, proxy_url
            )
            connection = Connection(endpoint, endpoint.ssl_context(), timeout_s=timeout_s)
            try:
                return await story(connection, peer)
            finally:
                connection.close()
                await asyncio.sleep(0.02)

    return run(told(), new_loop)


async def failing(connection: Connection, peer: Peer) -> WireError:
    return await failure_of(connection)


async def failing_once(connection: Connection, peer: Peer) -> tuple[WireError, Response]:
    return await failure_of(connection), await ask(connection)


async def asking_twice(connection: Connection, peer: Peer) -> tuple[Response, Response]:
    return await ask(connection), await ask(connection)


def test_tls_answers_as_well(new_loop: Loop, certificates: Certificates) -> None:
    async def story(connection: Connection, peer: Peer) -> list[bytes | memoryview]:
        return [(await ask(connection)).body for _ in bodies]

    kept = [LARGE, b"1", b"2" * 200_000, LARGE[::-1], b"3"]
    bodies = [*kept, *[b"%d" % number if number % 3 else LARGE for number in range(8)]]
    peer = Peer([*[ok(body) for body in kept], *[ok(body, "Connection: close") for body in bodies[len(kept) :]]])
    assert play_tls(new_loop, peer, story, certificates) == bodies
    assert [request.connection for request in peer.requests] == [*[0] * len(kept), *range(8)]


@pytest.mark.parametrize("answer", [CUT, [ok(LARGE)[:500_000], CUT]], ids=range(2))
def test_tls_that_is_cut_is_cut(new_loop: Loop, certificates: Certificates, answer: object) -> None:
    failure, response = play_tls(new_loop, Peer([answer, ok(b"again")]), failing_once, certificates)
    assert (failure.kind, failure.sent, response.body) == ("cut", True, b"again")


@pytest.mark.parametrize("trouble", ["another authority", "another name"])
def test_tls_is_always_verified(new_loop: Loop, certificates: Certificates, trouble: str) -> None:
    wrong: dict[str, Any] = {
        "another authority": {"ca": certificates.stranger},
        "another name": {"server": certificates.misnamed},
    }
    peer = Peer([ok()])
    failure = play_tls(new_loop, peer, failing, certificates, **wrong[trouble])
    assert (failure.kind, failure.sent, "certificate" in failure.detail.lower()) == ("tls", False, True), str(failure)
    assert "AWS_CA_BUNDLE" in failure.hint
    assert not peer.requests


@pytest.mark.parametrize("default", ["of this Python", "of Python 3.13"])
def test_certificates_are_verified_as_strictly_as_by_botocore(
    new_loop: Loop, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, default: str
) -> None:
    """A certificate without an authority key identifier is good, though Python 3.13 alone would refuse it."""
    if default == "of Python 3.13":
        of_this = ssl.create_default_context

        def strict(*args: Any, **options: Any) -> ssl.SSLContext:
            context = of_this(*args, **options)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
            return context

        monkeypatch.setattr(ssl, "create_default_context", strict)
    context = verifying_context(certificates.authority)
    assert context.verify_flags == create_urllib3_context().verify_flags
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    peer = Peer([ok(b"1"), ok(b"2")])
    _, response = play_tls(new_loop, peer, asking_twice, certificates, server=certificates.plain)
    assert response.body == b"2"


def test_a_peer_without_tls_is_not_talked_to(new_loop: Loop, certificates: Certificates) -> None:
    async def told() -> tuple[WireError, Peer]:
        async with listening(Peer([ok()], first_bytes=b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer:
            endpoint = Endpoint(f"https://localhost:{peer.port}", "eu-west-1", certificates.authority)
            return await failure_of(Connection(endpoint, endpoint.ssl_context())), peer

    failure, peer = run(told(), new_loop)
    assert (failure.kind in ("tls", "connect"), failure.sent, peer.requests) == (True, False, [])


def test_a_connection_that_does_not_come_about_is_not_waited_for(new_loop: Loop, certificates: Certificates) -> None:
    async def told() -> WireError:
        async with listening(Peer()) as silent:  # waits for a request while TLS waits for its hello
            endpoint = Endpoint(f"https://localhost:{silent.port}", "eu-west-1", certificates.authority)
            return await failure_of(Connection(endpoint, endpoint.ssl_context(), timeout_s=0.05))

    failure = run(told(), new_loop)
    assert (failure.kind, failure.sent) == ("connect", False)


@pytest.mark.parametrize("proxy_url", [None, "http://proxy.invalid:3128"])
def test_a_name_that_is_not_found_may_be_found_later(new_loop: Loop, proxy_url: str | None) -> None:
    """A resolver that is away for a moment is no end of a run."""
    endpoint = Endpoint("http://dynamodb.invalid", "eu-west-1", proxy_url=proxy_url)
    failure = run(failure_of(Connection(endpoint, None)), new_loop)
    assert (failure.kind, failure.sent, failure.hint) == ("connect", False, "")


# --------------------------------------------------------------------------- proxies


def test_an_https_endpoint_is_reached_through_a_tunnel(new_loop: Loop, certificates: Certificates) -> None:
    async def story(connection: Connection, peer: Peer) -> list[bytes | memoryview]:
        return [(await ask(connection)).body for _ in range(2)]

    peer, proxy = Peer([ok(b"1"), ok(b"2")]), Proxy([b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"])
    assert play_tls(new_loop, peer, story, certificates, proxy=proxy) == [b"1", b"2"]
    (request,) = proxy.requests
    assert request.line == f"CONNECT localhost:{peer.port} HTTP/1.1"
    assert request.header("Host") == f"localhost:{peer.port}"
    assert request.header("Proxy-Authorization") is None
    assert peer.requests[0].line == "POST / HTTP/1.1"


def test_the_proxys_user_is_told_to_the_proxy_only(new_loop: Loop, certificates: Certificates) -> None:
    async def story(connection: Connection, peer: Peer) -> bytes | memoryview:
        return (await ask(connection)).body

    peer, proxy = Peer([ok(b"1")]), Proxy([b"HTTP/1.0 200 OK\r\n\r\n"], user="jo%40x:p%3Aw@")
    assert play_tls(new_loop, peer, story, certificates, proxy=proxy) == b"1"
    expected = f"Basic {base64.b64encode(b'jo@x:p:w').decode()}"
    assert proxy.requests[0].header("Proxy-Authorization") == expected
    assert peer.requests[0].header("Proxy-Authorization") is None


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", "407 Proxy Authentication"),
        (b"HTTP/1.1 502 Bad gateway\r\n\r\n", "502 Bad gateway"),
        (b"", "did not answer CONNECT"),
        (b"HTTP/1.1 200", "did not answer CONNECT"),
        (b"x" * 100_000, "did not answer CONNECT"),
    ],
)
def test_a_tunnel_that_is_refused_says_why(
    new_loop: Loop, certificates: Certificates, reply: bytes, detail: str
) -> None:
    peer = Peer([ok()])
    failure = play_tls(new_loop, peer, failing, certificates, proxy=Proxy([reply]))
    assert (failure.kind, failure.sent, detail in failure.detail) == ("proxy", False, True), str(failure)
    assert ("HTTPS_PROXY" in failure.hint) == (b" 407 " in reply)
    assert not peer.requests


def test_a_tunnel_is_verified_to_its_end(new_loop: Loop, certificates: Certificates) -> None:
    peer, proxy = Peer([ok()]), Proxy([b"HTTP/1.1 200 OK\r\n\r\n"])
    failure = play_tls(new_loop, peer, failing, certificates, ca=certificates.stranger, proxy=proxy)
    assert (failure.kind, peer.requests) == ("tls", [])


def test_a_proxy_that_does_not_answer_is_not_waited_for(new_loop: Loop, certificates: Certificates) -> None:
    failure = play_tls(new_loop, Peer(), failing, certificates, proxy=Proxy([HANG]), timeout_s=0.05)
    assert (failure.kind, failure.sent) == ("connect", False)


@pytest.mark.parametrize(("user", "authorization"), [("", None), ("jo:pw@", "Basic am86cHc=")])
def test_an_http_endpoint_is_asked_for_by_its_whole_url(new_loop: Loop, user: str, authorization: str | None) -> None:
    async def told() -> tuple[bytes | memoryview, Peer]:
        async with listening(Peer([ok(b"1")])) as proxy:
            endpoint = Endpoint("http://db.example:8000", "x", proxy_url=f"http://{user}127.0.0.1:{proxy.port}")
            connection = Connection(endpoint, None)
            body = (await connection.request("Host: db.example:8000\r\n", b"{}")).body
            connection.close()
            return body, proxy

    body, proxy = run(told(), new_loop)
    (request,) = proxy.requests
    assert (body, request.line) == (b"1", "POST http://db.example:8000/ HTTP/1.1")
    assert request.header("Proxy-Authorization") == authorization


def test_a_proxy_that_is_not_there_was_never_sent_to(new_loop: Loop) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = Endpoint("http://db.example", "x", proxy_url=f"http://127.0.0.1:{bound.getsockname()[1]}")
        failure = run(failure_of(Connection(endpoint, None)), new_loop)
    assert (failure.kind, failure.sent) == ("connect", False)


def test_every_address_of_a_proxy_is_tried(new_loop: Loop) -> None:
    """`localhost` is often ::1 first, and proxies often listen on 127.0.0.1 only."""

    async def told() -> bytes | memoryview:
        async with listening(Peer([ok(b"1")])) as proxy:
            with socket.socket() as closed:
                closed.bind(("127.0.0.1", 0))

                async def both(*_: object) -> list[Address]:
                    listeners = (closed.getsockname(), ("127.0.0.1", proxy.port))
                    return [Address(socket.AF_INET, socket.IPPROTO_TCP, each) for each in listeners]

                endpoint = Endpoint("http://db.example", "x", proxy_url="http://proxy.example:3128")
                connection = Connection(endpoint, None, addresses=Addresses(both))
                body = (await connection.request(HEADERS, b"{}")).body
            connection.close()
            return body

    assert run(told(), new_loop) == b"1"


def test_an_address_that_accepts_and_says_nothing_is_avoided(new_loop: Loop, certificates: Certificates) -> None:
    async def told() -> bytes | memoryview:
        async with listening(Peer([ok(b"1")]), certificates.server) as peer, listening(Peer()) as mute:

            async def both(*_: object) -> list[Address]:
                return [Address(socket.AF_INET, 0, ("127.0.0.1", each.port)) for each in (mute, peer)]

            endpoint = Endpoint("https://localhost", "x", certificates.authority)
            addresses = Addresses(both)
            # The turn comes round to the mute one; the second request must not meet it again.
            lanes = [
                Connection(endpoint, endpoint.ssl_context(), timeout_s=timeout_s, addresses=addresses)
                for timeout_s in (0.1, 30.0, 30.0)
            ]
            assert (await failure_of(lanes[0])).kind == "connect"
            lanes[1].close()
            assert (await addresses.to_try("localhost", 443)) == (await both())[1:]
            body = (await lanes[2].request(HEADERS, b"{}")).body
            lanes[2].close()
            await asyncio.sleep(0.02)
            return body

    assert run(told(), new_loop) == b"1"
