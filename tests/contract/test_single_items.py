"""Conditional writes of one item and BatchGetItem, asserted of every server that the other tests run against.

The assertions are AWS's rules, like those of test_endpoints.py, which lists the deviations in the same way.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.contract.test_endpoints import client, in_order, item_of, items_in, refusal, scan, table, write
from tests.endpoints import Endpoint
from tests.support.deviations import Deviations, expect_deviations, unknown_tests

__all__ = ["client", "table"]

BAD_KEYS = [f"test_a_bad_batch_of_keys_is_refused[{case}]" for case in ("no sort key", "more than the key", "type")]

DEVIATIONS: Deviations = {
    "moto": {
        "it has words of its own": [
            f"test_a_bad_condition_is_refused[{operation}-{case}]"
            for operation in ("delete", "put")
            for case in ("syntax", "undefined", "unused", "empty")
        ],
        "keys of a batch are not checked": BAD_KEYS,
        "it always reports a capacity of 1.0 a call": [
            "test_a_delete_costs_and_returns_what_it_deleted",
            "test_each_item_of_a_batch_is_rounded_up_and_absent_ones_count[eventual]",
            "test_each_item_of_a_batch_is_rounded_up_and_absent_ones_count[consistent]",
        ],
        "a reply has no limit": ["test_a_reply_of_more_than_16_megabytes_leaves_keys_unprocessed"],
    },
    "dynamodb-local": {
        "it has words of its own": [*BAD_KEYS, "test_a_bad_batch_of_keys_is_refused[101]"],
        "the read of an absent item is free": [
            "test_each_item_of_a_batch_is_rounded_up_and_absent_ones_count[eventual]",
            "test_each_item_of_a_batch_is_rounded_up_and_absent_ones_count[consistent]",
        ],
    },
    "dynoxide": {
        "it has words of its own": [
            "test_a_bad_condition_is_refused[delete-syntax]",
            "test_a_bad_condition_is_refused[put-syntax]",
        ],
    },
    "dynalite": {
        "lists are compared by their JSON": [
            "test_a_write_whose_condition_does_not_hold_changes_nothing[delete-whole list]",
            "test_a_write_whose_condition_does_not_hold_changes_nothing[put-whole list]",
        ],
        "it is older than ReturnValuesOnConditionCheckFailure": [
            "test_a_failed_condition_shows_the_item_if_asked[delete]",
            "test_a_failed_condition_shows_the_item_if_asked[put]",
        ],
        "a delete takes any ReturnValues": ["test_a_bad_condition_is_refused[delete-return values]"],
        "replies are cut at a random size": ["test_a_reply_of_more_than_16_megabytes_leaves_keys_unprocessed"],
    },
}


@pytest.fixture(autouse=True)
def known_deviation(request: pytest.FixtureRequest, dynamodb_endpoint: Endpoint) -> None:
    expect_deviations(request, dynamodb_endpoint.name, DEVIATIONS)


def test_deviations_name_tests_that_exist(request: pytest.FixtureRequest) -> None:
    assert not unknown_tests(request, DEVIATIONS)


# -- conditions -----------------------------------------------------------------------------------------------

STORED = item_of(1, n={"N": "5"}, s={"S": "abc"}, l={"L": [{"N": "1"}]}, ss={"SS": ["x", "y"]})
FAILED = ("ConditionalCheckFailedException", "The conditional request failed")

CONDITIONS = [
    pytest.param("attribute_exists(n) AND n = :n", {":n": {"N": "5.0"}}, True, id="numeric equality"),
    pytest.param("n BETWEEN :n AND :n", {":n": {"N": "5"}}, True, id="between"),
    pytest.param("NOT contains(ss, :x) OR begins_with(s, :a)", {":x": {"S": "x"}, ":a": {"S": "a"}}, True, id="or"),
    pytest.param("l[0] = :l AND size(s) = :s", {":l": {"N": "1"}, ":s": {"N": "3"}}, True, id="path and size"),
    pytest.param("ss = :ss", {":ss": {"SS": ["y", "x"]}}, True, id="sets have no order"),
    pytest.param("l = :l", {":l": {"L": [{"N": "1.0"}]}}, True, id="whole list"),
    pytest.param("n IN (:a, :b)", {":a": {"N": "4"}, ":b": {"S": "5"}}, False, id="in"),
    pytest.param("attribute_not_exists(n)", {}, False, id="not exists"),
    pytest.param("absent = :n", {":n": {"N": "5"}}, False, id="absent attribute"),
]


def conditional(condition: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"ConditionExpression": condition} | ({"ExpressionAttributeValues": values} if values else {})


@pytest.mark.parametrize(("condition", "values", "holds"), CONDITIONS)
@pytest.mark.parametrize("operation", ["delete", "put"])
def test_a_write_whose_condition_does_not_hold_changes_nothing(
    client: Any, table: str, operation: str, condition: str, values: dict[str, Any], holds: bool
) -> None:
    write(client, table, [STORED])

    def call() -> None:
        if operation == "delete":
            client.delete_item(TableName=table, Key=item_of(1), **conditional(condition, values))
        else:
            client.put_item(TableName=table, Item=item_of(1), **conditional(condition, values))

    if holds:
        call()
        assert items_in(scan(client, table)) == ([] if operation == "delete" else [item_of(1)])
    else:
        assert refusal(call) == FAILED
        (kept,) = items_in(scan(client, table))
        assert kept["n"] == STORED["n"]


def test_the_condition_of_an_absent_item(client: Any, table: str) -> None:
    present = conditional("attribute_exists(#h)", {}) | {"ExpressionAttributeNames": {"#h": "hash"}}
    assert refusal(lambda: client.delete_item(TableName=table, Key=item_of(1), **present)) == FAILED
    client.delete_item(TableName=table, Key=item_of(1), **conditional("attribute_not_exists(n)", {}))
    client.put_item(TableName=table, Item=item_of(1), **conditional("n <> :n", {":n": {"N": "5"}}))
    assert items_in(scan(client, table)) == [item_of(1)]


@pytest.mark.parametrize("operation", ["delete", "put"])
def test_a_failed_condition_shows_the_item_if_asked(client: Any, table: str, operation: str) -> None:
    stored = item_of(1, d={"S": "x" * 2500})
    write(client, table, [stored])
    options = conditional("attribute_exists(absent)", {}) | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as failed:
        if operation == "delete":
            client.delete_item(TableName=table, Key=item_of(1), **options)
        else:
            client.put_item(TableName=table, Item=item_of(1), **options)
    assert failed.value.response["Item"] == stored


def test_a_delete_costs_and_returns_what_it_deleted(client: Any, table: str) -> None:
    stored = item_of(1, d={"S": "x" * 2500})
    write(client, table, [stored])
    options = {"ReturnValues": "ALL_OLD", "ReturnConsumedCapacity": "TOTAL"}
    answer = client.delete_item(
        TableName=table, Key=item_of(1), **options, **conditional("size(d) > :n", {":n": {"N": "2499"}})
    )
    assert (answer["Attributes"], answer["ConsumedCapacity"]["CapacityUnits"]) == (stored, 3)
    assert "Attributes" not in client.delete_item(TableName=table, Key=item_of(1), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(conditional("n =", {}), "Syntax error", id="syntax"),
        pytest.param(conditional("n = :n", {}), "An expression attribute value used in expression", id="undefined"),
        pytest.param(
            conditional("attribute_exists(n)", {":n": {"N": "1"}}),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:n}",
            id="unused",
        ),
        pytest.param(conditional("", {}), "The expression can not be empty", id="empty"),
        pytest.param({"ReturnValues": "ALL_NEW"}, "(?i)return ?values", id="return values"),
    ],
)
@pytest.mark.parametrize("operation", ["delete", "put"])
def test_a_bad_condition_is_refused(
    client: Any, table: str, operation: str, options: dict[str, Any], message: str
) -> None:
    write(client, table, [STORED])
    key = {"Key": item_of(1)} if operation == "delete" else {"Item": item_of(1)}
    code, said = refusal(lambda: getattr(client, f"{operation}_item")(TableName=table, **key, **options))
    assert code == "ValidationException"
    assert re.search(message, said)
    assert len(items_in(scan(client, table))) == 1


# -- BatchGetItem ---------------------------------------------------------------------------------------------


def get(client: Any, table: str, keys: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    detail = {"ReturnConsumedCapacity": options.pop("detail", "NONE")}
    answer: dict[str, Any] = client.batch_get_item(RequestItems={table: {"Keys": keys, **options}}, **detail)
    return answer


def test_a_batch_of_100_keys_returns_the_items_that_exist(client: Any, table: str) -> None:
    items = [item_of(number, v={"N": str(number)}) for number in range(50)]
    for start in (0, 25):
        write(client, table, items[start : start + 25])
    answer = get(client, table, [item_of(number) for number in range(100)], ConsistentRead=True)
    assert in_order(answer["Responses"][table]) == items
    assert answer["UnprocessedKeys"] == {}


def test_a_batch_returns_only_the_attributes_of_its_projection(client: Any, table: str) -> None:
    write(client, table, [item_of(1, a={"M": {"b": {"S": "x"}, "c": {"S": "y"}}}, size={"N": "1"})])
    answer = get(client, table, [item_of(1)], ProjectionExpression="a.b, #s", ExpressionAttributeNames={"#s": "size"})
    assert answer["Responses"][table] == [{"a": {"M": {"b": {"S": "x"}}}, "size": {"N": "1"}}]


@pytest.mark.parametrize(
    ("consistent", "factor"),
    [pytest.param(False, 0.5, id="eventual"), pytest.param(True, 1.0, id="consistent")],
)
def test_each_item_of_a_batch_is_rounded_up_and_absent_ones_count(
    client: Any, table: str, consistent: bool, factor: float
) -> None:
    write(client, table, [item_of(1, d={"S": "x" * 5000}), item_of(2)])
    answer = get(
        client, table, [item_of(number) for number in (1, 2, 3)], ConsistentRead=consistent, detail="INDEXES"
    )
    (consumed,) = answer["ConsumedCapacity"]
    assert consumed["CapacityUnits"] == consumed["Table"]["CapacityUnits"] == (2 + 1 + 1) * factor


def test_a_reply_of_more_than_16_megabytes_leaves_keys_unprocessed(client: Any, table: str) -> None:
    for number in range(60):
        client.put_item(TableName=table, Item=item_of(number, d={"S": "x" * 300_000}))
    answer = get(client, table, [item_of(number) for number in range(60)], ConsistentRead=True)
    found, left = answer["Responses"][table], answer["UnprocessedKeys"][table]
    assert left["ConsistentRead"] is True
    assert 45 <= len(found) <= 56
    rest = client.batch_get_item(RequestItems=answer["UnprocessedKeys"])["Responses"][table]
    assert sorted(item["hash"]["S"] for item in found + rest) == [
        item_of(number)["hash"]["S"] for number in range(60)
    ]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        pytest.param([item_of(number) for number in range(101)], "less than or equal to 100", id="101"),
        pytest.param([item_of(1), item_of(2), item_of(1)], "item keys contains duplicates", id="duplicates"),
        pytest.param([{"hash": {"S": "x"}}], "does not match the schema", id="no sort key"),
        pytest.param([item_of(1, v={"N": "1"})], "does not match the schema", id="more than the key"),
        pytest.param([item_of(1) | {"range": {"N": "1"}}], "does not match the schema", id="type"),
    ],
)
def test_a_bad_batch_of_keys_is_refused(client: Any, table: str, keys: list[dict[str, Any]], message: str) -> None:
    code, said = refusal(lambda: get(client, table, keys))
    assert (code, message in said) == ("ValidationException", True)
