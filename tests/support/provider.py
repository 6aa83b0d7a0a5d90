"""A provider of AWS credentials on a loopback port: a container's endpoint, and an instance's metadata service.

Every answer has new keys. What asks, and how often, is counted; what the keys are worth is for the test to say.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ROLE = "ddbio-test"
_ROLES = "/latest/meta-data/iam/security-credentials/"

ADVISORY_S = 15 * 60  # this long before its end botocore begins to ask for newer keys, and keeps what it has
MANDATORY_S = 10 * 60  # and from here on it fails where it gets none


class Provider(ThreadingHTTPServer):
    """lifetime_s: of the keys it gives. failing: answer with an error. issued: the access keys, in order.
    on_issue: told of each of them."""

    def __init__(self, lifetime_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lifetime_s = lifetime_s
        self.failing = False
        self.issued: list[str] = []
        self.refused = 0
        self.on_issue: Callable[[str], None] = lambda _: None
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def container(self) -> dict[str, str]:
        """The environment of a container that has this provider."""
        return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/credentials"}

    def instance(self) -> dict[str, str]:
        """The environment of an instance with this metadata service."""
        return {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{self.url}/", "AWS_EC2_METADATA_DISABLED": "false"}

    def keys(self) -> dict[str, str]:
        with self._lock:
            self.issued.append(f"ASIA{len(self.issued):012d}")
            self.on_issue(self.issued[-1])
            now = datetime.now(timezone.utc)
            expiration = now + timedelta(seconds=self.lifetime_s)
            return {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "AccessKeyId": self.issued[-1],
                "SecretAccessKey": f"secret-of-{self.issued[-1]}",
                "Token": f"token-of-{self.issued[-1]}",
                "LastUpdated": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                "Expiration": f"{expiration:%Y-%m-%dT%H:%M:%SZ}",
            }


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_PUT(self) -> None:
        self._answer("a session token of the metadata service")

    def do_GET(self) -> None:
        if self.path == _ROLES:
            self._answer(ROLE)
        elif self.path in ("/credentials", _ROLES + ROLE):
            self._answer_keys()
        else:
            self.send_error(404)

    def _answer_keys(self) -> None:
        if self.server.failing:
            self.server.refused += 1
            self.send_error(500)
        else:
            self._answer(json.dumps(self.server.keys()))

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def providing(lifetime_s: float) -> Iterator[Provider]:
    with Provider(lifetime_s) as provider:
        thread = threading.Thread(target=provider.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield provider
        finally:
            provider.shutdown()
            thread.join()
