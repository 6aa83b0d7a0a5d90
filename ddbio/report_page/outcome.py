"""The plan of a job's begin beside its outcome: items, capacity units, time and cost. What is unknown is said so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from ddbio.forecast.costs import costs_of, dollars
from ddbio.forecast.forecast import Amount, Demand, Forecast, total
from ddbio.forecast.prices import bundled
from ddbio.report_page.facts import Report
from ddbio.report_page.history import History
from ddbio.report_page.wording import UNKNOWN, duration, number

NO_PLAN = "This job kept no plan of its begin."
Rows = list[tuple[str, str, str]]


def compared(report: Report, history: History) -> tuple[Rows, str]:
    """The rows, with the plan and the outcome, and a note on them."""
    counts = history.counts or report.counts
    plan = _plan(history)
    demands = plan.demands if plan is not None else ()
    rows = [
        ("items", _shown(demands[0].items if demands else None, _about), number(counts.get("read", 0))),
        ("capacity units", _shown(_units(demands), _about), number(counts.get("units", 0.0))),
        ("working time", _shown(plan.seconds if plan is not None else None, duration), duration(history.seconds)),
    ]
    if plan is None:
        return [*rows, ("cost", UNKNOWN, UNKNOWN)], NO_PLAN
    costs = costs_of(plan, bundled(), demands[0].region if demands else "")
    actual = _outcome(plan, counts)
    rows.append(("cost", _shown(costs.usd, dollars), _shown(actual, dollars)))
    held = f"Time: {plan.held_by}. " if plan.held_by else ""
    dates = sorted({str(price.date) for price in costs.prices if price.date})
    return rows, f"{held}Prices of {', '.join(dates)}." if dates else held


def _plan(history: History) -> Forecast | None:
    try:
        return None if history.forecast is None else Forecast.of_json(history.forecast)
    except msgspec.ValidationError:  # of another version of ddbio
        return None


def _units(demands: Sequence[Demand]) -> Amount | None:
    return total([demand.all_units for demand in demands]) if demands else None


def _outcome(plan: Forecast, counts: dict[str, float]) -> Amount | None:
    """The cost of the consumed units; None if it is unknown, as for provisioned capacity (paid by the hour)."""
    if len(plan.demands) != 1 or plan.demands[0].billing != "on-demand":
        return None
    (demand,) = plan.demands
    consumed = replace(demand, units=Amount.exact(counts.get("units", 0.0)), by_index={})
    return costs_of(replace(plan, demands=(consumed,)), bundled(), demand.region).usd


def _shown(amount: Amount | None, text: Callable[[float], str]) -> str:
    if amount is None:
        return UNKNOWN
    likely, low, high = (text(each) for each in (amount.likely, amount.low, amount.high))
    return likely if low == high else f"{likely} ({low} to {high})"


def _about(value: float) -> str:
    return number(round(value) if value >= 100 else value)
