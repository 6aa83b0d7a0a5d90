"""Access to DynamoDB without botocore, whose imports and data files are half of the time in which a small job starts.

Only if the options and the environment alone name all of it: keys, region, an http endpoint, as for a server on this
machine. As soon as anything else might have a say (a profile, a file, a proxy, another variable of AWS), botocore
decides (`ddbio.dynamodb.botocore_access`). It also does if a table cannot be described in this way, so that retries
and messages are the same.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from ddbio.aws.credentials import Keys, check_keys
from ddbio.aws.redaction import remember
from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.connection import Connection
from ddbio.dynamodb.endpoints import ENDPOINT_VARIABLES, check_endpoint_url
from ddbio.dynamodb.signing import Signer
from ddbio.dynamodb.wire import Endpoint, WireError
from ddbio.errors import UsageError

_DESCRIBE = "DynamoDB_20120810.DescribeTable"
_TIMEOUT_S = 10.0
_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
_OF_OTHERS = ("AWS_ENDPOINT_URL_S3", "AWS_EC2_METADATA_DISABLED", "AWS_PAGER")  # they change nothing here
_CA_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")  # for https; but a blank one is refused in any case
_PROXIES = ("http_proxy", "all_proxy")
_UNDERSTOOD = frozenset((*_KEYS, *_REGIONS, *_FILES, *ENDPOINT_VARIABLES, *_OF_OTHERS, *_CA_BUNDLES))
_REGION = re.compile(r"(?!fips-)[a-z]{2,4}(-[a-z]+)+-\d{1,2}")  # not one of botocore's pseudo-regions


@dataclass(frozen=True, slots=True)
class DirectAccess:
    """endpoint_url: as it was given."""

    endpoint: Endpoint
    endpoint_url: str
    fixed_keys: Keys
    are_renewed: ClassVar[bool] = False
    application: ClassVar[None] = None

    @property
    def region(self) -> str:
        return self.endpoint.region

    def keys(self) -> Keys:
        return self.fixed_keys

    def describe(self, table: str, user_agent: str) -> dict[str, Any] | None:
        """The `Table` member of DescribeTable's answer, as botocore returns it; None if that is not to be had in one
        request, or this thread runs an event loop."""
        if asyncio._get_running_loop() is not None:
            return None
        signer = Signer(self.keys, region=self.region, host=self.endpoint.host_header, user_agent=user_agent)
        body = msgspec.json.encode({"TableName": table})
        loop = asyncio.new_event_loop()
        answer = loop.create_task(self._request(signer.headers(_DESCRIBE, body), body))
        try:
            return loop.run_until_complete(answer)
        finally:
            answer.cancel()  # if Ctrl-C interrupted it
            loop.run_until_complete(asyncio.gather(answer, return_exceptions=True))
            loop.close()

    async def _request(self, headers: str, body: bytes) -> dict[str, Any] | None:
        connection = Connection(self.endpoint, None, timeout_s=_TIMEOUT_S)
        try:
            response = await connection.request(headers, body)
            described = msgspec.json.decode(response.body, type=dict[str, Any]) if response.status == 200 else {}
        except (WireError, msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            return None
        finally:
            connection.close()
        table = described.get("Table")
        return _with_times(table) if isinstance(table, dict) else None


def direct_access(
    settings: AwsSettings, tables: Sequence[str], environment: Mapping[str, str] = os.environ
) -> DirectAccess | None:
    """None if botocore must decide. Raises UsageError for keys that have impossible characters."""
    if sys.platform != "linux" or settings.profile is not None or _others_have_a_say(environment):
        return None
    if any(each.startswith("arn:") for each in tables):  # they set the region, and botocore knows the partitions
        return None
    region = settings.region or _first(_REGIONS, environment)
    url = settings.endpoint_url or _first(ENDPOINT_VARIABLES, environment)
    access_key, secret_key, token = (environment.get(name, "") for name in _KEYS)
    if not (access_key and secret_key and _REGION.fullmatch(region) and _is_usable(url)):
        return None
    remember(access_key, secret_key, token)
    keys = Keys(access_key, secret_key, token or None)
    check_keys(keys, "env", "default")
    return DirectAccess(Endpoint(url.rstrip("/"), region), url, keys)


def _others_have_a_say(environment: Mapping[str, str]) -> bool:
    for name in environment:
        if name.startswith("AWS_") and name not in _UNDERSTOOD:
            return True
        if name.lower() in _PROXIES or (name in _CA_BUNDLES and not environment[name].strip()):
            return True
    files = (Path(environment.get(name, usual)).expanduser() for name, usual in _FILES.items())
    return any(file.exists() for file in files)


def _first(names: Sequence[str], environment: Mapping[str, str]) -> str:
    return next(filter(None, (environment.get(name) for name in names)), "")


def _is_usable(url: str) -> bool:
    try:
        check_endpoint_url(url)
    except UsageError:
        return False
    return url.startswith("http://")


def _with_times(value: Any, name: str = "") -> Any:
    """The answer with its times as botocore has them."""
    if isinstance(value, dict):
        return {key: _with_times(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [_with_times(each) for each in value]
    if name.endswith("DateTime") and isinstance(value, int | float):
        return datetime.fromtimestamp(value).astimezone()
    return value
