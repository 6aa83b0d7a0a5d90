"""`dynamodb-json`: the bytes the service sent, and on the way in nothing the service would refuse."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.formats import get_format
from ddbio.formats.dynamodb_json import DynamoDBJson
from ddbio.values.capacity import item_size_bytes
from ddbio.values.items import AttributeMap
from tests.support.strategies import ITEMS, SCALARS

FORMAT = DynamoDBJson()
decode_page = msgspec.json.Decoder(FORMAT.page_items).decode


def parse(value: Any) -> AttributeMap:
    return FORMAT.parse(orjson.dumps(value))


def rejection(record: bytes) -> RecordError:
    with pytest.raises(RecordError) as caught:
        FORMAT.parse(record)
    return caught.value


# --------------------------------------------------------------------------- out and back


@given(ITEMS)
@example({"Item": {"S": "x"}})
@example({"Item": {"M": {"Item": {"S": "x"}}}})
@example({"S": {"S": "x"}})
@example({"M": {"M": {"S": {"S": "x"}}}})
@example({"NULL": {"BOOL": False}})
def test_an_item_survives_the_way_out_and_back(item: AttributeMap) -> None:
    line = FORMAT.render(decode_page(orjson.dumps([item])))
    assert FORMAT.parse(line[:-1]) == item


@given(st.lists(ITEMS, max_size=5))
def test_a_line_holds_the_very_bytes_the_service_sent(page: list[AttributeMap]) -> None:
    sent = [orjson.dumps(item) for item in page]
    assert FORMAT.render(decode_page(b"[%b]" % b",".join(sent))) == b"".join(b'{"Item":%b}\n' % item for item in sent)


@given(ITEMS)
def test_the_wrapper_may_be_missing(item: AttributeMap) -> None:
    if set(item) != {"Item"}:
        assert parse(item) == item


@given(st.dictionaries(st.just("Item"), SCALARS, min_size=1))
def test_an_attribute_may_have_the_name_of_the_wrapper(item: AttributeMap) -> None:
    assert parse(item) == parse({"Item": item}) == item


@pytest.mark.parametrize("number", ["1.10", "1E+2", "-0", "00042", "+5", "9" * 38])
def test_a_number_keeps_its_own_digits(number: str) -> None:
    assert parse({"Item": {"n": {"N": number}, "s": {"NS": [number]}}}) == {"n": {"N": number}, "s": {"NS": [number]}}


def test_bytes_get_the_spelling_the_service_answers_with() -> None:
    assert parse({"b": {"B": "QR=="}, "s": {"BS": ["QR=="]}}) == {"b": {"B": "QQ=="}, "s": {"BS": ["QQ=="]}}


def test_it_is_the_format_called_dynamodb_json() -> None:
    assert isinstance(get_format("dynamodb-json"), DynamoDBJson)


# --------------------------------------------------------------------------- rejected


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ("x", "bad-value", 'such as {"S": "text"}'),
        (1, "bad-value", "a typed value is needed"),
        (None, "bad-value", "a typed value is needed"),
        ([], "bad-value", "a typed value is needed"),
        ({}, "bad-value", "a typed value is needed"),
        ({"S": "x", "N": "1"}, "bad-value", "a typed value is needed"),
        ({"x": "x"}, "bad-value", "'x' is not a type of DynamoDB (S, N, "),
        ({"s": 1}, "bad-value", "the value of S must be a string"),
        ({"$B": "AA=="}, "bad-value", "'$B' is not a type"),
        ({"S": 1}, "bad-value", "the value of S must be a string"),
        ({"S": None}, "bad-value", "the value of S must be a string"),
        ({"N": 1}, "bad-value", "a number in quotes"),
        ({"N": 1.5}, "bad-value", "a number in quotes"),
        ({"N": ""}, "bad-number", "'' is not a number"),
        ({"N": "NaN"}, "not-finite", "NaN"),
        ({"N": "Infinity"}, "not-finite", "Infinity"),
        ({"M": {"": {"S": "x"}}}, "empty-name", "empty name"),
        ({"N": "1_000"}, "bad-number", "is not a number"),
        ({"N": " 1"}, "bad-number", "is not a number"),
        ({"N": "1" * 39}, "bad-number", "39 significant digits"),
        ({"N": "1E126"}, "bad-number", "out of DynamoDB's range"),
        ({"N": "1E-131"}, "bad-number", "out of DynamoDB's range"),
        ({"B": 1}, "bad-value", "must be base64 text"),
        ({"B": "?"}, "bad-base64", "is not base64"),
        ({"BOOL": "true"}, "bad-value", "must be true or false"),
        ({"BOOL": 1}, "bad-value", "must be true or false"),
        ({"NULL": False}, "bad-value", "the value of NULL must be true"),
        ({"NULL": None}, "bad-value", "the value of NULL must be true"),
        ({"NULL": 1}, "bad-value", "the value of NULL must be true"),
        ({"M": []}, "bad-value", "the value of M must be an object"),
        ({"M": {"a": "x"}}, "bad-value", "a typed value is needed"),
        ({"L": {}}, "bad-value", "the value of L must be an array"),
        ({"L": ["x"]}, "bad-value", "a typed value is needed"),
        ({"SS": "a"}, "bad-value", "must be an array"),
        ({"SS": [1]}, "bad-value", "must be a string"),
        ({"NS": [1]}, "bad-value", "a number in quotes"),
        ({"SS": []}, "empty-set", "at least one member"),
        ({"NS": []}, "empty-set", "at least one member"),
        ({"BS": []}, "empty-set", "at least one member"),
        ({"SS": ["a", "a"]}, "duplicate-member", "the same member twice"),
        ({"NS": ["1", "1.0"]}, "duplicate-member", "the same member twice"),
        ({"BS": ["QQ==", "QR=="]}, "duplicate-member", "the same member twice"),
    ],
)
def test_what_is_no_value_is_rejected_wherever_it_is(value: Any, code: str, message: str) -> None:
    for record in ({"Item": {"a": value}}, {"a": value, "b": {"S": ""}}, {"a": {"L": [{"M": {"b": value}}]}}):
        error = rejection(orjson.dumps(record))
        assert (error.code, message in error.message) == (code, True), error.message


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"", "bad-json"),
        (b'{"Item":', "bad-json"),
        (b"[]", "not-an-object"),
        (b'{"Item":"x"}', "bad-value"),
        (b'{"Item":null}', "bad-value"),
        (b'{"Item":[]}', "bad-value"),
        (b'{"Item":{"a":"plain"}}', "bad-value"),
        (b'{"a":{"N":%b}}' % (b"1" * 5000), "bad-number"),
    ],
)
def test_what_is_no_record_is_rejected(record: bytes, code: str) -> None:
    assert rejection(record).code == code


def typed(depth: int, kind: str) -> dict[str, Any]:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(depth):
        value = {"L": [value]} if kind == "L" else {"M": {"m": value}}
    return value


@pytest.mark.parametrize("kind", ["L", "M"])
def test_32_levels_are_stored_and_33_are_not(kind: str) -> None:
    assert parse({"Item": {"a": typed(32, kind)}}) == {"a": typed(32, kind)}
    assert rejection(orjson.dumps({"Item": {"a": typed(33, kind)}})).code == "too-deep"


@given(ITEMS, st.data())
def test_a_damaged_line_is_an_item_or_a_record_error(item: AttributeMap, data: st.DataObject) -> None:
    line = b'{"Item":%b}' % orjson.dumps(item)
    at, cut = data.draw(st.integers(0, len(line))), data.draw(st.integers(0, 6))
    damage = data.draw(
        st.one_of(
            st.sampled_from([b"", b'"', b"{", b"}", b"null", b"1", b'"S"', b'{"N":"', b'"NS":[', b"\\ud800", b"[]"]),
            st.binary(max_size=3),
        )
    )
    parse_or_reject(line[:at] + damage + line[at + cut :])


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 1), st.sampled_from(["", "1", "x", "AA=="])),
    lambda children: st.one_of(
        st.lists(children, max_size=3),
        st.dictionaries(
            st.sampled_from(["S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS", "Item"]), children, max_size=2
        ),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["Item", "a"]), JSON, max_size=2))
def test_types_with_anything_in_them_are_an_item_or_a_record_error(value: dict[str, Any]) -> None:
    parse_or_reject(orjson.dumps(value))


def parse_or_reject(record: bytes) -> None:
    try:
        attributes = FORMAT.parse(record)
    except RecordError as error:
        assert error.code in CODES
    else:
        orjson.dumps(attributes)
        item_size_bytes(attributes)


CODES = {
    "bad-json",
    "not-an-object",
    "bad-number",
    "bad-value",
    "bad-base64",
    "empty-set",
    "duplicate-member",
    "too-deep",
}
