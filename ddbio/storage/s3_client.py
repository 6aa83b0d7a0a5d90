"""The only use of botocore's S3: builds the client, makes the calls, translates the errors.

botocore handles the region, the endpoint (`AWS_ENDPOINT_URL_S3` and the profile's included), the CA bundle,
proxies, redirects to a bucket's region, and retries (unlike DynamoDB's, these requests are not metered).
Checksums are ours: every body is sent with its SHA-256, which S3 verifies; a store that does not know SHA-256 gets
Content-MD5 instead. So botocore's own checksums, which some S3-compatible stores reject, stay off.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from botocore.session import Session

from ddbio.aws.credentials import KeysProvider
from ddbio.aws.settings import AwsSettings, patience
from ddbio.aws.tls import CaBundle, configured_bundle, verify_argument
from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.storage.s3_errors import fault_code, garbage, translate

_ATTEMPTS, _CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 6, 10, 60
_CONFIG = Config(
    max_pool_connections=64,  # one for each lane of a worker; more lanes would queue, not fail
    tcp_keepalive=True,  # NAT gateways drop a connection that is idle between two parts
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)

# A member that every true answer has. A proxy's page or an empty body with status 200 lacks it: an error.
_ALWAYS = {
    "head_object": "ETag",
    "get_object": "ETag",
    "put_object": "ETag",
    "create_multipart_upload": "UploadId",
    "upload_part": "ETag",
    "complete_multipart_upload": "ETag",
    "list_objects_v2": "IsTruncated",
    "list_multipart_uploads": "IsTruncated",
}

# Error codes of stores for a checksum header that they do not know.
_UNKNOWN_FEATURE = ("NotImplemented", "XNotImplemented", "InvalidArgument", "InvalidRequest")


class _NewestKeys(Credentials):  # type: ignore[misc]
    """botocore credentials that call the provider for each request, so that renewed keys take effect at once."""

    def __init__(self, keys: KeysProvider) -> None:
        newest = keys()
        super().__init__(newest.access_key, newest.secret_key, newest.token, method="ddbio")
        self._keys = keys

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        newest = self._keys()
        return ReadOnlyCredentials(newest.access_key, newest.secret_key, newest.token)


class _KeysResolver:
    """Replaces botocore's credential chain."""

    def __init__(self, keys: KeysProvider) -> None:
        self._keys = keys

    def load_credentials(self) -> Credentials:
        return _NewestKeys(self._keys)


class S3Client:
    """Calls S3. Any number of threads may share one.

    put_args: extra arguments of PutObject and CreateMultipartUpload. (Not customer-provided encryption keys: every
        part and every read would need those, too.)
    """

    def __init__(self, settings: AwsSettings, keys: KeysProvider | None) -> None:
        self._settings = settings
        self._keys = keys
        self.put_args = dict(settings.s3_put_args)
        self._client: Any = None
        self._build_lock = threading.Lock()  # threads may share a client, but two must not build it at once
        self._knows_checksums = True

    def call(self, operation: str, uri: str, kind: type[DdbioError] = TransferError, **params: Any) -> dict[str, Any]:
        """The answer of one S3 operation (`get_object`). uri: the URI concerned, for messages.

        Raises `kind` if S3 or botocore refuses, TransferError if trying again may help.
        """
        try:
            answer: dict[str, Any] = getattr(self._built(), operation)(**self._call_args(operation), **params)
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            raise translate(error, kind, operation, uri) from error
        member = _ALWAYS.get(operation)
        if member is not None and answer.get(member) in (None, ""):
            raise garbage(operation, uri, f"there is no {member} in it")
        return answer

    def call_checked(
        self,
        operation: str,
        uri: str,
        sha256: Mapping[str, Any],
        plain: Callable[[], Mapping[str, Any]],
        **params: Any,
    ) -> dict[str, Any]:
        """`call` with the arguments `sha256`, or with those of `plain()` if the store does not know checksums."""
        if self._knows_checksums:
            try:
                return self.call(operation, uri, **params, **sha256)
            except TransferError as error:
                if fault_code(error) not in _UNKNOWN_FEATURE:
                    raise
        answer = self.call(operation, uri, **params, **plain())
        self._knows_checksums = False  # only a success without checksums proves that they were the problem
        return answer

    def send(self, operation: str, uri: str, body: bytes | bytearray, digest: bytes, **params: Any) -> dict[str, Any]:
        """`call` with a body that the store verifies. digest: its SHA-256."""
        sha256 = {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": base64_of(digest)}
        return self.call_checked(operation, uri, sha256, lambda: _md5_of(body), Body=body, **params)

    def _call_args(self, operation: str) -> dict[str, str]:
        """Those of the settings for every call that this operation accepts."""
        if not self._settings.s3_call_args:
            return {}
        meta = self._built().meta
        takes = meta.service_model.operation_model(meta.method_to_api_mapping[operation]).input_shape.members
        return {name: value for name, value in self._settings.s3_call_args.items() if name in takes}

    def close(self) -> None:
        with self._build_lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _built(self) -> Any:
        with self._build_lock:
            if self._client is None:
                self._client = _build(self._settings, self._keys)
            return self._client


def _build(settings: AwsSettings, keys: KeysProvider | None) -> Any:
    timeouts = patience(settings.longest_wait_s, _ATTEMPTS, _CONNECT_TIMEOUT_S, _READ_TIMEOUT_S)
    try:
        session = Session(profile=settings.profile)
        bundle = configured_bundle(session)
        if keys is not None:
            session.register_component("credential_provider", _KeysResolver(keys))
        client = session.create_client(
            "s3",
            region_name=settings.region,
            endpoint_url=settings.s3_endpoint_url,
            verify=verify_argument(bundle),
            config=_CONFIG.merge(Config(**timeouts)),
        )
    except (BotoCoreError, ValueError) as error:  # a malformed endpoint is a bare ValueError
        raise UsageError(f"S3 cannot be used: {error}", "check the profile, region and endpoint") from error
    if client.meta.endpoint_url.lower().startswith("https:"):
        _trust_tls(client, bundle)
    return client


def _trust_tls(client: Any, bundle: CaBundle | None) -> None:
    """Over TLS a body needs no hash in the signature: it is protected already. A profile may still demand one."""
    if bundle is not None:
        bundle.check()
    s3_settings = client.meta.config.s3 or {}
    # botocore has one setting for both schemes; over http only the signature protects a body.
    client.meta.config.s3 = {"payload_signing_enabled": False, **s3_settings}


def _md5_of(body: bytes | bytearray) -> dict[str, str]:
    return {"ContentMD5": base64_of(hashlib.md5(body, usedforsecurity=False).digest())}


def base64_of(digest: bytes) -> str:
    """A digest as S3 writes it."""
    return base64.b64encode(digest).decode("ascii")
