"""What a seat takes from its own machine: AWS keys, certificates, a proxy."""

from __future__ import annotations

from dataclasses import replace

from ddbio.aws.core import new_session
from ddbio.aws.credentials import KeysProvider
from ddbio.aws.tls import configured_bundle
from ddbio.dynamodb.endpoints import is_local, proxy_of
from ddbio.dynamodb.provider import KeySource
from ddbio.dynamodb.wire import Endpoint


class Machine:
    """profile: of the AWS configuration of this machine; None for the usual one. Raises UsageError for one that does
    not exist, and for certificates that cannot be used."""

    def __init__(self, profile: str | None) -> None:
        self.profile = profile
        self._core = new_session(profile, None)
        self._bundle = configured_bundle(self._core)

    def keys_for(self, endpoint: Endpoint) -> KeysProvider:
        """Provides the newest keys of this machine's role or profile. Raises UsageError if it has none."""
        return KeySource(self._core, is_local=is_local(endpoint.url)).keys

    def reach(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint as this machine reaches it."""
        from botocore.httpsession import get_cert_path

        path = self._bundle.path if self._bundle is not None else get_cert_path(True)
        return replace(endpoint, ca_bundle=path, proxy_url=proxy_of(endpoint.url))
