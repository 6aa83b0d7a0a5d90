"""The connections of a seat to DynamoDB: nothing is sent, and no answer is used, once the seat must not work.

A process that was stopped for a while finds answers that came meanwhile, and would go on with the next request before
its event loop gets to anything else. So the check is part of the request. A request of which a part is already in
the socket's buffer cannot be called back.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable

from ddbio.dynamodb.addresses import Addresses
from ddbio.dynamodb.connection import Connection
from ddbio.dynamodb.data_plane import DataPlane
from ddbio.dynamodb.wire import Endpoint, Exchange, Response

Check = Callable[[], None]  # raises StopRequested


class FencedConnection(Connection):
    def __init__(
        self,
        endpoint: Endpoint,
        ssl_context: ssl.SSLContext | None,
        *,
        timeout_s: float,
        addresses: Addresses,
        check: Check,
    ) -> None:
        super().__init__(endpoint, ssl_context, timeout_s=timeout_s, addresses=addresses)
        self._check = check

    async def request(self, headers: str, body: bytes) -> Response:
        self._check()
        response = await super().request(headers, body)
        self._check()
        return response

    async def _connect(self) -> None:
        await super()._connect()
        self._check()  # nothing else runs before the request is written


def fenced(data_plane: DataPlane, check: Check) -> Callable[[], Exchange]:
    """Makes connections like `DataPlane.connections`."""
    endpoint, timeout_s = data_plane.endpoint, data_plane.timeout_s
    ssl_context, addresses = endpoint.ssl_context(), Addresses()
    return lambda: FencedConnection(endpoint, ssl_context, timeout_s=timeout_s, addresses=addresses, check=check)
