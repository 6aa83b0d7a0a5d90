"""What a job costs: the figures of its `Forecast`, at given prices. Pure.

On demand, each consumed unit is paid. Provisioned, a table's cap is paid for the time that the job needs at that
cap. If the table is provisioned, this is a share of what it costs anyway; if it would have to be, started hours count
as whole ones. In a global table each region is billed for each write: replicated units for the table, ordinary ones
for its indexes. A cost is unknown if one of its prices or figures is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ddbio.forecast.forecast import Amount, Demand, Forecast, total
from ddbio.forecast.prices import GB, Price, Prices

Billing = Literal["on-demand", "provisioned"]
ON_DEMAND: Billing = "on-demand"
PROVISIONED: Billing = "provisioned"
_HOUR_S = 3600
_UNIT_RATES = {
    ("RCU", ON_DEMAND): "million_read_units",
    ("WCU", ON_DEMAND): "million_write_units",
    ("RCU", PROVISIONED): "rcu_hour",
    ("WCU", PROVISIONED): "wcu_hour",
}
_REPLICATED = {"million_write_units": "million_replicated_write_units", "wcu_hour": "replicated_wcu_hour"}
_S3_RATES = {"PUT": "s3_thousand_puts", "LIST": "s3_thousand_puts", "GET": "s3_thousand_gets"}


@dataclass(frozen=True, slots=True)
class Charge:
    """One line of a bill. usd: None if it is unknown, and then `why` says for which lack."""

    label: str
    usd: Amount | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Costs:
    """on_demand, provisioned: the units of all tables, if the tables were billed in this way. own: of the job's
    tables, the way in which each is billed. s3: requests. s3_month: what the written objects cost for each month
    that they are kept. prices: those that were used.
    """

    region: str
    on_demand: tuple[Charge, ...] = ()
    provisioned: tuple[Charge, ...] = ()
    own: tuple[Charge, ...] = ()
    own_billing: tuple[Billing, ...] = ()
    s3: tuple[Charge, ...] = ()
    s3_month: Charge | None = None
    prices: tuple[Price, ...] = ()
    prices_origin: str = ""

    @property
    def usd(self) -> Amount | None:
        """Of the job: the units as the tables are billed, and the requests of S3."""
        return usd_of((*self.own, *self.s3))

    @property
    def why(self) -> str:
        """Why it is unknown; empty if it is known."""
        return next((charge.why for charge in (*self.own, *self.s3) if charge.usd is None), "")

    def as_json(self) -> dict[str, Any]:
        """As JSON values; an unknown cost is null."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        sums = {"usd": self.usd, "on_demand_usd": usd_of(self.on_demand), "provisioned_usd": usd_of(self.provisioned)}
        return {**msgspec.to_builtins(sums), **values}


def costs_of(forecast: Forecast, prices: Prices, region: str) -> Costs:
    """region: of the buckets, and of a job without tables."""
    used = Tariff(prices)
    charges: dict[Billing, list[Charge]] = {ON_DEMAND: [], PROVISIONED: []}
    own: list[Charge] = []
    for demand in forecast.demands:
        for billing, bill in charges.items():
            found = list(_units(demand, used, billing))
            bill += found
            own += found if billing == demand.billing else []
    s3 = [
        used.charge(f"{kind} requests of S3", region, _S3_RATES[kind], requests, 1000)
        for kind, requests in forecast.s3_requests.items()
        if kind in _S3_RATES
    ]
    writes_there = "PUT" in forecast.s3_requests
    kept = used.charge("objects on S3, a month", region, "s3_gb_month", forecast.s3_bytes, GB, "their size")
    return Costs(
        region=region,
        on_demand=tuple(charges[ON_DEMAND]),
        provisioned=tuple(charges[PROVISIONED]),
        own=tuple(own),
        own_billing=tuple(dict.fromkeys(demand.billing for demand in forecast.demands)),
        s3=tuple(s3),
        s3_month=kept if writes_there else None,
        prices=used.used,
        prices_origin=prices.origin,
    )


def usd_of(charges: Iterable[Charge]) -> Amount | None:
    """Their sum; None if one is unknown."""
    return total(charge.usd for charge in charges)


def dollars(usd: float) -> str:
    return "under $0.01" if 0 < usd < 0.01 else f"${usd:,.2f}"


class Tariff:
    """Turns amounts into charges, and notes the prices that it used."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._used: dict[tuple[str, str], Price] = {}

    @property
    def used(self) -> tuple[Price, ...]:
        return tuple(self._used.values())

    def charge(
        self, label: str, region: str, rate: str, amount: Amount | None, per: float, lacking: str = "its amount"
    ) -> Charge:
        """per: how much of `amount` one unit of the rate is. lacking: what is unknown if the amount is."""
        price = self._prices.find(region, rate)
        if amount is None:
            return Charge(label, None, f"{lacking} is unknown")
        if price is None:
            return Charge(label, None, f"no price of {rate} in {region}")
        self._used[region, rate] = price
        return Charge(label, amount.times(price.usd / per))


def _units(demand: Demand, tariff: Tariff, billing: Billing) -> Iterator[Charge]:
    """The charges for the units of one table, in its own region and in those of its replicas."""
    ordinary = _UNIT_RATES[demand.kind, billing]
    replicas = demand.replicas if demand.kind == "WCU" else ()
    of_table = _REPLICATED[ordinary] if replicas else ordinary
    done = "reads" if demand.kind == "RCU" else "writes"
    bought, per, lacking = _measure(demand, billing)
    for region in (demand.region, *replicas):
        of_region = f" in {region}" if replicas else ""
        for budget, amount in bought.items():
            rate = of_table if budget == "table" else ordinary
            name = f"{done} of {demand.table}" if budget == "table" else f"{done} of index {budget}"
            yield tariff.charge(name + of_region, region, _in_class(rate, demand), amount, per, lacking)


def _measure(demand: Demand, billing: Billing) -> tuple[dict[str, Amount | None], float, str]:
    """What is bought for the table and each index, how much of it a rate's price is for, and the name of it."""
    if billing == ON_DEMAND:
        return {"table": demand.units, **demand.by_index}, 1_000_000, "the number of units"
    seconds = demand.seconds
    hours = None if seconds is None else seconds.times(1 / _HOUR_S)
    if hours is not None and demand.billing == ON_DEMAND:
        hours = _each(hours, math.ceil)
    return {name: _times(hours, cap) for name, (_, cap) in demand.budgets().items()}, 1, "the time at a cap"


def _each(amount: Amount, change: Callable[[float], float]) -> Amount:
    return Amount(change(amount.likely), change(amount.low), change(amount.high))


def _times(amount: Amount | None, factor: float | None) -> Amount | None:
    return None if amount is None or factor is None else amount.times(factor)


def _in_class(rate: str, demand: Demand) -> str:
    return rate if demand.table_class == "STANDARD" else f"ia_{rate}"
