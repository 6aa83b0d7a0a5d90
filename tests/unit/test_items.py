"""Plain values to attribute values and back: every type, every limit of the service, every tag."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.values.items import (
    NumberText,
    check_base64,
    check_number,
    check_set,
    json_number,
    normal_number,
    to_attributes,
    to_value,
)
from tests.support.strategies import nested, numbers

DIGITS_38 = "9" * 38

# --------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "0.0",
        "0E+500",
        "00042",
        "+5",
        ".5",
        "5.",
        "-1.50",
        "1E+2",
        "1e2",
        DIGITS_38,
        f"-{DIGITS_38}",
        f"0.{DIGITS_38}",
        f"{DIGITS_38}000",
        f"0.000{DIGITS_38}000",
        "1E125",
        "9.9999999999999999999999999999999999999E+125",
        "-9.9999999999999999999999999999999999999E+125",
        "1E-130",
        "-1E-130",
        "0." + "0" * 129 + "1",
        "1" + "0" * 125,
        "0" * 5000 + "1",
    ],
)
def test_numbers_the_service_stores_are_kept_as_they_are_written(text: str) -> None:
    assert check_number(text) is text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is not a number"),
        (".", "is not a number"),
        ("1,5", "'1,5' is not a number; numbers have a decimal point, and no commas"),
        ("1,234.50", "have a decimal point, and no commas"),
        ("-", "is not a number"),
        ("E5", "is not a number"),
        ("1e", "is not a number"),
        ("0x10", "is not a number"),
        ("--1", "is not a number"),
        # Python's Decimal would read these; the service does not
        ("1_000", "is not a number"),
        (" 1", "is not a number"),
        ("1\n", "is not a number"),
        ("\u0661", "is not a number"),
        ("1" * 39, "has 39 significant digits; DynamoDB keeps 38"),
        ("1." + "0" * 37 + "1", "has 39 significant digits"),
        ("1E126", "out of DynamoDB's range"),
        ("1" + "0" * 126, "out of DynamoDB's range"),
        ("-1E126", "out of DynamoDB's range"),
        ("1E-131", "out of DynamoDB's range"),
        ("0." + "0" * 130 + "1", "out of DynamoDB's range"),
        ("1E99999999999999999999", "out of DynamoDB's range"),
        ("1" * 100_000, "has 100000 significant digits"),
    ],
)
def test_numbers_the_service_refuses_are_rejected(text: str, message: str) -> None:
    with pytest.raises(RecordError) as error:
        check_number(text)
    assert error.value.code == "bad-number"
    assert message in error.value.message
    assert len(error.value.message) < 150  # names the number, and not all of it
    assert "\n" not in error.value.message


@given(numbers())
def test_every_number_in_range_is_accepted(text: str) -> None:
    assert check_number(text) == text


@given(numbers(), numbers())
def test_numbers_have_the_same_normal_form_exactly_when_they_are_equal(one: str, other: str) -> None:
    assert (normal_number(one) == normal_number(other)) == (Decimal(one) == Decimal(other))


@given(numbers(), st.integers(0, 5), st.sampled_from([str, "{:f}".format, "{:E}".format]))
def test_the_normal_form_does_not_depend_on_the_spelling(text: str, zeros: int, spell: Any) -> None:
    number = Decimal(text)
    longer = number.scaleb(-zeros) * 10**zeros if len(number.as_tuple().digits) + zeros < 28 else number
    assert normal_number(spell(longer)) == normal_number(text)
    assert Decimal(normal_number(text)) == number


@pytest.mark.parametrize("text", ["5", "-5", "1.10", "1E+2", "1e-7", "-0.5", "0", "-0", "0.0", DIGITS_38])
def test_numbers_that_are_json_keep_their_digits(text: str) -> None:
    assert msgspec.json.encode(json_number(text)).decode() == text


@pytest.mark.parametrize(
    ("text", "json"), [("+5", "5"), (".5", "0.5"), ("5.", "5"), ("007", "7"), ("-007.10", "-7.10"), ("00", "0")]
)
def test_numbers_that_are_not_json_are_spelled_anew(text: str, json: str) -> None:
    assert msgspec.json.encode(json_number(text)).decode() == json


@given(numbers())
def test_a_number_in_json_has_its_value(text: str) -> None:
    assert Decimal(msgspec.json.encode(json_number(text)).decode()) == Decimal(text)


# --------------------------------------------------------------------------- plain to typed


@pytest.mark.parametrize(
    ("plain", "typed"),
    [
        ("text", {"S": "text"}),
        ("", {"S": ""}),
        (0, {"N": "0"}),
        (-(10**38) + 1, {"N": f"-{DIGITS_38}"}),
        (10**38, {"N": "1" + "0" * 38}),
        (10**125, {"N": "1" + "0" * 125}),
        (NumberText("1.10"), {"N": "1.10"}),
        (NumberText("1E+2"), {"N": "1E+2"}),
        (Decimal("1.10"), {"N": "1.10"}),
        (True, {"BOOL": True}),
        (False, {"BOOL": False}),
        (None, {"NULL": True}),
        (b"\x00\xff", {"B": "AP8="}),
        ([], {"L": []}),
        ({}, {"M": {}}),
        ([1, "a", [None]], {"L": [{"N": "1"}, {"S": "a"}, {"L": [{"NULL": True}]}]}),
        ({"a": {"b": 1}}, {"M": {"a": {"M": {"b": {"N": "1"}}}}}),
        # tags
        ({"$B": "AP8="}, {"B": "AP8="}),
        ({"$SS": ["b", "a"]}, {"SS": ["b", "a"]}),
        ({"$NS": [1, NumberText("1.50"), "2.0"]}, {"NS": ["1", "1.50", "2.0"]}),
        ({"$BS": ["AA==", ""]}, {"BS": ["AA==", ""]}),
        ({"$M": {"$B": "not a tag in here"}}, {"M": {"$B": {"S": "not a tag in here"}}}),
        ({"$M": {"$M": {"$M": {}}}}, {"M": {"$M": {"M": {}}}}),
        ({"$M": {}}, {"M": {}}),
        # no tags
        ({"$x": 1}, {"M": {"$x": {"N": "1"}}}),
        ({"$": 1}, {"M": {"$": {"N": "1"}}}),
        ({"$S": "x"}, {"M": {"$S": {"S": "x"}}}),
        ({"$B": "AA==", "b": 1}, {"M": {"$B": {"S": "AA=="}, "b": {"N": "1"}}}),
    ],
)
def test_plain_values_are_typed(plain: Any, typed: dict[str, Any]) -> None:
    assert to_value(plain) == typed
    assert to_attributes({"name": plain}) == {"name": typed}


def test_at_the_top_of_an_item_a_dollar_is_only_a_letter() -> None:
    assert to_attributes({"$B": "AA=="}) == {"$B": {"S": "AA=="}}
    assert to_attributes({"$M": {"a": 1}}) == {"$M": {"M": {"a": {"N": "1"}}}}


@pytest.mark.parametrize(
    ("plain", "code"),
    [
        (10**126, "bad-number"),
        (10**38 + 1, "bad-number"),
        (Decimal("NaN"), "not-finite"),
        (NumberText("1E-131"), "bad-number"),
        ({"$B": 1}, "bad-tag"),
        ({"$B": None}, "bad-tag"),
        ({"$B": "A"}, "bad-base64"),
        ({"$SS": "a"}, "bad-tag"),
        ({"$SS": [1]}, "bad-tag"),
        ({"$NS": [True]}, "bad-tag"),
        ({"$NS": [None]}, "bad-tag"),
        ({"$NS": ["x"]}, "bad-number"),
        ({"$NS": [NumberText("1E126")]}, "bad-number"),
        ({"$BS": ["?"]}, "bad-base64"),
        ({"$M": []}, "bad-tag"),
        ({"$SS": []}, "empty-set"),
        ({"$NS": []}, "empty-set"),
        ({"$BS": []}, "empty-set"),
        ({"$SS": ["a", "b", "a"]}, "duplicate-member"),
        ({"$NS": [1, NumberText("1.0")]}, "duplicate-member"),
        ({"$NS": [100, "1E2"]}, "duplicate-member"),
        ({"$NS": [0, "-0.00"]}, "duplicate-member"),
        ({"$BS": ["QQ==", "QR=="]}, "duplicate-member"),  # two spellings of one byte
    ],
)
def test_what_the_service_refuses_is_rejected(plain: Any, code: str) -> None:
    with pytest.raises(RecordError) as error:
        to_attributes({"list": [{"name": plain, "other": 1}]})
    assert error.value.code == code
    assert error.value.message


@pytest.mark.skipif(not hasattr(sys, "get_int_max_str_digits"), reason="this Python writes out integers of any size")
def test_an_integer_that_python_will_not_write_out_is_rejected() -> None:
    with pytest.raises(RecordError, match="more digits than DynamoDB keeps"):
        to_value(10**5000 + 1)


def test_a_type_that_json_does_not_know_is_rejected() -> None:
    with pytest.raises(RecordError, match="a value of type object cannot be stored"):
        to_value(object())


@pytest.mark.parametrize("kind", ["L", "M"])
def test_32_levels_are_stored_and_33_are_not(kind: str) -> None:
    to_attributes({"a": nested(32, kind)})
    with pytest.raises(RecordError) as error:
        to_attributes({"a": nested(33, kind)})
    assert error.value.code == "too-deep"


def test_a_tagged_map_is_a_level_and_a_set_is_none() -> None:
    deep: Any = {"$SS": ["a"]}
    for _ in range(32):
        deep = {"$M": {"$B": deep}}
    to_attributes({"a": deep})
    with pytest.raises(RecordError, match="32 levels"):
        to_attributes({"a": [deep]})


# --------------------------------------------------------------------------- binaries and sets


@given(st.binary(max_size=40))
def test_bytes_become_base64_that_is_accepted(data: bytes) -> None:
    text = to_value(data)["B"]
    assert check_base64(text) == text


@pytest.mark.parametrize(("text", "canonical"), [("QR==", "QQ=="), ("QUJ=", "QUI="), ("QUJD", "QUJD"), ("", "")])
def test_bytes_have_one_spelling(text: str, canonical: str) -> None:
    assert check_base64(text) == canonical


@pytest.mark.parametrize("text", ["Q", "QQ", "QQ=", "QQ===", "Q Q==", "QQ==\n", "Q-_=", "\u00e9\u00e9\u00e9\u00e9"])
def test_what_is_not_base64_is_rejected(text: str) -> None:
    with pytest.raises(RecordError) as error:
        check_base64(text)
    assert error.value.code == "bad-base64"
    assert "is not base64" in error.value.message


def test_a_set_has_members_and_each_once() -> None:
    check_set(["a"])
    check_set(["1", "1.0"])  # as strings
    with pytest.raises(RecordError) as error:
        check_set(["1", "1.0"], normal_number)
    assert error.value.code == "duplicate-member"


# --------------------------------------------------------------------------- what DynamoDB has no place for


@pytest.mark.parametrize("item", [{"": 1}, {"a": {"": 1}}, {"a": [{"b": {"": 1}}]}, {"a": {"$M": {"": 1}}}])
def test_an_empty_attribute_name_is_refused_at_every_level(item: dict[str, Any]) -> None:
    with pytest.raises(RecordError) as caught:
        to_attributes(item)
    assert caught.value.code == "empty-name"


@pytest.mark.parametrize("text", ["NaN", "nan", "sNaN", "Infinity", "-Infinity", "+inf", "INF"])
def test_what_is_not_finite_has_a_code_of_its_own(text: str) -> None:
    with pytest.raises(RecordError) as caught:
        check_number(text)
    assert caught.value.code == "not-finite"
