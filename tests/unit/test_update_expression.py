"""UpdateExpressions: parsed as the service does, repeatable or not, and which items need them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import UsageError
from ddbio.simulator.expressions import Placeholders as ServicePlaceholders
from ddbio.simulator.expressions import condition_of
from ddbio.sinks.update_expression import Update, parse_update, shown_path
from ddbio.sinks.updated import is_updated
from ddbio.sources.expressions import Placeholders

VALUES: dict[str, Any] = {
    "v": {"S": "x"},
    "one": {"N": "1"},
    "list": {"L": [{"N": "1"}]},
    "set": {"SS": ["a"]},
}


def parsed(text: str) -> tuple[Update, Placeholders]:
    placeholders = Placeholders(dict(VALUES), {"odd": "an odd name"})
    return parse_update(text, placeholders), placeholders


REPEATABLE = [
    "SET a = :v",
    "set a = :v, b.c[0].d = :one remove e",
    "SET a = if_not_exists(a, :v)",
    "SET a = if_not_exists(b, :v)",
    "SET a = b",
    "SET a = b + :one",
    "SET a = list_append(b, :list)",
    "SET a = (b - :one)",
    "SET new = old REMOVE old",
    "SET #odd = :v",
    "REMOVE a, b.c",
    "ADD a :set",
    "DELETE a :set",
]
OTHERS = [
    "SET a = a + :one",
    "SET a = if_not_exists(a, :one) + :one",
    "SET a = list_append(a, :list)",
    "SET a = b, b = :v",
    "SET a.b = a.b.c",
    "SET a.b.c = a",
    "SET b.c = a REMOVE a.d",
    "SET a[0] = :v",
    "REMOVE a[1]",
    "ADD a :one",
]


@pytest.mark.parametrize("text", REPEATABLE)
def test_what_can_be_repeated(text: str) -> None:
    assert parsed(text)[0].why_not_repeatable() == ""


@pytest.mark.parametrize("text", OTHERS)
def test_what_would_be_different_the_second_time(text: str) -> None:
    assert parsed(text)[0].why_not_repeatable()


def test_names_become_placeholders_and_values_stay() -> None:
    update, placeholders = parsed("set size.#odd[1] = if_not_exists ( size , :v ) + :one add b :set")
    assert update.expression == "SET #n0 . #n1 [ 1 ] = if_not_exists ( #n0 , :v ) + :one ADD #n2 :set"
    assert placeholders.names == {"#n0": "size", "#n1": "an odd name", "#n2": "b"}
    assert [shown_path(action.path) for action in update.actions] == ["size.an odd name[1]", "b"]
    assert update.values == {":v": {"S": "x"}, ":one": {"N": "1"}, ":set": {"SS": ["a"]}}
    assert update.names() == ["size", "b"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "changes nothing"),
        ("a = :v", "one of SET"),
        ("SET a = :v SET b = :v", "SET twice"),
        ("SET a = :v, a.b = :v", "a.b twice"),
        ("SET a :v", "where '=' should be"),
        ("SET a = 5", "where the name of an attribute should be"),
        ("SET a = 'x'", "quote"),
        ("SET a = b * :one", "'*'"),
        ("SET a = :missing", ":missing"),
        ("SET a = sqrt(b)", "no function sqrt"),
        ("SET a = if_not_exists(:v, :v)", "the name of an attribute"),
        ("ADD a b", "a :value"),
        ("REMOVE a,", "ends where"),
        ("SET a = (b", "')'"),
        ("SET a[x] = :v", "index of a list"),
        ("SET naïve-name = :v", "'='"),
        ("SET #other = :v", "#other is not defined"),
    ],
)
def test_what_is_no_expression(text: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed(text)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def holds(expression: str, placeholders: Placeholders, item: dict[str, Any]) -> bool:
    """By the simulator's own reading of expressions."""
    values = {f":{name}": value for name, value in VALUES.items()}
    service = ServicePlaceholders(placeholders.names, values)
    return bool(condition_of("FilterExpression", expression, service)(item))


@pytest.mark.parametrize(
    ("text", "item", "needs"),
    [
        ("SET a = :v", {}, True),
        ("SET a = :v", {"a": {"S": "y"}}, True),
        ("SET a = :v", {"a": {"S": "x"}}, False),
        ("SET a = :one", {"a": {"N": "1"}}, False),
        ("SET a = :v, b = :one", {"a": {"S": "x"}}, True),
        ("SET a = :v, b = :one", {"a": {"S": "x"}, "b": {"N": "1"}}, False),
        ("SET a = if_not_exists(a, :v)", {"a": {"N": "7"}}, False),
        ("REMOVE a, b", {"b": {"N": "7"}}, True),
        ("REMOVE a, b", {"c": {"N": "7"}}, False),
        ("SET new = old REMOVE old", {"old": {"N": "7"}}, True),
        ("SET new = old REMOVE old", {"new": {"N": "7"}}, False),
        ("SET new = old, a = :v REMOVE old", {"new": {"N": "7"}}, True),
        ("SET new = old, a = :v REMOVE old", {"a": VALUES["v"]}, False),
        ("SET n1 = o1, n2 = o2 REMOVE o1, o2", {"o1": {"N": "7"}}, True),
    ],
)
def test_which_items_need_it(text: str, item: dict[str, Any], needs: bool) -> None:
    update, placeholders = parsed(text)
    assert holds(update.needed(placeholders), placeholders, item) == needs
    assert is_updated({**item}, update) is not needs or "old" in text


@pytest.mark.parametrize(
    "text", ["SET a = b", "SET a = :v, b = b + :one", "ADD a :set", "SET a = if_not_exists(b, :v)"]
)
def test_any_item_may_need_it(text: str) -> None:
    update, placeholders = parsed(text)
    assert update.needed(placeholders) == ""


@pytest.mark.parametrize(
    ("text", "item", "after"),
    [
        ("SET a = b + :one", {"a": {"N": "3"}, "b": {"N": "2"}}, True),
        ("SET a = b + :one", {"a": {"N": "4"}, "b": {"N": "2"}}, False),
        ("SET a = b - :one", {"a": {"N": "1.0"}, "b": {"N": "2"}}, True),
        ("SET a = b + :one", {"a": {"N": "3"}}, False),
        ("SET a = list_append(b, :list)", {"a": {"L": [{"S": "q"}, {"N": "1"}]}, "b": {"L": [{"S": "q"}]}}, True),
        ("SET a.b[0] = :v", {"a": {"M": {"b": {"L": [{"S": "x"}]}}}}, True),
        ("SET a.b[1] = :v", {"a": {"M": {"b": {"L": [{"S": "x"}]}}}}, False),
        ("ADD a :set", {"a": {"SS": ["b", "a"]}}, True),
        ("ADD a :set", {"a": {"SS": ["b"]}}, False),
        ("DELETE a :set", {"a": {"SS": ["b"]}}, True),
        ("DELETE a :set", {}, True),
        ("DELETE a :set", {"a": {"SS": ["a", "b"]}}, False),
        ("ADD a :one", {"a": {"N": "1"}}, False),
        ("SET new = old REMOVE old", {"new": {"N": "1"}}, True),
        ("SET new = old REMOVE old", {"new": {"N": "1"}, "old": {"N": "1"}}, False),
        ("SET new = old REMOVE old", {}, False),
    ],
)
def test_an_item_as_the_update_leaves_it(text: str, item: dict[str, Any], after: bool) -> None:
    assert is_updated(item, parsed(text)[0]) == after


@given(st.text(alphabet="SETREMOVADab=:v,.()[]+-01# _", max_size=40))
def test_any_text_is_an_update_or_one_line(text: str) -> None:
    try:
        update, _ = parsed(text)
    except UsageError as refused:
        assert "\n" not in str(refused)
    else:
        assert update.actions
