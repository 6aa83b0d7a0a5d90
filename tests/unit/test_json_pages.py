"""Pages of a table to lines of json."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.dynamodb.scan import scan_operation
from ddbio.formats.json_lines import JsonLines
from ddbio.formats.json_pages import rendered_items
from ddbio.values.items import AttributeMap
from tests.support.strategies import ITEMS, same_item

scan = scan_operation(JsonLines.page_items)


def lines(items: Sequence[AttributeMap]) -> bytes:
    return rendered_items(scan.decode(orjson.dumps({"Items": items, "Count": len(items)})).Items)


@given(st.lists(ITEMS, max_size=4))
@example([{"a": {"S": "x"}, "n": {"N": "1"}}, {"n": {"N": "5"}}, {"a": {"N": "1.50"}}])
@example([{"b": {"M": {"$x": {"N": "+5"}}}, "l": {"L": []}, "o": {"BOOL": False}}, {}])
@example([{"a": {"S": 'é"\n' * 999}, "n": {"N": "+5"}}, {"a": {"S": "\\\x7f\u2028"}, "l": {"L": [{"N": "1.50"}]}}])
@example([{"a": {"S": "x" * 3000}}, {"a": {"NULL": True}}, {"a": {"SS": ["x"]}}])
def test_lines_are_read_back_as_the_items(items: list[AttributeMap]) -> None:
    read = [JsonLines().parse(line) for line in lines(items).splitlines()]
    assert [same_item(item) for item in read] == [same_item(item) for item in items]


def test_lines_with_long_texts_are_those_without() -> None:
    item: AttributeMap = {"b": {"S": "x"}, "a": {"L": [{"N": "1.50"}, {"M": {"é": {"S": '"'}}}]}}
    long: AttributeMap = {"z": {"S": "x" * 9000}}
    assert lines([long, item]) == b'{"z":"%b"}\n%b' % (b"x" * 9000, lines([item]))


def test_attributes_are_in_the_order_of_their_names() -> None:
    item: AttributeMap = {"b": {"S": "x"}, "a": {"M": {"d": {"N": "1"}, "c": {"N": "2"}}}}
    assert lines([item]) == b'{"a":{"d":1,"c":2},"b":"x"}\n'


@pytest.mark.parametrize(
    "broken",
    [b'{"Items":[{"id":{"S":1}}],"Count":1}', b'{"Items":[{"id":7}],"Count":1}', b"[", b'{"Items":[{"id":{"S":"a"}}'],
)
def test_what_is_no_page_is_refused(broken: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        scan.decode(broken)
