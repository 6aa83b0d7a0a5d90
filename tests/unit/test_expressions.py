"""What a user writes becomes expressions without a name in them that could be mistaken."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import UsageError
from ddbio.simulator.expressions import Placeholders as Defined
from ddbio.simulator.expressions import condition_of, projection_of
from ddbio.sources.expressions import (
    Placeholders,
    compared_attributes,
    filter_expression,
    parse_names,
    parse_values,
    projection_expression,
    top_names,
)

TEN: Any = {"N": "10"}


@pytest.mark.parametrize(
    ("text", "expression", "names"),
    [
        ("price > :p", "#n0 > :p", ["price"]),
        ("price>:p and status=:p", "#n0 > :p AND #n1 = :p", ["price", "status"]),
        ("size(size) = :p OR NOT begins_with(begins_with, :p)", None, ["size", "begins_with"]),
        ("a.b[0].#c <> :p", "#n0 . #n1 [ 0 ] . #n2 <> :p", ["a", "b", "user-id"]),
        ("a BETWEEN :p AND :p AND a IN (:p, b)", "#n0 BETWEEN :p AND :p AND #n0 IN ( :p , #n1 )", ["a", "b"]),
        ("größe = :p", "#n0 = :p", ["größe"]),
    ],
)
def test_names_are_replaced_and_words_of_the_language_are_not(
    text: str, expression: str | None, names: list[str]
) -> None:
    placeholders = Placeholders({"p": TEN}, {"c": "user-id"})
    made = filter_expression(text, placeholders)
    assert expression is None or made == expression
    assert list(placeholders.names.values()) == names
    placeholders.check_all_used()
    defined = Defined(placeholders.names, {":p": TEN})  # the simulator's grammar is another one's work
    condition_of("FilterExpression", made, defined)
    defined.check_all_used()


@pytest.mark.parametrize(
    ("text", "expression", "names", "tops"),
    [
        ("id", "#n0", ["id"], {"id"}),
        ("id, name , id2", "#n0,#n1,#n2", ["id", "name", "id2"], {"id", "name", "id2"}),
        ("a.b,list[0].in[12],#c", "#n0.#n1,#n2[0].#n3[12],#n4", ["a", "b", "list", "in", "user-id"], None),
        ("and,or", "#n0,#n1", ["and", "or"], {"and", "or"}),
    ],
)
def test_attributes(text: str, expression: str, names: list[str], tops: set[str] | None) -> None:
    placeholders = Placeholders(aliases={"c": "user-id"})
    assert projection_expression(text, placeholders) == expression
    assert list(placeholders.names.values()) == names
    assert top_names(text, {"c": "user-id"}) == (tops or {"a", "list", "user-id"})
    projection_of(expression, Defined(placeholders.names, None))


@given(st.lists(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,5}", fullmatch=True), min_size=1, max_size=30, unique=True))
def test_any_number_of_names(names: list[str]) -> None:
    placeholders = Placeholders()
    projection_expression(",".join(names), placeholders)
    assert list(placeholders.names.values()) == names
    assert placeholders.with_names(" ".join(placeholders.names)) == " ".join(names)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "--filter has no condition"),
        ("(( ) )", "--filter has no condition"),
        ("price > 10", "compares with 10; write :name instead, and --values"),
        ("status = 'open'", "values cannot be part of an expression"),
        ('status = "open"', "values cannot be part of an expression"),
        ("price > :q", "--values has no 'q'"),
        ("price > :p && a = :p", "'&&', which DynamoDB does not know; write AND"),
        ("price == :p", "'==', which DynamoDB does not know; write ="),
        ("sku like '%x'", "'like', which DynamoDB does not know; write begins_with(name, :text) or contains"),
        ("sku IS NOT NULL", "write attribute_exists(name) or attribute_not_exists(name)"),
        ("#x = :p", "#x is not defined"),
        ("user-id = :p", "has '-', which cannot be part of a name"),
        ("lower(name) = :p", "there is no function lower"),
        ("a = :p;", "has ';'"),
        ("a = b", "--filter has no :p"),
    ],
)
def test_filters_that_cannot_be_one(text: str, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        placeholders = Placeholders({"p": TEN})
        filter_expression(text, placeholders)
        placeholders.check_all_used()
    assert says in str(refused.value)


@pytest.mark.parametrize("text", ["", " ", ",", "a,", ",a", "a,,b", "a = b", "a, :b", "size(a)", "a b;"])
def test_lists_of_attributes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--attributes"):
        projection_expression(text, Placeholders())


def test_values_are_json_as_in_files() -> None:
    text = '{":p": 1.50, "s": "x", "b": {"$B": "AA=="}, "t": {"$SS": ["a"]}, "n": null, "m": {"a": [true]}}'
    assert parse_values(text) == {
        "p": {"N": "1.50"},
        "s": {"S": "x"},
        "b": {"B": "AA=="},
        "t": {"SS": ["a"]},
        "n": {"NULL": True},
        "m": {"M": {"a": {"L": [{"BOOL": True}]}}},
    }
    assert parse_names('{"#a": "x.y", "b": "z"}') == {"a": "x.y", "b": "z"}


@pytest.mark.parametrize("text", ["", "[]", "{p: 1}", '{"p": {"$B": 5}}'])
def test_values_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--values"):
        parse_values(text)


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": ""}'])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--names"):
        parse_names(text)


@pytest.mark.parametrize("value", ['{"N": "5"}', '{"S": "x"}', '{"SS": ["a"]}', '{"NULL": true}'])
def test_values_with_their_types_are_refused(value: str) -> None:
    """As the AWS CLI wants them: they would be maps, and match nothing."""
    with pytest.raises(UsageError, match="--values has 'p' with its type"):
        parse_values(f'{{":p": {value}, "q": 1}}')
    assert parse_values('{"p": {"n": 5}, "q": {"N": 1, "S": 2}}').keys() == {"p", "q"}


def test_attributes_may_be_called_like_operators_of_other_languages() -> None:
    placeholders = Placeholders({"p": {"N": "1"}})
    assert filter_expression("like > :p AND is < :p OR NOT like = :p", placeholders).count("#n0") == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("price > limit", "price > limit"),
        ("a = :a AND b.c<>#d", "b.c<>#d"),
        ("price > :limit", None),
        (":limit < price", None),
        ("price > size(name) AND NOT a = :b", None),
    ],
)
def test_a_comparison_of_two_attributes(text: str, found: str | None) -> None:
    assert compared_attributes(text) == found
