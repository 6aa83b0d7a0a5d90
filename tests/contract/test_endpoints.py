"""What ddbio relies on in DynamoDB, asserted of every server that the other tests run against.

The assertions are AWS's rules, from the API reference and from what others measured against the real service. Where a
server is known to do otherwise it stands in `DEVIATIONS`, and the test must fail there: a deviation that goes away
is noticed, and what a server gets wrong is never taken for a rule.
"""

from __future__ import annotations

import re
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.endpoints import Endpoint
from tests.support.deviations import Deviations, expect_deviations, unknown_tests

Item = dict[str, dict[str, Any]]

DEVIATIONS: Deviations = {
    "simulator": {},
    "moto": {
        "empty attribute names are stored": [
            f"test_an_empty_attribute_name_is_refused[{place}]" for place in ("top", "map", "map-in-list")
        ],
        "numbers come back as they were sent": [
            f"test_numbers_keep_38_digits_and_are_normalised[{form}]"
            for form in ("minus-zero", "leading-zeros", "decimal-zero", "exponent", "trailing-zero")
        ],
        "it accepts what DynamoDB refuses": [
            f"test_one_bad_request_refuses_the_whole_batch[{case}]"
            for case in (
                "put-and-delete",
                "empty-set",
                "set-with-duplicates",
                "number-too-big",
                "39-digits",
                "26-items",
            )
        ],
        "it writes the items before the bad one": [
            f"test_one_bad_request_refuses_the_whole_batch[{case}]"
            for case in ("over-400-kb", "key-missing", "key-of-another-type")
        ],
        "its limit is 405,000 bytes": ["test_an_item_of_exactly_400_kb_is_taken"],
        "start keys are not checked": ["test_a_start_key_of_another_segment_is_refused"],
        "pages are cut by a size of its own": ["test_a_page_ends_after_one_megabyte"],
        "it always tells a capacity of 1.0 a call, asked or not": [
            "test_capacity_is_told_only_when_asked_for",
            "test_capacity_of_a_write_is_one_entry_a_table[TOTAL]",
            "test_writes_are_billed_by_started_kilobyte_of_each_item",
            "test_a_smaller_item_over_a_bigger_one_is_billed_as_the_bigger",
            "test_deletes_of_absent_items_are_one_unit_each",
            "test_a_scan_page_is_billed_by_started_4_kilobytes_of_its_sum[eventual]",
            "test_a_scan_page_is_billed_by_started_4_kilobytes_of_its_sum[consistent]",
        ],
    },
    "dynamodb-local": {
        "it has words of its own": [
            "test_one_bad_request_refuses_the_whole_batch[key-missing]",
            "test_one_bad_request_refuses_the_whole_batch[39-digits]",
            "test_one_bad_request_refuses_the_whole_batch[26-items]",
            "test_a_table_that_is_not_there[batch_write_item]",
            "test_a_table_that_is_not_there[scan]",
            "test_a_table_that_is_not_there[describe_table]",
            "test_a_start_key_of_another_segment_is_refused",
        ],
        "it bills two units for the delete of an absent item": ["test_deletes_of_absent_items_are_one_unit_each"],
        "an empty page is free": ["test_an_empty_page_is_not_free"],
    },
    "dynoxide": {
        "empty attribute names are stored": [
            f"test_an_empty_attribute_name_is_refused[{place}]" for place in ("top", "map", "map-in-list")
        ],
        "start keys are not checked": ["test_a_start_key_of_another_segment_is_refused"],
    },
    "dynalite": {
        "empty attribute names are stored": [
            f"test_an_empty_attribute_name_is_refused[{place}]" for place in ("top", "map", "map-in-list")
        ],
        "consistent reads are billed as eventual ones": [
            "test_a_scan_page_is_billed_by_started_4_kilobytes_of_its_sum[consistent]"
        ],
        "an empty page is free": ["test_an_empty_page_is_not_free"],
    },
}


@pytest.fixture(autouse=True)
def known_deviation(request: pytest.FixtureRequest, dynamodb_endpoint: Endpoint) -> None:
    expect_deviations(request, dynamodb_endpoint.name, DEVIATIONS)


def test_deviations_name_tests_that_exist(request: pytest.FixtureRequest) -> None:
    assert not unknown_tests(request, DEVIATIONS)


@pytest.fixture
def client(dynamodb_endpoint: Endpoint) -> Any:
    return dynamodb_endpoint.client()


@pytest.fixture
def table(client: Any) -> Iterator[str]:
    """An empty on-demand table with a string partition key `hash` and a string sort key `range`."""
    name = f"Contract-{uuid.uuid4().hex[:12]}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "hash", "KeyType": "HASH"}, {"AttributeName": "range", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "hash", "AttributeType": "S"},
            {"AttributeName": "range", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    yield name
    client.delete_table(TableName=name)


def item_of(number: int, **attributes: Any) -> Item:
    return {"hash": {"S": f"h{number:03}"}, "range": {"S": f"r{number:03}"}, **attributes}


def puts(items: list[Item]) -> list[dict[str, Any]]:
    return [{"PutRequest": {"Item": item}} for item in items]


def write(client: Any, table: str, items: list[Item], **options: Any) -> dict[str, Any]:
    """One BatchWriteItem with everything in it."""
    answer: dict[str, Any] = client.batch_write_item(RequestItems={table: puts(items)}, **options)
    assert answer.get("UnprocessedItems", {}) == {}
    return answer


def scan(client: Any, table: str, **options: Any) -> Iterator[dict[str, Any]]:
    """The pages of a Scan. What ends it is the absence of LastEvaluatedKey, nothing else."""
    while True:
        page = client.scan(TableName=table, **options)
        yield page
        if "LastEvaluatedKey" not in page:
            return
        options["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def items_in(pages: Iterator[dict[str, Any]]) -> list[Item]:
    return [item for page in pages for item in page["Items"]]


def in_order(items: list[Item]) -> list[Item]:
    return sorted(items, key=lambda item: (item["hash"]["S"], item["range"]["S"]))


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """(code, message) of the error that the call is refused with."""
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response["Error"]["Code"], refused.value.response["Error"]["Message"]


# -- writing and scanning -------------------------------------------------------------------------------------


def test_four_segments_together_give_each_item_once(client: Any, table: str) -> None:
    items = [item_of(number) for number in range(100)]
    for start in range(0, 100, 25):
        write(client, table, items[start : start + 25])
    segments = [items_in(scan(client, table, Segment=segment, TotalSegments=4)) for segment in range(4)]
    assert in_order([item for segment in segments for item in segment]) == items
    assert sum(bool(segment) for segment in segments) >= 2


def test_items_of_one_partition_key_are_in_one_segment(client: Any, table: str) -> None:
    items = [{"hash": {"S": "same"}, "range": {"S": f"r{number:03}"}} for number in range(25)]
    write(client, table, items)
    segments = [items_in(scan(client, table, Segment=segment, TotalSegments=4)) for segment in range(4)]
    assert sorted(len(segment) for segment in segments) == [0, 0, 0, 25]


def test_limit_cuts_pages_and_a_scan_goes_on_from_the_last_key(client: Any, table: str) -> None:
    items = [item_of(number) for number in range(25)]
    write(client, table, items)
    pages = list(scan(client, table, Limit=4))
    assert all(len(page["Items"]) <= 4 for page in pages)
    assert all(set(page["LastEvaluatedKey"]) == {"hash", "range"} for page in pages[:-1])
    assert in_order(items_in(iter(pages))) == items


def test_a_page_ends_after_one_megabyte(client: Any, table: str) -> None:
    items = [item_of(number, data={"S": "x" * 100_000}) for number in range(25)]
    write(client, table, items)
    pages = list(scan(client, table))
    assert in_order(items_in(iter(pages))) == items
    assert len(pages) in (3, 4)
    assert all(len(page["Items"]) in (10, 11) for page in pages[:2])  # 1 MiB holds 10.48 of them


def test_a_page_that_the_filter_empties_still_has_a_last_key(client: Any, table: str) -> None:
    write(client, table, [item_of(number) for number in range(25)])
    pages = list(
        scan(
            client, table, Limit=5, FilterExpression="#h = :h",
            ExpressionAttributeNames={"#h": "hash"}, ExpressionAttributeValues={":h": {"S": "nothing"}},
        )
    )  # fmt: skip
    assert len(pages) >= 5
    assert items_in(iter(pages)) == []
    assert sum(page["ScannedCount"] for page in pages) == 25


def test_a_put_replaces_the_whole_item(client: Any, table: str) -> None:
    write(client, table, [item_of(1, old={"S": "x"}, both={"S": "x"})])
    write(client, table, [item_of(1, both={"S": "y"})])
    assert items_in(scan(client, table)) == [item_of(1, both={"S": "y"})]


def test_deleting_what_is_not_there_succeeds(client: Any, table: str) -> None:
    write(client, table, [item_of(1), item_of(2)])
    deletes = [{"DeleteRequest": {"Key": item_of(number)}} for number in (1, 3)]
    assert client.batch_write_item(RequestItems={table: deletes}).get("UnprocessedItems", {}) == {}
    assert items_in(scan(client, table)) == [item_of(2)]


def test_an_insert_never_overwrites(client: Any, table: str) -> None:
    """The partition key alone says whether there is such an item, also where there is a sort key."""
    insert = {
        "TableName": table,
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": "hash"},
        "ReturnConsumedCapacity": "TOTAL",
    }
    assert client.put_item(Item=item_of(1, v={"N": "1"}), **insert)["ConsumedCapacity"]["CapacityUnits"] == 1
    client.put_item(Item=item_of(1, range={"S": "other"}), **insert)
    code, _ = refusal(lambda: client.put_item(Item=item_of(1, v={"N": "2"}), **insert))
    assert code == "ConditionalCheckFailedException"
    assert in_order(items_in(scan(client, table))) == [item_of(1, range={"S": "other"}), item_of(1, v={"N": "1"})]


def test_a_batch_puts_and_deletes(client: Any, table: str) -> None:
    write(client, table, [item_of(1), item_of(2)])
    requests = [*puts([item_of(3)]), {"DeleteRequest": {"Key": item_of(1)}}, *puts([item_of(2, v={"N": "2"})])]
    client.batch_write_item(RequestItems={table: requests})
    assert in_order(items_in(scan(client, table))) == [item_of(2, v={"N": "2"}), item_of(3)]


# -- types ----------------------------------------------------------------------------------------------------

EVERY_TYPE: Item = {
    "string": {"S": "häßlich \u0001 \U0001f600 \"quoted\""},
    "empty string": {"S": ""},
    "binary": {"B": b"\x00\xff"},
    "empty binary": {"B": b""},
    "true": {"BOOL": True},
    "null": {"NULL": True},
    "list": {"L": [{"S": "a"}, {"N": "1"}, {"L": []}, {"M": {}}]},
    "map": {"M": {"a.b": {"S": "x"}}},
    "nested": {"M": {"l": {"L": [{"M": {"b": {"B": b"x"}, "s": {"SS": ["x"]}}}]}}},
}  # fmt: skip


def test_every_type_comes_back_as_it_went(client: Any, table: str) -> None:
    write(client, table, [item_of(1, **EVERY_TYPE)])
    assert items_in(scan(client, table)) == [item_of(1, **EVERY_TYPE)]


def test_sets_come_back_in_any_order(client: Any, table: str) -> None:
    sets = {"ss": {"SS": ["b", "a", "ü"]}, "ns": {"NS": ["3", "1", "-2.5"]}, "bs": {"BS": [b"\xff", b"\x00"]}}
    write(client, table, [item_of(1, **sets)])
    (item,) = items_in(scan(client, table))
    assert {name: {letter: sorted(members) for letter, members in item[name].items()} for name in sets} == {
        name: {letter: sorted(members) for letter, members in value.items()} for name, value in sets.items()
    }


DIGITS = "12345678901234567890123456789012345678"


@pytest.mark.parametrize(
    ("sent", "returned"),
    [
        pytest.param("0", "0", id="zero"),
        pytest.param("-0", "0", id="minus-zero"),
        pytest.param("00042", "42", id="leading-zeros"),
        pytest.param("1.0", "1", id="decimal-zero"),
        pytest.param("1.5E2", "150", id="exponent"),
        pytest.param("-12.50", "-12.5", id="trailing-zero"),
        pytest.param(DIGITS, DIGITS, id="38-digits"),
        pytest.param(f"-0.{DIGITS}", f"-0.{DIGITS}", id="38-decimals"),
    ],
)
def test_numbers_keep_38_digits_and_are_normalised(client: Any, table: str, sent: str, returned: str) -> None:
    write(client, table, [item_of(1, n={"N": sent})])
    assert items_in(scan(client, table)) == [item_of(1, n={"N": returned})]


# -- refusals -------------------------------------------------------------------------------------------------

DUPLICATES = "Provided list of item keys contains duplicates"
# Two sources that measured the real service disagree on the words for keys in a batch; either is taken here.
KEY_MISSING = "The provided key element does not match the schema|Missing the key range in the item"
KEY_TYPE = "The provided key element does not match the schema|Type mismatch for key"
TOO_BIG = "Item size has exceeded the maximum allowed size"


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        pytest.param(puts([item_of(1), item_of(2), item_of(1)]), DUPLICATES, id="two-puts"),
        pytest.param([*puts([item_of(1)]), {"DeleteRequest": {"Key": item_of(1)}}], DUPLICATES, id="put-and-delete"),
        pytest.param(puts([item_of(1), {"hash": {"S": "no range"}}]), KEY_MISSING, id="key-missing"),
        pytest.param(puts([item_of(1), item_of(2, range={"N": "2"})]), KEY_TYPE, id="key-of-another-type"),
        pytest.param(puts([item_of(1), item_of(2, d={"S": "x" * 409_600})]), TOO_BIG, id="over-400-kb"),
        pytest.param(puts([item_of(1), item_of(2, range={"S": ""})]), "empty string", id="empty-key"),
        pytest.param(puts([item_of(1), item_of(2, s={"SS": []})]), "empty", id="empty-set"),
        pytest.param(puts([item_of(1), item_of(2, s={"SS": ["a", "a"]})]), "duplicates", id="set-with-duplicates"),
        pytest.param(puts([item_of(1), item_of(2, n={"N": "1E126"})]), "Number overflow", id="number-too-big"),
        pytest.param(
            puts([item_of(1), item_of(2, n={"N": "1" * 39})]), "more than 38 significant digits", id="39-digits"
        ),
        pytest.param(puts([item_of(number) for number in range(26)]), "25", id="26-items"),
    ],
)
def test_one_bad_request_refuses_the_whole_batch(
    client: Any, table: str, requests: list[dict[str, Any]], message: str
) -> None:
    code, said = refusal(lambda: client.batch_write_item(RequestItems={table: requests}))
    assert code == "ValidationException"
    assert re.search(message, said, re.IGNORECASE)
    assert items_in(scan(client, table)) == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"": {"S": "x"}}, id="top"),
        pytest.param({"m": {"M": {"": {"S": "x"}}}}, id="map"),
        pytest.param({"l": {"L": [{"M": {"": {"S": "x"}}}]}}, id="map-in-list"),
    ],
)
def test_an_empty_attribute_name_is_refused(client: Any, table: str, value: Item) -> None:
    """What DynamoDB Local does. AWS does not document it."""
    item = item_of(1, **value)
    for call in (
        lambda: client.batch_write_item(RequestItems={table: puts([item_of(2), item])}),
        lambda: client.put_item(TableName=table, Item=item),
    ):
        assert refusal(call) == ("ValidationException", "Empty attribute name")
    assert items_in(scan(client, table)) == []


def test_an_item_of_exactly_400_kb_is_taken(client: Any, table: str) -> None:
    names_and_keys = len("hash") + len("h001") + len("range") + len("r001") + len("d")
    write(client, table, [item_of(1, d={"S": "x" * (409_600 - names_and_keys)})])


@pytest.mark.parametrize("operation", ["batch_write_item", "scan", "describe_table"])
def test_a_table_that_is_not_there(client: Any, operation: str) -> None:
    arguments = {
        "batch_write_item": {"RequestItems": {"NoSuchTable": puts([item_of(1)])}},
        "scan": {"TableName": "NoSuchTable"},
        "describe_table": {"TableName": "NoSuchTable"},
    }[operation]
    code, message = refusal(lambda: getattr(client, operation)(**arguments))
    assert code == "ResourceNotFoundException"
    assert message.startswith("Requested resource not found")


def test_a_start_key_of_another_segment_is_refused(client: Any, table: str) -> None:
    write(client, table, [item_of(number) for number in range(25)])
    pages = [client.scan(TableName=table, Segment=segment, TotalSegments=2, Limit=1) for segment in (0, 1)]
    code, message = refusal(
        lambda: client.scan(
            TableName=table, Segment=0, TotalSegments=2, ExclusiveStartKey=pages[1]["LastEvaluatedKey"]
        )
    )
    assert (code, "ExclusiveStartKey" in message) == ("ValidationException", True)


# -- capacity -------------------------------------------------------------------------------------------------


def test_capacity_is_told_only_when_asked_for(client: Any, table: str) -> None:
    assert "ConsumedCapacity" not in write(client, table, [item_of(1)])
    assert "ConsumedCapacity" not in client.scan(TableName=table)


@pytest.mark.parametrize("detail", ["TOTAL", "INDEXES"])
def test_capacity_of_a_write_is_one_entry_a_table(client: Any, table: str, detail: str) -> None:
    (consumed,) = write(client, table, [item_of(1)], ReturnConsumedCapacity=detail)["ConsumedCapacity"]
    assert consumed["TableName"].endswith(table)
    assert consumed["CapacityUnits"] >= 1
    assert ("Table" in consumed) == (detail == "INDEXES")


def test_writes_are_billed_by_started_kilobyte_of_each_item(client: Any, table: str) -> None:
    sizes_bytes = [100, 1000, 1024, 1025, 3500]
    overhead = len("hash") + len("h001") + len("range") + len("r001") + len("d")
    items = [item_of(number, d={"S": "x" * (size_bytes - overhead)}) for number, size_bytes in enumerate(sizes_bytes)]
    (consumed,) = write(client, table, items, ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert consumed["CapacityUnits"] == 1 + 1 + 1 + 2 + 4


def test_a_smaller_item_over_a_bigger_one_is_billed_as_the_bigger(client: Any, table: str) -> None:
    write(client, table, [item_of(1, d={"S": "x" * 5000})])
    (consumed,) = write(client, table, [item_of(1)], ReturnConsumedCapacity="TOTAL")["ConsumedCapacity"]
    assert consumed["CapacityUnits"] == 5


def test_deletes_of_absent_items_are_one_unit_each(client: Any, table: str) -> None:
    deletes = [{"DeleteRequest": {"Key": item_of(number)}} for number in range(25)]
    answer = client.batch_write_item(RequestItems={table: deletes}, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"][0]["CapacityUnits"] == 25


@pytest.mark.parametrize(
    ("consistent", "factor"),
    [pytest.param(False, 0.5, id="eventual"), pytest.param(True, 1.0, id="consistent")],
)
def test_a_scan_page_is_billed_by_started_4_kilobytes_of_its_sum(
    client: Any, table: str, consistent: bool, factor: float
) -> None:
    write(client, table, [item_of(number, d={"S": "x" * 3000}) for number in range(25)])
    page = client.scan(TableName=table, ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
    assert len(page["Items"]) == 25
    assert page["ConsumedCapacity"]["CapacityUnits"] == 19 * factor  # 25 x 3,018 bytes are 18.4 x 4 KB


def test_an_empty_page_is_not_free(client: Any, table: str) -> None:
    page = client.scan(TableName=table, ReturnConsumedCapacity="TOTAL")
    assert page["ConsumedCapacity"]["CapacityUnits"] >= 0.5  # for each partition that is looked at


# -- the rest of the protocol ---------------------------------------------------------------------------------


def test_a_crc_that_is_sent_is_right(client: Any, table: str) -> None:
    bodies: list[tuple[str | None, bytes]] = []
    client.meta.events.register_last(
        "response-received.dynamodb.Scan",
        lambda response_dict, **_: bodies.append(
            (response_dict["headers"].get("x-amz-crc32"), response_dict["body"])
        ),
        unique_id="contract",
    )
    try:
        client.scan(TableName=table)
    finally:
        client.meta.events.unregister("response-received.dynamodb.Scan", unique_id="contract")
    ((sent, body),) = bodies
    assert sent is None or int(sent) == zlib.crc32(body)


def test_the_description_of_an_on_demand_table(client: Any, table: str) -> None:
    description = client.describe_table(TableName=table)["Table"]
    assert description["TableStatus"] == "ACTIVE"
    assert [(key["AttributeName"], key["KeyType"]) for key in description["KeySchema"]] == [
        ("hash", "HASH"),
        ("range", "RANGE"),
    ]
    assert description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert description["ProvisionedThroughput"]["WriteCapacityUnits"] == 0
    assert description["TableArn"].endswith(f":table/{table}")
