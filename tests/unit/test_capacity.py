"""Sizes and units against values computed by hand from the rules in `ddbio.values.capacity`."""

from __future__ import annotations

from base64 import b64encode
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.values.capacity import (
    MAX_PAGE_BYTES,
    SecondaryIndex,
    get_read_units,
    index_write_units,
    item_size_bytes,
    number_size_bytes,
    page_read_units,
    value_size_bytes,
    write_units,
)

KB = 1024


@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [
        ({"S": ""}, 0),
        ({"S": "abc"}, 3),
        ({"S": "\u00e9"}, 2),
        ({"S": "\u20ac"}, 3),
        ({"S": "\U0001f600"}, 4),
        ({"B": ""}, 0),
        ({"B": b64encode(b"a").decode()}, 1),
        ({"B": b64encode(b"ab").decode()}, 2),
        ({"B": b64encode(b"abc").decode()}, 3),
        ({"BOOL": False}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["ab", "\u00e9"]}, 4),
        ({"NS": ["0", "12"]}, 1 + 2),
        ({"BS": [b64encode(b"ab").decode(), b64encode(b"x").decode()]}, 3),
        ({"L": []}, 3),
        ({"M": {}}, 3),
        ({"L": [{"S": "ab"}, {"BOOL": True}]}, 3 + (1 + 2) + (1 + 1)),
        ({"M": {"n": {"S": "ab"}, "\u00e9": {"NULL": True}}}, 3 + (1 + 1 + 2) + (1 + 2 + 1)),
        ({"L": [{"L": [{"M": {}}]}]}, 3 + 1 + (3 + 1 + 3)),
    ],
)
def test_value_sizes(value: dict[str, Any], size_bytes: int) -> None:
    assert value_size_bytes(value) == size_bytes
    assert item_size_bytes({"name": value}) == len("name") + size_bytes


@pytest.mark.parametrize(
    ("number", "size_bytes"),
    [
        # 1 + ceil(digits / 2), + 1 when digits and exponent are even, + 1 when negative
        ("0", 1),
        ("-0", 1),
        ("0.000", 1),
        ("00", 1),
        ("5", 1 + 1),
        ("-5", 1 + 1 + 1),
        ("42", 1 + 1),  # 2 digits, exponent 1
        ("4.2", 1 + 1 + 1),  # 2 digits, exponent 0
        ("420", 1 + 1 + 1),  # 2 digits, exponent 2
        ("4200", 1 + 1),  # 2 digits, exponent 3
        ("0.42", 1 + 1),  # 2 digits, exponent -1
        ("0.042", 1 + 1 + 1),  # 2 digits, exponent -2
        ("123", 1 + 2),
        ("-123", 1 + 2 + 1),
        ("1234", 1 + 2),
        ("12345", 1 + 3),
        ("1000000", 1 + 1),
        ("00042", 1 + 1),
        ("1.50", 1 + 1 + 1),
        ("1.5E2", 1 + 1 + 1),
        ("1.5e+3", 1 + 1),
        ("12345678901234567890123456789012345678", 1 + 19),  # 38 digits, exponent 37
        ("-1.2345678901234567890123456789012345678", 1 + 19 + 1 + 1),
    ],
)
def test_number_sizes(number: str, size_bytes: int) -> None:
    assert number_size_bytes(number) == size_bytes


numbers = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(lambda d: abs(d.adjusted()) < 120)


@given(numbers)
def test_the_size_of_a_number_does_not_depend_on_its_notation(number: Decimal) -> None:
    assert (
        number_size_bytes(str(number)) == number_size_bytes(format(number, "f")) == number_size_bytes(f"{number:E}")
    )


@given(st.integers(min_value=1))
def test_plain_whole_numbers_have_a_short_cut_that_agrees(number: int) -> None:
    assert number_size_bytes(str(number)) == number_size_bytes(f"0{number}")


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, names),
        st.builds(lambda number: {"N": str(number)}, st.integers()),
        st.builds(lambda data: {"B": b64encode(data).decode()}, st.binary(max_size=20)),
        st.just({"NULL": True}),
        st.builds(lambda members: {"SS": members}, st.lists(names, max_size=3)),
    ),
    lambda children: (
        st.builds(lambda members: {"L": members}, st.lists(children, max_size=3))
        | st.builds(lambda members: {"M": members}, st.dictionaries(names, children, max_size=3))
    ),
    max_leaves=8,
)
items = st.dictionaries(names, values, max_size=6)


@given(items)
def test_the_size_of_an_item_is_the_sum_over_its_attributes(item: dict[str, Any]) -> None:
    assert item_size_bytes(item) == sum(item_size_bytes({name: value}) for name, value in item.items())


@given(names, values)
def test_a_name_counts_by_its_utf8_bytes(name: str, value: dict[str, Any]) -> None:
    assert item_size_bytes({name: value}) == len(name.encode()) + value_size_bytes(value)


@given(items)
def test_a_map_costs_three_bytes_and_one_an_entry_more_than_its_attributes(item: dict[str, Any]) -> None:
    assert value_size_bytes({"M": item}) == 3 + len(item) + item_size_bytes(item)


@pytest.mark.parametrize(
    ("size_bytes", "units"), [(0, 1), (1, 1), (500, 1), (KB, 1), (KB + 1, 2), (3584, 4), (400 * KB, 400)]
)
def test_write_units(size_bytes: int, units: int) -> None:
    assert write_units(size_bytes) == units


@pytest.mark.parametrize(
    ("total_bytes", "eventual", "consistent"),
    [
        (0, 0.5, 1),
        (1, 0.5, 1),
        (4 * KB, 0.5, 1),
        (4 * KB + 1, 1, 2),
        (MAX_PAGE_BYTES, 128, 256),
        (MAX_PAGE_BYTES + 1, 128.5, 257),
    ],
)
def test_page_read_units(total_bytes: int, eventual: float, consistent: float) -> None:
    assert page_read_units(total_bytes) == get_read_units(total_bytes) == eventual
    assert page_read_units(total_bytes, consistent=True) == get_read_units(total_bytes, True) == consistent


BASE = {"id": {"S": "1"}, "day": {"S": "mon"}, "note": {"S": "x"}}
BIG = {"S": "x" * 2000}
ALL = SecondaryIndex("byDay", ("day",), ("id",))
KEYS_ONLY = SecondaryIndex("byDay", ("day",), ("id",), "KEYS_ONLY")
INCLUDE = SecondaryIndex("byDay", ("day",), ("id",), "INCLUDE", ("note",))


@pytest.mark.parametrize(
    ("old", "new", "index", "units"),
    [
        pytest.param(None, BASE, ALL, 1, id="new entry"),
        pytest.param(BASE, None, ALL, 1, id="removed entry"),
        pytest.param(BASE, BASE, ALL, 0, id="nothing changed"),
        pytest.param(BASE, BASE | {"day": {"S": "tue"}}, ALL, 2, id="key changed: removed and added"),
        pytest.param(BASE, BASE | {"note": {"S": "y"}}, ALL, 1, id="projected attribute changed"),
        pytest.param(BASE, BASE | {"note": {"S": "y"}}, KEYS_ONLY, 0, id="attribute not projected"),
        pytest.param(BASE, BASE | {"note": {"S": "y"}}, INCLUDE, 1, id="included attribute changed"),
        pytest.param(BASE, BASE | {"other": {"S": "y"}}, INCLUDE, 0, id="attribute not included"),
        pytest.param(None, {"id": {"S": "1"}}, ALL, 0, id="not in the sparse index"),
        pytest.param({"id": {"S": "1"}}, BASE, ALL, 1, id="enters the index"),
        pytest.param(BASE, {"id": {"S": "1"}}, ALL, 1, id="leaves the index"),
        pytest.param(None, None, ALL, 0, id="delete of an absent item"),
        pytest.param(None, BASE | {"big": BIG}, ALL, 2, id="two kilobytes"),
        pytest.param(None, BASE | {"big": BIG}, KEYS_ONLY, 1, id="only what is projected is measured"),
        pytest.param(BASE | {"big": BIG}, BASE, ALL, 2, id="the larger of both entries"),
        pytest.param(BASE | {"big": BIG}, BASE | {"day": {"S": "tue"}}, ALL, 3, id="each entry by its own size"),
        pytest.param(BASE | {"big": BIG}, None, ALL, 2, id="removal by the old size"),
    ],
)
def test_index_write_units(
    old: dict[str, Any] | None, new: dict[str, Any] | None, index: SecondaryIndex, units: int
) -> None:
    assert index_write_units(old, new, index) == units
