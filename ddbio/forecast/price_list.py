"""The prices that AWS quotes now: `--prices live`, by GetProducts of the Price List API.

The API is in a few regions only, and answers for all; it is asked in us-east-1. A product is known by its usage type,
which begins with a code of its region (`EUC1-WriteRequestUnits`), except in us-east-1. Of a product with tiers the
first that is not free counts. A rate for which the API gives two prices is left out.

Source: AWS Billing user guide, "Using the AWS Price List Query API"; DynamoDB developer guide, "Understanding your
AWS billing and usage reports".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import msgspec

from ddbio.aws.core import new_session
from ddbio.aws.settings import AwsSettings, patience
from ddbio.aws.tls import configured_bundle, verify_argument
from ddbio.dynamodb.translation import readable, translated
from ddbio.errors import TransferError, UsageError
from ddbio.forecast.prices import Price, Prices

LIVE = "live"  # of --prices
PERMISSION = "pricing:GetProducts"
_API_REGION = "us-east-1"
_ASKED = "--prices live: GetProducts"
_TIMEOUT_S = 20.0
_MILLION, _THOUSAND = 1_000_000, 1_000

# Usage type without its region -> rate, and how many of the API's units are one of the rate's.
_CLASSES: Mapping[str, tuple[str, int]] = {
    "WriteRequestUnits": ("million_write_units", _MILLION),
    "ReadRequestUnits": ("million_read_units", _MILLION),
    "ReplWriteRequestUnits": ("million_replicated_write_units", _MILLION),
    "WriteCapacityUnit-Hrs": ("wcu_hour", 1),
    "ReadCapacityUnit-Hrs": ("rcu_hour", 1),
    "ReplWriteCapacityUnit-Hrs": ("replicated_wcu_hour", 1),
}
_DYNAMODB: Mapping[str, tuple[str, int]] = {
    **_CLASSES,
    **{f"IA-{usage}": (f"ia_{rate}", units) for usage, (rate, units) in _CLASSES.items()},
    "ExportDataSize-Bytes": ("export_gb", 1),
    "ImportDataSize-Bytes": ("import_gb", 1),
    "TimedBackupStorage-ByteHrs": ("backup_gb_month", 1),
    "RestoreDataSize-Bytes": ("restore_gb", 1),
    "TimedPITRStorage-ByteHrs": ("pitr_gb_month", 1),
}
_S3: Mapping[str, tuple[str, int]] = {
    "Requests-Tier1": ("s3_thousand_puts", _THOUSAND),
    "Requests-Tier2": ("s3_thousand_gets", _THOUSAND),
    "TimedStorage-ByteHrs": ("s3_gb_month", 1),
}
# Service -> its rates, and the filters that leave few products besides.
_QUESTIONS: tuple[tuple[str, Mapping[str, tuple[str, int]], Mapping[str, str]], ...] = (
    ("AmazonDynamoDB", _DYNAMODB, {}),
    ("AmazonS3", _S3, {"group": "S3-API-Tier1"}),
    ("AmazonS3", _S3, {"group": "S3-API-Tier2"}),
    ("AmazonS3", _S3, {"volumeType": "Standard"}),
)


def live(settings: AwsSettings, regions: Iterable[str]) -> Prices:
    """The prices of these regions. Raises UsageError if they may not be asked for or if there are none;
    TransferError if the API cannot be reached."""
    client = _client(settings)
    found = [price for region in sorted(set(regions)) for price in _of_region(client, region)]
    if not found:
        names = ", ".join(sorted(set(regions)))
        raise UsageError(f"--prices live: the Price List API has no prices of {names}", "give a file: --prices FILE")
    return Prices(found, f"the AWS Price List API, asked on {date.today().isoformat()}")


def _client(settings: AwsSettings) -> Any:
    from botocore.config import Config

    with translated("the AWS settings"):
        session = new_session(settings.profile)
        bundle = configured_bundle(session)
        config = Config(**patience(settings.longest_wait_s, 4, _TIMEOUT_S, _TIMEOUT_S))
        return session.create_client(
            "pricing", region_name=_API_REGION, verify=verify_argument(bundle), config=config
        )


def _of_region(client: Any, region: str) -> list[Price]:
    quoted: dict[str, list[tuple[float, date | None, str]]] = {}
    for service, rates, filters in _QUESTIONS:
        for text in _products(client, service, {"regionCode": region, **filters}):
            product = _decoded(text)
            rate, units = _rate_of(rates, product.product.attributes.get("usagetype", ""))
            usd = product.usd()
            if rate and usd is not None:
                on = _day(product.publication_date)
                # 0.000000625 * 1,000,000 is not 0.625 in binary
                quoted.setdefault(rate, []).append((float(f"{usd * units:.10g}"), on, service))
    return [
        Price(region, rate, usd, on, f"AWS price list, {service}")
        for rate, prices in quoted.items()
        if len({usd for usd, *_ in prices}) == 1
        for usd, on, service in prices[:1]
    ]


def _products(client: Any, service: str, filters: Mapping[str, str]) -> Iterator[str]:
    """The texts of all products, page by page."""
    terms = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in filters.items()]
    token: dict[str, str] = {}
    while True:
        try:
            with translated(_ASKED), readable(_ASKED, client.meta.endpoint_url, "the Price List API"):
                reply = client.get_products(ServiceCode=service, Filters=terms, FormatVersion="aws_v1", **token)
                texts = [*map(str, reply["PriceList"])]
        except UsageError as refused:
            raise refused.reworded(
                refused.message, f"allow {PERMISSION}, or give a file of prices: --prices FILE"
            ) from None
        except TransferError as failed:
            raise failed.reworded(
                failed.message, f"check the network to the Price List API in {_API_REGION}, or give --prices FILE"
            ) from None
        yield from texts
        if not reply.get("NextToken"):
            return
        token = {"NextToken": reply["NextToken"]}


def _day(published: str) -> date | None:
    """Of a time in ISO format, such as 2026-09-11T12:44:22Z."""
    try:
        return date.fromisoformat(published[:10])
    except ValueError:
        return None


def _rate_of(rates: Mapping[str, tuple[str, int]], usage: str) -> tuple[str, int]:
    """The rate of a usage type, with or without a region's code; an empty one for all others."""
    return rates.get(usage) or rates.get(usage.partition("-")[2]) or ("", 0)


class _Dimension(msgspec.Struct, rename="camel"):
    price_per_unit: dict[str, str] = {}
    begin_range: str = "0"


class _Term(msgspec.Struct, rename="camel"):
    price_dimensions: dict[str, _Dimension] = {}


class _Terms(msgspec.Struct):
    on_demand: dict[str, _Term] = msgspec.field(name="OnDemand", default={})


class _Attributes(msgspec.Struct):
    attributes: dict[str, str] = {}


class _Product(msgspec.Struct, rename="camel"):
    """A product as GetProducts describes it, as far as it is needed."""

    product: _Attributes
    terms: _Terms = msgspec.field(default_factory=_Terms)
    publication_date: str = ""

    def usd(self) -> float | None:
        """Of its first tier that is not free, else 0; None if it is not sold on demand in dollars."""
        tiers = sorted(
            (float(each.begin_range), float(each.price_per_unit["USD"]))
            for term in self.terms.on_demand.values()
            for each in term.price_dimensions.values()
            if "USD" in each.price_per_unit
        )
        return next((usd for _, usd in tiers if usd), 0.0 if tiers else None)


def _decoded(text: str) -> _Product:
    try:
        return msgspec.json.decode(text, type=_Product)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise TransferError(
            f"--prices live: the Price List API described a product in an unknown way: {exc}",
            "give a file of prices: --prices FILE",
        ) from None
