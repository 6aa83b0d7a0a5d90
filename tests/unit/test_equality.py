"""When two items are the same to DynamoDB."""

from __future__ import annotations

from typing import Any

import pytest

from ddbio.values.equality import same_item

SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"N": "1.0"}, {"N": "1"}),
    ({"N": "1E2"}, {"N": "100"}),
    ({"N": "-0"}, {"N": "0"}),
    ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}),
    ({"NS": ["1.0", "2"]}, {"NS": ["2", "1"]}),
    ({"BS": ["YQ==", "Yg=="]}, {"BS": ["Yg==", "YQ=="]}),
    ({"L": [{"N": "1.0"}]}, {"L": [{"N": "1"}]}),
    ({"M": {"a": {"N": "1.0"}, "b": {"NULL": True}}}, {"M": {"b": {"NULL": True}, "a": {"N": "1"}}}),
]
DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"N": "1"}, {"S": "1"}),
    ({"N": "1"}, {"N": "2"}),
    ({"S": "1"}, {"S": "1.0"}),
    ({"SS": ["a"]}, {"SS": ["a", "b"]}),
    ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
    ({"L": [{"S": "a"}]}, {"L": [{"S": "a"}, {"S": "a"}]}),
    ({"M": {}}, {"M": {"a": {"S": ""}}}),
    ({"BOOL": True}, {"BOOL": False}),
    ({"B": "YQ=="}, {"B": "Yg=="}),
    ({"B": "YQ=="}, {"S": "YQ=="}),
    ({"NULL": True}, {"BOOL": True}),
]


@pytest.mark.parametrize(("left", "right"), SAME)
def test_spelling_and_order_of_sets_do_not_matter(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert same_item({"id": {"S": "1"}, "a": left}, {"a": right, "id": {"S": "1"}})
    assert same_item({"a": right}, {"a": left})


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_all_else_does(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert not same_item({"a": left}, {"a": right})
    assert not same_item({"a": right}, {"a": left})


def test_items_of_other_attributes_differ() -> None:
    assert not same_item({"a": {"S": "x"}}, {"b": {"S": "x"}})
    assert not same_item({"a": {"S": "x"}}, {"a": {"S": "x"}, "b": {"S": "x"}})
