"""boto3 talks to the simulator: tables, types, pages, capacity, throttling."""

from __future__ import annotations

import datetime
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.loaders import Loader

from ddbio.simulator import Simulator, ThroughputSettings
from ddbio.system.clock import ManualClock

KEYS = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
}


def order(name: object, **attributes: Any) -> dict[str, Any]:
    return {"id": {"S": str(name)}, **attributes}


def puts(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": item}} for item in items]


def pages(client: Any, **request: Any) -> list[dict[str, Any]]:
    return list(client.get_paginator("scan").paginate(TableName="Orders", **request))


def test_a_table_is_created_described_listed_and_deleted(client: Any, simulator: Simulator) -> None:
    throughput = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}
    client.create_table(TableName="Orders", ProvisionedThroughput=throughput, **KEYS)
    client.get_waiter("table_exists").wait(TableName="Orders", WaiterConfig={"Delay": 0, "MaxAttempts": 1})
    table = client.describe_table(TableName="Orders")["Table"]
    assert table["TableStatus"] == "ACTIVE"
    assert table["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/Orders"
    assert table["KeySchema"] == KEYS["KeySchema"]
    assert table["AttributeDefinitions"] == KEYS["AttributeDefinitions"]
    assert table["ProvisionedThroughput"] == {"NumberOfDecreasesToday": 0, **throughput}
    age = datetime.datetime.now(datetime.timezone.utc) - table["CreationDateTime"]
    assert abs(age) < datetime.timedelta(minutes=1)
    assert client.describe_table(TableName=table["TableArn"])["Table"]["TableId"] == table["TableId"]
    with pytest.raises(client.exceptions.ResourceInUseException):
        client.create_table(TableName="Orders", ProvisionedThroughput=throughput, **KEYS)
    assert client.list_tables()["TableNames"] == simulator.table_names() == ["Orders"]
    assert client.delete_table(TableName="Orders")["TableDescription"]["TableStatus"] == "DELETING"
    assert client.list_tables()["TableNames"] == []


def test_a_table_takes_its_time_to_become_active(clock: ManualClock) -> None:
    with Simulator(clock=clock, activation_s=10) as simulator:
        client = boto3.client("dynamodb", "us-east-1", endpoint_url=simulator.url)
        description = client.create_table(TableName="Orders", BillingMode="PAY_PER_REQUEST", **KEYS)
        assert description["TableDescription"]["TableStatus"] == "CREATING"
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.scan(TableName="Orders")
        clock.now_s += 10
        assert client.describe_table(TableName="Orders")["Table"]["TableStatus"] == "ACTIVE"
        assert client.scan(TableName="Orders")["Items"] == []
        client.close()


def test_backups_expiry_and_tags(client: Any, simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S")
    ttl = client.describe_time_to_live(TableName="Orders")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "DISABLED"}
    backups = client.describe_continuous_backups(TableName="Orders")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    client.update_continuous_backups(
        TableName="Orders", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    backups = client.describe_continuous_backups(TableName="Orders")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    expiry = {"Enabled": True, "AttributeName": "expires"}
    client.update_time_to_live(TableName="Orders", TimeToLiveSpecification=expiry)
    ttl = client.describe_time_to_live(TableName="Orders")["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    with pytest.raises(ClientError, match="TimeToLive is already enabled"):
        client.update_time_to_live(TableName="Orders", TimeToLiveSpecification=expiry)
    arn = client.describe_table(TableName="Orders")["Table"]["TableArn"]
    assert client.list_tags_of_resource(ResourceArn=arn)["Tags"] == []


def test_every_type_survives_the_resource_interface(simulator: Simulator) -> None:
    simulator.create_table("Orders", "id:S", "at:N")
    item = {
        "id": "h\u00e9", "at": Decimal("-1.5"), "none": None, "yes": True, "empty": "",
        "list": [Decimal(1), "x", [False]], "map": {"a": {"b": Decimal("1E-10")}},
        "ss": {"a", "b"}, "ns": {Decimal(1), Decimal("2.5")},
    }  # fmt: skip
    resource = boto3.resource("dynamodb", "us-east-1", endpoint_url=simulator.url)
    table = resource.Table("Orders")
    table.put_item(Item=item)
    key = {"id": item["id"], "at": item["at"]}
    assert table.get_item(Key=key)["Item"] == item
    assert table.scan()["Items"] == [item]
    assert table.delete_item(Key=key, ReturnValues="ALL_OLD")["Attributes"] == item
    assert "Item" not in table.get_item(Key=key)
    resource.meta.client.close()


def test_batch_writer_fills_a_table_and_parallel_segments_read_it(simulator: Simulator, client: Any) -> None:
    view = simulator.create_table("Orders", "id:S", "at:N")
    resource = boto3.resource("dynamodb", "us-east-1", endpoint_url=simulator.url)
    with resource.Table("Orders").batch_writer() as batch:
        for number in range(500):
            batch.put_item(Item={"id": f"user-{number % 50}", "at": number, "text": "x" * number})
    resource.meta.client.close()

    def segment(number: int) -> list[dict[str, Any]]:
        return [item for page in pages(client, Segment=number, TotalSegments=8, Limit=7) for item in page["Items"]]

    with ThreadPoolExecutor(4) as pool:
        segments = list(pool.map(segment, range(8)))
    assert [item for found in segments for item in found] == view.items()
    assert sorted(int(item["at"]["N"]) for item in view.items()) == list(range(500))
    owners = [{item["id"]["S"] for item in found} for found in segments]
    assert sum(map(len, owners)) == len(set().union(*owners)) == 50
    assert view.item_count() == client.describe_table(TableName="Orders")["Table"]["ItemCount"] == 500
    assert view.size_bytes() == client.describe_table(TableName="Orders")["Table"]["TableSizeBytes"]


def test_sort_keys_come_in_order_within_their_partition(simulator: Simulator, client: Any) -> None:
    simulator.create_table("Orders", "id:S", "at:N").put_items(
        [order("a", at={"N": str(number)}) for number in (10, 9, -1, 100, 0)]
    )
    assert [item["at"]["N"] for item in client.scan(TableName="Orders")["Items"]] == ["-1", "0", "9", "10", "100"]


def test_a_page_ends_with_the_item_that_reaches_one_megabyte(simulator: Simulator, client: Any) -> None:
    size_bytes = 100 * 1024
    view = simulator.create_table("Orders", "id:S")
    view.put_items([order(f"{n:02}", d={"S": "x" * (size_bytes - 5)}) for n in range(25)])
    found = pages(client, ReturnConsumedCapacity="TOTAL")
    assert [page["Count"] for page in found] == [11, 11, 3]
    assert [page["ConsumedCapacity"]["CapacityUnits"] for page in found] == [137.5, 137.5, 37.5]
    assert view.consumed("read") == 137.5 + 137.5 + 37.5
    assert "LastEvaluatedKey" not in found[-1]


def test_a_page_cut_by_its_limit_has_a_last_key_even_at_the_end(simulator: Simulator, client: Any) -> None:
    simulator.create_table("Orders", "id:S").put_items([order(n) for n in range(4)])
    assert [page["Count"] for page in pages(client, Limit=2)] == [2, 2, 0]


def test_a_projection_returns_what_it_names_and_costs_the_same(simulator: Simulator, client: Any) -> None:
    view = simulator.create_table("Orders", "id:S")
    view.put_items([order(1, size={"N": "1"}, d={"S": "x" * 5000})])
    page = client.scan(
        TableName="Orders",
        ProjectionExpression="#s, missing",
        ExpressionAttributeNames={"#s": "size"},
        ReturnConsumedCapacity="TOTAL",
    )
    assert page["Items"] == [{"size": {"N": "1"}}]
    assert page["ConsumedCapacity"]["CapacityUnits"] == 1.0


def test_an_index_is_scanned_in_its_own_order_at_its_own_cost(simulator: Simulator, client: Any) -> None:
    view = simulator.create_table("Orders", "id:S", global_indexes={"byDay": ["day:S", "id:S"]})
    view.put_items([order(n, day={"S": "mon"}) for n in range(5)] + [order("not in it")])
    found = pages(client, IndexName="byDay", Limit=2, ReturnConsumedCapacity="INDEXES")
    assert [item["id"]["S"] for page in found for item in page["Items"]] == ["0", "1", "2", "3", "4"]
    assert found[0]["LastEvaluatedKey"] == order(1, day={"S": "mon"})
    assert found[0]["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {"byDay": {"CapacityUnits": 0.5}}
    assert (view.consumed("read", "byDay"), view.consumed("read")) == (1.5, 0)
    with pytest.raises(ClientError, match="Consistent reads are not supported on global secondary indexes"):
        client.scan(TableName="Orders", IndexName="byDay", ConsistentRead=True)


def test_consumed_capacity_of_a_batch(simulator: Simulator, client: Any) -> None:
    simulator.create_table("Orders", "id:S", global_indexes={"byDay": ["day:S"]})
    items = [
        order(1),  # 1 unit
        order(2, d={"S": "x" * 1024}),  # 2 units
        order(3, day={"S": "mon"}, d={"S": "x" * 3000}),  # 3 units, and as many in the index
    ]
    answer = client.batch_write_item(RequestItems={"Orders": puts(*items)}, ReturnConsumedCapacity="INDEXES")
    assert answer["ConsumedCapacity"] == [
        {
            "TableName": "Orders",
            "CapacityUnits": 9.0,
            "Table": {"CapacityUnits": 6.0},
            "GlobalSecondaryIndexes": {"byDay": {"CapacityUnits": 3.0}},
        }
    ]


def reasons(refused: ClientError) -> list[dict[str, str]] | None:
    """The reasons of a throttled request; None with a boto3 from before the service gave any."""
    response: dict[str, Any] = refused.response
    found = response.get("ThrottlingReasons", response.get("throttlingReasons"))
    known = "ThrottlingReason" in Loader().load_service_model("dynamodb", "service-2")["shapes"]
    assert (found is not None) == known
    return found


def test_throttling_of_a_provisioned_table(simulator: Simulator, client: Any, clock: ManualClock) -> None:
    view = simulator.create_table("Orders", "id:S", wcu=10, rcu=10)
    requests = puts(*(order(n) for n in range(25)))
    answer = client.batch_write_item(RequestItems={"Orders": requests}, ReturnConsumedCapacity="TOTAL")
    assert answer["UnprocessedItems"] == {"Orders": requests[10:]}
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 10
    with pytest.raises(client.exceptions.ProvisionedThroughputExceededException) as refused:
        client.batch_write_item(RequestItems=answer["UnprocessedItems"])
    assert reasons(refused.value) in (
        None,
        [
            {
                "reason": "TableWriteProvisionedThroughputExceeded",
                "resource": "arn:aws:dynamodb:us-east-1:000000000000:table/Orders",
            }
        ],
    )
    clock.now_s += 0.5
    left = client.batch_write_item(RequestItems=answer["UnprocessedItems"])["UnprocessedItems"]["Orders"]
    assert left == requests[15:]
    assert view.consumption("write") == [(0.0, 10), (0.5, 5)]
    assert view.refusals() == {"TableWriteProvisionedThroughputExceeded": 15 + 15 + 10}
    assert simulator.requests() == {"BatchWriteItem": 3}


def test_a_hot_partition_is_told_apart_from_a_small_table(simulator: Simulator, client: Any) -> None:
    settings = ThroughputSettings(burst_s=0, partitions=4, partition_wcu=5)
    simulator.create_table("Orders", "id:S", "at:N", wcu=1000, throughput=settings)
    hot = puts(*(order("same", at={"N": str(n)}) for n in range(25)))
    answer = client.batch_write_item(RequestItems={"Orders": hot})
    assert len(answer["UnprocessedItems"]["Orders"]) == 20
    with pytest.raises(ClientError) as refused:
        client.batch_write_item(RequestItems=answer["UnprocessedItems"])
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    found = reasons(refused.value)
    assert found is None or found[0]["reason"] == "TableWriteKeyRangeThroughputExceeded"


def test_capacity_changes_while_it_runs(simulator: Simulator, client: Any, clock: ManualClock) -> None:
    view = simulator.create_table("Orders", "id:S", wcu=1, throughput=ThroughputSettings(wcu_schedule=((60, 5),)))
    view.configure(ThroughputSettings(burst_s=0, wcu_schedule=((60, 5),), background_wcu=0.5))
    requests = puts(*(order(n) for n in range(25)))
    written = []
    for now_s in (0, 1, 2, 60, 62):
        clock.now_s = 1000.0 + now_s
        try:
            answer = client.batch_write_item(RequestItems={"Orders": requests})
            written.append(25 - len(answer["UnprocessedItems"]["Orders"]))
        except client.exceptions.ProvisionedThroughputExceededException:
            written.append(0)
    assert written == [1, 0, 1, 1, 5]
    assert client.describe_table(TableName="Orders")["Table"]["ProvisionedThroughput"]["WriteCapacityUnits"] == 5
