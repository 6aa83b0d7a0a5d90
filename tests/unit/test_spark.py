"""What Spark's tasks do, without Spark: the division of a scan and of its cap, pushed filters, options, columns."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from dataclasses import make_dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbio.engines.environment import Needs, TableNeeds
from ddbio.engines.share import ShareEngine
from ddbio.errors import RejectedError, UsageError
from ddbio.formats.python_items import encode
from ddbio.options import ScanOptions
from ddbio.rate.buckets import UNCAPPED
from ddbio.simulator.expressions import Placeholders, condition_of
from ddbio.simulator.values import check_item
from ddbio.sources.expressions import parse_names, parse_values
from ddbio.spark.columns import JSON, SET, item_of
from ddbio.spark.division import PARTITION_BYTES, divide
from ddbio.spark.filters import PushedFilters
from ddbio.spark.options import put_options, scan_options, table_of, typed
from ddbio.values.python_values import to_typed
from tests.support.effort import examples
from tests.support.tables import table
from tests.support.toy_job import ToyJob

# --------------------------------------------------------------------------- division


@given(
    size=st.sampled_from([0, 1, 10**8, 10**10, 10**12]),
    capped=st.booleans(),
    tasks=st.none() | st.integers(1, 40),
    partitions=st.none() | st.integers(1, 40),
    slots=st.none() | st.integers(1, 40),
)
@settings(max_examples=examples(60), deadline=None)
def test_the_partitions_are_all_segments_once_and_their_caps_no_more_than_the_cap(
    size: int, capped: bool, tasks: int | None, partitions: int | None, slots: int | None
) -> None:
    division = divide(
        table({"id": "S"}, TableSizeBytes=size), capped=capped, tasks=tasks, partitions=partitions, slots=slots
    )
    assert division.partitions == (partitions or division.partitions)
    few = division.partitions < 50
    numbers = range(division.partitions) if few else (0, division.partitions - 1)
    units = [unit for number in numbers for unit in division.units(number)]
    total = division.partitions * division.segments
    assert all(unit.total_segments == total for unit in units)
    found = sorted(unit.segment for unit in units)
    assert found == list(range(total)) if few else len(set(found)) == len(found) == 2 * division.segments
    assert [unit.number for unit in division.units(0)] == list(range(division.segments))
    assert division.at_once == min(tasks or division.partitions, division.partitions)


def test_large_tables_have_partitions_that_can_be_lost_unless_that_would_divide_the_cap() -> None:
    large = table({"id": "S"}, TableSizeBytes=100 * PARTITION_BYTES)
    assert divide(large, capped=False, slots=4).partitions == 100
    assert divide(large, capped=True, slots=4).partitions == 4
    divided = divide(large, capped=True, slots=4, tasks=6)
    assert (divided.partitions, divided.at_once) == (100, 6)
    assert divided.units(0) != sorted(divided.units(0), key=lambda unit: unit.segment)  # scattered
    with pytest.raises(UsageError, match="tasks is 0"):
        divide(large, capped=True, tasks=0)


def test_an_engine_with_a_share_divides_every_cap_also_a_later_one() -> None:
    needs = Needs(tables={"source": TableNeeds((100.0, 30.0, UNCAPPED), lambda: None)})  # type: ignore[arg-type]
    with ShareEngine(4).open(ToyJob("unused"), needs) as running:
        assert [budget.cap for budget in running.budgets("source")] == [25, 7.5, math.inf]
        running.set_cap("source", 40, 0)
        assert running.budgets("source")[0].cap == 10


# --------------------------------------------------------------------------- filters

NAMES = ("EqualTo", "GreaterThan", "GreaterThanOrEqual", "LessThan", "LessThanOrEqual", "StringStartsWith")
KINDS = {  # as `pyspark.sql.datasource` has them
    name: make_dataclass(name, ["attribute", "value"]) for name in (*NAMES, "StringContains", "StringEndsWith", "In")
}
NULLS = {name: make_dataclass(name, ["attribute"]) for name in ("IsNull", "IsNotNull")}
NOT = make_dataclass("Not", ["child"])
HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "EqualTo": lambda row, value: row == value,
    "GreaterThan": lambda row, value: row > value,
    "GreaterThanOrEqual": lambda row, value: row >= value,
    "LessThan": lambda row, value: row < value,
    "LessThanOrEqual": lambda row, value: row <= value,
    "StringStartsWith": lambda row, value: row.startswith(value),
    "StringContains": lambda row, value: value in row,
    "In": lambda row, value: row in value,
}
TEXTS, NUMBERS = st.text("a5", max_size=3), st.integers(-5, 5) | st.decimals(-5, 5, places=1)
VALUES = {
    "S": TEXTS | NUMBERS | st.booleans() | st.none() | st.lists(NUMBERS, max_size=1),  # of an attribute
    "N": NUMBERS | st.none(),
    "BOOL": st.booleans() | st.none(),
}
PUSHED = {"S": list(HOLDS), "N": [*NAMES[:5], "In"], "BOOL": ["EqualTo", "In"]}
GIVEN = {"S": TEXTS.filter(bool), "N": NUMBERS, "BOOL": st.booleans()}


def of_row(letter: str, value: Any) -> Any:
    """The value in the column: everything is text in one of strings."""
    if letter == "S" and value is not None and not isinstance(value, str):
        return msgspec.json.encode(value).decode().strip('"')
    return value


def stored(value: Any) -> dict[str, Any]:
    """The attribute value as the service keeps it: 0.0 is 0."""
    item = {"a": to_typed(value)}
    check_item(item)
    return item["a"]


def taken(each: Any, row: Any) -> bool:
    """Whether Spark takes a row with this value."""
    kind = type(each).__name__
    if kind in NULLS:
        return (row is None) == (kind == "IsNull")
    if row is None:
        return False
    return not taken(each.child, row) if kind == "Not" else HOLDS[kind](row, each.value)


@st.composite
def filters(draw: st.DrawFn, letter: str) -> Any:
    kind = draw(st.sampled_from([*PUSHED[letter], *NULLS]))
    if kind in NULLS:
        return NULLS[kind](("a",))
    value = draw(st.lists(GIVEN[letter], min_size=1, max_size=3).map(tuple) if kind == "In" else GIVEN[letter])
    made = KINDS[kind](("a",), value)
    return NOT(made) if kind in ("EqualTo", "In") and draw(st.booleans()) else made


@given(data=st.data(), letter=st.sampled_from(list(VALUES)))
@settings(max_examples=examples(1200), deadline=None)
def test_a_pushed_filter_omits_no_item_that_spark_takes(data: st.DataObject, letter: str) -> None:
    wanted = data.draw(st.lists(filters(letter), min_size=1, max_size=3))
    pushed = PushedFilters({"a": letter})
    for each in wanted:
        assert pushed.push(each), each
    names = {f"#{mark}": name for mark, name in pushed.names.items()}
    values = {f":{mark}": stored(value) for mark, value in pushed.values.items()}
    holds = condition_of("FilterExpression", pushed.expression, Placeholders(names, values or None))
    missing = data.draw(st.booleans())
    value = None if missing else data.draw(VALUES[letter])
    item = {} if missing else {"a": stored(value)}
    if all(taken(each, of_row(letter, value)) for each in wanted):
        assert holds(item), pushed.expression
    other = stored(next(each for each in ("zz", 99, None) if isinstance(each, str) == (letter == "S")))
    if all(type(each).__name__ in ("EqualTo", "In") for each in wanted) and letter != "BOOL":
        assert not holds({"a": other})  # it does omit something


def test_filters_that_cannot_be_compared_exactly_are_left_to_spark() -> None:
    pushed = PushedFilters({"a": "DoubleType", "j": JSON, "s": "S", "n": "N", "t": "TimestampType", "o": "BOOL"})
    many = tuple(range(101))
    for each in (
        KINDS["EqualTo"](("a",), 1.5),
        KINDS["EqualTo"](("j",), "x"),
        KINDS["EqualTo"](("s", "part"), "x"),
        KINDS["EqualTo"](("gone",), "x"),
        KINDS["EqualTo"](("n",), True),
        KINDS["StringEndsWith"](("s",), "x"),
        KINDS["GreaterThan"](("o",), False),
        KINDS["In"](("n",), many),
        KINDS["EqualTo"](("t",), "2026"),
        NOT(KINDS["GreaterThan"](("n",), 1)),
        KINDS["In"](("s",), tuple(f"{n}" * 20 for n in range(100)) * 2),
    ):
        assert not pushed.push(each), each
    assert (pushed.expression, pushed.names, pushed.values) == ("", {}, {})


def test_pushed_filters_join_those_of_the_user_and_numbers_keep_their_digits() -> None:
    pytest.importorskip("pyarrow")
    from ddbio.spark.reading import filtered

    pushed, digits = PushedFilters({"n": "N"}), Decimal("0.12345678901234567890123456789012345678")
    assert filtered(ScanOptions(table="t"), pushed) == ScanOptions(table="t")
    pushed.push(KINDS["EqualTo"](("n",), digits))
    own = ScanOptions(table="t", filter="#x > :p OR y = :p", values=' {"p": 1.50} ', names='{"x": "long name"}')
    both = filtered(own, pushed)
    assert both.filter == "(#x > :p OR y = :p) AND (#pushed0 = :pushed0)"
    assert parse_values(both.values or "") == {"p": {"N": "1.50"}, "pushed0": {"N": str(digits)}}
    assert parse_names(both.names or "") == {"x": "long name", "pushed0": "n"}
    assert parse_values(filtered(ScanOptions(table="t"), pushed).values or "") == {"pushed0": {"N": str(digits)}}


# --------------------------------------------------------------------------- options, columns, results


def test_options_as_text_are_those_as_keywords() -> None:
    texts = {"path": "Orders", "Capacity": "60%", "consistent_read": "TRUE", "tasks": "3", "sets": "a, b"}
    options = typed(texts)
    assert table_of(options) == "Orders"
    assert options == {"capacity": "60%", "consistent_read": True, "tasks": 3, "sets": ("a", "b")}
    assert scan_options("Orders", {"capacity": 5, "region": "eu-west-1"}).aws.region == "eu-west-1"
    for wrong, message in (
        (lambda: typed({"tasks": "many"}), "tasks is 'many'; give a whole number"),
        (lambda: typed({"pushdown": "yes"}), "give true or false"),
        (lambda: typed({"give_up_after_s": "soon"}), "give a number"),
        (lambda: table_of({"capacity": "5"}), "no table is named"),
        (lambda: scan_options("Orders", {"limit": 5}), "there is no option 'limit' here; there are attributes, capa"),
        (lambda: put_options("Orders", "put", {"filter": "a"}), "there is no option 'filter' here"),
        (lambda: put_options("Orders", "insert", {}), "mode is 'insert'; give one of put, delete"),
    ):
        with pytest.raises(UsageError, match=message):
            wrong()


def test_marked_columns_become_sets_and_documents() -> None:
    marks = {"tags": SET, "none": SET, "doc": JSON, "bad": JSON, "odd": SET, "gone": JSON}
    row = {
        "id": "a",
        "tags": ["x", "y"],
        "none": [],
        "doc": '{"m": [1.10, {"$B": "AQ=="}]}',
        "bad": "{",
        "odd": [[1]],
    }
    item = item_of(row, marks)
    assert {name: item[name] for name in ("id", "tags", "doc")} == {
        "id": "a",
        "tags": {"x", "y"},
        "doc": {"m": [Decimal("1.10"), b"\x01"]},
    }
    assert "none" not in item and "gone" not in item
    for name, why in (("bad", "type NotJson"), ("odd", "type NotASet")):
        assert why in encode([{"id": "a", name: item[name]}]).decode()


def test_results_of_partitions_add_up_and_say_what_was_rejected() -> None:
    from ddbio.spark.writing import WriteResult

    def part(written: int, rejected: int) -> bytes:
        rows = [[encode([{"id": "a"}]).decode(), "bad-key", "too long"]] * rejected
        return msgspec.json.encode({"tally": {"written": written, "rejected": rejected}, "rejected": rows})

    WriteResult.joined([]).check()
    result = WriteResult.joined([part(5, 0), part(3, 1), part(0, 2)])
    assert (result.tally.written, result.tally.rejected) == (8, 3)
    assert result.rejected[0].item == {"id": "a"}
    with pytest.raises(RejectedError, match=r"3 rows were rejected, and all others are written; .*bad-key, too long"):
        result.check()


def test_a_missing_spark_is_named() -> None:
    import ddbio.spark

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = ddbio.spark.Nothing
    if importlib.util.find_spec("pyspark") is None:
        with pytest.raises(UsageError, match="needs pyspark"):
            _ = ddbio.spark.DynamoDB
