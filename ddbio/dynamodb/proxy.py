"""The way to an endpoint through an HTTP proxy: a tunnel (CONNECT) for https; http requests it takes as they are."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

_CONNECT_REPLY_LIMIT_BYTES = 65_536
PROXY_HINT = "check HTTPS_PROXY and HTTP_PROXY, with the user and password in them, and NO_PROXY"


class ProxyError(Exception):
    """No tunnel. hint: what to do about it, where trying again does not help; empty where it may."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.hint = hint


def authorization(proxy_url: str) -> str:
    """The header line with the proxy's user and password; empty where its URL has none."""
    proxy = urlsplit(proxy_url)
    if not proxy.username:
        return ""
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"


async def connect(proxy_url: str, target: tuple[str, int] | None) -> socket.socket:
    """A connected socket to the proxy; with a target, a tunnel through it. Raises ProxyError, OSError."""
    sock = await _connect_to_any(await _addresses(urlsplit(proxy_url)))
    try:
        if target is not None:
            await _tunnel(sock, proxy_url, target)
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


async def _tunnel(sock: socket.socket, proxy_url: str, address: tuple[str, int]) -> None:
    loop = asyncio.get_running_loop()
    host, port = address
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization(proxy_url)}\r\n"
    await loop.sock_sendall(sock, request.encode())
    reply = b""
    while b"\r\n\r\n" not in reply:
        data = await loop.sock_recv(sock, 4096)
        reply += data
        if not data or len(reply) > _CONNECT_REPLY_LIMIT_BYTES:
            raise ProxyError("the proxy did not answer CONNECT")
    status_line = reply.split(b"\r\n", 1)[0].decode("latin-1")
    status = "".join(status_line.split(" ")[1:2])
    if status != "200":
        hint = PROXY_HINT if status.startswith("4") else ""  # 5xx: the proxy's own trouble, or the way behind it
        raise ProxyError(f"the proxy refused the tunnel: {status_line}", hint)
