"""Sizes and units: the client's arithmetic and the simulator's, which share nothing, against one table of cases.

The cases were worked out by hand from the service's rules; where the developer guide gives an example, it is here.
The two are also compared on random items: if they differ, the rules decide which of them is wrong.
"""

from __future__ import annotations

import copy
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ddbio.simulator.capacity as service
import ddbio.values.capacity as client
from ddbio.simulator.schema import IndexSchema, KeySchema
from ddbio.simulator.values import check_item
from ddbio.values.capacity import (
    SecondaryIndex,
    item_size_bytes,
    number_size_bytes,
    page_read_units,
    value_size_bytes,
    write_units,
)

KB = 1024
Item = dict[str, Any]
Projection = Literal["ALL", "KEYS_ONLY", "INCLUDE"]


@dataclass(frozen=True)
class Arithmetic:
    """One side's functions under common names.

    put_units: by the sizes of the old and the new item. read_units: by the bytes read, and whether consistently.
    entry_units: of a new item, in an index by `day` of a table by `id`, by projection and included names.
    """

    item_bytes: Callable[[Item], int]
    put_units: Callable[[int, int], int]
    read_units: Callable[[int, bool], float]
    entry_units: Callable[[Item, Projection, tuple[str, ...]], int]


def _stored_bytes(item: Item) -> int:
    """The simulator measures what it stores: numbers and base64 in their canonical form."""
    stored = copy.deepcopy(item)
    check_item(stored)
    return service.item_bytes(stored)


def _client_entry(item: Item, projection: Projection, included: tuple[str, ...]) -> int:
    entry = SecondaryIndex("byDay", ("day",), ("id",), projection, included).entry(item)
    return 0 if entry is None else write_units(item_size_bytes(entry))


def _service_entry(item: Item, projection: Projection, included: tuple[str, ...]) -> int:
    return _change_units(None, item, projection, included)


def _change_units(old: Item | None, new: Item | None, projection: Projection, included: tuple[str, ...]) -> int:
    index = IndexSchema("byDay", KeySchema.parse("day"), ("id",), True, projection, included)
    return service.entry_units(index.entry(old), index.entry(new), index.keys.names)


SIDES = {
    "client": Arithmetic(
        item_size_bytes, lambda old, new: write_units(max(old, new)), page_read_units, _client_entry
    ),
    "simulator": Arithmetic(_stored_bytes, service.write_units, service.read_units, _service_entry),
}


@pytest.fixture(params=list(SIDES))
def side(request: pytest.FixtureRequest) -> Arithmetic:
    return SIDES[request.param]


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
def test_value_sizes(side: Arithmetic, value: Item, size_bytes: int) -> None:
    assert side.item_bytes({"name": value}) == len("name") + size_bytes


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
def test_number_sizes(side: Arithmetic, number: str, size_bytes: int) -> None:
    assert side.item_bytes({"n": {"N": number}}) == len("n") + size_bytes


numbers = st.decimals(allow_nan=False, allow_infinity=False, places=None).filter(lambda d: abs(d.adjusted()) < 120)


@given(numbers)
def test_the_size_of_a_number_does_not_depend_on_its_notation(number: Decimal) -> None:
    assert (
        number_size_bytes(str(number)) == number_size_bytes(format(number, "f")) == number_size_bytes(f"{number:E}")
    )


@given(st.integers(min_value=1))
def test_plain_whole_numbers_have_a_short_cut_that_agrees(number: int) -> None:
    assert number_size_bytes(str(number)) == number_size_bytes(f"0{number}")


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
number_texts = st.builds(
    lambda sign, digits, exponent: f"{sign}{digits}E{exponent}",
    st.sampled_from(["", "-"]),
    st.integers(min_value=0, max_value=10**38 - 1),
    st.integers(min_value=-92, max_value=88),  # within what can be stored, whatever the digits are
)
base64_texts = st.builds(lambda data: b64encode(data).decode(), st.binary(max_size=20))


def _set_of(members: st.SearchStrategy[str], by: Callable[[str], Any] = str) -> st.SearchStrategy[list[str]]:
    return st.lists(members, min_size=1, max_size=3, unique_by=by)


values = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"S": st.text(st.characters(exclude_categories=["Cs"]), max_size=20)}),
        st.fixed_dictionaries({"N": number_texts}),
        st.fixed_dictionaries({"B": base64_texts}),
        st.fixed_dictionaries({"BOOL": st.booleans()}),
        st.just({"NULL": True}),
        st.fixed_dictionaries({"SS": _set_of(names)}),
        st.fixed_dictionaries({"NS": _set_of(number_texts, Decimal)}),
        st.fixed_dictionaries({"BS": _set_of(base64_texts)}),
    ),
    lambda children: (
        st.fixed_dictionaries({"L": st.lists(children, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(names, children, max_size=3)})
    ),
    max_leaves=8,
)
items = st.dictionaries(names, values, max_size=6)


@given(items)
def test_both_sides_measure_the_same(item: Item) -> None:
    assert SIDES["client"].item_bytes(item) == SIDES["simulator"].item_bytes(item)


@given(items, st.sampled_from(["ALL", "KEYS_ONLY", "INCLUDE"]))
def test_both_sides_price_an_index_entry_the_same(item: Item, projection: Projection) -> None:
    included = tuple(sorted(item))[:2] if projection == "INCLUDE" else ()
    item["day"], item["id"] = {"S": "mon"}, {"S": "1"}
    one, other = (side.entry_units(item, projection, included) for side in SIDES.values())
    assert one == other


@given(st.integers(min_value=0, max_value=2 << 20), st.integers(min_value=0, max_value=400 * KB), st.booleans())
def test_both_sides_price_reads_and_writes_the_same(read_bytes: int, put_bytes: int, consistent: bool) -> None:
    one, other = SIDES.values()
    assert one.read_units(read_bytes, consistent) == other.read_units(read_bytes, consistent)
    assert one.put_units(put_bytes, KB) == other.put_units(put_bytes, KB)


@given(items)
def test_the_size_of_an_item_is_the_sum_over_its_attributes(item: Item) -> None:
    assert item_size_bytes(item) == sum(item_size_bytes({name: value}) for name, value in item.items())


@given(names, values)
def test_a_name_counts_by_its_utf8_bytes(name: str, value: Item) -> None:
    assert item_size_bytes({name: value}) == len(name.encode()) + value_size_bytes(value)


@given(items)
def test_a_map_costs_three_bytes_and_one_an_entry_more_than_its_attributes(item: Item) -> None:
    assert value_size_bytes({"M": item}) == 3 + len(item) + item_size_bytes(item)


@pytest.mark.parametrize(
    ("old_bytes", "new_bytes", "units"),
    [
        pytest.param(0, 0, 1, id="delete of an absent item"),
        pytest.param(0, 1, 1, id="smallest put"),
        pytest.param(0, 500, 1, id="the guide's example: half a kilobyte"),
        pytest.param(0, KB, 1, id="one kilobyte"),
        pytest.param(0, KB + 1, 2, id="a byte more"),
        pytest.param(0, 3584, 4, id="the guide's example: 3.5 KB"),
        pytest.param(0, 400 * KB, 400, id="largest item"),
        pytest.param(5 * KB, 10, 5, id="a put over a larger item costs the larger"),
        pytest.param(10, 5 * KB, 5, id="a put over a smaller item"),
        pytest.param(5 * KB, 0, 5, id="a delete costs the old size"),
    ],
)
def test_write_units(side: Arithmetic, old_bytes: int, new_bytes: int, units: int) -> None:
    assert side.put_units(old_bytes, new_bytes) == units


@pytest.mark.parametrize(
    ("total_bytes", "eventual", "consistent"),
    [
        (0, 0.5, 1),  # also an empty page, and an item that does not exist
        (1, 0.5, 1),
        (4 * KB, 0.5, 1),
        (4 * KB + 1, 1, 2),
        (8 * KB, 1, 2),
        (KB * KB, 128, 256),  # a full page
        (KB * KB + 1, 128.5, 257),
    ],
)
def test_read_units(side: Arithmetic, total_bytes: int, eventual: float, consistent: float) -> None:
    assert side.read_units(total_bytes, False) == eventual
    assert side.read_units(total_bytes, True) == consistent


def test_the_items_of_a_page_are_rounded_together_and_items_by_key_each_for_itself(side: Arithmetic) -> None:
    sizes_bytes = [2500, 2500, 2500]
    assert side.read_units(sum(sizes_bytes), True) == 2
    assert sum(side.read_units(size_bytes, True) for size_bytes in sizes_bytes) == 3


# Service quotas, and the API reference of BatchWriteItem and Scan. The client has those that it needs.
LIMITS = {
    "MAX_ITEM_BYTES": 400 * 1024,
    "MAX_REQUEST_BYTES": 16 * 1024 * 1024,
    "MAX_PAGE_BYTES": 1024 * 1024,
    "MAX_BATCH_WRITES": 25,
    "MAX_SEGMENTS": 1_000_000,
    "MAX_PARTITION_KEY_BYTES": 2048,
    "MAX_SORT_KEY_BYTES": 1024,
    "MAX_NESTING_LEVELS": 32,
    "PARTITION_WRITE_UNITS_PER_S": 1000,
    "PARTITION_READ_UNITS_PER_S": 3000,
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name: str) -> None:
    assert getattr(service, name) == LIMITS[name]
    assert getattr(client, name, LIMITS[name]) == LIMITS[name]


BASE = {"id": {"S": "1"}, "day": {"S": "mon"}, "note": {"S": "x"}}
BIG = {"S": "x" * 2000}
ALL: tuple[Projection, tuple[str, ...]] = ("ALL", ())
KEYS_ONLY: tuple[Projection, tuple[str, ...]] = ("KEYS_ONLY", ())
INCLUDE: tuple[Projection, tuple[str, ...]] = ("INCLUDE", ("note",))
INDEX_CASES = [
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
]


@pytest.mark.parametrize(("old", "new", "projection", "units"), INDEX_CASES)
def test_index_write_units(
    old: Item | None, new: Item | None, projection: tuple[Projection, tuple[str, ...]], units: int
) -> None:
    """The simulator's alone: the client does not know what a put replaces, and expects every entry to be new."""
    assert _change_units(old, new, *projection) == units


@pytest.mark.parametrize(
    ("item", "projection", "units"),
    [
        (new, projection, units)
        for old, new, projection, units in (case.values for case in INDEX_CASES)
        if new and not old
    ],
)
def test_new_entries_of_an_index(
    side: Arithmetic, item: Item, projection: tuple[Projection, tuple[str, ...]], units: int
) -> None:
    assert side.entry_units(item, *projection) == units
