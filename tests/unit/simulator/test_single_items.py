"""Conditional writes and BatchGetItem: their cost, and which of them are throttled."""

from __future__ import annotations

from typing import Any

import pytest

from ddbio.simulator.errors import ServiceError
from ddbio.simulator.faults import DATA_OPERATIONS
from ddbio.simulator.operations import OPERATIONS
from ddbio.simulator.throughput import ThroughputSettings
from tests.support.account import Account, key_schema, order, provisioned

STRICT = ThroughputSettings(burst_s=0)


def written(account: Account) -> float:
    return sum(units for _, units in account.database.tables["Orders"].throughput.table.write.history())


def read(account: Account) -> float:
    return sum(units for _, units in account.database.tables["Orders"].throughput.table.read.history())


def test_faults_cover_every_operation_on_items() -> None:
    administration = {name for name in OPERATIONS if "Table" in name or name.startswith(("Describe", "List"))}
    administration |= {"UpdateTimeToLive", "UpdateContinuousBackups"}
    assert OPERATIONS.keys() - administration == DATA_OPERATIONS


@pytest.mark.parametrize("operation", ["DeleteItem", "PutItem"])
def test_a_failed_condition_is_charged_by_the_larger_item_without_indexes(operation: str) -> None:
    account = Account()
    account.create("id:S")
    account.batch(order(1, d={"S": "x" * 2500}))
    request = {"Key": order(1)} if operation == "DeleteItem" else {"Item": order(1, d={"S": "x" * 3500})}
    before = written(account)
    error = account.refusal(operation, TableName="Orders", ConditionExpression="attribute_not_exists(id)", **request)
    assert (error.name, error.details) == ("ConditionalCheckFailedException", {})
    assert written(account) - before == (3 if operation == "DeleteItem" else 4)


def test_the_item_is_shown_only_if_there_is_one() -> None:
    account = Account()
    account.create("id:S")
    account.batch(order(1))
    request = {"ConditionExpression": "attribute_exists(x)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    errors = [account.refusal("DeleteItem", TableName="Orders", Key=order(name), **request) for name in (1, 2)]
    assert [error.details for error in errors] == [{"Item": order(1)}, {}]


def test_a_condition_that_cannot_be_paid_for_is_throttled_and_not_evaluated_for_the_client() -> None:
    account = Account(STRICT)
    account.create("id:S", ProvisionedThroughput=provisioned(1, 1))
    account.batch(order(1))
    error = account.refusal("DeleteItem", TableName="Orders", Key=order(1), ConditionExpression="attribute_exists(x)")
    assert error.name == "ProvisionedThroughputExceededException"
    assert account.scan()["Count"] == 1


def get(account: Account, *keys: dict[str, Any], **options: Any) -> dict[str, Any]:
    return account.call("BatchGetItem", RequestItems={"Orders": {"Keys": list(keys), **options}})


def test_keys_that_are_not_admitted_come_back_with_their_options_and_are_not_charged() -> None:
    account = Account(STRICT)
    account.create("id:S", ProvisionedThroughput=provisioned(100, 2))
    account.batch(*(order(n) for n in range(5)))
    keys = [order(n) for n in range(5)]
    options = {"ConsistentRead": True, "ProjectionExpression": "#i", "ExpressionAttributeNames": {"#i": "id"}}
    answer = get(account, *keys, **options)
    assert answer["UnprocessedKeys"] == {"Orders": {"Keys": keys[2:], **options}}
    assert sorted(item["id"]["S"] for item in answer["Responses"]["Orders"]) == ["0", "1"]
    assert read(account) == 2
    error = account.refusal("BatchGetItem", RequestItems=answer["UnprocessedKeys"])
    assert error.name == "ProvisionedThroughputExceededException"
    account.now_s = 2.0
    again = account.call("BatchGetItem", RequestItems=answer["UnprocessedKeys"])
    assert again["UnprocessedKeys"] == {"Orders": {"Keys": keys[4:], **options}}


def test_a_batch_of_two_tables_is_unprocessed_by_table_and_counted_together() -> None:
    account = Account(STRICT)
    account.create("id:S", ProvisionedThroughput=provisioned(100, 1))
    account.create("id:S", name="Others", ProvisionedThroughput=provisioned(100, 100))
    tables = {"Orders": {"Keys": [order(1), order(2), order(3)]}, "Others": {"Keys": [order(1)]}}
    answer = account.call("BatchGetItem", RequestItems=tables, ReturnConsumedCapacity="TOTAL")
    assert answer["UnprocessedKeys"] == {"Orders": {"Keys": [order(3)]}}
    assert answer["ConsumedCapacity"] == [
        {"TableName": "Orders", "CapacityUnits": 1.0},
        {"TableName": "Others", "CapacityUnits": 0.5},
    ]
    many = {name: {"Keys": [order(n) for n in range(60)]} for name in ("Orders", "Others")}
    assert account.refusal("BatchGetItem", RequestItems=many).message == (
        "Too many items requested for the BatchGetItem call"
    )
    assert account.refusal("BatchGetItem").message == "The requestItems parameter is required for BatchGetItem"


def test_a_batch_is_not_answered_in_the_order_of_its_keys() -> None:
    account = Account()
    account.create("id:S")
    account.batch(*(order(n) for n in range(10)))
    found = get(account, *(order(n) for n in range(10)))["Responses"]["Orders"]
    assert found != [order(n) for n in range(10)]
    assert sorted(int(item["id"]["S"]) for item in found) == list(range(10))


# -- UpdateItem


def update(account: Account, expression: str, values: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    more = {"ExpressionAttributeValues": values} if values else {}
    return account.call(
        "UpdateItem", TableName="Orders", Key=order(1), UpdateExpression=expression, **more, **options
    )


def indexed(settings: ThroughputSettings | None = None, **more: Any) -> Account:
    account = Account(settings)
    index = {"IndexName": "byDay", "KeySchema": key_schema("day"), "Projection": {"ProjectionType": "KEYS_ONLY"}}
    if more:
        index["ProvisionedThroughput"] = provisioned(1, 100)
    days = [{"AttributeName": "day", "AttributeType": "S"}]
    account.create("id:S", more_definitions=days, GlobalSecondaryIndexes=[index], **more)
    return account


def test_an_update_pays_for_the_index_entries_that_it_changes() -> None:
    account = indexed()
    units = []
    for expression, values in [
        ("SET #d = :v", {":v": {"S": "mon"}}),
        ("SET other = :v", {":v": {"S": "x"}}),
        ("SET #d = :v", {":v": {"S": "tue"}}),
        ("REMOVE #d", None),
    ]:
        names = {"ExpressionAttributeNames": {"#d": "day"}} if "#d" in expression else {}
        answer = update(account, expression, values, ReturnConsumedCapacity="INDEXES", **names)
        consumed = answer["ConsumedCapacity"]
        entry = consumed.get("GlobalSecondaryIndexes", {}).get("byDay", {}).get("CapacityUnits", 0)
        units.append((consumed["Table"]["CapacityUnits"], entry))
    assert units == [(1, 1), (1, 0), (1, 2), (1, 1)]
    assert account.call("Scan", TableName="Orders", IndexName="byDay")["Count"] == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"N": "1"}, "The update expression attempted to update the secondary index key to unsupported type"),
        ({"S": ""}, "The AttributeValue for a key attribute cannot contain an empty string value."),
    ],
)
def test_an_update_cannot_spoil_an_index_key(value: dict[str, str], message: str) -> None:
    account = indexed()
    with pytest.raises(ServiceError) as refused:
        update(account, "SET #d = :v", {":v": value}, ExpressionAttributeNames={"#d": "day"})
    assert refused.value.message.endswith(message)
    assert account.scan()["Count"] == 0


def test_an_update_is_throttled_by_its_table_or_index_and_then_changes_nothing() -> None:
    account = indexed(STRICT, ProvisionedThroughput=provisioned(100, 100))
    mon = {":v": {"S": "mon"}}
    update(account, "SET #d = :v", mon, ExpressionAttributeNames={"#d": "day"})
    with pytest.raises(ServiceError) as refused:
        update(account, "REMOVE #d", ExpressionAttributeNames={"#d": "day"})
    (reason,) = refused.value.details["ThrottlingReasons"]
    assert reason["reason"] == "IndexWriteProvisionedThroughputExceeded"
    assert account.scan()["Items"] == [order(1, day={"S": "mon"})]


def test_updated_values_of_paths_are_only_the_parts_that_the_update_names() -> None:
    account = Account()
    account.create("id:S")
    account.batch(order(1, m={"M": {"a": {"N": "1"}, "b": {"N": "2"}}}))
    answer = update(account, "SET m.a = m.a + :v", {":v": {"N": "1"}}, ReturnValues="UPDATED_NEW")
    assert answer["Attributes"] == {"m": {"M": {"a": {"N": "2"}}}}
    assert "Attributes" not in update(account, "REMOVE m.b", ReturnValues="UPDATED_NEW")


def test_placeholders_are_left_out_or_defined() -> None:
    account = Account()
    account.create("id:S")
    for member in ("Names", "Values"):
        error = account.refusal(
            "UpdateItem",
            TableName="Orders",
            Key=order(1),
            UpdateExpression="REMOVE a",
            **{f"ExpressionAttribute{member}": {}},
        )
        assert error.message == f"ExpressionAttribute{member} must not be empty"
