"""The two requests as bytes, and their answers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given

from ddbio.dynamodb.operations import (
    batch_write_body,
    batch_write_operation,
    encode_item,
    halves,
    single_write_operation,
    write_decoder,
)
from ddbio.dynamodb.scan import COUNT_ONLY, scan_body, scan_operation
from ddbio.formats.dynamodb_json import DynamoDBJson
from ddbio.formats.json_lines import JsonLines
from ddbio.sinks.multi_table import MultiTableReply
from ddbio.values.items import AttributeMap
from tests.support.strategies import ITEMS

BATCH_WRITE = batch_write_operation(("",))
SCAN = scan_operation(JsonLines.page_items)


def answer(**members: Any) -> bytes:
    return orjson.dumps(members)


# --------------------------------------------------------------------------- BatchWriteItem


@given(ITEMS)
def test_a_batch_is_sent_as_dynamodb_json(item: AttributeMap) -> None:
    assert json.loads(batch_write_body("T", [encode_item(item)] * 2)) == {
        "RequestItems": {"T": [{"PutRequest": {"Item": item}}, {"PutRequest": {"Item": item}}]},
        "ReturnConsumedCapacity": "TOTAL",
    }


def test_the_indexes_shares_are_asked_for_where_they_matter() -> None:
    assert json.loads(batch_write_body("T", [], by_index=True))["ReturnConsumedCapacity"] == "INDEXES"


@given(ITEMS)
def test_unprocessed_items_come_back_as_they_were_sent(item: AttributeMap) -> None:
    reply = BATCH_WRITE.decode(answer(UnprocessedItems={"T": [{"PutRequest": {"Item": item}}]}))
    assert reply.unprocessed() == [item]
    assert BATCH_WRITE.left_over(reply)


@pytest.mark.parametrize(
    "members",
    [{"ConsumedCapacity": []}, {"UnprocessedItems": {}}, {"UnprocessedItems": {}, "ItemCollectionMetrics": {}}],
)
def test_nothing_unprocessed_is_nothing(members: dict[str, Any]) -> None:
    reply = BATCH_WRITE.decode(answer(**members))
    assert reply.unprocessed() == []
    assert not BATCH_WRITE.left_over(reply)


@pytest.mark.parametrize(
    ("budgets", "told", "units"),
    [
        (("",), [], None),
        (("",), [{"TableName": "T"}], None),
        (("",), [{"TableName": "T", "CapacityUnits": 25.0}], (25.0,)),
        (("",), [{"TableName": "T", "CapacityUnits": 0}], (0.0,)),
        (("",), [{"TableName": "T", "CapacityUnits": 30.0, "Table": {"CapacityUnits": 25.0}}], (30.0,)),
        (
            ("", "by-city", "by-age"),
            [
                {
                    "CapacityUnits": 30.0,
                    "Table": {"CapacityUnits": 21.0},
                    "GlobalSecondaryIndexes": {"by-city": {"CapacityUnits": 4.0}, "by-age": {"CapacityUnits": 5.0}},
                }
            ],
            (21.0, 4.0, 5.0),
        ),
        (("", "by-city"), [{"CapacityUnits": 25.0}], (25.0, 0.0)),
        (
            ("", "by-city"),
            [{"CapacityUnits": 30.0, "GlobalSecondaryIndexes": {"on-demand": {"CapacityUnits": 4.0}}}],
            (30.0, 0.0),
        ),
    ],
)
def test_what_a_batch_consumed_is_told_by_budget(
    budgets: tuple[str, ...], told: list[dict[str, Any]], units: tuple[float, ...] | None
) -> None:
    operation = batch_write_operation(budgets)
    assert operation.consumed(operation.decode(answer(ConsumedCapacity=told))) == units
    assert operation.budgets == budgets


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"UnprocessedItems":[]}',
        b'{"UnprocessedItems":{"T":[{"DeleteRequest":{}}]}}',
        b'{"UnprocessedItems":{"T":[{"PutRequest":{"Item":"\xff"}}]}}',
        b'{"ConsumedCapacity":[{"CapacityUnits":"many"}]}',
        b'{"ConsumedCapacity":[{"CapacityUnits":-15}]}',
    ],
)
def test_what_is_no_answer_is_told_by_the_decoder(body: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        BATCH_WRITE.decode(body)


@pytest.mark.parametrize(
    "decode", [BATCH_WRITE.decode, single_write_operation("PutItem", ("",)).decode, write_decoder(MultiTableReply)]
)
def test_an_answer_to_a_write_says_what_was_consumed_or_left(decode: Any) -> None:
    for body in (b"{}", b'{"message":"ok"}', b'{"UnprocessedItem":{}}', b'{"ConsumedCapacity":null}'):
        with pytest.raises((msgspec.MsgspecError, ValueError)):
            decode(body)
    assert not decode(b'{"UnprocessedItems":{}}').unprocessed()  # of a server that does not count


@pytest.mark.parametrize(("batch", "first", "second"), [("ab", "a", "b"), ("abc", "a", "bc"), ("abcd", "ab", "cd")])
def test_halves_are_never_empty_and_keep_the_order(batch: str, first: str, second: str) -> None:
    assert halves(batch) == (first, second)


# --------------------------------------------------------------------------- Scan


def scan(**changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "segment": 3,
        "total_segments": 8,
        "consistent": False,
        "start_key": None,
        "limit": None,
    }
    body: dict[str, Any] = json.loads(scan_body("T", **{**arguments, **changes}))
    return body


def test_a_scan_asks_for_its_segment() -> None:
    assert scan() == {"TableName": "T", "Segment": 3, "TotalSegments": 8, "ReturnConsumedCapacity": "TOTAL"}


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"consistent": True}, {"ConsistentRead": True}),
        ({"limit": 7}, {"Limit": 7}),
        ({"start_key": '{"id":{"B":"QQ=="}}'}, {"ExclusiveStartKey": {"id": {"B": "QQ=="}}}),
    ],
)
def test_what_a_scan_may_ask_for_besides(change: dict[str, Any], member: dict[str, Any]) -> None:
    assert scan(**change) == {**scan(), **member}


@pytest.mark.parametrize(
    ("key", "next_key"),
    [
        (b'{"id":{"S":"a\\u0000\\u00e9"},"n":{"N":"1.10"}}', '{"id":{"S":"a\\u0000\\u00e9"},"n":{"N":"1.10"}}'),
        ('{"id":{"S":"é"}}'.encode(), '{"id":{"S":"é"}}'),
        (b"null", None),
        (b"{}", None),
        (None, None),
    ],
)
def test_the_next_key_is_the_text_the_service_sent(key: bytes | None, next_key: str | None) -> None:
    member = b"" if key is None else b',"LastEvaluatedKey":%b' % key
    assert SCAN.decode(b'{"Items":[],"Count":0%b}' % member).next_key() == next_key


def test_a_key_goes_back_as_it_came() -> None:
    key = '{"id":{"S":"a\\u0000"},"n":{"N":"1.10"}}'
    reply = SCAN.decode(b'{"Items":[],"Count":0,"LastEvaluatedKey":%b}' % key.encode())
    assert key.encode() in scan_body(
        "T", segment=0, total_segments=1, consistent=False, start_key=reply.next_key(), limit=None
    )


@pytest.mark.parametrize(
    ("members", "units"),
    [
        ({}, None),
        ({"ConsumedCapacity": None}, None),
        ({"ConsumedCapacity": {"TableName": "T"}}, None),
        ({"ConsumedCapacity": {"TableName": "T", "CapacityUnits": 128.5}}, (128.5,)),
        ({"ConsumedCapacity": {"CapacityUnits": 0}}, (0.0,)),
    ],
)
def test_what_a_page_consumed(members: dict[str, Any], units: tuple[float] | None) -> None:
    assert SCAN.consumed(SCAN.decode(answer(Items=[], Count=0, **members))) == units


def test_a_page_is_decoded_for_the_format_that_renders_it() -> None:
    body = b'{"Items":[{"id":{"S":"a"}}],"Count":1}'
    plain = SCAN.decode(body).Items
    raw = scan_operation(DynamoDBJson.page_items).decode(body).Items
    assert (plain[0]["id"].S, bytes(raw[0])) == ("a", b'{"id":{"S":"a"}}')


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{}", b'{"Items":{}}', b'{"Items":[{"id":"a"}]}', b'{"Items":[{"id":{"S":1}}]}', b'{"Items":[]}'),
        b'{"Items":[{"id":{"S":"a"}}],"Count":5}',
        b'{"Items":[{"id":{"S":"a"}}],"Count":0}',
        b'{"Items":[],"Count":0,"ConsumedCapacity":{"CapacityUnits":-1}}',
    ],
)
def test_what_is_no_page_is_told_by_the_decoder(body: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        SCAN.decode(body)


# --------------------------------------------------------------------------- a Scan with Select=COUNT

COUNTING = scan_operation(COUNT_ONLY)


def test_a_page_that_was_only_counted_has_a_length_and_a_key_and_no_items() -> None:
    body = (
        b'{"Count":2,"ScannedCount":5,"LastEvaluatedKey":{"id":{"S":"b"}},"ConsumedCapacity":{"CapacityUnits":1.5}}'
    )
    reply = COUNTING.decode(body)
    assert (len(reply.Items), reply.Count, reply.ScannedCount) == (2, 2, 5)
    assert reply.next_key() == '{"id":{"S":"b"}}'
    assert COUNTING.consumed(reply) == (1.5,)
    last = COUNTING.decode(b'{"Count":0,"ScannedCount":0}')
    assert (len(last.Items), last.next_key(), COUNTING.consumed(last)) == (0, None, None)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"Count":1}',
        b'{"ScannedCount":1}',
        b'{"Count":-1,"ScannedCount":1}',
        b'{"Count":3,"ScannedCount":2}',
        b'{"Count":"3","ScannedCount":3}',
        b"[]",
    ],
)
def test_an_answer_without_its_counts_is_none(body: bytes) -> None:
    with pytest.raises((msgspec.MsgspecError, ValueError)):
        COUNTING.decode(body)
