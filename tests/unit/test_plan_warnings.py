"""What a plan warns of: caps above what there is, a slow index, a hot key, another region, no way back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

from ddbio.aws.location import machine_region
from ddbio.forecast import warnings
from ddbio.forecast.demands import demand_of
from ddbio.forecast.forecast import Amount
from ddbio.rate.caps import Cap
from tests.support.tables import table

ORDERS = table({"id": "S"}, {"byCity": {"city": "S"}}, ItemCount=5)


def said(cap: float, quota: float | None = None, units_per_s: int = 0) -> list[str]:
    throughput = {"ReadCapacityUnits": units_per_s, "WriteCapacityUnits": units_per_s}
    info = table({"id": "S"}, BillingModeSummary={}, ProvisionedThroughput=throughput) if units_per_s else ORDERS
    of_cap = Cap(cap, "-c", "WCU")
    return [*warnings.of_table(info, of_cap, demand_of(info, "r", "target", of_cap), quota)]


def test_of_caps() -> None:
    assert said(40_000, 40_000) == said(math.inf, 40_000) == said(90_000, None) == said(100, units_per_s=100) == []
    (quota,) = said(50_000, 40_000)
    assert "50,000 WCU is above the account's quota of 40,000 write units" in quota
    (over,) = said(200, units_per_s=100)
    assert "200 WCU is above the 100 that table Orders has" in over


def test_of_an_index_that_is_slower_than_its_table() -> None:
    cap = Cap(100, "-c", "WCU")
    demand = replace(demand_of(ORDERS, "r", "target", cap, {"byCity": 10.0}), units=Amount.exact(1000))
    assert [*warnings.of_table(ORDERS, cap, replace(demand, by_index={"byCity": Amount.exact(99)}), None)] == []
    (slow,) = warnings.of_table(ORDERS, cap, replace(demand, by_index={"byCity": Amount.exact(101)}), None)
    assert slow.startswith("Index byCity of table Orders is the bottleneck: with its 10 WCU")


def test_of_a_hot_key_only_if_it_limits_the_job() -> None:
    assert [*warnings.of_hot_key("a", 500, 0.1, 9000)] == []
    assert [*warnings.of_hot_key("a", 20, 0.9, 9000)] == [], "too few to say"
    (hot,) = warnings.of_hot_key("a", 500, 0.5, 9000)
    assert "has 50% of the sampled write units: at the cap it needs 4,500 WCU" in hot
    assert len([*warnings.of_hot_key("a", 500, 0.06, math.inf)]) == 1
    assert [*warnings.of_hot_key("a", 500, 0.04, math.inf)] == []


def test_of_the_region_of_the_machine(tmp_path: Path) -> None:
    assert [*warnings.of_regions(None, ["eu-west-1"])] == [*warnings.of_regions("eu-west-1", ["eu-west-1"])] == []
    (away,) = warnings.of_regions("us-east-1", ["eu-west-1", "us-east-1"])
    assert away.startswith("This machine is in us-east-1, and the table in eu-west-1:")
    data = tmp_path / "instance-data.json"
    assert machine_region({"AWS_REGION": "mars"}, data) is None, "the user may have set that"
    assert machine_region({"AWS_REGION": "x", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}, data) == "x"
    data.write_text(json.dumps({"v1": {"cloud_name": "aws", "region": "eu-west-3"}}))
    assert machine_region({}, data) == "eu-west-3"
    data.write_text(json.dumps({"v1": {"cloud_name": "azure", "region": "eu"}}))
    assert machine_region({}, data) is None
    data.write_text("[]")
    assert machine_region({}, data) is None


def test_of_a_table_without_a_history() -> None:
    assert [*warnings.of_history(ORDERS, True, "replaced")] == []
    assert [*warnings.of_history(table({"id": "S"}), False, "replaced")] == [], "it has no items"
    (off,) = warnings.of_history(ORDERS, False, "replaced")
    assert off == "Point-in-time recovery of table Orders is off: items that are replaced cannot be restored"
    (unknown,) = warnings.of_history(ORDERS, None, "deleted")
    assert "may be off (unknown" in unknown
