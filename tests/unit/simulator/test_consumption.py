"""What requests consume, what they are told about it, and what is throttled."""

from __future__ import annotations

from typing import Any

import pytest

from ddbio.simulator.throughput import ThroughputSettings
from tests.support.account import Account, key_schema, order, provisioned, puts

KB = 1024
STRICT = ThroughputSettings(burst_s=0)
ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/Orders"


def sized(name: object, size_bytes: int, **attributes: Any) -> dict[str, Any]:
    """An item of that size: the key takes 2 + len(name), the attribute d the rest."""
    return order(name, d={"S": "x" * (size_bytes - 3 - len(str(name)))}, **attributes)


def indexed(account: Account, index_wcu: int = 0, projection: str = "ALL") -> None:
    index: dict[str, Any] = {
        "IndexName": "byDay",
        "KeySchema": key_schema("day"),
        "Projection": {"ProjectionType": projection},
    }
    more: dict[str, Any] = {}
    if index_wcu:
        more["ProvisionedThroughput"] = provisioned(1000, 1000)
        index["ProvisionedThroughput"] = provisioned(index_wcu, 1000)
    account.create(
        "id:S",
        more_definitions=[{"AttributeName": "day", "AttributeType": "S"}],
        GlobalSecondaryIndexes=[index],
        **more,
    )


def units(answer: dict[str, Any]) -> float:
    (consumed,) = answer["ConsumedCapacity"]
    return float(consumed["CapacityUnits"])


def test_puts_are_billed_by_the_larger_of_old_and_new_item_and_deletes_by_the_old() -> None:
    account = Account()
    account.create("id:S")
    assert units(account.batch(sized(1, 500), sized(2, 3584), ReturnConsumedCapacity="TOTAL")) == 1 + 4
    assert units(account.batch(sized(1, 2 * KB), sized(2, 10), ReturnConsumedCapacity="TOTAL")) == 2 + 4
    deletes = [{"DeleteRequest": {"Key": order(name)}} for name in (1, 2, 3)]
    answer = account.call("BatchWriteItem", RequestItems={"Orders": deletes}, ReturnConsumedCapacity="TOTAL")
    assert units(answer) == 2 + 1 + 1
    assert sum(u for _, u in account.database.tables["Orders"].throughput.table.write.history()) == 15


@pytest.mark.parametrize(
    ("mode", "report"),
    [
        ("NONE", None),
        ("TOTAL", [{"TableName": "Orders", "CapacityUnits": 3.0}]),
        (
            "INDEXES",
            [
                {
                    "TableName": "Orders",
                    "CapacityUnits": 3.0,
                    "Table": {"CapacityUnits": 2.0},
                    "GlobalSecondaryIndexes": {"byDay": {"CapacityUnits": 1.0}},
                }
            ],
        ),
    ],
)
def test_the_report_has_the_detail_that_was_asked_for(mode: str, report: Any) -> None:
    account = Account()
    indexed(account, projection="KEYS_ONLY")
    item = order(1, day={"S": "mon"}, d={"S": "x" * 1500})  # two units in the table, one in the index of keys
    answer = account.batch(item, ReturnConsumedCapacity=mode)
    assert answer.get("ConsumedCapacity") == report


def test_an_index_costs_two_entries_when_its_key_changes() -> None:
    account = Account()
    indexed(account)
    days = ["mon", "tue", "tue", None]
    told = []
    for day in days:
        item = order(1, day={"S": day}) if day else order(1)
        (consumed,) = account.batch(item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
        told.append(consumed.get("GlobalSecondaryIndexes", {}).get("byDay", {}).get("CapacityUnits", 0))
    assert told == [1, 2, 0, 1]
    assert account.call("Scan", TableName="Orders", IndexName="byDay")["Count"] == 0


def test_a_local_index_is_reported_by_itself_and_charged_to_the_table() -> None:
    account = Account()
    account.create(
        "id:S",
        "at:N",
        more_definitions=[{"AttributeName": "day", "AttributeType": "S"}],
        LocalSecondaryIndexes=[
            {"IndexName": "byDay", "KeySchema": key_schema("id", "day"), "Projection": {"ProjectionType": "ALL"}}
        ],
    )
    item = order(1, at={"N": "1"}, day={"S": "mon"})
    (consumed,) = account.batch(item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
    assert consumed == {
        "TableName": "Orders",
        "CapacityUnits": 2.0,
        "Table": {"CapacityUnits": 1.0},
        "LocalSecondaryIndexes": {"byDay": {"CapacityUnits": 1.0}},
    }
    assert account.database.tables["Orders"].throughput.table.write.history() == [(0.0, 2)]
    assert account.call("Scan", TableName="Orders", IndexName="byDay", ConsistentRead=True)["Count"] == 1


@pytest.mark.parametrize(
    ("sizes", "consistent", "expected"),
    [([], False, 0.5), ([], True, 1.0), ([3000, 1000], False, 0.5), ([3000, 1097], False, 1.0), ([4097], True, 2.0)],
)
def test_a_scan_page_is_rounded_up_once(sizes: list[int], consistent: bool, expected: float) -> None:
    account = Account()
    account.create("id:S")
    if sizes:
        account.batch(*(sized(number, size) for number, size in enumerate(sizes)))
    answer = account.scan(ConsistentRead=consistent, ReturnConsumedCapacity="INDEXES", Select="COUNT")
    assert "Items" not in answer
    assert answer["ConsumedCapacity"] == {
        "TableName": "Orders",
        "CapacityUnits": expected,
        "Table": {"CapacityUnits": expected},
    }


def test_get_item_rounds_each_item() -> None:
    account = Account()
    account.create("id:S")
    account.batch(sized(1, 5000))
    get = {"TableName": "Orders", "ReturnConsumedCapacity": "TOTAL"}
    answer = account.call("GetItem", Key=order(1), ProjectionExpression="id", **get)
    assert (answer["Item"], answer["ConsumedCapacity"]["CapacityUnits"]) == (order(1), 1.0)
    assert account.call("GetItem", Key=order(2), ConsistentRead=True, **get)["ConsumedCapacity"]["CapacityUnits"] == 1
    assert "Item" not in account.call("GetItem", Key=order(2), **get)


def test_items_that_are_not_admitted_come_back_and_are_not_charged() -> None:
    account = Account(STRICT)
    account.create("id:S", ProvisionedThroughput=provisioned(10, 10))
    items = [order(n) for n in range(25)]
    answer = account.batch(*items, ReturnConsumedCapacity="TOTAL")
    assert answer["UnprocessedItems"] == {"Orders": puts(*items[10:])}
    assert units(answer) == 10
    assert account.scan()["Count"] == 10
    account.now_s = 0.5
    assert len(account.batch(*items[10:])["UnprocessedItems"]["Orders"]) == 10
    account.now_s = 1.5
    assert account.batch(*items[15:])["UnprocessedItems"] == {}
    assert account.scan()["Count"] == 25
    assert account.database.tables["Orders"].throughput.table.write.history() == [(0.0, 10), (0.5, 5), (1.5, 10)]


def test_a_batch_of_which_nothing_is_admitted_is_an_error_that_says_why() -> None:
    account = Account(STRICT)
    account.create("id:S", ProvisionedThroughput=provisioned(1, 1))
    account.batch(order(1))
    error = account.refusal("BatchWriteItem", RequestItems={"Orders": puts(order(2), order(3))})
    assert error.name == "ProvisionedThroughputExceededException"
    assert error.details == {
        "ThrottlingReasons": [{"reason": "TableWriteProvisionedThroughputExceeded", "resource": ARN}]
    }
    assert account.refusal("PutItem", TableName="Orders", Item=order(2)).details == error.details


def test_an_index_short_of_capacity_throttles_the_write_to_its_table() -> None:
    account = Account(STRICT)
    indexed(account, index_wcu=2)
    items = [order(n, day={"S": "mon"}) for n in range(3)]
    assert account.batch(*items)["UnprocessedItems"] == {"Orders": puts(items[2])}
    assert account.batch(order("not in the index"))["UnprocessedItems"] == {}
    error = account.refusal("BatchWriteItem", RequestItems={"Orders": puts(items[2])})
    assert error.details == {
        "ThrottlingReasons": [{"reason": "IndexWriteProvisionedThroughputExceeded", "resource": f"{ARN}/index/byDay"}]
    }


def test_a_hot_partition_has_the_other_exception_and_the_other_spelling() -> None:
    account = Account(ThroughputSettings(burst_s=0, partitions=1, partition_wcu=2))
    account.create("id:S", ProvisionedThroughput=provisioned(1000, 1000))
    account.batch(order(1), order(2))
    error = account.refusal("BatchWriteItem", RequestItems={"Orders": puts(order(3))})
    assert error.name == "ThrottlingException"
    assert error.details == {
        "throttlingReasons": [{"reason": "TableWriteKeyRangeThroughputExceeded", "resource": ARN}]
    }


def test_the_maximum_of_an_on_demand_table() -> None:
    account = Account(STRICT)
    account.create("id:S", OnDemandThroughput={"MaxWriteRequestUnits": 1, "MaxReadRequestUnits": 1})
    account.batch(order(1))
    error = account.refusal("PutItem", TableName="Orders", Item=order(2))
    assert error.name == "ThrottlingException"
    assert error.details["throttlingReasons"][0]["reason"] == "TableWriteMaxOnDemandThroughputExceeded"
    account.scan()
    account.scan()
    assert account.refusal("Scan", TableName="Orders").details == {
        "throttlingReasons": [{"reason": "TableReadMaxOnDemandThroughputExceeded", "resource": ARN}]
    }


def test_a_scan_goes_into_debt_by_one_page() -> None:
    account = Account(STRICT)
    account.create("id:S", ProvisionedThroughput=provisioned(2000, 10))
    account.batch(*(sized(n, 300 * KB) for n in range(4)))
    page = account.scan(ReturnConsumedCapacity="TOTAL")
    assert page["Count"] == 4
    assert page["ConsumedCapacity"]["CapacityUnits"] == 150
    error = account.refusal("Scan", TableName="Orders")
    assert error.name == "ProvisionedThroughputExceededException"
    assert error.details["ThrottlingReasons"][0]["reason"] == "TableReadProvisionedThroughputExceeded"
    account.now_s = 14.0
    account.refusal("Scan", TableName="Orders")
    account.now_s = 14.1
    account.scan()


def test_a_failed_condition_is_charged() -> None:
    account = Account()
    account.create("id:S")
    put = {"TableName": "Orders", "ConditionExpression": "attribute_not_exists(#k)"}
    names = {"#k": "id"}
    account.call("PutItem", Item=sized(1, 3 * KB), ExpressionAttributeNames=names, **put)
    error = account.refusal("PutItem", Item=order(1), ExpressionAttributeNames=names, **put)
    assert (error.name, error.message) == ("ConditionalCheckFailedException", "The conditional request failed")
    account.refusal("PutItem", Item=sized(1, 5 * KB), ExpressionAttributeNames=names, **put)
    assert account.database.tables["Orders"].throughput.table.write.history() == [(0.0, 3 + 3 + 5)]


def test_a_condition_is_not_looked_at_without_capacity() -> None:
    account = Account(STRICT)
    account.create("id:S", ProvisionedThroughput=provisioned(2, 2))
    put = {"TableName": "Orders", "ConditionExpression": "attribute_not_exists(id)", "Item": sized(1, KB)}
    account.call("PutItem", **put)
    assert account.refusal("PutItem", **put).name == "ConditionalCheckFailedException"
    assert account.refusal("PutItem", **put).name == "ProvisionedThroughputExceededException"


def test_update_table_changes_the_capacity_from_then_on() -> None:
    account = Account(STRICT, activation_s=2.0)
    account.create("id:S", ProvisionedThroughput=provisioned(1, 1))
    account.refusal("PutItem", TableName="Orders", Item=order(1))  # still CREATING
    account.now_s = 2.0
    account.batch(order(1))
    account.call("UpdateTable", TableName="Orders", ProvisionedThroughput=provisioned(100, 1))
    description = account.call("DescribeTable", TableName="Orders")["Table"]
    assert description["TableStatus"] == "UPDATING"
    assert description["ProvisionedThroughput"]["WriteCapacityUnits"] == 100
    account.now_s = 3.0
    assert account.batch(*(order(n) for n in range(25)))["UnprocessedItems"] == {}
    assert account.refusal("UpdateTable", TableName="Orders", BillingMode="PAY_PER_REQUEST").name == (
        "ResourceInUseException"
    )


def test_a_table_switched_to_on_demand_and_back_says_so() -> None:
    account = Account(STRICT)
    description = account.create("id:S", ProvisionedThroughput=provisioned(5, 6))
    assert "BillingModeSummary" not in description
    description = account.call("UpdateTable", TableName="Orders", BillingMode="PAY_PER_REQUEST")["TableDescription"]
    assert description["BillingModeSummary"] == {"BillingMode": "PAY_PER_REQUEST"}
    assert description["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    account.batch(*(order(n) for n in range(25)))
    update = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": provisioned(7, 8)}
    description = account.call("UpdateTable", TableName="Orders", **update)["TableDescription"]
    assert description["BillingModeSummary"] == {"BillingMode": "PROVISIONED"}
    assert description["ProvisionedThroughput"]["ReadCapacityUnits"] == 8
    assert len(account.batch(*(order(n) for n in range(25)))["UnprocessedItems"]["Orders"]) == 18
    assert "equals the current value" in account.refusal("UpdateTable", TableName="Orders", **update).message


def test_the_throughput_of_an_index_is_changed_by_its_name() -> None:
    account = Account(STRICT)
    indexed(account, index_wcu=1)
    update = {"IndexName": "byDay", "ProvisionedThroughput": provisioned(9, 9)}
    description = account.call("UpdateTable", TableName="Orders", GlobalSecondaryIndexUpdates=[{"Update": update}])
    (index,) = description["TableDescription"]["GlobalSecondaryIndexes"]
    assert index["ProvisionedThroughput"]["WriteCapacityUnits"] == 9
