"""Attribute values: what is refused in which words, and what comes back."""

from __future__ import annotations

from base64 import b64decode, b64encode
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.simulator.errors import ServiceError
from ddbio.simulator.requests import decode
from ddbio.simulator.values import Item, canonical_number, check_item

INVALID = "One or more parameter values were invalid: "
OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"
TOO_MANY_DIGITS = "Attempting to store more than 38 significant digits in a Number"
NOT_A_NUMBER = "The parameter cannot be converted to a numeric value: {}"


def stored(value: dict[str, Any]) -> dict[str, Any]:
    """A value as it is after it was decoded and checked, or the ServiceError of that."""
    item = decode(msgspec.json.encode({"a": value}), Item)
    check_item(item)
    return item["a"]


def nested(wraps: int, letter: str = "L") -> dict[str, Any]:
    value: dict[str, Any] = {"S": "leaf"}
    for _ in range(wraps):
        value = {"L": [value]} if letter == "L" else {"M": {"n": value}}
    return value


@pytest.mark.parametrize(
    ("sent", "returned"),
    [
        ("00042", "42"),
        ("42", "42"),
        ("1.0", "1"),
        ("1.5E2", "150"),
        ("1500e-1", "150"),
        ("-0", "0"),
        ("0", "0"),
        ("0.0", "0"),
        ("+7", "7"),
        ("-12.50", "-12.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1E-7", "0.0000001"),
        ("1E20", "100000000000000000000"),
        ("9" * 38, "9" * 38),
        ("9" * 38 + "000", "9" * 38 + "000"),
        ("0." + "1" * 38, "0." + "1" * 38),
        ("1E-130", "0." + "0" * 129 + "1"),
        ("9.9999999999999999999999999999999999999E+125", "9" * 38 + "0" * 88),
    ],
)
def test_numbers_come_back_normalised(sent: str, returned: str) -> None:
    assert stored({"N": sent}) == {"N": returned}
    assert stored({"NS": [sent]}) == {"NS": [returned]}
    assert stored({"L": [{"N": sent}]}) == {"L": [{"N": returned}]}


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ("1" * 39, TOO_MANY_DIGITS),
        ("0." + "1" * 39, TOO_MANY_DIGITS),
        ("1E+126", OVERFLOW),
        ("-1E+126", OVERFLOW),
        ("1E99999999999999999999", OVERFLOW),
        ("1E-131", UNDERFLOW),
        ("1E-99999999999999999999", UNDERFLOW),
        ("", NOT_A_NUMBER.format("")),
        ("abc", NOT_A_NUMBER.format("abc")),
        ("NaN", NOT_A_NUMBER.format("NaN")),
        ("Infinity", NOT_A_NUMBER.format("Infinity")),
        ("1_000", NOT_A_NUMBER.format("1_000")),
        (" 1", NOT_A_NUMBER.format(" 1")),
        ("\u0661", NOT_A_NUMBER.format("\u0661")),
        ("0x10", NOT_A_NUMBER.format("0x10")),
    ],
)
def test_numbers_out_of_range_are_refused(sent: str, message: str) -> None:
    for value in ({"N": sent}, {"NS": [sent]}, {"M": {"x": {"N": sent}}}):
        with pytest.raises(ServiceError) as refused:
            stored(value)
        assert (refused.value.name, refused.value.message) == ("ValidationException", message)


numbers = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-130, 87),
)


@given(numbers)
def test_every_number_in_range_keeps_its_value(number: Decimal) -> None:
    text = canonical_number(str(number))
    assert Decimal(text) == number
    assert canonical_number(text) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        ({"X": "y"}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            {"S": "x", "N": "1"},
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes",
        ),
        ({"NULL": False}, INVALID + "Null attribute value types must have the value of true"),
        ({"SS": []}, INVALID + "An string set  may not be empty"),
        ({"NS": []}, INVALID + "An number set  may not be empty"),
        ({"BS": []}, INVALID + "Binary sets should not be empty"),
        ({"L": [{"SS": []}]}, INVALID + "An string set  may not be empty"),
        ({"SS": ["a", "a"]}, INVALID + "Input collection [a, a] contains duplicates."),
        ({"NS": ["1", "1.0"]}, INVALID + "Input collection [1, 1.0] contains duplicates."),
        (
            nested(32),
            "Nesting Levels have exceeded supported limits: "
            "Attributes in the item have nested levels beyond supported limit",
        ),
    ],
)
def test_values_the_service_refuses(value: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError) as refused:
        stored(value)
    assert (refused.value.name, refused.value.message) == ("ValidationException", message)


@pytest.mark.parametrize(
    "value",
    [
        {"S": 1}, {"N": 1}, {"BOOL": "true"}, {"SS": "a"}, {"SS": [1]}, {"L": [1]}, {"M": []},
        {"B": "not base64!"}, {"B": "abc"}, {"BS": ["?"]},
    ],
)  # fmt: skip
def test_values_of_another_json_type_cannot_be_deserialized(value: dict[str, Any]) -> None:
    with pytest.raises(ServiceError) as refused:
        stored(value)
    assert refused.value.name == "SerializationException"


@pytest.mark.parametrize(
    "value",
    [
        {"S": ""}, {"B": ""}, {"L": []}, {"M": {}}, {"SS": [""]}, {"BS": [""]}, {"BOOL": False}, {"NULL": True},
        nested(31), nested(31, "M"), {"SS": ["b", "a"]},
    ],
)  # fmt: skip
def test_values_the_service_accepts_come_back_as_they_are(value: dict[str, Any]) -> None:
    assert stored(value) == value


@given(st.binary())
def test_binary_keeps_its_bytes(data: bytes) -> None:
    text = b64encode(data).decode()
    assert stored({"B": text}) == {"B": text}


def test_binary_comes_back_in_canonical_form() -> None:
    assert stored({"B": "YR=="}) == {"B": "YQ=="}
    assert b64decode("YR==") == b64decode("YQ==")
