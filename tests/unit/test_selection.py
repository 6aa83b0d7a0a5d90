"""The scan of an edit, and the condition of its writes."""

from __future__ import annotations

import pytest

from ddbio.sources.expressions import Placeholders, filter_expression
from ddbio.verbs.selection import select, without_parentheses
from tests.support.tables import table

TABLE = table({"id": "S", "at": "N"})


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("a", "a"),
        ("(a)", "a"),
        ("( ( a ) )", "a"),
        ("(a) OR (b)", "(a) OR (b)"),
        ("((a) OR (b))", "(a) OR (b)"),
        ("f(a)", "f(a)"),
        ("(f(a) AND b)", "f(a) AND b"),
        ("(a) OR f(b)", "(a) OR f(b)"),
    ],
)
def test_no_pair_of_parentheses_is_redundant(text: str, without: str) -> None:
    assert without_parentheses(text) == without


def test_the_scan_and_the_condition_have_the_names_and_values_that_they_use() -> None:
    placeholders = Placeholders({"x": {"N": "1"}, "y": {"N": "2"}})
    filters = [filter_expression("(size(a) > :x)", placeholders), "", filter_expression("b = :x", placeholders)]
    selection = select(TABLE, placeholders, filters, ["id", "at"])
    matches = "(size ( #n0 ) > :x) AND (#n1 = :x)"
    names, values = {"#n0": "a", "#n1": "b"}, {":x": {"N": "1"}}
    assert selection.counted.members == {
        "FilterExpression": matches,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
        "Select": "COUNT",
    }
    assert selection.subset.members == {
        "FilterExpression": matches,
        "ProjectionExpression": "#n2, #n3",
        "ExpressionAttributeNames": {**names, "#n2": "id", "#n3": "at"},
        "ExpressionAttributeValues": values,
    }
    assert selection.condition.expression == f"attribute_exists(#n2) AND ({matches})"
    assert selection.condition.names == {**names, "#n2": "id"}


def test_without_a_filter_every_item_is_selected() -> None:
    selection = select(TABLE, Placeholders(), [""], ["id"])
    assert selection.counted.members == {"Select": "COUNT"} and not selection.counted.filters
    assert selection.subset.members["ProjectionExpression"] == "#n0"
    assert (selection.condition.expression, selection.condition.values) == ("attribute_exists(#n0)", {})
