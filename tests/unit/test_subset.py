"""Which part of a table an export takes: the request it makes, the segments it scans, what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from ddbio.errors import UsageError
from ddbio.sources.subset import choose_subset, described, expected_items, notes, segments_of, units_of
from ddbio.values.table import TableInfo
from ddbio.verbs.options import ExportOptions
from tests.support.tables import table

ORDERS = table({"id": "S", "at": "N"}, {"byDay": {"day": "S"}}, ItemCount=1000, TableSizeBytes=10_000)


def options(**others: Any) -> ExportOptions:
    return ExportOptions(table="Orders", destination="out", **others)


def test_the_whole_table_asks_for_nothing_special() -> None:
    subset, _ = choose_subset(options(), ORDERS)
    assert (subset.members, subset.filters, described(options(), [])) == ({}, False, {})
    assert list(notes(options(), ORDERS, [])) == []


def test_the_request_of_a_part() -> None:
    asked = options(
        attributes="id,#c", filter="status = :s", values='{"s": "x"}', names='{"c": "user-id"}', index="byDay"
    )
    subset, _ = choose_subset(asked, ORDERS)
    assert subset.members == {
        "IndexName": "byDay",
        "FilterExpression": "#n0 = :s",
        "ProjectionExpression": "#n1,#n2",
        "ExpressionAttributeNames": {"#n0": "status", "#n1": "id", "#n2": "user-id"},
        "ExpressionAttributeValues": {":s": {"S": "x"}},
    }
    said = list(notes(asked, ORDERS, []))
    assert said[0] == "--filter and --attributes do not lower the cost: every item is read"
    assert "may be missed or read twice" in said[1]
    assert "Without the key (at)" in said[2]


@pytest.mark.parametrize(
    ("others", "says"),
    [
        ({"values": "{}"}, "add --filter"),
        ({"index": "byNight"}, "it has byDay"),
        ({"index": "byDay", "consistent_read": True}, "omit --consistent-read"),
        ({"filter": "a = :b", "values": "{"}, "--values"),
    ],
)
def test_what_cannot_be_a_part(others: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as refused:
        choose_subset(options(**others), ORDERS)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("others", "suits", "segments"),
    [
        ({}, 16, 16),
        ({"segments": 7, "sample": 1.0, "limit": 5}, 16, 7),
        ({"limit": 10}, 16, 1),
        ({"limit": 3500}, 16, 4),
        ({"limit": 10, "filter": "a = b"}, 16, 16),  # nobody knows how much must be read for ten
        ({"sample": 10.0}, 16, 200),
        ({"sample": 10.0}, 5000, 5000),
        ({"sample": 0.0001}, 16, 1_000_000),
    ],
)
def test_how_many_segments(others: dict[str, Any], suits: int, segments: int) -> None:
    assert segments_of(options(**others), suits) == segments


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    def chosen(seed: int) -> list[int]:
        units = units_of(options(sample=10.0, seed=seed), 200)
        assert [unit.number for unit in units] == list(range(20))
        assert {unit.total_segments for unit in units} == {200}
        return [unit.segment for unit in units]

    assert chosen(0) == chosen(0) == sorted(set(chosen(0)))
    assert chosen(0) != chosen(1)
    assert len(units_of(options(sample=100.0), 3)) == 3
    assert len(units_of(options(sample=0.1), 3)) == 1
    (sentence,) = notes(options(sample=10.0), ORDERS, units_of(options(sample=10.0), 200))
    assert sentence.startswith("Sample: 20 of 200 segments (--seed 0): ")


def test_what_is_expected_and_what_the_manifest_tells() -> None:
    assert expected_items(options(), ORDERS) == 1000
    assert expected_items(options(sample=10.0, limit=500), ORDERS) == 100
    assert expected_items(options(limit=50), ORDERS) == 50
    assert expected_items(options(limit=50, filter="a = b"), ORDERS) == 1000
    asked = options(sample=50.0, limit=3)
    units = units_of(asked, 4)
    assert described(asked, units) == {"limit": 3, "sample": 50.0, "sampled_segments": [u.segment for u in units]}


def test_an_index_has_its_own_capacity_and_size() -> None:
    provisioned: dict[str, Any] = {
        **ORDERS.description,
        "ProvisionedThroughput": {"ReadCapacityUnits": 100, "WriteCapacityUnits": 100},
        "BillingModeSummary": {"BillingMode": "PROVISIONED"},
    }
    (index,) = provisioned["GlobalSecondaryIndexes"]
    index = {**index, "ItemCount": 7, "IndexSizeBytes": 70}
    index["ProvisionedThroughput"] = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    seen = TableInfo.of({**provisioned, "GlobalSecondaryIndexes": [index]}).through("byDay")
    assert (seen.read_units, seen.item_count, seen.size_bytes) == (5, 7, 70)
    local = TableInfo.of({**provisioned, "GlobalSecondaryIndexes": [], "LocalSecondaryIndexes": [index]})
    assert local.through("byDay").read_units == 100
