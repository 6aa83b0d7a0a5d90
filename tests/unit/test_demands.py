"""The time of a job at caps that change by the time of day, and what decides about it; the units of a Scan."""

from __future__ import annotations

import datetime
import math
from dataclasses import replace

import pytest

from ddbio.forecast.demands import demand_of, scan_units, seconds_at, time_of
from ddbio.forecast.forecast import Amount, Forecast
from ddbio.forecast.text import lines_of
from ddbio.rate.caps import Cap, CapChange
from tests.support.tables import table

NOON = datetime.datetime(2026, 11, 30, 12)
ORDERS = table(
    {"id": "S"}, {"byCity": {"city": "S"}}, Replicas=[{"RegionName": "eu-west-1"}, {"RegionName": "us-east-1"}]
)


def test_a_constant_cap_and_one_that_changes_in_the_evening() -> None:
    assert seconds_at(Cap(50, "-c", "WCU"), 600) == 12
    evening = Cap(1, "-c", "WCU", (CapChange(20 * 60, 100), CapChange(6 * 60, 1)), NOON)
    eight_hours = 8 * 3600
    assert seconds_at(evening, 100) == 100
    assert seconds_at(evening, eight_hours + 5000) == eight_hours + 50
    night = 10 * 3600
    assert seconds_at(evening, eight_hours + night * 100 + 7) == eight_hours + night + 7


def test_the_slower_of_two_sides_decides_and_a_free_side_leaves_only_a_minimum() -> None:
    reads = replace(demand_of(ORDERS, "us-east-1", "source", Cap(10, "-c", "RCU")), units=Amount(100, 90, 110))
    writes = replace(demand_of(ORDERS, "us-east-1", "target", Cap(100, "-c", "WCU")), units=Amount.exact(2000))
    caps = Cap(10, "-c", "RCU"), Cap(100, "-c", "WCU")
    spent, why = time_of([(reads, caps[0]), (writes, caps[1])])
    assert (spent, why) == (Amount(20, 20, 20), "the cap of the writes of Orders, 100 WCU a second")
    free = replace(writes, cap_units_per_s=None)
    spent, why = time_of([(reads, caps[0]), (free, Cap(math.inf, "", "WCU"))])
    assert spent is None and "no cap holds the writes of Orders" in why and "needs 10 s at least" in why
    few = replace(reads, units=Amount.exact(3))
    assert "needs 0.3 s at least" in time_of([(few, caps[0]), (free, Cap(math.inf, "", "WCU"))])[1]
    spent, why = time_of([(replace(reads, units=None), caps[0])])
    assert (spent, why) == (None, "unknown, as the reads of Orders are")


def test_a_scan_of_a_few_items_costs_no_less_than_an_empty_one() -> None:
    few = scan_units(Amount(665.0, 637.0, 671.0), Amount.exact(5), 1, 1e6, consistent=False)
    assert few == Amount.exact(0.5)
    demand = replace(demand_of(ORDERS, "us-east-1", "source", Cap(10, "-c", "RCU")), items=Amount.exact(5), units=few)
    assert "Reads of table Orders: 5 items, 0.5 RCU" in lines_of(Forecast(demands=(demand,)))


def test_the_demand_on_a_table() -> None:
    demand = demand_of(ORDERS, "us-east-1", "target", Cap(math.inf, "none", "WCU"), {"byCity": 5.0})
    assert (demand.replicas, demand.billing, demand.cap_units_per_s) == (("eu-west-1",), "on-demand", None)
    assert demand.index_caps == {"byCity": 5.0}


@pytest.mark.parametrize(
    "size_bytes, items, segments, page_bytes, expected",
    [
        (8192 * 1000, 1000, 1, 1 << 20, 1000 + 0.25 * 8.3),  # full pages: rounding hardly matters
        (8192 * 1000, 100_000, 1, 8192, 1000 + 0.25 * 1000.5),  # pages of a unit: half a step each
        (0, 0, 10, 1 << 20, 5.0),  # each empty segment costs half a unit
    ],
)
def test_the_units_of_a_scan(size_bytes: int, items: int, segments: int, page_bytes: int, expected: float) -> None:
    units = scan_units(Amount.exact(size_bytes), Amount.exact(items), segments, page_bytes, consistent=False)
    assert units.is_exact and units.likely == pytest.approx(expected, rel=0.001)
    both = scan_units(Amount.exact(size_bytes), Amount.exact(items), segments, page_bytes, consistent=True)
    assert both.likely == pytest.approx(2 * expected, rel=0.001)
