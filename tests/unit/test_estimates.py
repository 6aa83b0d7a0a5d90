"""What a batch will consume, by budget, before it is sent; and what the answers teach."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.sinks.estimates import WriteEstimates
from ddbio.values.table import TableInfo
from tests.support.tables import table


def described(*, provisioned: bool = True, local: bool = False, projection: str = "KEYS_ONLY") -> TableInfo:
    index: dict[str, Any] = {
        "IndexName": "byDay",
        "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": projection},
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 7},
    }
    description: dict[str, Any] = {
        "TableName": "Orders",
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "day")],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5 if provisioned else 0},
        "LocalSecondaryIndexes" if local else "GlobalSecondaryIndexes": [index],
    }
    if not provisioned:
        description["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST"}
    return TableInfo.of(description)


ITEM = {"id": {"S": "a"}, "day": {"S": "monday"}, "text": {"S": "x" * 3000}}
SPARSE = {"id": {"S": "a"}, "text": {"S": "x" * 3000}}


@pytest.mark.parametrize(
    ("info", "item", "expected"),
    [
        (described(), ITEM, (3, 1)),  # the index holds the keys alone
        (described(), SPARSE, (3, 0)),  # and nothing of an item without its key
        (described(local=True), ITEM, (4,)),  # a local index writes on the table's account
        (described(provisioned=False), ITEM, (4,)),  # on demand all is one budget
        (described(projection="ALL"), ITEM, (3, 3)),  # the index holds all of the item
        (described(local=True, projection="ALL"), ITEM, (6,)),
        (described(provisioned=False, projection="ALL"), ITEM, (6,)),
    ],
)
def test_what_a_put_consumes(info: TableInfo, item: Any, expected: tuple[int, ...]) -> None:
    assert WriteEstimates(info).of_put(item, False) == expected


@given(st.integers(0, 6000))
def test_an_entry_of_an_index_that_holds_all_costs_what_the_item_costs(text_bytes: int) -> None:
    item = {"id": {"S": "a"}, "day": {"S": "monday"}, "text": {"S": "x" * text_bytes}}
    units = math.ceil((len("idadaymondaytext") + text_bytes) / 1024)
    assert WriteEstimates(described(projection="ALL")).of_put(item, units == 1) == (units, units)
    assert WriteEstimates(described(projection="ALL"), deletes=True).of_delete(item, units == 1) == (units, units)


def test_small_puts_are_charged_to_the_budgets_of_their_entries() -> None:
    assert WriteEstimates(described()).of_puts(25, [7]) == (25, 7)
    assert WriteEstimates(described(local=True)).of_puts(25, [7]) == (32,)


def test_what_a_delete_consumes_is_told_by_the_record_or_learned() -> None:
    estimates = WriteEstimates(described(), deletes=True)
    assert estimates.of_delete(ITEM, small=False) == (3, 1)
    assert estimates.of_delete({"id": {"S": "a"}}, small=True) == (1, 1)
    for _ in range(300):
        estimates.learn(estimates.of_batch([(25, 25)]), (1000.0, 0.0))  # 40 KB each, in no index
    units, index = estimates.of_batch([(1, 1)])
    assert units == pytest.approx(40, rel=0.01)
    assert index < 0.1


def test_a_batch_is_the_sum_of_its_puts() -> None:
    assert WriteEstimates(described()).of_batch([(3, 1), (1, 0), (2, 2)]) == (6.0, 3.0)


def test_answers_correct_the_estimates_of_the_budget_they_are_about() -> None:
    estimates = WriteEstimates(described())
    for _ in range(100):
        estimate = estimates.of_batch([(10, 10)])
        estimates.learn(estimate, (10.0, 0.0))  # a load over existing items: the index entries do not change
    units, index = estimates.of_batch([(10, 10)])
    assert units == pytest.approx(10)
    assert 0 < index < 1
    for _ in range(200):
        estimates.learn(estimates.of_batch([(10, 10)]), (10.0, 20.0))  # index keys change: two writes an entry
    assert estimates.of_batch([(10, 10)])[1] == pytest.approx(20, rel=0.05)


def test_a_table_without_indexes_has_one_budget_which_is_corrected() -> None:
    estimates = WriteEstimates(table({"id": "S"}))
    assert estimates.of_put(ITEM, False) == (3,)
    assert estimates.of_put({"id": {"S": "x" * 1500}}, False) == (2,)
    assert estimates.of_put(ITEM, True) == (1,)
    estimates.learn((10.0,), (20.0,))
    assert estimates.of_batch([(3,), (1,)]) == (pytest.approx(4 * 1.1),)


def test_items_and_names_that_are_too_large_are_rejected() -> None:
    estimates = WriteEstimates(table({"id": "S"}))
    assert estimates.of_put({"id": {"S": "x" * 70_000}}, False) == (69,)
    assert estimates.of_put({"id": {"S": "x" * (400 * 1024 - 2)}}, False) == (400,)
    assert estimates.of_put({"id": {"S": "a"}, "n" * 65_536: {"S": "b"}}, False) == (65,)
    for item, code in (
        ({"id": {"S": "x" * 410_000}}, "item-too-large"),
        ({"id": {"S": "a"}, "n" * 65_537: {"S": "b"}}, "name-too-long"),
    ):
        with pytest.raises(RecordError) as raised:
            estimates.of_put(item, False)
        assert raised.value.code == code


def test_a_local_index_is_charged_to_the_table_though_a_global_one_has_a_budget() -> None:
    both = described().description | {
        "LocalSecondaryIndexes": described(local=True).description["LocalSecondaryIndexes"]
    }
    both["LocalSecondaryIndexes"][0]["IndexName"] = "local"
    assert WriteEstimates(TableInfo.of(both)).of_put(ITEM, False) == (4, 1)


def test_an_item_of_unknown_size_is_expected_to_have_the_mean_size() -> None:
    info = table({"id": "S"}, TableSizeBytes=100 * 3000, ItemCount=100)
    assert WriteEstimates(info).of_unknown() == (3,)
    assert WriteEstimates(table({"id": "S"}, TableSizeBytes=0, ItemCount=0)).of_unknown() == (1,)


def test_one_strange_answer_does_not_move_them_far() -> None:
    estimates = WriteEstimates(described())
    estimates.learn((10.0, 10.0), (1000.0, 10.0))
    assert estimates.of_batch([(10, 10)])[0] <= 40
    for _ in range(200):
        estimates.learn((10.0, 10.0), (0.0, 0.0))
    estimates.learn((0.0, 10.0), (1.0, 0.0))  # nothing was expected of the table: that says nothing of what will be
    assert estimates.of_batch([(10, 10)]) == (pytest.approx(0.2), pytest.approx(0.2))  # never nothing
