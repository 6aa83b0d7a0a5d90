"""Requests the service refuses, in its words; nothing of them is applied."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from ddbio.simulator.errors import ServiceError
from ddbio.simulator.operations import execute
from tests.support.account import Account, key_schema, order, puts

INVALID = "One or more parameter values were invalid: "
MISMATCH = "The provided key element does not match the schema"
EMPTY = "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty "


@pytest.fixture
def account() -> Account:
    account = Account()
    account.create("id:S", "at:N")
    account.create("id:B", name="Binary")
    account.create(
        "id:S",
        name="Indexed",
        more_definitions=[{"AttributeName": "day", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[
            {"IndexName": "byDay", "KeySchema": key_schema("day"), "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    return account


def event(name: str = "a", at: str = "1", **attributes: Any) -> dict[str, Any]:
    return {"id": {"S": name}, "at": {"N": at}, **attributes}


@pytest.mark.parametrize(
    ("table", "bad", "message"),
    [
        pytest.param("Orders", {"id": {"S": "x"}}, MISMATCH, id="sort key missing"),
        pytest.param("Orders", event() | {"at": {"S": "1"}}, MISMATCH, id="sort key of another type"),
        pytest.param("Orders", event(""), EMPTY + "string value. Key: id", id="empty key"),
        pytest.param("Binary", {"id": {"B": ""}}, EMPTY + "binary value. Key: id", id="empty binary key"),
        pytest.param(
            "Orders",
            event("x" * 2049),
            INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
            id="partition key too long",
        ),
        pytest.param(
            "Orders",
            event("\u00e9" * 1025),
            INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
            id="partition key too long in UTF-8",
        ),
        pytest.param(
            "Binary",
            {"id": {"B": b64encode(bytes(2049)).decode()}},
            INVALID + "Size of hashkey has exceeded the maximum size limit of2048 bytes",
            id="binary partition key too long",
        ),
        pytest.param(
            "Orders", event(n={"N": "x"}), "The parameter cannot be converted to a numeric value: x", id="N"
        ),
        pytest.param("Orders", event(s={"SS": []}), INVALID + "An string set  may not be empty", id="empty set"),
        pytest.param(
            "Orders", event(d={"S": "x" * 409_600}), "Item size has exceeded the maximum allowed size", id="400 KB"
        ),
        pytest.param(
            "Indexed",
            order("x", day={"N": "1"}),
            INVALID + "Type mismatch for Index Key day Expected: S Actual: N IndexName: byDay",
            id="index key of another type",
        ),
        pytest.param(
            "Indexed",
            order("x", day={"S": ""}),
            "One or more parameter values are not valid. A value specified for a secondary index key is not "
            "supported. The AttributeValue for a key attribute cannot contain an empty string value. "
            "IndexName: byDay, IndexKey: day",
            id="empty index key",
        ),
    ],
)
def test_a_bad_item_refuses_its_whole_batch(account: Account, table: str, bad: dict[str, Any], message: str) -> None:
    good = {"Orders": event("good"), "Binary": {"id": {"B": "YQ=="}}, "Indexed": order("good")}[table]
    error = account.refusal("BatchWriteItem", RequestItems={table: puts(good, bad)})
    assert (error.name, error.message) == ("ValidationException", message)
    assert account.call("Scan", TableName=table)["Count"] == 0
    assert account.database.tables[table].throughput.table.write.history() == []


def test_keys_of_the_greatest_length_are_accepted(account: Account) -> None:
    account.create("id:S", "sort:S", name="Texts")
    item = {"id": {"S": "\u00e9" * 1024}, "sort": {"S": "x" * 1024}}
    account.batch(item, {"id": {"S": "x" * 2048}, "sort": {"S": "x"}}, table="Texts")
    error = account.refusal(
        "BatchWriteItem", RequestItems={"Texts": puts({"id": {"S": "x"}, "sort": {"S": "x" * 1025}})}
    )
    assert error.message == INVALID + "Aggregated size of all range keys has exceeded the size limit of 1024 bytes"


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        pytest.param({}, "The requestItems parameter is required for BatchWriteItem", id="none"),
        pytest.param({"Orders": []}, "Member must have length greater than or equal to 1", id="empty list"),
        pytest.param(
            {"Orders": puts(*(event(str(n)) for n in range(26)))},
            "Member must have length less than or equal to 25",
            id="26 of one table",
        ),
        pytest.param(
            {
                "Orders": puts(*(event(str(n)) for n in range(20))),
                "Indexed": puts(*(order(str(n)) for n in range(6))),
            },
            "Too many items requested for the BatchWriteItem call",
            id="26 of two tables",
        ),
        pytest.param(
            {"Orders": puts(event(at="1"), event(at="1.0"))},
            "Provided list of item keys contains duplicates",
            id="two puts of equal keys",
        ),
        pytest.param(
            {"Orders": [*puts(event()), {"DeleteRequest": {"Key": event()}}]},
            "Provided list of item keys contains duplicates",
            id="put and delete",
        ),
        pytest.param({"Orders": [{}]}, "must contain exactly one of the supported requests", id="neither"),
        pytest.param(
            {"Orders": [{"DeleteRequest": {"Key": event(more={"S": "x"})}}]}, MISMATCH, id="more than the key"
        ),
    ],
)
def test_a_bad_batch_is_refused(account: Account, requests: dict[str, Any], message: str) -> None:
    error = account.refusal("BatchWriteItem", RequestItems=requests)
    assert error.name == "ValidationException"
    assert message in error.message
    assert account.scan()["Count"] == 0


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"at": {"N": "1"}}, INVALID + "Missing the key id in the item"),
        (event() | {"at": {"S": "1"}}, INVALID + "Type mismatch for key at expected: N actual: S"),
    ],
)
def test_put_item_has_its_own_words_for_bad_keys(account: Account, item: dict[str, Any], message: str) -> None:
    assert account.refusal("PutItem", TableName="Orders", Item=item).message == message


@pytest.mark.parametrize(
    "operation", ["BatchWriteItem", "BatchGetItem", "PutItem", "DeleteItem", "UpdateItem", "GetItem", "Scan"]
)
def test_a_table_that_is_not_there(account: Account, operation: str) -> None:
    key = order("x")
    items: Any = {"Keys": [key]} if operation == "BatchGetItem" else puts(key)
    request = {"RequestItems": {"None": items}, "TableName": "None", "Item": key, "Key": key}
    error = account.refusal(operation, **request)
    assert (error.name, error.message) == ("ResourceNotFoundException", "Requested resource not found")


def test_describing_a_table_that_is_not_there_names_it(account: Account) -> None:
    error = account.refusal("DescribeTable", TableName="None")
    assert (error.name, error.message) == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: None not found",
    )


@pytest.mark.parametrize(
    ("operation", "request_", "what"),
    [
        ("Scan", {"ScanFilter": {}}, "ScanFilter"),
        ("Scan", {"AttributesToGet": ["a"]}, "AttributesToGet"),
        ("PutItem", {"Item": event(), "Expected": {}}, "Expected"),
        ("DeleteItem", {"Key": event(), "Expected": {}}, "Expected"),
        ("UpdateItem", {"Key": event(), "AttributeUpdates": {}}, "AttributeUpdates"),
    ],
)
def test_what_the_simulator_cannot_do_it_refuses_to_do(
    account: Account, operation: str, request_: dict[str, Any], what: str
) -> None:
    account.batch(event())
    error = account.refusal(operation, TableName="Orders", **request_)
    assert (error.name, error.message) == ("ValidationException", f"{what} is not supported by the simulator")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"Segment": 0}, "The TotalSegments parameter is required"),
        ({"TotalSegments": 1}, "The Segment parameter is required"),
        ({"Segment": 4, "TotalSegments": 4}, "Segment: 4 is not less than TotalSegments: 4"),
        ({"Segment": -1, "TotalSegments": 4}, "greater than or equal to 0"),
        ({"Segment": 0, "TotalSegments": 1_000_001}, "less than or equal to 1000000"),
        ({"Segment": 0, "TotalSegments": 0}, "greater than or equal to 1"),
        ({"Limit": 0}, "greater than or equal to 1"),
        ({"IndexName": "none"}, "The table does not have the specified index: none"),
        ({"ExclusiveStartKey": {"id": {"S": "x"}}}, "The provided starting key is invalid"),
        ({"Select": "COUNT", "ProjectionExpression": "id"}, "get only the Count"),
    ],
)
def test_scans_that_make_no_sense(account: Account, request_: dict[str, Any], message: str) -> None:
    error = account.refusal("Scan", TableName="Orders", **request_)
    assert error.name == "ValidationException"
    assert message in error.message


def test_a_start_key_is_valid_in_its_own_segment_only(account: Account) -> None:
    account.batch(*(event(str(n)) for n in range(25)))
    page = account.scan(Segment=0, TotalSegments=2, Limit=1)
    error = account.refusal(
        "Scan", TableName="Orders", Segment=1, TotalSegments=2, ExclusiveStartKey=page["LastEvaluatedKey"]
    )
    assert error.message == (
        "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
        "correct Segment. TotalSegments: 2 Segment: 1"
    )


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"TableName": 1}', b'"\xff"', b'{"Item":{"a":{"L":' + b"[" * 5000]
)
def test_a_body_that_is_no_request_cannot_be_deserialized(account: Account, body: bytes) -> None:
    with pytest.raises(ServiceError) as refused:
        execute(account.database, "PutItem", body, 0)
    assert refused.value.name == "SerializationException"


def test_a_member_that_is_missing_is_named(account: Account) -> None:
    error = account.refusal("Scan")
    assert error.message == (
        "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null"
    )


def test_an_unknown_operation(account: Account) -> None:
    assert account.refusal("Query", TableName="Orders").name == "UnknownOperationException"
