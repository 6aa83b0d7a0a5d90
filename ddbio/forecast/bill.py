"""The costs of a plan and of the other ways, at the prices that the user chose."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ddbio.aws.settings import AwsSettings
from ddbio.forecast.alternatives import Alternatives, Task, alternatives_to
from ddbio.forecast.cost_table import cost_table
from ddbio.forecast.costs import Costs, costs_of
from ddbio.forecast.forecast import Forecast
from ddbio.forecast.preview import Preview
from ddbio.forecast.price_list import LIVE, live
from ddbio.forecast.prices import Prices, bundled, from_file

PricesOf = Callable[[Iterable[str]], Prices]  # of these regions


@dataclass(frozen=True, slots=True)
class Bill:
    """costs: of the command. others: the other ways."""

    forecast: Forecast
    costs: Costs
    others: Alternatives

    def lines(self) -> list[str]:
        return cost_table(self.costs, self.others, self.forecast.seconds)

    def as_json(self) -> dict[str, Any]:
        """As JSON values, by name."""
        return {"costs": self.costs.as_json(), "alternatives": self.others.as_json()}


def chosen_prices(choice: str | None, settings: AwsSettings) -> PricesOf:
    """choice: a file, LIVE, or None for the package's own. Raises UsageError for a file that cannot be used; what
    this returns raises UsageError and TransferError if AWS does not give the prices."""
    if choice == LIVE:
        return lambda regions: live(settings, regions)
    prices = bundled() if choice is None else from_file(choice)
    return lambda regions: prices


def bill_of(plan: Preview, prices_of: PricesOf) -> Bill | None:
    """None for a job that uses no table."""
    forecast = plan.forecast
    if not forecast.demands:
        return None
    regions = [region for demand in forecast.demands for region in (demand.region, *demand.replicas)]
    prices = prices_of(regions)
    costs = costs_of(forecast, prices, regions[0])
    task = plan.task or Task("", regions[0])
    return Bill(forecast, costs, alternatives_to(task.with_figures(forecast), costs, prices))
