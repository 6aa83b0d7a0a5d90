"""What a client of the data plane and its connections have in common: an endpoint, an answer, the fault that there is
none. The connection itself is `ddbio.dynamodb.connection`, that of tests `ddbio.dynamodb.fake`."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from ddbio.aws.tls import verifying_context


class WireError(Exception):
    """A request without a usable answer.

    sent: whether the service may have acted on it all the same. hint: what to do about it, if trying again does
    not help; empty if it may.
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
    region: the region that requests are signed for.
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
        """The host, with the port only if it is not the scheme's own: botocore signs it like this."""
        host, port = self.address
        host = f"[{host}]" if ":" in host else host
        return host if port == (443 if self.tls else 80) else f"{host}:{port}"

    def ssl_context(self) -> ssl.SSLContext | None:
        """A verifying context; None for http. Make it once a process: it reads the whole bundle."""
        return verifying_context(self.ca_bundle) if self.tls else None


class Response(NamedTuple):
    """body: of a large answer the connection's own memory, which it uses again once this very memoryview
    is no longer referenced (a `msgspec.Raw` decoded from it does so). A slice of it does not count: copy to keep.
    request_id: the service's name for a request that failed; empty if the answer has none.
    """

    status: int
    body: bytes | memoryview
    request_id: str = ""


class Exchange(Protocol):
    """One connection, one request at a time: `Connection`, and for tests `FakeConnection`."""

    async def request(self, headers: str, body: bytes) -> Response:
        """Send a request with these header lines and this body; the whole answer. Raises WireError."""

    def hurry(self, timeout_s: float) -> None:
        """Let the next request wait no longer than this for its answer."""

    def close(self) -> None: ...
