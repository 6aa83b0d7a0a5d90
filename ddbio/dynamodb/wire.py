"""HTTP/1.1 to one endpoint, as little of it as the data plane needs: POST /, one request at a time a connection.

A `Connection` is an asyncio protocol with nodejs's response parser (httptools) behind it; it connects when first
used and again after it was lost. It knows nothing of DynamoDB but the checksum header, and retries nothing: every
fault becomes a `WireError`, and the retry layer (`ddbio.dynamodb.client`) decides.

TLS is always verified, against the CA bundle botocore would use. Proxies: CONNECT for https endpoints, absolute
request targets for http ones.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import socket
import ssl
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, unquote, urlsplit

import httptools

CONNECT_TIMEOUT_S = 10.0
_CONNECT_REPLY_LIMIT_BYTES = 65_536
_CRC_HEADER_BYTES = len("x-amz-crc32")  # no other header of the service is so long: the rest is passed over
_UNVERIFIED = "check AWS_CA_BUNDLE (or ca_bundle of the profile), --endpoint-url, and who answers there"
_MANY_FILES = "use fewer connections (--lanes), or raise the limit (ulimit -n)"
PROXY_HINT = "check HTTPS_PROXY and HTTP_PROXY, with the user and password in them, and NO_PROXY"


class WireError(Exception):
    """A request without a usable answer.

    sent: whether the service may have acted on it all the same. hint: what to do about it, where trying again does
    not help; empty where it may.
    """

    def __init__(self, kind: str, detail: str, *, sent: bool, hint: str = "") -> None:
        super().__init__(kind, detail)
        self.kind = kind
        self.detail = detail
        self.sent = sent
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the data plane is, as plain data that can cross to a worker.

    url: scheme, host and port; the path must be empty or `/`.
    region: what requests are signed for.
    ca_bundle: path of the CA certificates for https, chosen by botocore's rules.
    proxy_url: `http://[user:password@]host:port`, or None.
    """

    url: str
    region: str
    ca_bundle: str | None = None
    proxy_url: str | None = None

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme == "https"

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or (443 if self.tls else 80)

    @property
    def host_header(self) -> str:
        """The host, with the port only where it is not the scheme's own: botocore signs it like this."""
        host, port = self.address
        host = f"[{host}]" if ":" in host else host
        return host if port == (443 if self.tls else 80) else f"{host}:{port}"

    def ssl_context(self) -> ssl.SSLContext | None:
        """A verifying context; None for http. Make it once a process: it reads the whole bundle."""
        return ssl.create_default_context(cafile=self.ca_bundle) if self.tls else None


class Response(NamedTuple):
    status: int
    body: bytes


class Connection(asyncio.Protocol):
    """One connection, one request at a time. Not thread-safe; belongs to one event loop.

    timeout_s: from the last byte sent to the last byte of the answer.
    """

    def __init__(self, endpoint: Endpoint, ssl_context: ssl.SSLContext | None, *, timeout_s: float = 30.0) -> None:
        self._endpoint = endpoint
        self._ssl_context = ssl_context
        self._timeout_s = timeout_s
        proxied = endpoint.proxy_url is not None and not endpoint.tls
        target = f"{endpoint.url.rstrip('/')}/" if proxied else "/"
        self._request_line = f"POST {target} HTTP/1.1\r\n{_proxy_authorization(endpoint) if proxied else ''}"
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._answer: asyncio.Future[Response] | None = None
        self._body: list[bytes] = []
        self._crc32: bytes | None = None
        self._bytes_of_answer = 0
        self._due_s = 0.0  # when the answer must be complete
        self._timer: asyncio.TimerHandle | None = None

    async def request(self, headers: str, body: bytes) -> Response:
        """Send a request with these header lines and this body; the whole answer. Raises WireError."""
        if self._transport is None:
            await self._connect()
        if self._transport is None:  # lost again before this task's turn came
            raise WireError("cut", "the connection was closed as soon as it was open", sent=False)
        loop = asyncio.get_running_loop()
        self._answer = answer = loop.create_future()
        self._body, self._crc32, self._bytes_of_answer = [], None, 0
        head = f"{self._request_line}{headers}Content-Length: {len(body)}\r\nAccept-Encoding: identity\r\n\r\n"
        self._transport.write(head.encode() + body)
        self._due_s = loop.time() + self._timeout_s
        if self._timer is None:
            self._timer = loop.call_later(self._timeout_s, self._look_at_clock)
        try:
            response: Response = await answer
            return response
        finally:
            self._answer = None
            if not answer.done() or answer.cancelled():
                self.close()  # abandoned half-way: whatever comes in would be taken for the next answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- connecting

    async def _connect(self) -> None:
        try:
            await asyncio.wait_for(self._open(), CONNECT_TIMEOUT_S)
        except asyncio.TimeoutError:
            raise WireError("connect", f"no connection within {CONNECT_TIMEOUT_S:.0f} s", sent=False) from None
        except ssl.SSLCertVerificationError as exc:
            detail = f"the certificate of {self._endpoint.address[0]} cannot be verified: {exc.verify_message}"
            raise WireError("tls", detail, sent=False, hint=_UNVERIFIED) from None
        except ssl.SSLError as exc:
            raise WireError("tls", str(exc), sent=False) from None
        except OSError as exc:
            hint = _MANY_FILES if exc.errno in (errno.EMFILE, errno.ENFILE) else ""
            raise WireError("connect", str(exc), sent=False, hint=hint) from None

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = self._endpoint.address
        server_hostname = host if self._endpoint.tls else None
        if self._endpoint.proxy_url is None:
            await loop.create_connection(
                lambda: self, host, port, ssl=self._ssl_context, server_hostname=server_hostname
            )
        else:
            tunnel = await _open_proxy(self._endpoint)
            await loop.create_connection(
                lambda: self, sock=tunnel, ssl=self._ssl_context, server_hostname=server_hostname
            )

    # -- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports do not inherit from it
        self._parser = httptools.HttpResponseParser(self)

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._parser is None:
            self.close()  # bytes nobody asked for: the stream is out of step
            return
        self._bytes_of_answer += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            self._fail("garbage", f"the answer is not HTTP: {exc}")

    def connection_lost(self, exc: Exception | None) -> None:
        detail = f"the connection was closed after {self._bytes_of_answer} bytes of the answer"
        self._fail("cut", str(exc) or detail if exc else detail)

    # -- httptools callbacks

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            self.close()  # a second answer behind the first: what is left of it would be taken for the next one

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == _CRC_HEADER_BYTES and name.lower() == b"x-amz-crc32":
            self._crc32 = value

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200:  # an interim answer, which a proxy may send unasked: the answer follows
            self._crc32 = None
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if self._crc32 is not None and zlib.crc32(body) != _integer(self._crc32):
            self._fail("checksum", f"x-amz-crc32 does not match the {len(body)} bytes received")
            return
        if not self._parser.should_keep_alive():
            self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Response(status, body))

    # -- failing

    def _look_at_clock(self) -> None:
        """One timer serves many requests: it is late for all but the first, and then set for what is left."""
        self._timer = None
        if self._answer is None:
            return
        loop = asyncio.get_running_loop()
        left_s = self._due_s - loop.time()
        if left_s > 0:
            self._timer = loop.call_later(left_s, self._look_at_clock)
        else:
            self._fail("timeout", f"no complete answer within {self._timeout_s:.0f} s")

    def _fail(self, kind: str, detail: str) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(WireError(kind, detail, sent=True))


def _integer(text: bytes) -> int:
    return int(text) if text.isdigit() else -1


def _proxy_authorization(endpoint: Endpoint) -> str:
    """The header line with the proxy's user and password; empty where its URL has none."""
    proxy = urlsplit(endpoint.proxy_url or "")
    if not proxy.username:
        return ""
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"


async def _open_proxy(endpoint: Endpoint) -> socket.socket:
    """A connected socket to the proxy; for https endpoints, a tunnel through it."""
    assert endpoint.proxy_url is not None
    sock = await _connect_to_any(await _addresses(urlsplit(endpoint.proxy_url)))
    try:
        if endpoint.tls:
            await _tunnel(sock, endpoint)
    except BaseException:
        sock.close()
        raise
    return sock


async def _addresses(proxy: SplitResult) -> Sequence[tuple[Any, ...]]:
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(proxy.hostname, proxy.port or 80, type=socket.SOCK_STREAM)


async def _connect_to_any(found: Sequence[tuple[Any, ...]]) -> socket.socket:
    """To the first of these addresses that accepts: a name may stand for an IPv6 address that nobody listens on."""
    for number, (family, kind, protocol, _, address) in enumerate(found, 1):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, address)
        except BaseException as exc:
            sock.close()
            if not isinstance(exc, OSError) or number == len(found):
                raise
        else:
            return sock
    raise OSError("the proxy has no address")


async def _tunnel(sock: socket.socket, endpoint: Endpoint) -> None:
    loop = asyncio.get_running_loop()
    host, port = endpoint.address
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{_proxy_authorization(endpoint)}\r\n"
    await loop.sock_sendall(sock, request.encode())
    reply = b""
    while b"\r\n\r\n" not in reply:
        data = await loop.sock_recv(sock, 4096)
        reply += data
        if not data or len(reply) > _CONNECT_REPLY_LIMIT_BYTES:
            raise WireError("proxy", "the proxy did not answer CONNECT", sent=False)
    status_line = reply.split(b"\r\n", 1)[0].decode("latin-1")
    status = "".join(status_line.split(" ")[1:2])
    if status != "200":
        hint = PROXY_HINT if status.startswith("4") else ""  # 5xx: the proxy's own trouble, or the way behind it
        raise WireError("proxy", f"the proxy refused the tunnel: {status_line}", sent=False, hint=hint)
