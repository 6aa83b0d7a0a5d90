"""DescribeTable's answer as the rest of the program sees it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import botocore.session
import pytest

from ddbio.errors import UsageError
from ddbio.values.table import _UNUSABLE, KeyAttribute, TableInfo, check_table_name
from tests.support.tables import table

PROVISIONED = {"ReadCapacityUnits": 50, "WriteCapacityUnits": 100}
NONE = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}


def test_the_partition_key_comes_first_whatever_the_order_of_the_answer() -> None:
    info = table(
        {"id": "S", "at": "N"},
        KeySchema=[{"AttributeName": "at", "KeyType": "RANGE"}, {"AttributeName": "id", "KeyType": "HASH"}],
    )
    assert info.key == (KeyAttribute("id", "S", 2048), KeyAttribute("at", "N", 1024))


def test_index_keys_are_those_that_are_not_the_tables() -> None:
    info = table({"id": "S", "at": "N"}, {"by-city": {"city": "S", "id": "S"}, "by-at": {"at": "N", "age": "N"}})
    assert info.index_keys == (KeyAttribute("city", "S", 2048), KeyAttribute("age", "N", 1024))


def test_local_indexes_count_as_well() -> None:
    by_size = {"IndexName": "by-size", "Projection": {"ProjectionType": "KEYS_ONLY"}}
    schema = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "size", "KeyType": "RANGE"}]
    info = table(
        {"id": "S", "at": "N"},
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at", "size")],
        LocalSecondaryIndexes=[{**by_size, "KeySchema": schema}],
    )
    assert info.index_keys == (KeyAttribute("size", "S", 1024),)


def test_an_attribute_that_is_a_key_of_two_indexes_obeys_both() -> None:
    info = table({"id": "S"}, {"sorted": {"kind": "S", "city": "S"}, "by-city": {"city": "S"}})
    assert KeyAttribute("city", "S", 1024) in info.index_keys


@pytest.mark.parametrize(
    ("description", "provisioned", "read", "write"),
    [
        # never switched: no summary
        ({"BillingModeSummary": {}, "ProvisionedThroughput": PROVISIONED}, True, 50, 100),
        ({"BillingModeSummary": {"BillingMode": "PROVISIONED"}, "ProvisionedThroughput": PROVISIONED}, True, 50, 100),
        ({"ProvisionedThroughput": NONE}, False, None, None),
        ({}, False, None, None),
        # without a summary, but no units: emulators
        ({"BillingModeSummary": {}, "ProvisionedThroughput": NONE}, False, None, None),
        ({"OnDemandThroughput": {"MaxReadRequestUnits": 7, "MaxWriteRequestUnits": 9}}, False, 7, 9),
        ({"OnDemandThroughput": {"MaxReadRequestUnits": -1, "MaxWriteRequestUnits": 9}}, False, None, 9),
        ({"OnDemandThroughput": {}}, False, None, None),
    ],
)
def test_capacity_is_what_the_table_has(
    description: dict[str, Any], provisioned: bool, read: float | None, write: float | None
) -> None:
    info = table({"id": "S"}, **description)
    assert (info.provisioned, info.read_units, info.write_units) == (provisioned, read, write)


def test_sizes_may_be_missing() -> None:
    assert (table({"id": "S"}).item_count, table({"id": "S"}).size_bytes) == (0, 0)
    info = table({"id": "S"}, ItemCount=3, TableSizeBytes=300)
    assert (info.item_count, info.size_bytes) == (3, 300)


@pytest.mark.parametrize(("age_s", "new"), [(-30, True), (0, True), (299, True), (301, False)])
def test_a_table_is_new_for_five_minutes(age_s: int, new: bool) -> None:
    now = datetime(2026, 11, 30, tzinfo=timezone.utc)
    assert table({"id": "S"}, CreationDateTime=now - timedelta(seconds=age_s)).is_new(now) is new
    assert table({"id": "S"}).is_new(now) is False


def test_an_answer_without_indexes_is_understood() -> None:
    info = TableInfo.of(
        {
            "TableName": "T",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "B"}],
        }
    )
    assert (info.name, info.key, info.index_keys) == ("T", (KeyAttribute("id", "B", 2048),), ())


@pytest.mark.parametrize(
    "name", ["abc", "Orders", "a.b-c_9", "x" * 255, "arn:aws:dynamodb:eu-west-1:123456789012:table/Orders"]
)
def test_names_and_arns_of_tables_are_taken(name: str) -> None:
    assert check_table_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "ab", "x" * 256, "a b", "Ordérs", "orders/", "arn:aws:dynamodb:eu-west-1:1:table/", "abc\n"]
)
def test_what_cannot_be_a_table_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be the (name|ARN) of a table"):
        check_table_name(name)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("CREATING", "is being created"),
        ("DELETING", "is being deleted"),
        ("ARCHIVING", "KMS key"),
        ("ARCHIVED", "lost its data"),
        ("INACCESSIBLE_ENCRYPTION_CREDENTIALS", "cannot use its KMS key"),
        ("REPLICATION_NOT_AUTHORIZED", "replication is not authorized"),
        ("SOMETHING_NEW", "cannot be used"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(status: str, words: str) -> None:
    info = table({"id": "S"}, TableStatus=status)
    with pytest.raises(UsageError, match=f'Orders" is {status}: it .*{words}') as error:
        info.check_usable()
    assert error.value.hint
    if status == "CREATING":
        info.check_usable(wait=True)
    else:
        with pytest.raises(UsageError):
            info.check_usable(wait=True)


def test_the_service_has_no_status_that_is_not_known_here() -> None:
    model = botocore.session.get_session().get_service_model("dynamodb")
    for status in model.shape_for("TableStatus").enum:
        info = table({"id": "S"}, TableStatus=status)
        assert info.is_usable or status in _UNUSABLE


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING"])
def test_a_table_that_can_be_used_is_used(status: str) -> None:
    table({"id": "S"}, TableStatus=status).check_usable()
