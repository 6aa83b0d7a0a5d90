"""The figures of a plan: sums of what is unknown, the bottleneck, and the time at the caps."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from ddbio.forecast.forecast import UNKNOWN, ZERO, Amount, Demand, Forecast, largest, total
from ddbio.forecast.text import lines_of

LOAD = Demand("Orders", "eu-west-1", "target", "WCU", units=Amount(1000, 900, 1200), cap_units_per_s=100.0)
BY_CITY = {"by-city": Amount(1000, 500, 1000)}


def test_a_sum_with_an_unknown_amount_is_unknown() -> None:
    known = Amount(2, 1, 4)
    assert total([known, Amount.exact(3)]) == Amount(5, 4, 7)
    assert total([known, None]) is None
    assert largest([known, Amount(3, 0, 3)]) == Amount(3, 1, 4)
    assert largest([known, None]) is None and largest([]) is None


def test_indexes_without_a_capacity_of_their_own_count_against_the_cap_of_the_table() -> None:
    demand = replace(LOAD, by_index=BY_CITY)
    assert demand.all_units == Amount(2000, 1400, 2200)
    assert demand.seconds == Amount(20, 14, 22)
    assert demand.bottleneck == "table"


def test_an_index_with_a_smaller_capacity_decides_about_the_time() -> None:
    demand = replace(LOAD, by_index=BY_CITY, index_caps={"by-city": 20.0})
    assert demand.seconds == Amount(50, 25, 50)
    assert demand.bottleneck == "by-city"


def test_without_a_cap_or_without_units_there_is_no_time() -> None:
    assert replace(LOAD, cap_units_per_s=None).seconds is None
    assert replace(LOAD, units=None).seconds is None
    assert replace(LOAD, units=None, by_index=BY_CITY, index_caps={"by-city": 20.0}).bottleneck == ""


def test_two_jobs_in_a_row_add_up_but_share_the_machine() -> None:
    first = Forecast((LOAD,), Amount.exact(10), Amount.exact(0), {"PUT": Amount.exact(1)}, processes=3)
    second = Forecast((LOAD,), Amount.exact(5), Amount.exact(7), {"GET": Amount.exact(2)}, processes=5)
    both = replace(first, warnings=("a",)).then(replace(second, warnings=("a", "b")))
    assert (both.read_bytes, both.written_bytes, both.seconds) == (Amount.exact(15), Amount.exact(7), None)
    assert both.s3_requests == {"GET": Amount.exact(2), "PUT": Amount.exact(1)}
    assert (both.processes, both.warnings, len(both.demands)) == (5, ("a", "b"), 2)


@pytest.mark.parametrize("forecast", [UNKNOWN, Forecast((LOAD,), seconds=Amount(1, 0, 2), warnings=("w",))])
def test_a_forecast_survives_json(forecast: Forecast) -> None:
    assert Forecast.of_json(msgspec.json.decode(msgspec.json.encode(forecast.as_json()))) == forecast


def test_what_a_person_reads() -> None:
    demand = replace(LOAD, items=Amount.exact(1), by_index=BY_CITY, replicas=("us-east-1",))
    forecast = Forecast(
        (demand,),
        read_bytes=Amount(2_500_000, 2_400_000, 2_600_000),
        seconds=Amount(3725, 59, 200_000),
        held_by="the cap",
        processes=1,
        memory_bytes=Amount.exact(80_000_000),
        disk_bytes=ZERO,
        planning_units=2.5,
        warnings=("beware",),
    )
    assert [*lines_of(forecast)] == [
        "Writes of table Orders: 1 item, about 1,000 (900 to 1,200) WCU, and about 1,000 (500 to 1,000) of index "
        "by-city, and as many in us-east-1",
        "Time at the cap: about 1 h 2 min (59 s to 2 d 7 h), by the cap",
        "Bytes: about 2.5 MB (2.4 MB to 2.6 MB) read, unknown written",
        "Machine: 1 process, at most 80.0 MB of memory",
        "This plan itself consumed 2.5 RCU, to read a sample of the items",
        "Warning: beware",
    ]
    assert [*lines_of(UNKNOWN)] == []
    assert (
        next(lines_of(Forecast((replace(LOAD, units=None),)))) == "Writes of table Orders: unknown items, unknown WCU"
    )


def test_of_two_jobs_in_a_row_with_one_known_time_both_are_named() -> None:
    first, second = Forecast(seconds=Amount(5, 4, 6), held_by="the cap of A"), Forecast(held_by="no cap holds B")
    assert first.then(second).held_by == "the cap of A (5.0 s); then no cap holds B"
    assert first.then(first).held_by == "the cap of A"
