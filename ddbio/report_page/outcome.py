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
SOURCE, TARGET = "source", "target"  # roles of demands


def compared(report: Report, history: History) -> tuple[Rows, str]:
    """The rows, with the plan and the outcome, and a note on them."""
    counts = history.counts or report.counts
    plan = _plan(history)
    demands = plan.demands if plan is not None else ()
    rows = [
        ("items", _shown(_items(demands), _about), number(counts.get("read", 0))),
        *_units(demands, counts),
        ("working time", _shown(plan.seconds if plan is not None else None, duration), duration(history.seconds)),
    ]
    if plan is None:
        return [*rows, ("cost", UNKNOWN, UNKNOWN)], NO_PLAN
    costs = costs_of(plan, bundled(), demands[0].region if demands else "")
    actual = _outcome(plan, counts)
    rows.append(("cost", _shown(costs.usd, dollars), _shown(actual, dollars)))
    dates = sorted({str(price.date) for price in costs.prices if price.date})
    notes = [f"Time: {plan.held_by}."] if plan.held_by else []
    if plan.planning_units:
        notes.append(f"Both have the {number(plan.planning_units)} units of the sample that the plan is made of.")
    if dates:
        notes.append(f"Prices of {', '.join(dates)}.")
    return rows, " ".join(notes)


def _plan(history: History) -> Forecast | None:
    """With the units of its own sample among those that are read: they count as units of the job."""
    try:
        plan = None if history.forecast is None else Forecast.of_json(history.forecast)
    except msgspec.ValidationError:  # of another version of ddbio
        return None
    if plan is None or not plan.planning_units:
        return plan
    first, *others = plan.demands
    sampled = replace(first, units=first.units and first.units + Amount.exact(plan.planning_units))
    return replace(plan, demands=(sampled, *others))


def _items(demands: Sequence[Demand]) -> Amount | None:
    """Those that are read; of a comparison, from both tables."""
    read = [demand.items for demand in demands if demand.role == demands[0].role]
    return total(read) if read else None


def _units(demands: Sequence[Demand], counts: dict[str, float]) -> Rows:
    """Those of each table and kind, if the counts of the outcome are separate."""
    consumed = _consumed(demands, counts)
    if consumed is None or len(demands) == 1:
        planned = total([demand.all_units for demand in demands]) if demands else None
        return [("capacity units", _shown(planned, _about), number(counts.get("units", 0.0)))]
    return [
        (f"{demand.kind} of {demand.table}", _shown(demand.all_units, _about), number(units))
        for demand, units in zip(demands, consumed, strict=True)
    ]


def _consumed(demands: Sequence[Demand], counts: dict[str, float]) -> list[float] | None:
    """The units of each demand; None if they are known together only, as those of a comparison."""
    units, of_target = counts.get("units", 0.0), counts.get("target_units", 0.0)
    if len(demands) == 1:
        return [units]
    roles = [demand.role for demand in demands]
    return [units - of_target, of_target] if roles == [SOURCE, TARGET] else None


def _outcome(plan: Forecast, counts: dict[str, float]) -> Amount | None:
    """The cost of the consumed units; None if it is unknown, as for provisioned capacity (paid by the hour)."""
    units = _consumed(plan.demands, counts)
    if units is None or any(demand.billing != "on-demand" for demand in plan.demands):
        return None
    consumed = tuple(
        replace(demand, units=Amount.exact(each), by_index={})
        for demand, each in zip(plan.demands, units, strict=True)
    )
    return costs_of(replace(plan, demands=consumed), bundled(), plan.demands[0].region).usd


def _shown(amount: Amount | None, text: Callable[[float], str]) -> str:
    if amount is None:
        return UNKNOWN
    likely, low, high = (text(each) for each in (amount.likely, amount.low, amount.high))
    return likely if low == high else f"{likely} ({low} to {high})"


def _about(value: float) -> str:
    return number(round(value) if value >= 100 else value)
