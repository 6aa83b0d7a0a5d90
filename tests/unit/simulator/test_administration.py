"""Tables that are made, listed and changed, and those that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.account import Account, key_schema, provisioned

ID = [{"AttributeName": "id", "AttributeType": "S"}]
DAY = [{"AttributeName": "day", "AttributeType": "S"}]
ON_DEMAND = {"BillingMode": "PAY_PER_REQUEST"}
ALL = {"ProjectionType": "ALL"}


def request(**more: Any) -> dict[str, Any]:
    return {"TableName": "Orders", "KeySchema": key_schema("id"), "AttributeDefinitions": ID, **ON_DEMAND, **more}


def index(*names: str, **more: Any) -> dict[str, Any]:
    return {"IndexName": "byDay", "KeySchema": key_schema(*names), "Projection": ALL, **more}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (request(TableName="a"), "Value 'a' at 'tableName' failed to satisfy constraint"),
        (request(TableName="a b c"), "[a-zA-Z0-9_.-]+"),
        (request(KeySchema=[]), "Invalid KeySchema"),
        (request(KeySchema=[{"AttributeName": "id", "KeyType": "RANGE"}]), "is not a HASH key type"),
        (request(KeySchema=key_schema("other")), "not defined in AttributeDefinitions. Keys: [other]"),
        (request(AttributeDefinitions=ID + DAY), "Some AttributeDefinitions are not used"),
        (request(AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "X"}]), "not defined"),
        (request(BillingMode="PROVISIONED"), "must both be specified when BillingMode is PROVISIONED"),
        (request(ProvisionedThroughput=provisioned(1, 1)), "BillingMode is PAY_PER_REQUEST"),
        (request(BillingMode="PROVISIONED", ProvisionedThroughput=provisioned(0, 1)), "must be at least 1"),
        (
            request(AttributeDefinitions=ID + DAY, LocalSecondaryIndexes=[index("day")]),
            "Index KeySchema does not have the same leading hash key as table KeySchema",
        ),
        (
            request(
                AttributeDefinitions=ID + DAY,
                GlobalSecondaryIndexes=[index("day", Projection={"ProjectionType": "SOME"})],
            ),
            "Unknown ProjectionType: SOME",
        ),
    ],
)
def test_tables_that_cannot_be(asked: dict[str, Any], message: str) -> None:
    account = Account()
    error = account.refusal("CreateTable", **asked)
    assert error.name == "ValidationException"
    assert message in error.message
    assert account.call("ListTables") == {"TableNames": []}


def test_a_description_tells_what_was_asked_for() -> None:
    included = {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["note"]}
    account = Account()
    description = account.create(
        "id:S",
        "at:N",
        more_definitions=DAY,
        OnDemandThroughput={"MaxWriteRequestUnits": 50},
        GlobalSecondaryIndexes=[index("day", "id", Projection=included)],
        LocalSecondaryIndexes=[index("id", "day", IndexName="local")],
    )
    assert description["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert description["OnDemandThroughput"] == {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 50}
    (everywhere,), (local,) = description["GlobalSecondaryIndexes"], description["LocalSecondaryIndexes"]
    assert (everywhere["KeySchema"], everywhere["Projection"]) == (key_schema("day", "id"), included)
    assert (everywhere["IndexStatus"], everywhere["IndexArn"][-12:]) == ("ACTIVE", "/index/byDay")
    assert local["KeySchema"] == key_schema("id", "day")
    assert "ProvisionedThroughput" not in local


def test_tables_are_listed_in_pages() -> None:
    account = Account()
    for name in ("bbb", "aaa", "ccc"):
        account.create("id:S", name=name)
    first = account.call("ListTables", Limit=2)
    assert first == {"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"}
    assert account.call("ListTables", Limit=2, ExclusiveStartTableName="bbb") == {"TableNames": ["ccc"]}


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "byDay"}}]}, "not supported by the simulator"),
        (
            {"BillingMode": "PROVISIONED", "ProvisionedThroughput": provisioned(1, 1)},
            "ProvisionedThroughput must be specified for index: byDay",
        ),
        ({"BillingMode": "PAY_PER_REQUEST"}, "The requested value equals the current value"),
        ({}, "The requested value equals the current value"),
    ],
)
def test_updates_that_make_no_sense(update: dict[str, Any], message: str) -> None:
    account = Account()
    account.create("id:S", more_definitions=DAY, GlobalSecondaryIndexes=[index("day")])
    error = account.refusal("UpdateTable", TableName="Orders", **update)
    assert error.name == "ValidationException"
    assert message in error.message


def test_a_limit_of_an_on_demand_table_is_set_and_removed() -> None:
    account = Account()
    account.create("id:S")
    limits = {"MaxReadRequestUnits": 10, "MaxWriteRequestUnits": 20}
    update = {"TableName": "Orders", "OnDemandThroughput": limits}
    assert account.call("UpdateTable", **update)["TableDescription"]["OnDemandThroughput"] == limits
    update["OnDemandThroughput"] = {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": -1}
    assert "OnDemandThroughput" not in account.call("UpdateTable", **update)["TableDescription"]
