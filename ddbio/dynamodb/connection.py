"""HTTP/1.1 to one endpoint, as little of it as the data plane needs: POST /, one request at a time a connection.

A `Connection` is an asyncio protocol with nodejs's response parser (httptools) inside; it connects when first
used and again after it was lost. It knows nothing of DynamoDB but the checksum header, and retries nothing: every
fault becomes a `WireError`, and the retry layer (`ddbio.dynamodb.client`) decides.

It receives into memory of its own. For the answer to a write the parser's copy is cheap, for a 1 MB page it costs as
much as decoding: so the body of a large answer bypasses the parser, into memory that is used again.

TLS is always verified, against the CA bundle botocore would use. Proxies: CONNECT for https endpoints, absolute
request targets for http ones.
"""

from __future__ import annotations

import asyncio
import errno
import math
import socket
import ssl
import weakref
from typing import cast

import httptools

from ddbio.dynamodb import proxy
from ddbio.dynamodb.addresses import Address, Addresses
from ddbio.dynamodb.wire import Endpoint, Response, WireError

try:
    from isal.isal_zlib import crc32  # 13 times as fast
except ImportError:
    from zlib import crc32

# Address translation of EC2 forgets a connection that was idle for 350 s, and notifies neither end.
KEEPALIVE_S = 60  # idle for so long, the kernel asks whether the other end is still there
IDLE_LIMIT_S = 60.0  # idle for longer, a connection is not used again
CONNECT_TIMEOUT_S = 10.0  # for TLS and a proxy's tunnel, once TCP has connected
_CRC_HEADER_BYTES = len("x-amz-crc32")  # no other header of the service is so long: the rest is passed over
_LENGTH_HEADER_BYTES = len("content-length")  # nor so long
_ID_HEADER_BYTES = len("x-amzn-requestid")
_READ_BYTES = 65_536  # at once: a head and any bytes that arrive with it; the parser takes bodies up to this size
_GROWTH_BYTES = 262_144  # pages differ a little: not each that is the largest yet needs new memory
_MOST_KEPT_BYTES = 4 << 20  # from answer to answer, by each connection
_MOST_STRAIGHT_BYTES = 64 << 20  # four times the largest answer there is: no memory for an answer that announces more
_UNVERIFIED = (
    "check AWS_CA_BUNDLE (ca_bundle of the profile, REQUESTS_CA_BUNDLE), --endpoint-url, and who answers there"
)
_MANY_FILES = "use fewer connections (--lanes), or raise the limit (ulimit -n)"


class Connection(asyncio.BufferedProtocol):
    """One connection, one request at a time. Not thread-safe; belongs to one event loop.

    timeout_s: from the last byte sent to the last byte of the answer.
    addresses: shared by all connections of the event loop; None for some of its own.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ssl_context: ssl.SSLContext | None,
        *,
        timeout_s: float = 30.0,
        addresses: Addresses | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._addresses = addresses or Addresses()
        self._ssl_context = ssl_context
        self._timeout_s = timeout_s
        self._waits_s = timeout_s  # of the request under way
        self._next_waits_s = math.inf
        self._connect_timeout_s = min(CONNECT_TIMEOUT_S, timeout_s)
        self._request_line = "POST / HTTP/1.1\r\n"
        if endpoint.proxy_url is not None and not endpoint.tls:
            target = f"{endpoint.url.rstrip('/')}/"
            self._request_line = f"POST {target} HTTP/1.1\r\n{proxy.authorization(endpoint.proxy_url)}"
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._incoming = memoryview(bytearray(_READ_BYTES))  # for the parser
        self._crc32: bytes | None = None
        self._length: bytes | None = None  # of the body, if it is announced
        self._request_id = b""
        self._body: list[bytes | memoryview] = []
        self._page = memoryview(b"")  # large bodies are received at its beginning
        self._end = 0  # of the body there
        self._missing = 0  # bytes of it that have not come yet; 0 while the parser receives
        self._lent: weakref.ref[memoryview] | None = None  # the last body there
        self._bytes_of_answer = 0
        self._due_s = 0.0  # when the answer must be complete
        self._used_s = 0.0  # when the last one was
        self._timer: asyncio.TimerHandle | None = None

    async def request(self, headers: str, body: bytes) -> Response:
        """Send a request with these header lines and this body; the whole answer. Raises WireError."""
        if self._transport is not None and asyncio.get_running_loop().time() - self._used_s > IDLE_LIMIT_S:
            self.close()
        if self._transport is None:
            await self._connect()
        if self._transport is None:  # lost again before this task's turn came
            raise WireError("cut", "the connection was closed as soon as it was open", sent=False)
        loop = asyncio.get_running_loop()
        self._answer = answer = loop.create_future()
        self._body, self._crc32, self._length, self._bytes_of_answer = [], None, None, 0
        self._request_id = b""
        head = f"{self._request_line}{headers}Content-Length: {len(body)}\r\nAccept-Encoding: identity\r\n\r\n"
        self._transport.write(head.encode() + body)
        self._waits_s, self._next_waits_s = min(self._timeout_s, self._next_waits_s), math.inf
        self._due_s = loop.time() + self._waits_s
        if self._timer is None:
            self._timer = loop.call_later(self._waits_s, self._look_at_clock)
        try:
            response: Response = await answer
            return response
        finally:
            self._answer, self._used_s = None, loop.time()
            if not answer.done() or answer.cancelled():
                self.close()  # abandoned half-way: the rest of the answer would be taken for the next one

    def hurry(self, timeout_s: float) -> None:
        """Let the next request wait no longer than this for its answer."""
        self._next_waits_s = timeout_s
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- connecting

    async def _connect(self) -> None:
        host, port = self._endpoint.address
        via = proxy.address(self._endpoint.proxy_url) if self._endpoint.proxy_url else (host, port)
        try:
            sock, address = await self._addresses.connect(*via)
            await self._greet(sock, address)
        except asyncio.TimeoutError:
            raise WireError("connect", f"no connection within {self._connect_timeout_s:.0f} s", sent=False) from None
        except proxy.ProxyError as exc:
            raise WireError("proxy", str(exc), sent=False, hint=exc.hint) from None
        except ssl.SSLCertVerificationError as exc:
            detail = f"the certificate of {host} cannot be verified: {exc.verify_message}"
            raise WireError("tls", detail, sent=False, hint=_UNVERIFIED) from None
        except ssl.SSLError as exc:
            raise WireError("tls", str(exc), sent=False) from None
        except OSError as exc:
            hint = _MANY_FILES if exc.errno in (errno.EMFILE, errno.ENFILE) else ""
            raise WireError("connect", str(exc), sent=False, hint=hint) from None

    async def _greet(self, sock: socket.socket, address: Address) -> None:
        """Tunnel and TLS. An address that accepts connections and fails at these is avoided like a dead one."""
        try:
            await asyncio.wait_for(self._open(sock), min(self._connect_timeout_s, self._next_waits_s))
        except (asyncio.TimeoutError, OSError):
            self._addresses.avoid(address)
            raise

    async def _open(self, sock: socket.socket) -> None:
        endpoint = self._endpoint
        _keep_alive(sock)
        try:
            if endpoint.proxy_url is not None and endpoint.tls:
                await proxy.tunnel(sock, endpoint.proxy_url, endpoint.address)
        except BaseException:
            sock.close()
            raise
        server_hostname = endpoint.address[0] if endpoint.tls else None
        await asyncio.get_running_loop().create_connection(
            lambda: self, sock=sock, ssl=self._ssl_context, server_hostname=server_hostname
        )

    # -- asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from it
        self._parser = httptools.HttpResponseParser(self)
        self._missing = 0
        self._used_s = asyncio.get_running_loop().time()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._page[self._end - self._missing :] if self._missing else self._incoming

    def buffer_updated(self, nbytes: int) -> None:
        answer = self._answer
        if answer is None or self._parser is None:
            self.close()  # bytes without a request: the stream is out of step
            return
        self._bytes_of_answer += nbytes
        if self._missing:
            self._came_straight(nbytes)
            return
        try:
            self._parser.feed_data(self._incoming[:nbytes])
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._fail("garbage", f"the answer is not HTTP: {exc}")
        if not answer.done():
            self._go_straight()

    def connection_lost(self, exc: Exception | None) -> None:
        detail = f"the connection was closed after {self._bytes_of_answer} bytes of the answer"
        self._fail("cut", str(exc) or detail if exc else detail)

    # -- httptools callbacks

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # a second answer after the first: its rest would be taken for the next one

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name)
        if size == _CRC_HEADER_BYTES and name.lower() == b"x-amz-crc32":
            self._crc32 = value
        elif size == _LENGTH_HEADER_BYTES and name.lower() == b"content-length":
            self._length = value
        elif size == _ID_HEADER_BYTES and name.lower() == b"x-amzn-requestid":
            self._request_id = value

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200:  # an interim answer, which a proxy may send unasked: the answer follows
            self._crc32 = self._length = None
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if self._crc32 is not None and crc32(body) != _integer(self._crc32):
            self._fail("checksum", f"x-amz-crc32 does not match the {len(body)} bytes received")
            return
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            request_id = "" if status == 200 else self._request_id.decode("latin-1")  # only failures name it
            self._answer.set_result(Response(status, body, request_id))

    # -- large bodies

    def _go_straight(self) -> None:
        """If the head is complete and a large body begun, the rest of it passes by the parser."""
        length = _integer(self._length or b"")
        if not self._body or not _READ_BYTES < length <= _MOST_STRAIGHT_BYTES:
            return
        # Longer than the body: a read that fills all there is would be followed by another one in vain.
        if len(self._page) <= length or (self._lent is not None and self._lent() is not None):
            self._page = memoryview(bytearray((length // _GROWTH_BYTES + 1) * _GROWTH_BYTES))
        begun = b"".join(self._body)
        self._page[: len(begun)] = begun
        self._end, self._missing = length, length - len(begun)

    def _came_straight(self, nbytes: int) -> None:
        self._missing -= nbytes
        if self._missing > 0:
            return
        in_step, self._missing = self._missing == 0, 0
        body = self._page[: self._end]
        self._body, self._lent = [body], weakref.ref(body)
        if len(self._page) > _MOST_KEPT_BYTES:
            self._page = memoryview(b"")
        self.on_message_complete()
        self._body = []  # only who asked holds it now
        self._parser = httptools.HttpResponseParser(self)  # the old one still waits for the body
        if not in_step:
            self.close()  # a second answer after the first, as above

    # -- failing

    def _look_at_clock(self) -> None:
        """One timer serves many requests: it is late for all but the first, and then set for the rest."""
        self._timer = None
        if self._answer is None:
            return
        loop = asyncio.get_running_loop()
        left_s = self._due_s - loop.time()
        if left_s > 0:
            self._timer = loop.call_later(left_s, self._look_at_clock)
        else:
            self._fail("timeout", f"no complete answer within {self._waits_s:.0f} s")

    def _fail(self, kind: str, detail: str) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WireError(kind, detail, sent=True))


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if idle := getattr(socket, "TCP_KEEPIDLE", getattr(socket, "TCP_KEEPALIVE", None)):  # the latter on macOS
        sock.setsockopt(socket.IPPROTO_TCP, idle, KEEPALIVE_S)


def _integer(text: bytes) -> int:
    return int(text) if text.isdigit() else -1
