"""How workers reach the data plane: plain data that crosses to them, and the clients that are made of it there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ddbio.aws.credentials import KeysProvider
from ddbio.dynamodb.addresses import Addresses
from ddbio.dynamodb.client import DEFAULT_POLICY, ClientContext, DataClient, RetryPolicy, ToTable
from ddbio.dynamodb.connection import Connection
from ddbio.dynamodb.signing import Signer
from ddbio.dynamodb.wire import Endpoint, Exchange
from ddbio.messages import Tally
from ddbio.rate.governor import Pacing
from ddbio.rate.latency import Latencies


@dataclass(frozen=True, slots=True)
class DataPlane:
    """What a worker needs to talk to the data plane; picklable, holds no keys.

    user_agent: the name of the program in requests.
    """

    endpoint: Endpoint
    policy: RetryPolicy = DEFAULT_POLICY
    user_agent: str = ""
    request_timeout_s: float = 30.0

    def connections(self) -> Callable[[], Exchange]:
        """A function that makes one connection a lane; they share the TLS context and the addresses."""
        ssl_context, addresses, timeout_s = self.endpoint.ssl_context(), Addresses(), self.timeout_s
        return lambda: Connection(self.endpoint, ssl_context, timeout_s=timeout_s, addresses=addresses)

    @property
    def timeout_s(self) -> float:
        """For the answer to a request."""
        return min(self.request_timeout_s, self.policy.give_up_after_s)

    def clients(
        self,
        keys: KeysProvider,
        pacer: Pacing,
        latencies: Latencies,
        connections: Callable[[], Exchange] | None = None,
    ) -> Clients:
        """latencies: the worker's, of requests to this table. connections: makes one a client; None for real ones."""
        return Clients(self, keys, pacer, latencies, connections or self.connections())


class Clients:
    """Makes the clients of a worker's lanes, which share a signer."""

    def __init__(
        self,
        data_plane: DataPlane,
        keys: KeysProvider,
        pacer: Pacing,
        latencies: Latencies,
        connections: Callable[[], Exchange],
    ) -> None:
        endpoint = data_plane.endpoint
        signer = Signer(keys, region=endpoint.region, host=endpoint.host_header, user_agent=data_plane.user_agent)
        self._shared = ToTable(signer, pacer, latencies, data_plane.policy)
        self._connections = connections

    def new(self, context: ClientContext, table: str, tally: Tally, *, of_target: bool = False) -> DataClient:
        """table: the table of the requests, for messages. tally, of_target: see `DataClient`."""
        return DataClient(self._connections(), self._shared, context, table, tally, of_target=of_target)
