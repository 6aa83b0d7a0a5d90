"""Prices: those of the package, of a file, and of the Price List API on a loopback port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from checks.docs import COSTS, costs_page
from ddbio.aws.settings import AwsSettings
from ddbio.errors import TransferError, UsageError
from ddbio.forecast.price_list import live
from ddbio.forecast.prices import RATES, bundled, from_file
from tests.support.price_api import PriceApi, price_api, product

ENTRY = {"region": "eu-west-1", "rate": "wcu_hour", "usd": 0.5, "date": "2026-01-31", "source": "our contract"}
DYNAMODB, S3 = "AmazonDynamoDB", "AmazonS3"


def test_the_package_has_dated_prices_with_their_sources() -> None:
    prices = {(price.region, price.rate): price for price in bundled()}
    for rate in RATES:
        price = prices.get(("us-east-1", rate))
        lacking = (
            "replicated_wcu_hour",
            "bulk_put_gb",
            "ia_million_replicated_write_units",
            "ia_replicated_wcu_hour",
        )
        assert (price is None) == (rate in lacking), rate
    assert prices["us-east-1", "million_write_units"].usd == 0.625
    assert prices["us-east-1", "million_write_units"].date == date(2026, 9, 6)
    assert all("price list" in price.source for price in prices.values() if price.rate.endswith(("hour", "units")))
    assert bundled().find("eu-west-1", "million_write_units") is None  # unknown, and never that of another region


def test_a_file_has_the_same_form_and_takes_the_place_of_all(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"prices": [ENTRY, {**ENTRY, "rate": "bulk_put_gb", "date": None}]}))
    prices = from_file(str(path))
    found = prices.find("eu-west-1", "wcu_hour")
    assert found is not None and (found.usd, found.source) == (0.5, "our contract")
    assert prices.find("us-east-1", "wcu_hour") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", ""),
        ("[]", ""),
        (json.dumps({"prices": [{**ENTRY, "usd": -1}]}), "].usd"),
        (json.dumps({"prices": [{**ENTRY, "usd": "1"}]}), "].usd"),
        (json.dumps({"prices": [{**ENTRY, "date": "31.1.2026"}]}), "].date"),
        (json.dumps({"prices": [{**ENTRY, "date": "2026-02-30"}]}), "].date"),
        (json.dumps({"prices": [{**ENTRY, "usd": 1e300}]}), "].usd"),
        (json.dumps({"prices": [{**ENTRY, "region": "EU (Ireland)"}]}), "].region"),
        (json.dumps({"prices": [{**ENTRY, "rate": "wcu_hours"}]}), "did you mean wcu_hour?"),
        (json.dumps({"prices": [{**ENTRY, "currency": "EUR"}]}), "currency"),
        (json.dumps({"prices": [ENTRY, ENTRY]}), "eu-west-1 has the rate wcu_hour twice"),
    ],
)
def test_a_file_of_another_form_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        from_file(str(path))
    assert said in refused.value.message and "\n" not in str(refused.value)
    assert refused.value.message.startswith(f"--prices {path}: ")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        from_file(str(tmp_path / "none.json"))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[PriceApi]:
    catalogue = [
        product(DYNAMODB, "eu-central-1", "EUC1-WriteRequestUnits", ("0", "0.0000007625")),
        product(DYNAMODB, "eu-central-1", "EUC1-IA-WriteRequestUnits", ("0", "0.00000095")),
        product(DYNAMODB, "eu-central-1", "EUC1-ReplWriteRequestUnits", ("0", "0.00000077")),
        product(DYNAMODB, "eu-central-1", "EUC1-WriteCapacityUnit-Hrs", ("18600", "0.000793"), ("0", "0")),
        product(DYNAMODB, "eu-central-1", "EUC1-IncrementalExportDataSize-Bytes", ("0", "9")),
        product(DYNAMODB, "eu-central-1", "EUC1-ExportDataSize-Bytes", ("0", "0.1199")),
        product(DYNAMODB, "eu-central-1", "EUC1-ImportDataSize-Bytes", ("0", "0.18"), operation="a"),
        product(DYNAMODB, "eu-central-1", "EUC1-ImportDataSize-Bytes", ("0", "0.19"), operation="b"),
        product(DYNAMODB, "us-east-1", "WriteRequestUnits", ("0", "0.000000625")),
        product(S3, "eu-central-1", "EUC1-Requests-Tier1", ("0", "0.0000054"), group="S3-API-Tier1"),
        product(S3, "eu-central-1", "EUC1-Requests-Tier2", ("0", "0.00000043"), group="S3-API-Tier2"),
        product(
            S3,
            "eu-central-1",
            "EUC1-TimedStorage-ByteHrs",
            ("51200", "0.0235"),
            ("0", "0.0245"),
            volumeType="Standard",
        ),
        product(S3, "eu-central-1", "EUC1-TimedStorage-ByteHrs", ("0", "7"), volumeType="INTAAS3ObjectOverhead"),
    ]
    with price_api(*catalogue) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_PRICING", server.url)
        yield server


def test_the_price_list_is_read_page_by_page_and_only_what_is_certain_counts(api: PriceApi) -> None:
    found = {(price.region, price.rate): price for price in live(AwsSettings(), ["eu-central-1", "us-east-1"])}
    assert {name: price.usd for name, price in found.items()} == {
        ("eu-central-1", "million_write_units"): 0.7625,
        ("eu-central-1", "ia_million_write_units"): 0.95,
        ("eu-central-1", "million_replicated_write_units"): 0.77,
        ("eu-central-1", "wcu_hour"): 0.000793,  # the first tier is free
        ("eu-central-1", "export_gb"): 0.1199,  # and no price of an import, for which there are two
        ("eu-central-1", "s3_thousand_puts"): 0.0054,
        ("eu-central-1", "s3_thousand_gets"): 0.00043,
        ("eu-central-1", "s3_gb_month"): 0.0245,
        ("us-east-1", "million_write_units"): 0.625,
    }
    assert found["us-east-1", "million_write_units"].date == date(2026, 9, 11)
    assert any("NextToken" in request for request in api.asked)


def test_a_refusal_names_the_permission(api: PriceApi) -> None:
    api.refuse = True
    with pytest.raises(UsageError) as refused:
        live(AwsSettings(), ["us-east-1"])
    assert "not authorized" in refused.value.message
    assert refused.value.hint == "allow pricing:GetProducts, or give a file of prices: --prices FILE"


def test_a_region_without_any_price_is_an_error(api: PriceApi) -> None:
    with pytest.raises(UsageError, match="no prices of xx-west-1"):
        live(AwsSettings(), ["xx-west-1"])


def test_products_of_another_form_are_an_error(api: PriceApi) -> None:
    api.products = [{"serviceCode": DYNAMODB, "product": {"attributes": {"regionCode": "us-east-1", "usagetype": 5}}}]
    with pytest.raises(TransferError, match="in an unknown way"):
        live(AwsSettings(), ["us-east-1"])


@pytest.mark.parametrize("other", [[], {}, 7, {"PriceList": 7}])
def test_an_answer_of_another_form_is_an_error(api: PriceApi, other: Any) -> None:
    api.other = other
    with pytest.raises(UsageError, match="does not answer like the Price List API"):
        live(AwsSettings(), ["us-east-1"])


def test_the_page_has_all_rates_and_its_example_is_a_file_of_prices(tmp_path: Path) -> None:
    text = COSTS.read_text()
    assert text == costs_page(text), "run: python -m checks.docs"
    path = tmp_path / "prices.json"
    path.write_text(text.split("```json\n")[1].split("```")[0])
    assert len([*from_file(str(path))]) == 1
