"""What `-c` means, what it means not to give it, and what it must not mean."""

from __future__ import annotations

import datetime
import math
from typing import Any

import pytest

from ddbio.errors import UsageError
from ddbio.rate.caps import Cap, choose_cap
from tests.support.tables import table

PROVISIONED = table(
    {"id": "S"}, BillingModeSummary={}, ProvisionedThroughput={"ReadCapacityUnits": 50, "WriteCapacityUnits": 1000}
)
ON_DEMAND = table({"id": "S"})
LIMITED = table({"id": "S"}, OnDemandThroughput={"MaxReadRequestUnits": 300, "MaxWriteRequestUnits": 4000})


@pytest.mark.parametrize(
    ("capacity", "info", "kind", "units_per_s", "text"),
    [
        (None, PROVISIONED, "WCU", 1000, "1,000 WCU (the table's provisioned units; -c sets another)"),
        (None, PROVISIONED, "RCU", 50, "50 RCU (the table's provisioned units; -c sets another)"),
        (None, LIMITED, "WCU", 4000, "4,000 WCU (the table's on-demand maximum; -c sets another)"),
        (None, LIMITED, "RCU", 300, "300 RCU (the table's on-demand maximum; -c sets another)"),
        (None, ON_DEMAND, "WCU", math.inf, "no cap (the table is on-demand and no -c was given)"),
        ("500", PROVISIONED, "WCU", 500, "500 WCU (-c)"),
        ("1000", PROVISIONED, "WCU", 1000, "1,000 WCU (-c)"),
        ("12.5", PROVISIONED, "RCU", 12.5, "12.5 RCU (-c)"),
        ("0.5", ON_DEMAND, "WCU", 0.5, "0.5 WCU (-c)"),
        ("1e5", ON_DEMAND, "WCU", 100_000, "100,000 WCU (-c)"),
        ("1234567", ON_DEMAND, "WCU", 1_234_567, "1,234,567 WCU (-c)"),
        ("9000", LIMITED, "WCU", 9000, "9,000 WCU (-c)"),
        ("60%", PROVISIONED, "WCU", 600, "600 WCU (60% of the table's provisioned units of 1,000)"),
        ("12.5%", PROVISIONED, "RCU", 6.25, "6.25 RCU (12.5% of the table's provisioned units of 50)"),
        ("100%", LIMITED, "WCU", 4000, "4,000 WCU (100% of the table's on-demand maximum of 4,000)"),
    ],
)
def test_a_cap_is_a_number_and_where_it_came_from(
    capacity: str | None, info: Any, kind: str, units_per_s: float, text: str
) -> None:
    cap = choose_cap(capacity, info, kind)
    assert (cap.units_per_s, str(cap)) == (units_per_s, text)
    assert cap.next_change(datetime.datetime(2026, 11, 21)) is None


@pytest.mark.parametrize(
    ("capacity", "info", "message"),
    [
        ("0", ON_DEMAND, "-c 0 is not a capacity"),
        ("-5", ON_DEMAND, "-c -5 is not a capacity"),
        ("nan", ON_DEMAND, "is not a capacity"),
        ("inf", ON_DEMAND, "is not a capacity"),
        ("1e999", ON_DEMAND, "is not a capacity"),
        ("", ON_DEMAND, "is not a capacity"),
        ("fast", ON_DEMAND, "-c fast is not a capacity"),
        ("%", PROVISIONED, "-c % is not a capacity"),
        ("0%", PROVISIONED, "-c 0% is not a capacity"),
        ("-10%", PROVISIONED, "-c -10% is not a capacity"),
        ("101%", PROVISIONED, "-c 101% is more than all"),
        ("60%", ON_DEMAND, "is a share of nothing"),
        ("1001", PROVISIONED, "is more than the 1,000 WCU that table Orders has"),
        ("1,000", ON_DEMAND, "'000' is not a time and a capacity"),
        ("100,25:00=200", ON_DEMAND, "'25:00=200' is not a time and a capacity"),
        ("100,20:60=200", ON_DEMAND, "is not a time and a capacity"),
        ("100,20:00=", ON_DEMAND, "is not a time and a capacity"),
        ("100,20:00=0", ON_DEMAND, "-c 0 is not a capacity"),
        ("100,20:00=60%", ON_DEMAND, "is a share of nothing"),
        ("100,20:00=2000", PROVISIONED, "is more than the 1,000 WCU"),
        ("100,", ON_DEMAND, "'' is not a time and a capacity"),
    ],
)
def test_what_is_no_cap_is_refused_before_anything_is_moved(capacity: str, info: Any, message: str) -> None:
    with pytest.raises(UsageError) as error:
        choose_cap(capacity, info, "WCU")
    assert message in error.value.message
    assert error.value.hint


def test_more_than_the_table_has_can_be_insisted_on() -> None:
    assert choose_cap("5000", PROVISIONED, "WCU", over_provisioned=True).units_per_s == 5000


# --------------------------------------------------------------------------- time tables


def at(hour: int, minute: int = 0, second: int = 0) -> datetime.datetime:
    return datetime.datetime(2026, 11, 21, hour, minute, second)


def next_of(cap: Cap, now: datetime.datetime) -> tuple[float, float]:
    """Seconds until the next change, and the cap from then on."""
    change = cap.next_change(now)
    assert change is not None
    return (change.next_after(now) - now).total_seconds(), change.units_per_s


@pytest.mark.parametrize(
    ("now", "units_per_s", "next_change"),
    [
        (at(5), 20_000, (3600, 1000)),
        (at(6), 1000, (14 * 3600, 20_000)),
        (at(12), 1000, (8 * 3600, 20_000)),
        (at(19, 59, 59), 1000, (1, 20_000)),
        (at(20), 20_000, (10 * 3600, 1000)),
        (at(23, 30), 20_000, (6.5 * 3600, 1000)),
    ],
)
def test_a_time_table_holds_from_time_to_time(
    now: datetime.datetime, units_per_s: float, next_change: tuple[float, float]
) -> None:
    cap = choose_cap("20:00=20000,06:00=1000", ON_DEMAND, "WCU", now=now)
    assert (cap.units_per_s, next_of(cap, now)) == (units_per_s, next_change)


def test_a_first_number_holds_until_the_first_time_comes() -> None:
    cap = choose_cap("50,20:00=60%,6:30=12.5", PROVISIONED, "WCU", now=at(23))
    assert cap.units_per_s == 50
    assert next_of(cap, at(23)) == (7.5 * 3600, 12.5)
    assert next_of(cap, at(7)) == (13 * 3600, 600)
    assert str(cap) == "50 WCU, 600 from 20:00, 12.5 from 06:30 (-c, by local time)"


def test_a_single_time_comes_every_day() -> None:
    cap = choose_cap("20:00=5", ON_DEMAND, "WCU", now=at(3))
    assert (cap.units_per_s, next_of(cap, at(20)), next_of(cap, at(19))) == (5, (86400, 5), (3600, 5))
