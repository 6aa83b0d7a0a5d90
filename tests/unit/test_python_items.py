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
from ddbio.formats.python_items import PythonItems, decode
from ddbio.formats.python_items import encode as encode_all
from ddbio.library.items import items_of
from ddbio.sources.memory import BLOCK_BYTES, BLOCK_ITEMS, MemoryItems
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


def encode(item: Any) -> bytes:
    """The line of one item, without its end."""
    return encode_all([item]).removesuffix(b"\n")


@given(st.lists(st.one_of(ITEMS, st.sampled_from([None, {"n": math.nan}, {"s": "\ud800"}])), max_size=10))
def test_items_that_are_encoded_together_have_the_lines_that_each_has(items: list[Any]) -> None:
    parser = PythonItems()
    together, alone = encode_all(items).splitlines(), [encode(item) for item in items]
    for one, other in zip(together, alone, strict=True):
        assert one == other or same_item(parser.parse(one), parser.parse(other))


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
def test_items_that_are_encoded_together_are_those_encoded_alone(items: list[dict[str, Any]]) -> None:
    read = [PythonItems().parse(line) for line in encode_all(items).splitlines()]
    assert all(same_item(one, PythonItems().parse(encode(item))) for one, item in zip(read, items, strict=True))


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

    source = MemoryItems(items(), encode_all)
    units = source.units()
    assert taken == []
    first = next(units)
    assert len(taken) == BLOCK_ITEMS and first.block.data.count(b"\n") == BLOCK_ITEMS
    (second,) = units
    assert (first.number, second.number, second.block.lines) == (0, 1, 10)
    assert (source.position(0, 1), source.position(1, 3)) == (0, BLOCK_ITEMS + 2)
    assert isinstance(source.error, KeyError)


@given(st.lists(st.integers(0, 3000), max_size=400), st.booleans())
def test_blocks_have_all_items_in_order(sizes: list[int], fails: bool) -> None:
    def items() -> Any:
        for number, size in enumerate(sizes):
            yield {"id": number, "text": "x" * size}
        if fails:
            raise KeyError("gone")

    source = MemoryItems(items(), encode_all)
    units = list(source.units())
    lines = [line for unit in units for line in unit.block.data.splitlines()]
    assert [PythonItems().parse(line)["id"]["N"] for line in lines] == list(map(str, range(len(sizes))))
    assert [unit.block.lines for unit in units] == [unit.block.data.count(b"\n") for unit in units]
    assert all(len(unit.block.data) < BLOCK_BYTES + 256 * 3100 for unit in units)
    assert (source.error is not None) == fails


def test_one_dict_that_is_changed_again_and_again_is_every_item() -> None:
    def items() -> Any:
        item: dict[str, int] = {}
        for number in range(1000):
            item["id"] = number
            yield item

    data = b"".join(unit.block.data for unit in MemoryItems(items(), encode_all).units())
    assert [PythonItems().parse(line)["id"]["N"] for line in data.splitlines()] == list(map(str, range(1000)))


@pytest.mark.parametrize("name", ["$item", "$refused", "$SS", "$M", "$"])
def test_names_that_begin_with_a_mark_are_names(name: str) -> None:
    for item in ({name: ["a", "b"]}, {name: "a"}, {name: 5, "id": "x"}):
        (line,) = encode_all([item]).splitlines()
        assert PythonItems().parse(line) == typed_map(item, 0)
