"""The way to an endpoint through an HTTP proxy: a tunnel (CONNECT) for https; http requests it takes as they are."""

from __future__ import annotations

import asyncio
import base64
import socket
from urllib.parse import unquote, urlsplit

_CONNECT_REPLY_LIMIT_BYTES = 65_536
PROXY_HINT = "check HTTPS_PROXY and HTTP_PROXY, with the user and password in them, and NO_PROXY"


class ProxyError(Exception):
    """No tunnel. hint: what to do about it, if trying again does not help; empty if it may."""

    def __init__(self, detail: str, hint: str = "") -> None:
        super().__init__(detail)
        self.hint = hint


def authorization(proxy_url: str) -> str:
    """The header line with the proxy's user and password; empty if its URL has none."""
    proxy = urlsplit(proxy_url)
    if not proxy.username:
        return ""
    user = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n"


def address(proxy_url: str) -> tuple[str, int]:
    """The proxy's host and port."""
    proxy = urlsplit(proxy_url)
    return proxy.hostname or "", proxy.port or 80


async def tunnel(sock: socket.socket, proxy_url: str, target: tuple[str, int]) -> None:
    """Let the proxy at the other end of this socket connect to the target. Raises ProxyError, OSError."""
    loop = asyncio.get_running_loop()
    host, port = target
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    request = f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization(proxy_url)}\r\n"
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
        hint = PROXY_HINT if status.startswith("4") else ""  # 5xx: the proxy's own trouble, or the way beyond it
        raise ProxyError(f"the proxy refused the tunnel: {status_line}", hint)
