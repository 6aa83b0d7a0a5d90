"""The connection to DynamoDB: everything except the data plane is botocore's, or could be (`ddbio.dynamodb.direct`).

The parent opens a `Session`: region, profile, endpoint, credentials, CA bundle and proxies by botocore's own rules,
requests by its client. Workers get plain data from it, a `DataPlane`; they never load botocore.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ddbio.aws.credentials import Keys
from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.boto_values import for_botocore, from_botocore
from ddbio.dynamodb.client import DEFAULT_GIVE_UP_AFTER_S, RetryPolicy
from ddbio.dynamodb.data_plane import DataPlane
from ddbio.dynamodb.direct import direct_access
from ddbio.dynamodb.errors import Kind, botocore_error
from ddbio.dynamodb.translation import NoSuchTableError, ThrottledError, of_dynamodb, readable
from ddbio.dynamodb.wire import Endpoint
from ddbio.errors import DdbioError, TransferError
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableInfo, check_table_name
from ddbio.version import __version__

if TYPE_CHECKING:
    from ddbio.dynamodb.botocore_access import BotocoreAccess
    from ddbio.dynamodb.endpoints import Reached

Read = TypeVar("Read")

CREATION_PATIENCE_S = 600.0  # for a new table to become ACTIVE; usually seconds, with indexes a minute
_NO_TOKEN = re.compile(r"[^A-Za-z0-9!$%&'*+.^_`|~,-]")  # botocore cleans the application's name like this
_SAMPLE_PATIENCE_S = 5.0
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0


class Access(Protocol):
    """The settings in force. are_renewed: whether newer keys come before the present ones expire."""

    @property
    def region(self) -> str: ...

    @property
    def endpoint_url(self) -> str: ...

    @property
    def are_renewed(self) -> bool: ...

    @property
    def application(self) -> str | None:
        """The name of the user's application, for requests."""

    def keys(self) -> Keys: ...


class Session:
    """The parent's connection to AWS. Raises UsageError for a profile, region or credentials that cannot be found.

    tables: those it is for, by name or ARN. An ARN sets the region; one that contradicts the chosen region, or
        another ARN, is refused.
    """

    def __init__(self, settings: AwsSettings, tables: Sequence[str] = ()) -> None:
        self._settings = settings
        self._tables = tuple(tables)
        self._direct = direct_access(settings, tables)
        self._access: Access = self._direct or self._botocore
        self._endpoints: dict[str, Endpoint] = {}  # by table
        self._reached: dict[str, Reached] = {}  # by table, by botocore

    @cached_property
    def _botocore(self) -> BotocoreAccess:
        """Made at once, or when it is first needed."""
        from ddbio.dynamodb.botocore_access import BotocoreAccess

        return BotocoreAccess(self._settings, self._tables)

    @property
    def _client(self) -> Any:
        return self._botocore.client

    @property
    def region(self) -> str:
        return self._access.region

    @property
    def endpoint_url(self) -> str:
        """The endpoint by region and configuration: the same for every table and all credentials."""
        return self._access.endpoint_url

    @property
    def aws(self) -> AwsSettings:
        """The settings with the region in use, so that S3 is asked in the same one."""
        # S3 has no region for a DynamoDB on this machine; its requests are signed for us-east-1.
        return replace(self._settings, region="us-east-1" if self.region == "local" else self.region)

    def keys(self) -> Keys:
        """The newest keys. See `KeySource.keys`."""
        return self._access.keys()

    def data_plane(self, table: TableInfo, give_up_after_s: float = DEFAULT_GIVE_UP_AFTER_S) -> DataPlane:
        """How workers reach a described table: the address to which botocore's rules sent that request."""
        address = table.address
        if address not in self._endpoints:
            self._endpoints[address] = self._botocore.endpoint(self._reached[address])
        return DataPlane(
            self._endpoints[address],
            RetryPolicy(self._access.are_renewed, table.is_new(datetime.now(timezone.utc)), give_up_after_s),
            _user_agent(self._access.application),
        )

    def describe(self, table: str) -> TableInfo:
        """The table, which must exist and be ACTIVE. Raises UsageError, or TransferError if nothing answers."""
        info = self._describe(table)
        info.check_usable()
        return info

    def find(self, table: str) -> TableInfo | None:
        """The table, which may be CREATING; None if it does not exist. Raises the errors of `describe`."""
        try:
            return self._describe(table)
        except NoSuchTableError:
            return None

    def pages_of_tables(self) -> Iterator[list[str]]:
        """The names of all tables in the region, as ListTables answers. Raises UsageError, TransferError."""
        with of_dynamodb(f"ListTables in {self.region}", self.endpoint_url):
            for page in self._client.get_paginator("list_tables").paginate():
                yield [str(name) for name in page["TableNames"]]

    def try_scan(self, table: str, members: dict[str, Any]) -> None:
        """Read one item as an export would. members: of the Scan, values as in JSON.

        Raises UsageError with the service's words if it refuses the request.
        """
        self._scan(table, lambda reply: _count(reply, "Count"), Limit=1, **_for_request(members))

    def count_page(self, table: str, members: dict[str, Any], limit: int) -> CountedPage:
        """Count one page of a Scan. members: of the Scan, values as in JSON. Raises UsageError, TransferError."""
        given = {**_for_request(members), "Select": "COUNT"}

        def counted(reply: dict[str, Any]) -> CountedPage:
            units = reply.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
            return CountedPage(
                _count(reply, "Count"), _count(reply, "ScannedCount"), units, "LastEvaluatedKey" not in reply
            )

        return self._scan(table, counted, Limit=limit, ReturnConsumedCapacity="TOTAL", **given)

    def read_page(
        self, table: str, members: dict[str, Any], limit: int, segment: tuple[int, int], start_key: Any = None
    ) -> ReadPage:
        """Read one page of a Scan. members: of the Scan, values as in JSON. segment: and the number of segments.
        start_key: `next_key` of the page before. Raises UsageError, TransferError: soon, if the table throttles."""
        given = {**_for_request(members), "Segment": segment[0], "TotalSegments": segment[1]}
        given |= {"ExclusiveStartKey": start_key} if start_key is not None else {}
        given |= {"Limit": limit, "ReturnConsumedCapacity": "TOTAL"}

        def read(reply: dict[str, Any]) -> ReadPage:
            items = [{name: from_botocore(value) for name, value in item.items()} for item in reply["Items"]]
            units = reply.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
            return ReadPage(items, _count(reply, "ScannedCount"), units, reply.get("LastEvaluatedKey"))

        return self._scan(table, read, patience_s=_SAMPLE_PATIENCE_S, **given)

    def _scan(
        self, table: str, read: Callable[[dict[str, Any]], Read], patience_s: float | None = None, **members: Any
    ) -> Read:
        what = f'Scan of table "{table}"'
        return self._while_throttled(what, lambda: read(self._client.scan(TableName=table, **members)), patience_s)

    def _while_throttled(self, what: str, request: Callable[[], Read], patience_s: float | None = None) -> Read:
        """What a request for data comes to, sent again while the table throttles; what: for messages.

        Raises TransferError if that takes longer than `patience_s`, by default the user's patience.
        """
        patient_s = self._settings.longest_wait_s if patience_s is None else patience_s
        ends_s, wait_s = time.monotonic() + patient_s, _SHORTEST_WAIT_S
        while True:
            try:
                with of_dynamodb(what, self.endpoint_url):
                    return request()
            except ThrottledError:
                if time.monotonic() >= ends_s:
                    raise
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def try_update(self, table: str, key: dict[str, Any], members: dict[str, Any]) -> None:
        """Send an UpdateItem for a key that no item has, on the condition that it exists: it changes nothing.

        key: as in JSON. Raises UsageError with the service's words if it refuses the request.
        """
        from botocore.exceptions import ClientError

        names = {name: for_botocore(value) for name, value in key.items()}

        def update() -> None:
            try:
                self._client.update_item(TableName=table, Key=names, **_for_request(members))
            except ClientError as refusal:
                if botocore_error(refusal.response).kind is not Kind.CONDITION:
                    raise

        self._while_throttled(f'UpdateItem in table "{table}"', update)

    def keeps_history(self, table: str) -> bool | None:
        """Whether point-in-time recovery is on; None if that cannot be known, for lack of a permission, say."""
        try:
            with of_dynamodb("DescribeContinuousBackups", self.endpoint_url):
                reply = self._client.describe_continuous_backups(TableName=table)
            described = reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
            return bool(described["PointInTimeRecoveryStatus"] == "ENABLED")
        except (DdbioError, KeyError, TypeError):
            return None

    def table_quotas(self) -> tuple[float, float] | None:
        """The most read and write units per second that the account allows a table; None if that cannot be known."""
        try:
            with of_dynamodb("DescribeLimits", self.endpoint_url):
                reply = self._client.describe_limits()
            return float(reply["TableMaxReadCapacityUnits"]), float(reply["TableMaxWriteCapacityUnits"])
        except (DdbioError, KeyError, TypeError):
            return None

    def time_to_live(self, table: str) -> str | None:
        """The attribute by which the table's items expire; empty if they do not, None if the service does not say."""
        with suppress(DdbioError), of_dynamodb(f'time to live of table "{table}"', self.endpoint_url):
            description = self._client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
            if str(description.get("TimeToLiveStatus", "")).startswith("ENABL"):
                return str(description.get("AttributeName", ""))
            return ""
        return None

    def create(self, request: dict[str, Any]) -> None:
        """Begin to create a table. request: of CreateTable. Raises UsageError if that is refused."""
        with of_dynamodb(f'CreateTable "{request["TableName"]}" in {self.region}', self.endpoint_url):
            self._client.create_table(**request)

    def await_active(self, table: str, *, patience_s: float = CREATION_PATIENCE_S) -> TableInfo:
        """The table, once it is ACTIVE. Raises TransferError if that takes too long, UsageError if it cannot
        happen."""
        wait_s, deadline_s = _SHORTEST_WAIT_S, time.monotonic() + patience_s
        while (info := self.find(table)) is None or not info.is_usable:
            if info is not None:
                info.check_usable(wait=True)
            if time.monotonic() > deadline_s:
                raise TransferError(
                    f'table "{table}" is not ACTIVE after {patience_s:.0f} s', "run the same command again later"
                )
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        return info

    def _describe(self, table: str) -> TableInfo:
        check_table_name(table)
        what = f'table "{table}" in {self.region}'
        if self._direct is not None:
            described = self._direct.describe(table, _user_agent(None))
            if described is not None:
                self._endpoints[table] = self._direct.endpoint
                with readable(what, self.endpoint_url):
                    return TableInfo.of(described, table)
        described = self._botocore.describe(table)
        with readable(what, self.endpoint_url):
            info = TableInfo.of(described, table)
        if (reached := self._botocore.watch.last) is not None:
            self._reached[table] = reached
        return info


@dataclass(frozen=True, slots=True)
class CountedPage:
    """count: items that match. units: consumed. ended: whether it is the segment's last one."""

    count: int
    scanned: int
    units: float
    ended: bool


@dataclass(frozen=True, slots=True)
class ReadPage:
    """items: that match, as in JSON. scanned: before the filter. units: consumed. next_key: None at the segment's
    end; only `Session.read_page` can interpret it."""

    items: list[AttributeMap]
    scanned: int
    units: float
    next_key: object | None


def _count(reply: dict[str, Any], name: str) -> int:
    """Raises KeyError, TypeError: botocore takes any value."""
    if not isinstance(count := reply[name], int):
        raise TypeError(name)
    return count


def _for_request(members: dict[str, Any]) -> dict[str, Any]:
    """Members of a request with their values as botocore wants them."""
    values = {name: for_botocore(value) for name, value in members.get("ExpressionAttributeValues", {}).items()}
    return {**members, **({"ExpressionAttributeValues": values} if values else {})}


def _user_agent(application: str | None) -> str:
    """application: AWS_SDK_UA_APP_ID, or sdk_ua_app_id of the profile."""
    named = f" app/{_NO_TOKEN.sub('-', application)}" if application else ""
    return f"ddbio/{__version__} Python/{platform.python_version()}{named}"
