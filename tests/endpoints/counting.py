"""A proxy before a DynamoDB server that notes when each answer passed it and what that said it consumed: a log of the
server's side that is none of ours."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_CONSUMED = re.compile(rb'"CapacityUnits":([0-9.]+)')


class CountingProxy(ThreadingHTTPServer):
    """log: (monotonic seconds, capacity units) of every answer that named any, in the order they passed."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, target_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target_url).netloc
        self.log: list[tuple[float, float]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # the answer leaves in one piece
    server: CountingProxy

    def setup(self) -> None:
        super().setup()
        self._there = HTTPConnection(self.server.target)

    def finish(self) -> None:
        self._there.close()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._there.request("POST", self.path, body, dict(self.headers))
        answer = self._there.getresponse()
        content = answer.read()
        consumed = _CONSUMED.search(content)
        if consumed:
            self.server.log.append((time.monotonic(), float(consumed[1])))
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def counting(target_url: str) -> Iterator[CountingProxy]:
    """The proxy, running in threads of this process."""
    proxy = CountingProxy(target_url)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
