"""Costs of a forecast: units in both ways of billing, indexes, replicas, table classes, S3; and what is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from ddbio.forecast.costs import Charge, Costs, costs_of
from ddbio.forecast.forecast import Amount, Demand, Forecast
from ddbio.forecast.prices import GB, Price, Prices

EU, US = "eu-west-1", "us-east-1"
USD = {
    "million_write_units": 2.0,
    "million_read_units": 0.5,
    "million_replicated_write_units": 3.0,
    "wcu_hour": 0.01,
    "rcu_hour": 0.001,
    "replicated_wcu_hour": 0.02,
    "ia_million_write_units": 4.0,
    "s3_thousand_puts": 5.0,
    "s3_thousand_gets": 0.5,
    "s3_gb_month": 0.25,
}
PRICES = Prices(
    [
        Price(region, rate, usd * factor, date(2026, 1, 1), "x")
        for region, factor in ((EU, 1), (US, 10))
        for rate, usd in USD.items()
    ],
    "a test",
)
WRITES = Demand(
    "Orders",
    EU,
    "target",
    "WCU",
    units=Amount(2e6, 1e6, 3e6),
    by_index={"by-city": Amount.exact(1e6)},
    cap_units_per_s=500.0,
)


def of(*demands: Demand, prices: Prices = PRICES, **figures: object) -> Costs:
    return costs_of(Forecast(demands=demands, **figures), prices, EU)  # type: ignore[arg-type]


def lines(charges: tuple[Charge, ...]) -> dict[str, float | None]:
    return {charge.label: charge.usd and charge.usd.likely for charge in charges}


def test_units_of_table_and_indexes_on_demand() -> None:
    costs = of(WRITES)
    assert lines(costs.on_demand) == {"writes of Orders": 4.0, "writes of index by-city": 2.0}
    assert costs.usd == Amount(6.0, 4.0, 8.0)
    assert costs.own == costs.on_demand


def test_a_cap_to_be_provisioned_is_paid_for_started_hours() -> None:
    """3,000,000 units at 500 a second, those of the index among them, are 1.67 hours: 2 of 500 units."""
    assert lines(of(WRITES).provisioned) == {"writes of Orders": 500 * 2 * 0.01}
    apart = of(replace(WRITES, index_caps={"by-city": 100.0}))  # 1,000,000 / 100 / 3,600 = 2.8 hours
    assert lines(apart.provisioned) == {"writes of Orders": 500 * 3 * 0.01, "writes of index by-city": 100 * 3 * 0.01}


def test_a_provisioned_table_gives_a_share_of_what_it_costs_anyway() -> None:
    costs = of(replace(WRITES, billing="provisioned", units=Amount.exact(800_000)))  # and 1,000,000 of the index
    assert costs.provisioned[0].usd == Amount.exact(pytest.approx(500 * 0.01))  # an hour
    assert of(replace(WRITES, billing="provisioned", units=Amount.exact(0), by_index={})).usd == Amount.exact(0)
    assert costs.own == costs.provisioned
    assert lines(costs.on_demand)["writes of Orders"] == pytest.approx(1.6)


def test_without_a_cap_the_cost_of_capacity_is_unknown() -> None:
    costs = of(replace(WRITES, cap_units_per_s=None))
    assert lines(costs.provisioned) == {"writes of Orders": None}
    assert costs.provisioned[0].why == "the time at a cap is unknown"
    assert costs.usd is not None


def test_a_global_table_pays_in_each_region_at_its_own_price() -> None:
    costs = of(replace(WRITES, replicas=(US,)))
    assert lines(costs.on_demand) == {
        "writes of Orders in eu-west-1": 6.0,
        "writes of index by-city in eu-west-1": 2.0,
        "writes of Orders in us-east-1": 60.0,
        "writes of index by-city in us-east-1": 20.0,
    }
    reads = Demand("Orders", EU, "source", "RCU", units=Amount.exact(2e6), replicas=(US,))
    assert lines(of(reads).on_demand) == {"reads of Orders": 1.0}


def test_a_table_class_has_its_own_prices() -> None:
    costs = of(replace(WRITES, table_class="STANDARD_INFREQUENT_ACCESS"))
    assert lines(costs.on_demand)["writes of Orders"] == 8.0
    assert costs.provisioned[0].why == "no price of ia_wcu_hour in eu-west-1"


def test_requests_and_objects_of_s3() -> None:
    kinds = {"PUT": Amount.exact(2000), "LIST": Amount.exact(1000), "GET": Amount.exact(4000)}
    costs = of(s3_requests=kinds, s3_bytes=Amount.exact(8 * GB))
    assert lines(costs.s3) == {"PUT requests of S3": 10.0, "LIST requests of S3": 5.0, "GET requests of S3": 2.0}
    assert costs.s3_month is not None and costs.s3_month.usd == Amount.exact(2.0)
    assert costs.usd == Amount.exact(17.0)
    assert of(s3_requests={"GET": Amount.exact(1)}).s3_month is None


@pytest.mark.parametrize(
    ("costs", "why"),
    [
        (of(replace(WRITES, units=None)), "the number of units is unknown"),
        (of(replace(WRITES, region="xx-east-1")), "no price of million_write_units in xx-east-1"),
        (of(WRITES, prices=Prices([], "none")), "no price of million_write_units in eu-west-1"),
    ],
)
def test_one_unknown_figure_makes_the_sum_unknown(costs: Costs, why: str) -> None:
    assert costs.usd is None and costs.why == why
    assert costs.as_json()["usd"] is None


def test_only_the_prices_that_were_used_are_named() -> None:
    assert {price.rate for price in of(WRITES).prices} == {"million_write_units", "wcu_hour"}
    assert of(WRITES).as_json()["prices"][0]["date"] == "2026-01-01"
