"""CSV out and in again: with the types of its columns, items come back as they were, but for what the export says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import AbortError
from ddbio.formats.csv import Csv, CsvLayout
from ddbio.formats.csv.declaration import CSV
from ddbio.formats.csv.header import read_head
from ddbio.options import CsvOptions
from ddbio.values.items import AttributeMap, AttributeValue
from tests.support.strategies import ITEMS, same_item


def types_of(items: Sequence[AttributeMap]) -> dict[str, str]:
    """The columns as an export finds them."""
    names = sorted({name for item in items for name in item})
    letters = {name: {letter for item in items for letter in item.get(name, {})} - {"NULL"} for name in names}
    return {name: CSV.columns.type_of(letters[name]) for name in names}


def exported(items: Sequence[AttributeMap], types: dict[str, str]) -> bytes:
    format = Csv(CsvLayout(tuple(types), tuple(types.values())))
    page = msgspec.convert(items, list[dict[str, AttributeValue]])
    return format.head + format.render(page)


def imported(text: bytes, types: dict[str, str]) -> list[AttributeMap]:
    options = CsvOptions(types=tuple(types.items()), keep_blanks=True)
    layout, start, _ = read_head(text, "a.csv", options, ["key"], {"key": "S"})
    format = Csv(layout)
    return [format.parse(record) for record in format.split(text[start:])]


def as_said(item: AttributeMap, types: dict[str, str]) -> Any:
    """Without what docs/formats.md says is lost: in columns of one type a null and an empty text are no attribute."""
    empty: list[dict[str, Any]] = [{"NULL": True}, {"S": ""}, {"B": ""}]
    return same_item({name: value for name, value in item.items() if types[name] == "JSON" or value not in empty})


@given(st.lists(ITEMS, min_size=1, max_size=5))
def test_items_come_back_as_they_went(items: list[AttributeMap]) -> None:
    items = [{**{name: item[name] for name in item if name}, "key": {"S": "k"}} for item in items]
    types = types_of(items)
    assert list(map(same_item, imported(exported(items, types), types))) == [as_said(item, types) for item in items]


def test_a_column_of_several_types_is_json_text() -> None:
    values: list[dict[str, Any]] = [{"N": "5"}, {"S": "5"}, {"NULL": True}, {"S": ""}, {"BOOL": True}]
    items = [{"key": {"S": "k"}, "x": value} for value in values]
    types = types_of(items)
    assert exported(items, types) == b'key,x\nk,5\nk,"""5"""\nk,null\nk,""""""\nk,true\n'
    assert imported(exported(items, types), types) == items


def test_a_value_that_is_not_of_its_columns_type_ends_the_export() -> None:
    with pytest.raises(AbortError, match="'x' is of type S in one item, and its column of type N") as raised:
        exported([{"x": {"N": "5"}}, {"x": {"S": "5"}}], {"x": "N"})
    assert "x:JSON" in raised.value.hint
