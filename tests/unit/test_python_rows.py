"""Items of pages as Python values: by a schema that is learned, the same as those that are decoded one by one."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.messages import Tally
from ddbio.sinks.item_pages import LIST_ITEMS, ItemPages, lists_of
from ddbio.sources.scan import Page
from ddbio.values.items import UnknownTypeError
from ddbio.values.python_rows import ANY, MOST_NAMES, LearnedSchema, PythonRows
from ddbio.values.python_values import to_python

NUMBERS = st.integers(-(10**37), 10**37).map(str) | st.sampled_from(["1.50", "1E+5", "-0", "1e-130"])
BINARY = st.binary().map(lambda data: base64.b64encode(data).decode())
LEAVES = st.one_of(
    st.text().map(lambda text: {"S": text}),
    NUMBERS.map(lambda number: {"N": number}),
    BINARY.map(lambda text: {"B": text}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.just({"NULL": True}),
    st.sets(st.text(), min_size=1).map(lambda texts: {"SS": list(texts)}),
    st.sets(NUMBERS, min_size=1).map(lambda numbers: {"NS": list(numbers)}),
    st.sets(BINARY, min_size=1).map(lambda texts: {"BS": list(texts)}),
)
VALUES: Any = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: {"L": values}),
        st.dictionaries(st.text(), inner, max_size=3).map(lambda values: {"M": values}),
    ),
    max_leaves=5,
)
NAMES = st.sampled_from(["a", "b", "class", "two words", "_x", "ü"])
PAGES = st.lists(st.dictionaries(NAMES, VALUES), max_size=5)


@given(st.lists(PAGES, max_size=6))
def test_items_are_those_that_are_decoded_alone(pages: list[list[dict[str, Any]]]) -> None:
    rows = PythonRows()
    for items in pages:
        expected = [{name: to_python(value) for name, value in item.items()} for item in items]
        found = rows.items(msgspec.json.encode(items))
        assert found == expected
        assert [[*map(type, item.values())] for item in map(sorted_, found)] == [
            [*map(type, item.values())] for item in map(sorted_, expected)
        ]


def sorted_(item: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(item.items()))


def test_alike_pages_take_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, page = PythonRows(), [{"a": {"S": "x"}, "b": {"N": "1"}}, {"a": {"S": "y"}}]
    rows.items(msgspec.json.encode(page))
    monkeypatch.setattr("ddbio.values.python_rows._decode_any", None)
    assert rows.items(msgspec.json.encode(page)) == [{"a": "x", "b": 1}, {"a": "y"}]


@pytest.mark.parametrize("odd", [{"V": "?"}, {}])
def test_a_value_of_an_unknown_type_is_an_error(odd: dict[str, str]) -> None:
    rows = PythonRows()
    rows.items(msgspec.json.encode([{"a": {"S": "x"}}, {"a": {"L": []}}]))
    with pytest.raises(UnknownTypeError):
        rows.items(msgspec.json.encode([{"a": odd}]))


def test_a_page_is_passed_on_in_short_lists() -> None:
    items = [msgspec.Raw(b'{ "a":\n{"S":"%d"}}' % number) for number in range(2 * LIST_ITEMS + 1)]
    sink = ItemPages(tally := Tally())
    asyncio.run(sink.take(Page(items)))
    lists = [PythonRows().items(each) for each in lists_of(sink.take_parts()["page"])]
    assert list(map(len, lists)) == [LIST_ITEMS, LIST_ITEMS, 1]
    assert [item["a"] for each in lists for item in each] == list(map(str, range(tally.written)))
    assert sink.take_parts() == {}


@pytest.mark.parametrize(
    "later",
    [
        {"a": {"S": "y"}, "new": {"S": "z"}},
        {"a": {"N": "1"}},
        {},
        {"a": {"L": [{"S": "y"}]}},
    ],
)
def test_an_item_unlike_those_before_it_is_whole(later: dict[str, Any]) -> None:
    rows = PythonRows()
    for item in ({"a": {"S": "x"}}, {"a": {"S": "x"}}, later, later):
        expected = {name: to_python(value) for name, value in item.items()}
        assert rows.items(msgspec.json.encode([item])) == [expected]


# --------------------------------------------------------------------------- the schema


def test_a_schema_of_items_that_are_alike_stays_as_it_is() -> None:
    schema = LearnedSchema()
    assert schema.learn([{"id": "S", "n": "N"}])
    assert not schema.learn([{"n": "N", "id": "S"}] * 3)
    assert (schema.letters, schema.optional) == ({"id": "S", "n": "N"}, set())


@pytest.mark.parametrize(
    ("item", "letters", "optional"),
    [
        ({"id": "S"}, {"id": "S", "n": "N"}, {"n"}),
        ({"id": "S", "n": "N", "x": "S"}, {"id": "S", "n": "N", "x": "S"}, {"x"}),
        ({"id": "S", "n": "S"}, {"id": "S", "n": ANY}, set()),
        ({}, {"id": "S", "n": "N"}, {"id", "n"}),
    ],
)
def test_a_schema_grows_until_an_item_fits(item: dict[str, str], letters: dict[str, str], optional: set[str]) -> None:
    schema = LearnedSchema()
    schema.learn([{"id": "S", "n": "N"}])
    assert schema.learn([item])
    assert (schema.letters, schema.optional) == (letters, optional)
    assert not schema.learn([item])


def test_a_name_that_came_late_is_optional_though_all_have_it_since() -> None:
    schema = LearnedSchema()
    schema.learn([{}])
    schema.learn([{"id": "S"}])
    assert schema.optional == {"id"}


def test_items_with_ever_new_names_have_no_schema() -> None:
    schema = LearnedSchema()
    assert schema.learn({f"a{number}": "S"} for number in range(MOST_NAMES + 1))
    assert not schema.usable
