"""Access to DynamoDB by botocore: region, profile, endpoint, credentials, CA bundle and proxies by its rules, and its
client for every request that is not on the data plane."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ddbio.aws.core import check_region, new_session
from ddbio.aws.credentials import Keys
from ddbio.aws.settings import AwsSettings, patience
from ddbio.aws.tls import configured_bundle, verify_argument
from ddbio.dynamodb.endpoints import Reached, RequestWatch, check_endpoint_url, is_local, proxy_of
from ddbio.dynamodb.provider import KeySource
from ddbio.dynamodb.translation import UnreachableError, of_dynamodb, translated
from ddbio.dynamodb.wire import Endpoint
from ddbio.errors import UsageError
from ddbio.values.table import TableArn, region_of_arns
from ddbio.version import __version__

_TIMEOUT_S = 10


class BotocoreAccess:
    """client: botocore's. watch: the addresses of its requests.

    Raises UsageError for a profile, region or credentials that cannot be found, and for an endpoint that the data
    plane cannot use.
    """

    def __init__(self, settings: AwsSettings, tables: Sequence[str]) -> None:
        from botocore.config import Config
        from botocore.exceptions import NoRegionError

        arns = [TableArn.parse(each) for each in tables if each.startswith("arn:")]
        self._settings = settings
        with translated("the AWS settings"):
            # Every other SDK and the AWS CLI read AWS_REGION; botocore reads only AWS_DEFAULT_REGION.
            region = region_of_arns(arns, settings.region) or os.environ.get("AWS_REGION") or None
            self._core = core = new_session(settings.profile, region)
            if core.get_config_variable("region") == "":  # which botocore takes for a name if an endpoint is given
                raise NoRegionError
            check_region(core.get_config_variable("region"))
            self._ca_bundle = configured_bundle(self._core)
            self._check_partitions(arns)
            self._key_source = KeySource(core, is_local=is_local(settings.endpoint_url))
            self.client = core.create_client(
                "dynamodb",
                endpoint_url=settings.endpoint_url,
                verify=verify_argument(self._ca_bundle),
                config=Config(
                    **patience(settings.longest_wait_s, 4, _TIMEOUT_S, _TIMEOUT_S),
                    user_agent_extra=f"ddbio/{__version__}",
                ),
            )
        self.watch = RequestWatch(self.client)
        self._check_endpoint()

    @property
    def region(self) -> str:
        return str(self.client.meta.region_name)

    @property
    def endpoint_url(self) -> str:
        return str(self.client.meta.endpoint_url)

    @property
    def are_renewed(self) -> bool:
        return self._key_source.are_renewed

    def keys(self) -> Keys:
        """See `KeySource.keys`."""
        return self._key_source.keys()

    @property
    def application(self) -> str | None:
        """AWS_SDK_UA_APP_ID, or sdk_ua_app_id of the profile."""
        name: str | None = self._core.get_config_variable("user_agent_appid")
        return name

    def endpoint(self, reached: Reached) -> Endpoint:
        """The same address for the data plane, with botocore's CA bundle and proxy."""
        from botocore.httpsession import get_cert_path

        bundle = self._ca_bundle
        return Endpoint(
            url=reached.url,
            region=reached.region,
            ca_bundle=bundle.path if bundle else get_cert_path(True),
            proxy_url=proxy_of(reached.url),
        )

    def describe(self, table: str) -> dict[str, Any]:
        """The `Table` member of DescribeTable's answer. Raises UsageError, TransferError."""
        with self._region_checked(), of_dynamodb(f'table "{table}" in {self.region}', self.endpoint_url):
            described: dict[str, Any] = self.client.describe_table(TableName=table)["Table"]
        return described

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
