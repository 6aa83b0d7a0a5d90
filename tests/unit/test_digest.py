"""Digests are equal exactly if items are."""

from __future__ import annotations

import copy
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.values.digest import item_digest, key_digest, key_text
from ddbio.values.equality import same_item
from tests.support.strategies import ITEMS, SPELLINGS, VALUES, numbers
from tests.unit.test_equality import DIFFERENT, SAME


@given(ITEMS, ITEMS)
def test_items_have_the_same_digest_exactly_if_they_are_equal(left: Any, right: Any) -> None:
    assert (item_digest(left) == item_digest(right)) == same_item(left, right)


@given(ITEMS, st.randoms(use_true_random=False))
def test_order_and_spelling_make_no_difference(item: Any, dice: random.Random) -> None:
    assert item_digest(respelled(item, dice)) == item_digest(item)


@given(ITEMS, st.text(min_size=1, max_size=3), VALUES, VALUES)
def test_one_value_makes_the_difference(item: Any, name: str, left: Any, right: Any) -> None:
    first, second = {**item, name: left}, {**item, name: right}
    assert (item_digest(first) == item_digest(second)) == same_item(first, second)
    assert item_digest(first, {name}) == item_digest(second, {name})
    assert item_digest(first, {name}) == item_digest({each: item[each] for each in item if each != name})


@given(numbers(), numbers())
def test_numbers_by_value(left: str, right: str) -> None:
    same = item_digest({"n": {"N": left}}) == item_digest({"n": {"N": right}})
    assert same == (Decimal(left) == Decimal(right))


@pytest.mark.parametrize("text", ["1", "10", "0.1", "-5", "12345678901234567890123456789012345678", "1E125", "9E37"])
def test_every_spelling_of_a_number(text: str) -> None:
    digests = {item_digest({"n": {"N": spell(Decimal(text))}}) for spell in SPELLINGS}
    digests.add(item_digest({"n": {"N": f"{Decimal(text):f}" + ("" if "." in f"{Decimal(text):f}" else ".0")}}))
    assert len(digests) == 1


@pytest.mark.parametrize(("left", "right"), SAME)
def test_the_same(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert item_digest({"a": left}) == item_digest({"a": right})


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different(left: dict[str, Any], right: dict[str, Any]) -> None:
    assert item_digest({"a": left}) != item_digest({"a": right})


def test_the_parts_of_a_key_are_kept_apart() -> None:
    keys = [("a", "bc"), ("ab", "c"), ("abc",), ('a","bc',), ("é", "")]
    assert len({key_digest(key_text(key)) for key in keys}) == len(keys)


def respelled(item: Any, dice: random.Random) -> Any:
    """The same item as another server might send it."""
    names = list(item)
    dice.shuffle(names)
    return {name: _respelled(copy.deepcopy(item[name]), dice) for name in names}


def _respelled(value: Any, dice: random.Random) -> Any:
    ((letter, payload),) = value.items()
    if letter == "N":
        return {letter: dice.choice(SPELLINGS)(Decimal(payload))}
    if letter == "NS":
        payload = [dice.choice(SPELLINGS)(Decimal(member)) for member in payload]
    if letter in ("SS", "NS", "BS"):
        dice.shuffle(payload)
    if letter == "L":
        return {letter: [_respelled(element, dice) for element in payload]}
    return {letter: respelled(payload, dice)} if letter == "M" else {letter: payload}
