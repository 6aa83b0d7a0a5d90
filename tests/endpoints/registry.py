"""One server of a kind for all the tests of this process."""

from __future__ import annotations

import contextlib

from tests.endpoints import dynamodb, s3
from tests.endpoints.model import Endpoint, Unavailable

LAUNCHES = {"dynamodb": dynamodb.LAUNCHES, "s3": s3.LAUNCHES}


class Registry:
    """Starts servers at their first use; stops them when it is left."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], Endpoint] = {}
        self._urls: dict[str, str] = {}
        self._unavailable: dict[str, str] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def endpoint(self, service: str, name: str) -> Endpoint:
        """The running server `name` for `dynamodb` or `s3`. Raises Unavailable, at once from the second time on."""
        if (service, name) not in self._running:
            endpoint = Endpoint(name, service, self._url(service, name))
            self._stack.callback(endpoint.close)
            self._running[service, name] = endpoint
        return self._running[service, name]

    def _url(self, service: str, name: str) -> str:
        if name in self._unavailable:
            raise Unavailable(self._unavailable[name])
        if name not in self._urls:  # moto serves both services from one process
            try:
                self._urls[name] = self._stack.enter_context(LAUNCHES[service][name]())
            except Unavailable as error:
                self._unavailable[name] = str(error)
                raise
        return self._urls[name]
