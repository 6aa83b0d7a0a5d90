"""The costs of a plan as text: one table of this command and of the other ways, readable at 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from ddbio.forecast.alternatives import THIS, Alternatives, Way
from ddbio.forecast.costs import ON_DEMAND, PROVISIONED, Charge, Costs, dollars, usd_of
from ddbio.forecast.durations import duration
from ddbio.forecast.forecast import Amount
from ddbio.forecast.prices import BUNDLED, Price

WIDTH = 100
_COST, _MONTH, _TIME = 26, 14, 14  # columns on the right
_LABEL = WIDTH - _COST - _MONTH - _TIME
_UNKNOWN = "unknown"
_SAME = {
    ON_DEMAND: "with provisioned capacity at this cap for the started hours",
    PROVISIONED: "on demand",
}


def cost_table(costs: Costs, others: Alternatives, seconds: Amount | None) -> list[str]:
    """The lines. seconds: of this command."""
    return [
        *_prices(costs, others),
        _row("way", "cost", "a month", "time"),
        *_this(costs, seconds),
        *(line for way in others.ways for line in _other(way)),
        *_wrapped(verdict(costs, others), ""),
    ]


def _prices(costs: Costs, others: Alternatives) -> list[str]:
    """The dates and the origin of the prices."""
    used = (*costs.prices, *others.prices)
    dates = _dates(used) if used else f"no price of {costs.region}"
    ask = "; --prices live asks AWS" if costs.prices_origin == BUNDLED else ""
    origin = f"from {costs.prices_origin}{ask}"
    return _wrapped(f"Cost in US dollars, without free tier, taxes and discounts; {dates} ({origin}):", "")


def _dates(prices: Sequence[Price]) -> str:
    dates = sorted({price.date.isoformat() for price in prices if price.date is not None})
    undated = any(price.date is None for price in prices)
    if not dates:
        return "undated prices"
    period = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    return f"prices of {period}{' and undated ones' if undated else ''}"


def _this(costs: Costs, seconds: Amount | None) -> Iterator[str]:
    month = "" if costs.s3_month is None else _usd(costs.s3_month.usd)
    yield from _label_row(THIS, _usd(costs.usd), month, _time(seconds))
    for charge in (*costs.own, *costs.s3):
        yield from _label_row(f"  {charge.label}", _usd(charge.usd), "", "")
    yield from _reasons((*costs.own, *costs.s3, *([costs.s3_month] if costs.s3_month else [])))
    if len(costs.own_billing) == 1:
        (billing,) = costs.own_billing
        instead = costs.provisioned if billing == ON_DEMAND else costs.on_demand
        yield from _label_row(f"  instead, {_SAME[billing]}", _usd(usd_of(instead)), "", "")
        if usd_of(instead) is None:
            yield from _reasons(instead)
    if PROVISIONED in costs.own_billing:
        yield from _wrapped("provisioned capacity: a share of what the table costs anyway", "  ")


def _other(way: Way) -> Iterator[str]:
    month = "" if way.month is None else _usd(way.month.usd)
    yield from _label_row(way.name, _usd(way.cost.usd), month, _time(way.seconds))
    yield from _reasons((way.cost, *([way.month] if way.month else [])))
    for met, word in ((False, "not met"), (None, "if"), (True, "met")):
        texts = [condition.text for condition in way.conditions if condition.met is met]
        if texts:
            yield from _wrapped(f"{word}: {'; '.join(texts)}", "  ")


def verdict(costs: Costs, others: Alternatives) -> str:
    """Which way is the cheapest, as a sentence."""
    if not others.cheapest:
        return "Cheapest: unknown, as no cost is known."
    found = next((way for way in others.ways if way.name == others.cheapest), None)
    unsure = ", if its conditions hold" if found is not None and found.possible is None else ""
    unpriced = [name for name in others.unpriced if name != others.cheapest]
    among = f"; the cost of {' and of '.join(unpriced)} is unknown" if unpriced else ""
    return f"Cheapest: {others.cheapest}{unsure}{among}."


def _reasons(charges: Sequence[Charge]) -> Iterator[str]:
    """Why costs are unknown, each reason once."""
    for why in dict.fromkeys(charge.why for charge in charges if charge.why):
        yield from _wrapped(f"unknown: {why}", "  ")


def _usd(amount: Amount | None) -> str:
    if amount is None:
        return _UNKNOWN
    low, high = dollars(amount.low), dollars(amount.high)
    return low if low == high else f"{low} to {high}"


def _time(seconds: Amount | None) -> str:
    return _UNKNOWN if seconds is None else duration(seconds.likely)


def _label_row(label: str, cost: str, month: str, time: str) -> list[str]:
    """A row whose label may need several lines; the numbers are in the last."""
    indent = " " * (len(label) - len(label.lstrip()))
    *before, last = _wrapped(label.strip(), indent, _LABEL)
    return [*before, _row(last, cost, month, time)]


def _row(label: str, cost: str, month: str, time: str) -> str:
    return f"{label:{_LABEL}}{cost:>{_COST}}{month:>{_MONTH}}{time:>{_TIME}}".rstrip()


def _wrapped(text: str, indent: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False)
