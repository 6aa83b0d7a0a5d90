"""The addresses of requests to DynamoDB, as botocore's endpoint rules derive them from region, partition, FIPS,
dual-stack, account and configured endpoints.

The rules are not repeated here, nor read from the client object, which has an older set of them: the URL and the
signing region are taken from a real request.
"""

from __future__ import annotations

import ipaddress
import os
import re
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from ddbio.errors import UsageError

_SCOPE = re.compile(r"Credential=[^,]+/\d{8}/([^/]+)/[^/]+/aws4_request")
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL")
_HINT = "check --endpoint-url (or AWS_ENDPOINT_URL, or endpoint_url of the profile): http(s)://host[:port]"


class Reached(NamedTuple):
    """The address of a request: scheme, host and port, and the region it was signed for."""

    url: str
    region: str


class RequestWatch:
    """Records the addresses of a botocore client's requests. last: the newest one; None before the first."""

    def __init__(self, client: Any) -> None:
        self.last: Reached | None = None
        client.meta.events.register_first("before-send.dynamodb", self._note)

    def _note(self, request: Any, **_: object) -> None:
        signed = request.headers["Authorization"]
        scope = _SCOPE.search(signed.decode() if isinstance(signed, bytes) else signed)
        assert scope is not None
        parts = urlsplit(request.url)
        self.last = Reached(f"{parts.scheme}://{parts.netloc}", scope[1])


def check_endpoint_url(url: str) -> None:
    """Raises UsageError unless it is a scheme, a host and perhaps a port: requests are for POST / there."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]  # a password must not be printed
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f'the endpoint "{parts.scheme}://{host}" is no URL of a host', _HINT)
    if excess := _excess(parts):
        raise UsageError(f'the endpoint "{parts.scheme}://{host}" {excess}', _HINT)


def _excess(parts: SplitResult) -> str:
    """The part that an endpoint must not have, as a phrase; empty if none."""
    try:
        _ = parts.port
    except ValueError:
        return "has an invalid port"
    given = {
        "has a user in it": parts.username is not None,
        f"has a path ({parts.path})": parts.path not in ("", "/"),
        "has a query": bool(parts.query),
        "has a fragment": bool(parts.fragment),
    }
    return next((what for what, is_given in given.items() if is_given), "")


def is_local(url: str | None) -> bool:
    """Whether the endpoint that is asked for, or that of the environment, is on this machine."""
    chosen = url or next(filter(None, map(os.environ.get, ENDPOINT_VARIABLES)), "")
    try:
        host = urlsplit(chosen).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_of(url: str) -> str | None:
    """The proxy that botocore would use for an endpoint. Raises UsageError for one that the data plane cannot use."""
    from botocore.utils import get_environ_proxies

    proxy = get_environ_proxies(url).get(urlsplit(url).scheme)
    if not proxy:
        return None
    if proxy.startswith("https://"):
        host = proxy.rpartition("@")[2].removeprefix("https://")  # without the password
        raise UsageError(f"the proxy {host} is reached by https", "use an http:// proxy; https goes through it")
    return proxy if "://" in proxy else f"http://{proxy}"
