"""Keys: what the table would refuse is named before a batch is lost to it, and equal keys are one key."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.values.items import check_base64
from ddbio.values.keys import key_checker
from tests.support.strategies import numbers
from tests.support.tables import table

STRING_KEY = key_checker(table({"id": "S"}))
NUMBER_KEY = key_checker(table({"id": "N"}))
BINARY_KEY = key_checker(table({"id": "B"}))
STRING_NUMBER_KEY = key_checker(table({"id": "S", "at": "N"}))
STRING_STRING_KEY = key_checker(table({"id": "S", "at": "S"}))


def binary(size: int) -> str:
    return base64.b64encode(b"x" * size).decode()


@pytest.mark.parametrize(
    ("key_of", "attributes", "key"),
    [
        (STRING_KEY, {"id": {"S": "a"}, "x": {"N": "1"}}, ("a",)),
        (STRING_STRING_KEY, {"at": {"S": "b"}, "id": {"S": "a"}}, ("a", "b")),
        (NUMBER_KEY, {"id": {"N": "1.0"}}, ("1E0",)),
        (STRING_NUMBER_KEY, {"id": {"S": "1.0"}, "at": {"N": "10"}}, ("1.0", "1E1")),
        (BINARY_KEY, {"id": {"B": "QQ=="}}, ("QQ==",)),
    ],
)
def test_the_identity_of_an_item_is_its_key(key_of: Any, attributes: dict[str, Any], key: tuple[str, ...]) -> None:
    assert key_of(attributes) == key


@given(numbers(), numbers())
def test_numeric_keys_are_the_same_exactly_when_they_are_equal(one: str, other: str) -> None:
    same = NUMBER_KEY({"id": {"N": one}}) == NUMBER_KEY({"id": {"N": other}})
    assert same == (Decimal(one) == Decimal(other))


@given(numbers(), st.sampled_from(["{:f}", "{:E}"]))
def test_a_numeric_key_may_be_spelled_in_any_way(number: str, spelling: str) -> None:
    again = spelling.format(Decimal(number))
    assert STRING_NUMBER_KEY({"id": {"S": "a"}, "at": {"N": number}}) == STRING_NUMBER_KEY(
        {"id": {"S": "a"}, "at": {"N": again}}
    )


def test_two_spellings_of_the_same_bytes_are_one_key() -> None:
    """The service answers with the canonical one; an unprocessed item must be found again by it."""
    assert BINARY_KEY({"id": {"B": check_base64("QR==")}}) == BINARY_KEY({"id": {"B": "QQ=="}})


@given(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5))
def test_string_keys_are_compared_as_they_are(one: str, other: str) -> None:
    assert (STRING_KEY({"id": {"S": one}}) == STRING_KEY({"id": {"S": other}})) == (one == other)


@pytest.mark.parametrize("key_of", [STRING_KEY, NUMBER_KEY, BINARY_KEY, STRING_NUMBER_KEY])
def test_a_key_that_is_missing_is_named(key_of: Any) -> None:
    with pytest.raises(RecordError) as error:
        key_of({"at": {"N": "1"}, "other": {"S": "x"}})
    assert (error.value.code, error.value.message) == ("missing-key", "the key 'id' is missing")


def test_a_sort_key_that_is_missing_is_named() -> None:
    with pytest.raises(RecordError, match="the key 'at' is missing"):
        STRING_NUMBER_KEY({"id": {"S": "a"}})


@pytest.mark.parametrize(
    ("key_of", "value", "message"),
    [
        (STRING_KEY, {"N": "1"}, "is a number; the table wants a string (S)"),
        (STRING_KEY, {"B": "QQ=="}, "is binary; the table wants a string (S)"),
        (STRING_KEY, {"BOOL": True}, "is true or false; the table wants a string (S)"),
        (STRING_KEY, {"NULL": True}, "is null; the table wants a string (S)"),
        (STRING_KEY, {"M": {}}, "is a map; the table wants a string (S)"),
        (STRING_KEY, {"L": []}, "is a list; the table wants a string (S)"),
        (STRING_KEY, {"SS": ["a"]}, "is a set; the table wants a string (S)"),
        (NUMBER_KEY, {"S": "1"}, "is a string; the table wants a number (N)"),
        (BINARY_KEY, {"S": "QQ=="}, "is a string; the table wants binary (B)"),
    ],
)
def test_a_key_of_another_type_is_refused(key_of: Any, value: dict[str, Any], message: str) -> None:
    with pytest.raises(RecordError) as error:
        key_of({"id": value})
    assert (error.value.code, error.value.message) == ("wrong-key-type", f"the key 'id' {message}")


@pytest.mark.parametrize(("key_of", "value"), [(STRING_KEY, {"S": ""}), (BINARY_KEY, {"B": ""})])
def test_an_empty_key_is_refused(key_of: Any, value: dict[str, Any]) -> None:
    with pytest.raises(RecordError) as error:
        key_of({"id": value})
    assert (error.value.code, error.value.message) == ("empty-key", "the key 'id' is empty")


def test_an_empty_sort_key_is_refused() -> None:
    with pytest.raises(RecordError, match="the key 'at' is empty"):
        STRING_STRING_KEY({"id": {"S": "a"}, "at": {"S": ""}})


@pytest.mark.parametrize(
    ("key_of", "longest", "too_long"),
    [
        (STRING_KEY, {"id": {"S": "x" * 2048}}, {"id": {"S": "x" * 2049}}),
        (STRING_KEY, {"id": {"S": "é" * 1024}}, {"id": {"S": "é" * 1024 + "x"}}),
        (STRING_KEY, {"id": {"S": "\U0001f600" * 512}}, {"id": {"S": "\U0001f600" * 512 + "x"}}),
        (BINARY_KEY, {"id": {"B": binary(2048)}}, {"id": {"B": binary(2049)}}),
        (STRING_STRING_KEY, {"id": {"S": "a"}, "at": {"S": "x" * 1024}}, {"id": {"S": "a"}, "at": {"S": "x" * 1025}}),
        (
            STRING_STRING_KEY,
            {"id": {"S": "a"}, "at": {"S": "\U0001f600" * 256}},
            {"id": {"S": "a"}, "at": {"S": "\U0001f600" * 257}},
        ),
        (STRING_STRING_KEY, {"id": {"S": "x" * 2048}, "at": {"S": "a"}}, {"id": {"S": "x" * 2049}, "at": {"S": "a"}}),
    ],
)
def test_the_length_of_a_key_is_counted_in_bytes(key_of: Any, longest: Any, too_long: Any) -> None:
    key_of(longest)
    with pytest.raises(RecordError) as error:
        key_of(too_long)
    assert error.value.code == "key-too-long"
    assert error.value.message.startswith("the key '")


# --------------------------------------------------------------------------- indexes


INDEXED = key_checker(table({"id": "S"}, {"by-city": {"city": "S", "age": "N"}, "by-hash": {"hash": "B"}}))


def test_index_keys_may_be_missing() -> None:
    assert INDEXED({"id": {"S": "a"}}) == ("a",)
    assert INDEXED({"id": {"S": "a"}, "city": {"S": "Rome"}, "age": {"N": "7"}, "hash": {"B": "QQ=="}}) == ("a",)


@pytest.mark.parametrize(
    ("attribute", "code", "message"),
    [
        ({"city": {"N": "1"}}, "wrong-key-type", "the index key 'city' is a number; the table wants a string (S)"),
        ({"city": {"NULL": True}}, "wrong-key-type", "the index key 'city' is null; the table wants a string (S)"),
        ({"age": {"S": "7"}}, "wrong-key-type", "the index key 'age' is a string; the table wants a number (N)"),
        ({"city": {"S": ""}}, "empty-key", "the index key 'city' is empty"),
        ({"hash": {"B": ""}}, "empty-key", "the index key 'hash' is empty"),
        ({"city": {"S": "x" * 2049}}, "key-too-long", "the index key 'city' has 2,049 bytes; DynamoDB takes 2,048"),
    ],
)
def test_index_keys_that_would_lose_a_batch_are_refused(attribute: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(RecordError) as error:
        INDEXED({"id": {"S": "a"}, **attribute})
    assert (error.value.code, error.value.message) == (code, message)


def test_the_table_key_is_checked_as_well_where_there_are_indexes() -> None:
    with pytest.raises(RecordError, match="the key 'id' is missing"):
        INDEXED({"city": {"S": "Rome"}})


@pytest.mark.parametrize("name", ["ID", "Id", " id"])
def test_a_missing_key_names_the_attribute_that_is_probably_meant(name: str) -> None:
    with pytest.raises(RecordError) as error:
        STRING_KEY({"x": {"S": "1"}, name: {"S": "a"}})
    assert error.value.message == f"the key 'id' is missing; {name!r} is there: --rename '{name}=id' makes it the key"
    with pytest.raises(RecordError, match=r"the key 'id' is missing$"):
        STRING_KEY({"idx": {"S": "1"}})
