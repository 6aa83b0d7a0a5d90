"""UpdateItem, conditional writes and BatchGetItem, asserted of every server that the other tests run against.

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


def cases(test: str, *ids: str) -> list[str]:
    return [f"{test}[{case}]" for case in ids]


CHANGES = "test_an_update_changes_what_it_names"
REFUSED = "test_a_bad_update_is_refused_and_changes_nothing"
CREATES = "test_an_update_of_an_absent_item_creates_it"
BAD_KEYS = [f"test_a_bad_batch_of_keys_is_refused[{case}]" for case in ("no sort key", "more than the key", "type")]

DEVIATIONS: Deviations = {
    "moto": {
        "it has words of its own": [
            f"test_a_bad_condition_is_refused[{operation}-{case}]"
            for operation in ("delete", "put")
            for case in ("syntax", "undefined", "unused", "empty")
        ],
        "keys of a batch are not checked": BAD_KEYS,
        "members of number sets are compared as text": cases(CHANGES, "add to sets", "delete the whole set"),
        "the conflict of paths is no conflict": cases(REFUSED, "conflict"),
        "it has other words, or none, for updates": cases(
            REFUSED, "undefined", "plus text", "append to a number", "add text", "+ text", "overflow"
        ),
        "an update without an expression needs an item": [
            "test_an_update_without_an_expression_creates_the_key_only"
        ],
        "it always reports a capacity of 1.0 a call": [
            "test_a_delete_costs_and_returns_what_it_deleted",
            "test_an_update_costs_the_larger_of_the_old_and_the_new_item",
            *cases(CREATES, "set", "add", "if_not_exists"),
            "test_each_item_of_a_batch_is_rounded_up_and_absent_ones_count[eventual]",
            "test_each_item_of_a_batch_is_rounded_up_and_absent_ones_count[consistent]",
        ],
        "an expression has no limit": ["test_an_expression_has_at_most_4_kilobytes"],
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
            *cases(REFUSED, "overlap", "conflict", "plus text", "append to a number"),
        ],
        "a list is filled up with NULL": cases(CHANGES, "beyond the end"),
        "elements are removed one after the other": cases(CHANGES, "remove elements"),
        "members of number sets are compared as text": cases(CHANGES, "add to sets", "delete the whole set"),
        "a removal needs no parent": cases(REFUSED, "remove path"),
        "ALL_OLD of a new item is its key": cases(CREATES, "set", "add", "if_not_exists"),
    },
    "dynalite": {
        "elements are removed one after the other": cases(CHANGES, "remove elements"),
        "an expression has no limit": ["test_an_expression_has_at_most_4_kilobytes"],
        "numbers have no limit": cases(REFUSED, "overflow"),
        "lists are compared by their JSON": [
            "test_a_write_whose_condition_does_not_hold_changes_nothing[delete-whole list]",
            "test_a_write_whose_condition_does_not_hold_changes_nothing[put-whole list]",
            "test_an_update_whose_condition_does_not_hold_changes_nothing[whole list]",
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


def test_an_expression_has_at_most_4_kilobytes(client: Any, table: str) -> None:
    def delete(condition_bytes: int) -> None:
        condition = "attribute_not_exists(n)" + " " * (condition_bytes - 46) + " OR attribute_exists(n)"
        assert len(condition) == condition_bytes
        client.delete_item(TableName=table, Key=item_of(1), ConditionExpression=condition)

    delete(4096)
    code, message = refusal(lambda: delete(4097))
    assert code == "ValidationException"
    assert "Expression size has exceeded the maximum allowed size" in message


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


# -- UpdateItem -----------------------------------------------------------------------------------------------

UPDATED = item_of(
    1,
    n={"N": "5"},
    s={"S": "abc"},
    l={"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}, {"N": "3"}]},
    m={"M": {"a": {"N": "1"}, "b": {"M": {"c": {"S": "deep"}}}}},
    ss={"SS": ["x", "y"]},
    ns={"NS": ["1", "2"]},
)
ONE = {":v": {"N": "1"}}


def numbers(*texts: str) -> dict[str, Any]:
    return {"L": [{"N": text} for text in texts]}


UPDATES = [
    pytest.param("SET n = n + :v", ONE, {"n": {"N": "6"}}, id="plus"),
    pytest.param("SET n = :v - n", {":v": {"N": "0.5"}}, {"n": {"N": "-4.5"}}, id="minus"),
    pytest.param("SET t = n, n = :v", ONE, {"t": {"N": "5"}, "n": {"N": "1"}}, id="values are the old ones"),
    pytest.param(
        "SET n = if_not_exists(n, :v), o = if_not_exists(o, :v)", ONE, {"o": {"N": "1"}}, id="if_not_exists"
    ),
    pytest.param("SET o = if_not_exists(o, :v) + :v", ONE, {"o": {"N": "2"}}, id="if_not_exists plus"),
    pytest.param("SET l = list_append(:v, l)", {":v": {"L": []}}, {}, id="append nothing"),
    pytest.param(
        "SET l = list_append(l, :v)", {":v": {"L": [{"N": "4"}]}}, {"l": numbers(*"01234")}, id="list_append"
    ),
    pytest.param("SET l[1] = :v, m.a = :v", {":v": {"N": "9"}}, {
        "l": numbers(*"0923"), "m": {"M": {"a": {"N": "9"}, "b": {"M": {"c": {"S": "deep"}}}}}
    }, id="nested"),
    pytest.param("SET m.b.d = :v REMOVE m.a", ONE, {
        "m": {"M": {"b": {"M": {"c": {"S": "deep"}, "d": {"N": "1"}}}}}
    }, id="nested set and remove"),
    pytest.param("SET l[9] = :v", ONE, {"l": numbers(*"01231")}, id="beyond the end"),
    pytest.param("REMOVE l[0], l[2]", {}, {"l": numbers(*"13")}, id="remove elements"),
    pytest.param("REMOVE n, absent, l[9], m.absent", {}, {"n": None}, id="remove"),
    pytest.param("ADD n :v, o :v", ONE, {"n": {"N": "6"}, "o": {"N": "1"}}, id="add numbers"),
    pytest.param(
        "ADD ss :s, ns :n", {":s": {"SS": ["y", "z"]}, ":n": {"NS": ["2.0", "3"]}},
        {"ss": {"SS": ["x", "y", "z"]}, "ns": {"NS": ["1", "2", "3"]}}, id="add to sets",
    ),
    pytest.param("DELETE ss :s, o :s", {":s": {"SS": ["y", "z"]}}, {"ss": {"SS": ["x"]}}, id="delete from a set"),
    pytest.param("DELETE ns :n", {":n": {"NS": ["1.0", "2"]}}, {"ns": None}, id="delete the whole set"),
    pytest.param("set n = :v remove s add o :v delete ss :s", {**ONE, ":s": {"SS": ["x"]}}, {
        "n": {"N": "1"}, "s": None, "o": {"N": "1"}, "ss": {"SS": ["y"]}
    }, id="four sections"),
]  # fmt: skip


def plain(item: dict[str, Any]) -> dict[str, Any]:
    """The item with its sets in order."""
    return {
        name: {letter: sorted(payload) if letter in ("SS", "NS") else payload for letter, payload in value.items()}
        for name, value in item.items()
    }


def update(client: Any, table: str, expression: str, values: dict[str, Any], **options: Any) -> dict[str, Any]:
    placeholders = {"ExpressionAttributeValues": values} if values else {}
    answer: dict[str, Any] = client.update_item(
        TableName=table, Key=item_of(1), UpdateExpression=expression, **placeholders, **options
    )
    return answer


@pytest.mark.parametrize(("expression", "values", "changes"), UPDATES)
def test_an_update_changes_what_it_names(
    client: Any, table: str, expression: str, values: dict[str, Any], changes: dict[str, Any]
) -> None:
    write(client, table, [UPDATED, item_of(2)])
    answer = update(client, table, expression, values, ReturnValues="ALL_NEW")
    expected = {name: value for name, value in (UPDATED | changes).items() if value is not None}
    assert plain(answer["Attributes"]) == expected
    assert [plain(item) for item in in_order(items_in(scan(client, table)))] == [expected, item_of(2)]


@pytest.mark.parametrize(
    ("returned", "attributes"),
    [
        pytest.param("NONE", None, id="none"),
        pytest.param("ALL_OLD", UPDATED, id="all old"),
        pytest.param("UPDATED_OLD", {"n": {"N": "5"}}, id="updated old"),
        pytest.param("UPDATED_NEW", {"n": {"N": "6"}, "o": {"N": "1"}}, id="updated new"),
    ],
)
def test_an_update_returns_the_values_that_are_asked_for(
    client: Any, table: str, returned: str, attributes: dict[str, Any] | None
) -> None:
    write(client, table, [UPDATED])
    answer = update(client, table, "SET n = n + :v, o = :v", ONE, ReturnValues=returned)
    found = answer.get("Attributes")
    assert (None if found is None else plain(found)) == attributes


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("SET n = :v", id="set"),
        pytest.param("ADD n :v", id="add"),
        pytest.param("SET n = if_not_exists(n, :v)", id="if_not_exists"),
    ],
)
def test_an_update_of_an_absent_item_creates_it(client: Any, table: str, expression: str) -> None:
    options = {"ReturnConsumedCapacity": "TOTAL", "ReturnValues": "ALL_OLD"}
    answer = update(client, table, expression, ONE, **options)
    assert (answer.get("Attributes"), answer["ConsumedCapacity"]["CapacityUnits"]) == (None, 1)
    assert items_in(scan(client, table)) == [item_of(1, n={"N": "1"})]


def test_an_update_without_an_expression_creates_the_key_only(client: Any, table: str) -> None:
    client.update_item(TableName=table, Key=item_of(1))
    assert items_in(scan(client, table)) == [item_of(1)]


@pytest.mark.parametrize(("condition", "values", "holds"), CONDITIONS)
def test_an_update_whose_condition_does_not_hold_changes_nothing(
    client: Any, table: str, condition: str, values: dict[str, Any], holds: bool
) -> None:
    write(client, table, [STORED])
    values = {**values, ":new": {"S": "new"}}

    def call() -> None:
        update(client, table, "SET added = :new", values, ConditionExpression=condition)

    if holds:
        call()
    else:
        assert refusal(call) == FAILED
    (item,) = items_in(scan(client, table))
    assert ("added" in item) == holds


@pytest.mark.parametrize(
    ("expression", "values", "message"),
    [
        pytest.param("SET n = :v,", ONE, "Syntax error", id="syntax"),
        pytest.param("CHANGE n = :v", ONE, "Syntax error", id="section"),
        pytest.param("", {}, "Invalid UpdateExpression: The expression can not be empty;", id="empty"),
        pytest.param("SET n = :v SET s = :v", ONE, 'The "SET" section can only be used once', id="twice"),
        pytest.param(
            "SET m = :v REMOVE m.a", ONE,
            "Two document paths overlap with each other; must remove or rewrite one of these paths; "
            r"path one: \[m\], path two: \[m, a\]", id="overlap",
        ),
        pytest.param("SET m.a = :v, m[0] = :v", ONE, "Two document paths conflict with each other", id="conflict"),
        pytest.param("SET n = :w", ONE, "is not defined; attribute value: :w", id="undefined"),
        pytest.param("REMOVE n", ONE, "unused in expressions: keys: {:v}", id="unused"),
        pytest.param(
            "SET #r = :v", ONE,
            "One or more parameter values were invalid: Cannot update attribute range. "
            "This attribute is part of the key", id="key",
        ),
        pytest.param("SET n = absent", {}, "refers to an attribute that does not exist in the item", id="absent"),
        pytest.param(
            "SET a.b = :v", ONE, "The document path provided in the update expression is invalid for update",
            id="path",
        ),
        pytest.param("SET s[0] = :v", ONE, "path provided in the update expression is invalid", id="no list"),
        pytest.param("REMOVE absent.b", {}, "path provided in the update expression is invalid", id="remove path"),
        pytest.param(
            "SET n = s + :v", ONE, "An operand in the update expression has an incorrect data type", id="plus text"
        ),
        pytest.param("SET l = list_append(n, l)", {}, "has an incorrect data type", id="append to a number"),
        pytest.param("ADD s :v", ONE, "has an incorrect data type", id="add to text"),
        pytest.param("DELETE ns :v", {":v": {"SS": ["1"]}}, "has an incorrect data type", id="delete of another set"),
        pytest.param(
            "ADD n :v", {":v": {"S": "1"}}, "Incorrect operand type for operator or function; operator: ADD, "
            "operand type: STRING", id="add text",
        ),
        pytest.param("DELETE ss :v", ONE, "operator: DELETE, operand type: NUMBER", id="delete a number"),
        pytest.param("SET n = n + :v", {":v": {"S": "1"}}, r"operator or function: \+, operand type: S", id="+ text"),
        pytest.param("SET n = :v + :v", {":v": {"N": "9E125"}}, "Number overflow", id="overflow"),
        pytest.param(
            "SET n = :v", {":v": {"S": "x" * 409_600}}, "Item size to update has exceeded the maximum allowed size",
            id="400 KB",
        ),
    ],
)  # fmt: skip
def test_a_bad_update_is_refused_and_changes_nothing(
    client: Any, table: str, expression: str, values: dict[str, Any], message: str
) -> None:
    write(client, table, [UPDATED])
    names = {"ExpressionAttributeNames": {"#r": "range"}} if "#r" in expression else {}
    code, said = refusal(lambda: update(client, table, expression, values, **names))
    assert (code, bool(re.search(message, said))) == ("ValidationException", True)
    assert [plain(item) for item in items_in(scan(client, table))] == [UPDATED]


def test_an_update_costs_the_larger_of_the_old_and_the_new_item(client: Any, table: str) -> None:
    options = {"ReturnConsumedCapacity": "TOTAL"}
    units = [
        update(client, table, expression, values, **options)["ConsumedCapacity"]["CapacityUnits"]
        for expression, values in [
            ("SET n = :v", ONE),
            ("SET d = :v", {":v": {"S": "x" * 3000}}),
            ("SET n = :v", ONE),
            ("REMOVE d", {}),
            ("REMOVE n", {}),
        ]
    ]
    assert units == [1, 3, 3, 3, 1]
