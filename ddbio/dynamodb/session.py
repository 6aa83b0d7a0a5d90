"""The connection to DynamoDB: everything except the data plane is botocore's.

The parent opens a `Session`: region, profile, endpoint, credentials, CA bundle and proxies by botocore's own rules,
DescribeTable by its client. Workers get plain data from it, a `DataPlane`; they never load botocore.
"""

from __future__ import annotations

import difflib
import os
import platform
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ddbio.aws.core import new_session
from ddbio.aws.credentials import Keys
from ddbio.aws.settings import AwsSettings, patience
from ddbio.aws.tls import configured_bundle, verify_argument
from ddbio.dynamodb.boto_values import for_botocore, from_botocore
from ddbio.dynamodb.client import DEFAULT_GIVE_UP_AFTER_S, RetryPolicy
from ddbio.dynamodb.data_plane import DataPlane
from ddbio.dynamodb.endpoints import Reached, RequestWatch, check_endpoint_url, is_local, proxy_of
from ddbio.dynamodb.errors import Kind, botocore_error
from ddbio.dynamodb.provider import KeySource
from ddbio.dynamodb.translation import NoSuchTableError, ThrottledError, UnreachableError, translated
from ddbio.dynamodb.wire import Endpoint
from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableArn, TableInfo, check_table_name, region_of_arns
from ddbio.version import __version__

_CONTROL_PLANE_TIMEOUT_S = 10
CREATION_PATIENCE_S = 600.0  # for a new table to become ACTIVE; usually seconds, with indexes a minute
_NO_TOKEN = re.compile(r"[^A-Za-z0-9!$%&'*+.^_`|~,-]")  # botocore cleans the application's name like this
_SAMPLE_PATIENCE_S = 5.0
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.1, 5.0


class Session:
    """The parent's connection to AWS. Raises UsageError for a profile, region or credentials that cannot be found.

    tables: those it is for, by name or ARN. An ARN sets the region; one that contradicts the chosen region, or
        another ARN, is refused.
    """

    def __init__(self, settings: AwsSettings, tables: Sequence[str] = ()) -> None:
        from botocore.config import Config

        arns = [TableArn.parse(each) for each in tables if each.startswith("arn:")]
        self._settings = settings
        with translated("the AWS settings"):
            # Every other SDK and the AWS CLI read AWS_REGION; botocore reads only AWS_DEFAULT_REGION.
            region = region_of_arns(arns, settings.region) or os.environ.get("AWS_REGION")
            self._core = core = new_session(settings.profile, region)
            self._ca_bundle = configured_bundle(self._core)
            self._check_partitions(arns)
            self._key_source = KeySource(core, is_local=is_local(settings.endpoint_url))
            self._client = core.create_client(
                "dynamodb",
                endpoint_url=settings.endpoint_url,
                verify=verify_argument(self._ca_bundle),
                config=Config(
                    **patience(settings.longest_wait_s, 4, _CONTROL_PLANE_TIMEOUT_S, _CONTROL_PLANE_TIMEOUT_S),
                    user_agent_extra=f"ddbio/{__version__}",
                ),
            )
        self._watch = RequestWatch(self._client)
        self._reached: dict[str, Reached] = {}  # by table
        self._check_endpoint()

    @property
    def region(self) -> str:
        return str(self._client.meta.region_name)

    @property
    def endpoint_url(self) -> str:
        """The endpoint by region and configuration: the same for every table and all credentials."""
        return str(self._client.meta.endpoint_url)

    @property
    def aws(self) -> AwsSettings:
        """The settings with the region in use, so that S3 is asked in the same one."""
        # S3 has no region for a DynamoDB on this machine; its requests are signed for us-east-1.
        return replace(self._settings, region="us-east-1" if self.region == "local" else self.region)

    def keys(self) -> Keys:
        """The newest keys. See `KeySource.keys`."""
        return self._key_source.keys()

    def data_plane(self, table: TableInfo, give_up_after_s: float = DEFAULT_GIVE_UP_AFTER_S) -> DataPlane:
        """How workers reach a described table: the address to which botocore's rules sent that request, with
        botocore's CA bundle and proxy."""
        from botocore.httpsession import get_cert_path

        reached, bundle = self._reached[table.address], self._ca_bundle
        endpoint = Endpoint(
            url=reached.url,
            region=reached.region,
            ca_bundle=bundle.path if bundle else get_cert_path(True),
            proxy_url=proxy_of(reached.url),
        )
        return DataPlane(
            endpoint,
            RetryPolicy(self._key_source.are_renewed, table.is_new(datetime.now(timezone.utc)), give_up_after_s),
            _user_agent(self._core.get_config_variable("user_agent_appid")),
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
        with translated(f"ListTables in {self.region}"):
            for page in self._client.get_paginator("list_tables").paginate():
                yield [str(name) for name in page["TableNames"]]

    def try_scan(self, table: str, members: dict[str, Any]) -> None:
        """Read one item as an export would. members: of the Scan, values as in JSON.

        Raises UsageError with the service's words if it refuses the request.
        """
        self._scan(table, Limit=1, **_for_request(members))

    def count_page(self, table: str, members: dict[str, Any], limit: int) -> CountedPage:
        """Count one page of a Scan. members: of the Scan, values as in JSON. Raises UsageError, TransferError."""
        given = {**_for_request(members), "Select": "COUNT"}
        reply = self._scan(table, Limit=limit, ReturnConsumedCapacity="TOTAL", **given)
        units = reply.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        return CountedPage(reply["Count"], reply["ScannedCount"], units, "LastEvaluatedKey" not in reply)

    def read_page(
        self, table: str, members: dict[str, Any], limit: int, segment: tuple[int, int], start_key: Any = None
    ) -> ReadPage:
        """Read one page of a Scan. members: of the Scan, values as in JSON. segment: and the number of segments.
        start_key: `next_key` of the page before. Raises UsageError, TransferError: soon, if the table throttles."""
        given = {**_for_request(members), "Segment": segment[0], "TotalSegments": segment[1]}
        given |= {"ExclusiveStartKey": start_key} if start_key is not None else {}
        given |= {"Limit": limit, "ReturnConsumedCapacity": "TOTAL"}
        reply = self._scan(table, patience_s=_SAMPLE_PATIENCE_S, **given)
        items = [{name: from_botocore(value) for name, value in item.items()} for item in reply["Items"]]
        units = reply.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)
        return ReadPage(items, reply["ScannedCount"], units, reply.get("LastEvaluatedKey"))

    def _scan(self, table: str, patience_s: float | None = None, **members: Any) -> dict[str, Any]:
        what = f'Scan of table "{table}"'
        return self._while_throttled(what, lambda: self._client.scan(TableName=table, **members), patience_s)

    def _while_throttled(
        self, what: str, request: Callable[[], dict[str, Any]], patience_s: float | None = None
    ) -> dict[str, Any]:
        """The answer to a request for data, sent again while the table throttles; what: for messages.

        Raises TransferError if that takes longer than `patience_s`, by default the user's patience.
        """
        patient_s = self._settings.longest_wait_s if patience_s is None else patience_s
        ends_s, wait_s = time.monotonic() + patient_s, _SHORTEST_WAIT_S
        while True:
            try:
                with translated(what):
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

        def update() -> dict[str, Any]:
            try:
                return dict(self._client.update_item(TableName=table, Key=names, **_for_request(members)))
            except ClientError as refusal:
                if botocore_error(refusal.response).kind is not Kind.CONDITION:
                    raise
            return {}

        self._while_throttled(f'UpdateItem in table "{table}"', update)

    def keeps_history(self, table: str) -> bool | None:
        """Whether point-in-time recovery is on; None if that cannot be known, for lack of a permission, say."""
        try:
            with translated("DescribeContinuousBackups"):
                reply = self._client.describe_continuous_backups(TableName=table)
            described = reply["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
            return bool(described["PointInTimeRecoveryStatus"] == "ENABLED")
        except (DdbioError, KeyError, TypeError):
            return None

    def table_quotas(self) -> tuple[float, float] | None:
        """The most read and write units per second that the account allows a table; None if that cannot be known."""
        try:
            with translated("DescribeLimits"):
                reply = self._client.describe_limits()
            return float(reply["TableMaxReadCapacityUnits"]), float(reply["TableMaxWriteCapacityUnits"])
        except (DdbioError, KeyError, TypeError):
            return None

    def time_to_live(self, table: str) -> str | None:
        """The attribute by which the table's items expire; empty if they do not, None if the service does not say."""
        with suppress(DdbioError), translated(f'time to live of table "{table}"'):
            description = self._client.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
            if str(description.get("TimeToLiveStatus", "")).startswith("ENABL"):
                return str(description.get("AttributeName", ""))
            return ""
        return None

    def create(self, request: dict[str, Any]) -> None:
        """Begin to create a table. request: of CreateTable. Raises UsageError if that is refused."""
        with translated(f'CreateTable "{request["TableName"]}" in {self.region}'):
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
        with self._region_checked(), translated(f'table "{table}" in {self.region}'):
            info = TableInfo.of(self._client.describe_table(TableName=table)["Table"], table)
        if self._watch.last is not None:
            self._reached[table] = self._watch.last
        return info

    @contextmanager
    def _region_checked(self) -> Iterator[None]:
        """If nothing answers, a region unknown to botocore is the likely reason: raise UsageError then.

        An unknown region may also be a new one, so it is checked only after the failure.
        """
        try:
            yield
        except UnreachableError:
            regions = {
                region
                for partition in self._core.get_available_partitions()
                for region in self._core.get_available_regions("dynamodb", partition_name=partition)
            }
            if self._settings.endpoint_url or self.region in regions:
                raise
            near = difflib.get_close_matches(self.region, sorted(regions), n=1)
            hint = f"did you mean {near[0]}?" if near else "check --region"
            raise UsageError(
                f'there is no region "{self.region}": {self.endpoint_url} cannot be reached', hint
            ) from None

    def _check_endpoint(self) -> None:
        """Raises UsageError for an endpoint, a proxy or a CA bundle that the data plane cannot use."""
        check_endpoint_url(self.endpoint_url)
        proxy_of(self.endpoint_url)
        bundle = self._ca_bundle
        if bundle is not None and self.endpoint_url.lower().startswith("https:"):
            bundle.check()

    def _check_partitions(self, arns: Sequence[TableArn]) -> None:
        from botocore.exceptions import UnknownRegionError

        for arn in arns:
            try:
                partition = self._core.get_partition_for_region(arn.region)
            except UnknownRegionError:  # local servers have regions of their own
                continue
            if partition != arn.partition:
                raise UsageError(
                    f'the ARN of table "{arn.name}" names the partition {arn.partition}, but {arn.region} is in '
                    f"{partition}",
                    "copy the ARN from DescribeTable or the console",
                )


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


def _for_request(members: dict[str, Any]) -> dict[str, Any]:
    """Members of a request with their values as botocore wants them."""
    values = {name: for_botocore(value) for name, value in members.get("ExpressionAttributeValues", {}).items()}
    return {**members, **({"ExpressionAttributeValues": values} if values else {})}


def _user_agent(application: str | None) -> str:
    """application: AWS_SDK_UA_APP_ID, or sdk_ua_app_id of the profile."""
    named = f" app/{_NO_TOKEN.sub('-', application)}" if application else ""
    return f"ddbio/{__version__} Python/{platform.python_version()}{named}"
