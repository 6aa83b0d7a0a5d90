"""What is said of a table before a job begins."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import pytest

from ddbio.dynamodb.notices import table_notices
from ddbio.rate.caps import Cap, choose_cap
from tests.support.tables import table

WARM = {"WarmThroughput": {"ReadUnitsPerSecond": 12_000, "WriteUnitsPerSecond": 4_000, "Status": "ACTIVE"}}
REPLICAS = {"Replicas": [{"RegionName": "us-west-2"}, {"RegionName": "eu-west-1"}]}
PROVISIONED = {
    "BillingModeSummary": {"BillingMode": "PROVISIONED"},
    "ProvisionedThroughput": {"ReadCapacityUnits": 9, "WriteCapacityUnits": 9},
}


def notices(units_per_s: float, kind: str = "WCU", **description: Any) -> str:
    return "\n".join(table_notices(table({"id": "S"}, **description), Cap(units_per_s, "-c", kind)))


def test_a_plain_table_needs_no_words() -> None:
    assert notices(math.inf) == ""
    assert notices(100, **WARM, Replicas=None) == ""


def test_replicas_are_named_where_they_pay() -> None:
    assert "its replicas in eu-west-1, us-west-2 consume the same writes" in notices(10, **REPLICAS)
    assert notices(10, "RCU", **REPLICAS) == ""


@pytest.mark.parametrize(
    ("units_per_s", "kind", "words"),
    [
        (4_000, "WCU", ""),
        (4_001, "WCU", "takes 4,000 write units per second at once"),
        (math.inf, "WCU", "--warm-throughput WriteUnitsPerSecond=N"),
        (12_000, "RCU", ""),
        (math.inf, "RCU", "takes 12,000 read units per second at once"),
    ],
)
def test_a_job_that_may_ask_for_more_than_is_warm_says_so(units_per_s: float, kind: str, words: str) -> None:
    said = notices(units_per_s, kind, **WARM)
    assert words in said
    assert bool(words) == bool(said)


def test_a_later_time_of_the_schedule_counts() -> None:
    cap = choose_cap("100,20:00=5000", table({"id": "S"}), "WCU", now=datetime(2026, 11, 30, 12))
    assert list(table_notices(table({"id": "S"}, **WARM), cap))


def test_a_provisioned_table_has_what_it_has() -> None:
    assert notices(math.inf, **WARM, **PROVISIONED) == ""
