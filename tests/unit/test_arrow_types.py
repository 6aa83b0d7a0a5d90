"""Types of Arrow for attributes: found from the first items, or given; and no value is changed to fit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import TransferError
from ddbio.values.python_values import typed_map

pyarrow = pytest.importorskip("pyarrow")

from ddbio.library.arrow_types import Columns, Found, table_of  # noqa: E402
from ddbio.sinks.arrow_pages import TYPED_ITEMS, as_batch  # noqa: E402

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12)
PLAIN = {
    "s": st.text(),
    "n": st.integers(-(10**17), 10**17),
    "d": DECIMALS,
    "b": st.booleans(),
    "raw": st.binary(),
    "texts": st.sets(st.text(min_size=1), min_size=1),
    "numbers": st.sets(st.integers(0, 10**6), min_size=1),
    "bytes": st.sets(st.binary(min_size=1), min_size=1),
}


def columns(*items: dict[str, Any]) -> Any:
    """What a worker makes of items."""
    return table_of(
        as_batch(msgspec.json.decode(msgspec.json.encode([typed_map(i, 0) for i in items]), type=TYPED_ITEMS))
    )


def found(*items: dict[str, Any], keys: tuple[str, ...] = ()) -> Columns:
    sample = Found()
    sample.add(columns(*items))
    return Columns(sample.schema(keys), sample.items)


def rows(made: Columns, *items: dict[str, Any]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = made.batch(columns(*items)).to_pylist()
    return listed


@given(st.lists(st.fixed_dictionaries({}, optional=PLAIN), min_size=1, max_size=10))
def test_values_of_one_type_come_back(items: list[dict[str, Any]]) -> None:
    for before, after in zip(items, rows(found(*items, keys=("s",)), *items), strict=True):
        sets = {name: sorted(value) if isinstance(value, set) else value for name, value in before.items()}
        got = {name: sorted(value) if isinstance(value, list) else value for name, value in after.items()}
        assert {name: value for name, value in got.items() if value is not None} == sets


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ([1, 10**18 - 1], pyarrow.int64()),
        ([10**18], pyarrow.decimal128(38, 0)),
        ([Decimal("3.25")], pyarrow.decimal128(38, 4)),
        ([10**30, Decimal("0.001")], pyarrow.decimal128(38, 5)),
        ([10**37, Decimal("0.01")], pyarrow.string()),
    ],
)
def test_a_number_has_the_type_that_holds_all_of_the_sample(numbers: list[Any], kind: Any) -> None:
    made = found(*({"n": number} for number in numbers))
    assert made.schema.field("n").type == kind
    assert [Decimal(row["n"]) for row in rows(made, *({"n": number} for number in numbers))] == numbers


def test_several_types_and_documents_are_json() -> None:
    items: list[dict[str, Any]] = [
        {"v": 'a"ü'},
        {"v": Decimal("1.5")},
        {"v": True},
        {"v": b"\0"},
        {"v": {Decimal(2)}},
        {"v": {b"x"}},
        {"v": {"x": [1, None]}},
        {"v": None},
        {},
    ]
    texts = ['"a\\"ü"', "1.5", "true", '"AA=="', "[2]", '["eA=="]', '{"x":[1,null]}', None, None]
    assert [row["v"] for row in rows(found(*items), *items)] == texts


def test_keys_come_first_and_are_all_that_an_empty_table_has() -> None:
    assert found({"a": 1, "z": "x", "k": 2}, keys=("z", "k")).schema.names == ["z", "k", "a"]
    assert Found().schema(("z", "k")).names == ["z", "k"]


@pytest.mark.parametrize(
    ("later", "said"),
    [
        ({"n": Decimal("1.5")}, "the attribute 'n' has a value of type N that does not fit int64"),
        ({"n": "x"}, "the attribute 'n' has a value of type S"),
        ({"n": 10**19}, "the attribute 'n' has"),
        ({"other": 1}, "the attribute 'other' is not among those of the first 1 items"),
    ],
)
def test_a_later_surprise_is_an_error_that_names_the_attribute(later: dict[str, Any], said: str) -> None:
    with pytest.raises(TransferError, match=said) as raised:
        rows(found({"n": 5}), later)
    assert "schema=" in raised.value.hint


def test_a_given_schema_chooses_attributes_and_types() -> None:
    numbers = pyarrow.list_(pyarrow.float64())
    inner = pyarrow.struct([("x", numbers), ("t", pyarrow.string())])
    schema = pyarrow.schema(
        [
            ("n", pyarrow.int16()),
            ("f", pyarrow.float32()),
            ("t", pyarrow.timestamp("s")),
            ("m", inner),
            ("s", pyarrow.large_list(pyarrow.int32())),
            ("text", pyarrow.string()),
            ("absent", pyarrow.int8()),
            ("by_name", pyarrow.map_(pyarrow.string(), pyarrow.int64())),
        ]
    )
    item = {
        "n": Decimal("1E+2"),
        "f": Decimal("0.5"),
        "t": "2026-01-02T03:04:05",
        "m": {"x": [1, Decimal("1.5")], "t": 7},
    }
    (row,) = rows(Columns(schema), {**item, "s": {5}, "text": 12, "by_name": {"a": 1}, "ignored": 1})
    assert row.pop("t").isoformat() == "2026-01-02T03:04:05"
    assert row == {
        "n": 100,
        "f": 0.5,
        "m": {"x": [1.0, 1.5], "t": "7"},
        "s": [5],
        "text": "12",
        "absent": None,
        "by_name": [("a", 1)],
    }


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pyarrow.int8(), 300),
        (pyarrow.int8(), "5"),
        (pyarrow.bool_(), 1),
        (pyarrow.timestamp("s"), 5),
        (pyarrow.float64(), True),
        (pyarrow.int64(), b"x"),
        (pyarrow.list_(pyarrow.int64()), {"a"}),
        (pyarrow.int64(), {5}),
        (pyarrow.list_(pyarrow.int64()), [Decimal("1.5")]),
        (pyarrow.decimal128(5, 1), Decimal("0.25")),
    ],
)
def test_a_value_that_does_not_fit_a_given_type_is_an_error(kind: Any, value: Any) -> None:
    with pytest.raises(TransferError, match="the attribute 'v' has a value of type"):
        rows(Columns(pyarrow.schema([("v", kind)])), {"v": value})


def test_a_column_that_is_never_null_needs_a_value() -> None:
    with pytest.raises(TransferError, match="'v' is never null"):
        rows(Columns(pyarrow.schema([pyarrow.field("v", pyarrow.int8(), nullable=False)])), {"v": 1}, {})
