"""Filters and projections: what every server makes of the same expressions on the same items.

All cases run against one table, in one test a server; what a server is known to do otherwise stands in `DEVIATIONS`
by its expression, so that a change is noticed.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.endpoints import Endpoint

pytestmark = pytest.mark.fuller

Item = dict[str, dict[str, Any]]

ITEMS: dict[str, Item] = {
    "a": {
        "price": {"N": "5"},
        "sku": {"S": "x-1"},
        "tags": {"SS": ["red", "new"]},
        "on": {"BOOL": True},
        "deep": {"M": {"list": {"L": [{"S": "zero"}, {"M": {"n": {"N": "1"}}}]}, "b": {"S": "bee"}}},
    },
    "b": {"price": {"N": "10.0"}, "sku": {"S": "y-2"}, "ratings": {"NS": ["1", "2.5"]}, "on": {"BOOL": False}},
    "c": {"price": {"N": "-3"}, "sku": {"S": "x-30"}, "bytes_": {"B": b"\x00\xffz"}, "nil": {"NULL": True}},
    "d": {"price": {"S": "10"}, "list": {"L": [{"S": "red"}, {"N": "7"}]}, "state_": {"S": "open"}},
    "e": {"sku": {"S": ""}, "a.b": {"S": "dotted"}, "blobs": {"BS": [b"\x01", b"\x02"]}},
}

Case = tuple[str, dict[str, Any], str]  # expression, values, ids of the items it keeps

N10, N7, N1 = {"N": "10"}, {"N": "7"}, {"N": "1.0"}

FILTERS: list[Case] = [
    ("price = :v", {":v": {"N": "10"}}, "b"),
    ("price <> :v", {":v": {"N": "10"}}, "acde"),
    ("price < :v", {":v": N7}, "ac"),
    ("price <= :v", {":v": {"N": "5"}}, "ac"),
    ("price > :v", {":v": {"N": "-3"}}, "ab"),
    ("price >= :v", {":v": {"S": "1"}}, "d"),
    (":v < price", {":v": {"N": "4"}}, "ab"),
    ("price BETWEEN :l AND :h", {":l": {"N": "-5"}, ":h": {"N": "5"}}, "ac"),
    ("price IN (:v, :w)", {":v": {"N": "5"}, ":w": {"S": "10"}}, "ad"),
    ("begins_with(sku, :v)", {":v": {"S": "x-"}}, "ac"),
    ("begins_with(sku, :v)", {":v": {"S": ""}}, "abce"),
    ("begins_with(bytes_, :v)", {":v": {"B": b"\x00"}}, "c"),
    ("contains(sku, :v)", {":v": {"S": "-3"}}, "c"),
    ("contains(tags, :v)", {":v": {"S": "red"}}, "a"),
    ("contains(ratings, :v)", {":v": N1}, "b"),
    ("contains(blobs, :v)", {":v": {"B": b"\x02"}}, "e"),
    ("contains(#list, :v)", {":v": {"N": "7.0"}}, "d"),
    ("contains(bytes_, :v)", {":v": {"B": b"\xffz"}}, "c"),
    ("attribute_exists(deep.b)", {}, "a"),
    ("attribute_exists(deep.#list[1].n)", {}, "a"),
    ("attribute_exists(deep.#list[2])", {}, ""),
    ("attribute_exists(#list[1])", {}, "d"),
    ("attribute_not_exists(sku)", {}, "d"),
    ("attribute_exists(#dotted)", {}, "e"),
    ("attribute_type(price, :v)", {":v": {"S": "S"}}, "d"),
    ("attribute_type(nil, :v)", {":v": {"S": "NULL"}}, "c"),
    ("size(sku) > :v", {":v": {"N": "3"}}, "c"),
    ("size(tags) = :v", {":v": {"N": "2"}}, "a"),
    ("size(bytes_) = :v", {":v": {"N": "3"}}, "c"),
    ("size(deep) = :v", {":v": {"N": "2"}}, "a"),
    ("size(#list) BETWEEN :v AND :v", {":v": {"N": "2"}}, "d"),
    ("NOT begins_with(sku, :v)", {":v": {"S": "x"}}, "bde"),
    ("NOT price > :v AND NOT sku = :w", {":v": {"N": "0"}, ":w": {"S": ""}}, "cd"),
    ("price = :v OR price = :w AND sku = :v", {":v": {"N": "5"}, ":w": N10}, "a"),
    ("(price = :v OR price = :w) AND begins_with(sku, :x)", {":v": {"N": "5"}, ":w": N10, ":x": {"S": "y"}}, "b"),
    ("#on = :v", {":v": {"BOOL": True}}, "a"),
    ("tags = :v", {":v": {"SS": ["new", "red"]}}, "a"),
    ("ratings = :v", {":v": {"NS": ["2.50", "1"]}}, "b"),
    ("#list = :v", {":v": {"L": [{"S": "red"}, {"N": "7.0"}]}}, "d"),
    ("deep.b = :v and Price = :v", {":v": {"S": "bee"}}, ""),
    ("nil = :v", {":v": {"NULL": True}}, "c"),
]
NAMES = {"#list": "list", "#on": "on", "#dotted": "a.b"}

PROJECTIONS: list[tuple[str, str, Item]] = [
    ("id, sku", "a", {"id": {"S": "a"}, "sku": {"S": "x-1"}}),
    ("deep.b", "a", {"deep": {"M": {"b": {"S": "bee"}}}}),
    (
        "deep.#list[1].n",
        "a",
        {"deep": {"M": {"list": {"L": [{"M": {"n": {"N": "1"}}}]}}}},
    ),
    ("#list[1], #list[0], #list[9]", "d", {"list": {"L": [{"S": "red"}, {"N": "7"}]}}),
    ("#dotted, nothing", "e", {"a.b": {"S": "dotted"}}),
    ("nothing.here, sku.x", "b", {}),
]

REFUSALS: dict[str, dict[str, Any]] = {
    "price >": {"FilterExpression": "price >"},
    "price = :v without values": {"FilterExpression": "price = :v"},
    "price = :v AND": {"FilterExpression": "price = :v AND", "ExpressionAttributeValues": {":v": N10}},
    "price = :v)": {"FilterExpression": "price = :v)", "ExpressionAttributeValues": {":v": N10}},
    "nonsense(price)": {"FilterExpression": "nonsense(price)"},
    "#x = :v": {"FilterExpression": "#x = :v", "ExpressionAttributeValues": {":v": N10}},
    "price = :v with an unused value": {
        "FilterExpression": "price = :v",
        "ExpressionAttributeValues": {":v": N10, ":unused": N10},
    },
    "attribute_type(price, :v) of no type": {
        "FilterExpression": "attribute_type(price, :v)",
        "ExpressionAttributeValues": {":v": {"S": "X"}},
    },
    "deep, deep.b": {"ProjectionExpression": "deep, deep.b"},
    "price, ": {"ProjectionExpression": "price, "},
}

# server -> why -> the expressions of which it makes something else
DEVIATIONS: dict[str, dict[str, list[str]]] = {
    "moto": {
        "it fails over values of different types": [
            *("price < :v", "price <= :v", "price > :v", "price >= :v", ":v < price", "price BETWEEN :l AND :h"),
            "NOT price > :v AND NOT sku = :w",
        ],
        "it compares bytes with their base64 text": ["begins_with(bytes_, :v)", "contains(bytes_, :v)"],
        "null equals what is not there": ["nil = :v"],
        "size() is for lists alone, and of items that all have the attribute": [
            *("size(sku) > :v", "size(tags) = :v", "size(bytes_) = :v", "size(deep) = :v"),
            "size(#list) BETWEEN :v AND :v",
        ],
        "it finds no names before a bracket": ["deep.#list[1].n", "#list[1], #list[0], #list[9]"],
        "it takes what is no expression": [
            *("price = :v without values", "#x = :v", "price = :v with an unused value"),
            *("attribute_type(price, :v) of no type", "deep, deep.b", "price, "),
        ],
    },
    "dynoxide": {"it takes any type for one": ["attribute_type(price, :v) of no type"]},
    "dynalite": {"numbers in lists are compared by their text": ["#list = :v"]},
}


@pytest.fixture
def table(dynamodb_endpoint: Endpoint) -> Iterator[str]:
    name, client = f"Expressions-{uuid.uuid4().hex[:12]}", dynamodb_endpoint.client()
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    for id, item in ITEMS.items():
        client.put_item(TableName=name, Item={"id": {"S": id}, **item})
    yield name
    client.delete_table(TableName=name)


def placeholders(text: str) -> dict[str, Any]:
    names = {mark: name for mark, name in NAMES.items() if mark in text}
    return {"ExpressionAttributeNames": names} if names else {}


def said_of(client: Any, **request: Any) -> Any:
    """What a Scan of one page gives: the items, or the name of the error."""
    try:
        page = client.scan(**request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    assert (page["ScannedCount"], page["Count"]) == (len(ITEMS), len(page["Items"]))
    return page["Items"]


def test_all_servers_agree(dynamodb_endpoint: Endpoint, table: str) -> None:
    client, differences = dynamodb_endpoint.client(), set()
    for text, values, ids in FILTERS:
        given = {"ExpressionAttributeValues": values} if values else {}
        said = said_of(client, TableName=table, FilterExpression=text, **placeholders(text), **given)
        if isinstance(said, str) or sorted(item["id"]["S"] for item in said) != list(ids):
            differences.add(text)
    for text, id, item in PROJECTIONS:
        only = {"FilterExpression": "id = :id", "ExpressionAttributeValues": {":id": {"S": id}}}
        if said_of(client, TableName=table, ProjectionExpression=text, **only, **placeholders(text)) != [item]:
            differences.add(text)
    for text, request in REFUSALS.items():
        if said_of(client, TableName=table, **request) != "ValidationException":
            differences.add(text)
    known = DEVIATIONS.get(dynamodb_endpoint.name, {})
    assert differences == {text for texts in known.values() for text in texts}
