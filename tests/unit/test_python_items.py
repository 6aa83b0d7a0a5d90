"""Items of a program cross to the workers unchanged, and those that cannot be stored say why."""

from __future__ import annotations

import datetime
import math
import uuid
from collections import OrderedDict
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.formats.python_items import PythonItems, decode, encode
from ddbio.library.items import items_of
from ddbio.sources.memory import BLOCK_ITEMS, MemoryItems
from ddbio.values.equality import same_item
from ddbio.values.python_values import to_python, typed_map

NUMBERS = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.floats(allow_nan=False, allow_infinity=False, min_value=1e-100, max_value=1e100),
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20),
)
SCALARS = st.one_of(st.text(), st.booleans(), st.none(), st.binary(), NUMBERS)
SETS = st.one_of(
    st.sets(st.text(min_size=1), min_size=1),
    st.sets(st.binary(min_size=1), min_size=1),
    st.sets(st.integers(-(2**60), 2**60), min_size=1),
)
VALUES = st.recursive(
    st.one_of(SCALARS, SETS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(min_size=1), inner, max_size=4)),
    max_leaves=10,
)
NAMES = st.one_of(st.text(min_size=1), st.sampled_from(["$item", "$refused", "$SS", "$"]))
ITEMS = st.dictionaries(NAMES, VALUES, max_size=6)


@given(ITEMS)
def test_an_item_comes_back_with_its_types(item: dict[str, Any]) -> None:
    line = encode(item)
    assert b"\n" not in line
    parsed = PythonItems().parse(line)
    assert same_item(parsed, typed_map(item, 0))
    assert same_item(typed_map(decode(line) or {}, 0), parsed)


@given(ITEMS)
def test_items_of_the_service_are_decoded_alike(item: dict[str, Any]) -> None:
    attributes = typed_map(item, 0)
    line = msgspec.json.encode({"Item": attributes}) + b"\n"
    assert items_of(line) == [{name: to_python(value) for name, value in attributes.items()}]


@given(st.lists(ITEMS, min_size=1, max_size=30))
def test_records_that_are_decoded_together_are_those_decoded_alone(items: list[dict[str, Any]]) -> None:
    """A batch has typed values, or none of it is marked."""
    lines = [encode(item) for item in items]
    batch = PythonItems().values(lines)
    assert batch is None or not any(line.startswith(b'{"$') for line in lines)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"id": "a", "n": math.nan}, "not-finite"),
        ({"id": "a", "n": -math.inf}, "not-finite"),
        ({"id": "a", "n": Decimal("NaN")}, "not-finite"),
        ({"id": "a", "n": 10**40 + 1}, "bad-number"),
        ({"id": "a", "o": object()}, "bad-type"),
        ({"id": "a", 5: "x"}, "bad-type"),
        ({"id": "a", "s": {1, "x"}}, "bad-type"),
        ({"id": "a", "s": "\ud800"}, "bad-value"),
        ({"": "a"}, "empty-name"),
        (["id", "a"], "not-an-object"),
        (None, "not-an-object"),
    ],
)
def test_an_item_that_cannot_be_stored_says_why(item: Any, code: str) -> None:
    with pytest.raises(RecordError) as refused:
        PythonItems().parse(encode(item))
    assert refused.value.code == code
    assert decode(encode(item)) is None


def test_deep_nesting_is_refused() -> None:
    item: dict[str, Any] = {}
    for _ in range(5000):
        item = {"m": item}
    with pytest.raises(RecordError):
        PythonItems().parse(encode(item))


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (datetime.date(2026, 1, 2), {"S": "2026-01-02"}),
        (datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc), {"S": "2026-01-02T03:04:00+00:00"}),
        (datetime.time(3, 4), {"S": "03:04:00"}),
        (uuid.UUID(int=5), {"S": "00000000-0000-0000-0000-000000000005"}),
        ((1, "a"), {"L": [{"N": "1"}, {"S": "a"}]}),
        (bytearray(b"a"), {"B": "YQ=="}),
        (frozenset({"a"}), {"SS": ["a"]}),
        (1e-7, {"N": "1e-7"}),
        (True, {"BOOL": True}),
        (OrderedDict(a=1), {"M": {"a": {"N": "1"}}}),
    ],
)
def test_what_python_values_become(value: Any, stored: dict[str, Any]) -> None:
    assert PythonItems().parse(encode({"v": value})) == {"v": stored}


def test_scalars_and_arrays_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    item = {"i": numpy.int64(5), "f": numpy.float64(0.5), "b": numpy.bool_(True), "a": numpy.array([1, 2])}
    stored = {"i": {"N": "5"}, "f": {"N": "0.5"}, "b": {"BOOL": True}, "a": {"L": [{"N": "1"}, {"N": "2"}]}}
    assert PythonItems().parse(encode(item)) == stored


def test_python_values_come_back() -> None:
    values = {"S": "x", "N": "1.5", "B": "YQ==", "BOOL": True, "NULL": True, "SS": ["a"], "NS": ["1"], "BS": ["YQ=="]}
    python = ["x", Decimal("1.5"), b"a", True, None, {"a"}, {Decimal(1)}, {b"a"}]
    assert [to_python({letter: value}) for letter, value in values.items()] == python


def test_units_are_made_on_demand_and_know_the_positions_of_their_items() -> None:
    taken = []

    def items() -> Any:
        for number in range(BLOCK_ITEMS + 10):
            taken.append(number)
            yield {"id": str(number)}
        raise KeyError("gone")

    source = MemoryItems(items(), encode)
    units = source.units()
    assert taken == []
    first = next(units)
    assert len(taken) == BLOCK_ITEMS and first.block.data.count(b"\n") == BLOCK_ITEMS
    (second,) = units
    assert (first.number, second.number, second.block.lines) == (0, 1, 10)
    assert (source.position(0, 1), source.position(1, 3)) == (0, BLOCK_ITEMS + 2)
    assert isinstance(source.error, KeyError)
