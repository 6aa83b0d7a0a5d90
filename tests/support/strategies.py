"""Strategies for values and items as the service can send them, and when two items are the same."""

from __future__ import annotations

import base64
import string
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from ddbio.values.items import AttributeMap

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.one_of(
    st.text(string.ascii_letters, min_size=1, max_size=5),
    st.sampled_from(
        ["$B", "$M", "$SS", "$NS", "$BS", "$x", "$", "a b", '"', "\\", "é", "\U0001f600", "\x00", "M", "S"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
)


SPELLINGS: list[Callable[[Decimal], str]] = [str, "{:f}".format, "{:E}".format]


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """The text of a number as the service sends it: plain decimals or exponents, up to 38 digits, in range."""
    digits = str(draw(st.integers(0, 10 ** draw(st.integers(1, 38)) - 1)))
    exponent = draw(st.one_of(st.integers(-6, 6), st.integers(-130, 125 - len(digits) + 1)))
    sign = draw(st.sampled_from(["", "-"]))
    return draw(st.sampled_from(SPELLINGS))(Decimal(f"{sign}{digits}E{exponent}"))  # exact: nothing is computed


BINARIES = st.binary(max_size=7).map(lambda data: base64.b64encode(data).decode())


def sets(members: st.SearchStrategy[str], identity: Callable[[str], object] = str) -> st.SearchStrategy[list[str]]:
    return st.lists(members, min_size=1, max_size=4, unique_by=identity)


SCALARS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    TEXTS.map(lambda text: {"S": text}),
    numbers().map(lambda text: {"N": text}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    BINARIES.map(lambda data: {"B": data}),
    sets(TEXTS).map(lambda members: {"SS": members}),
    sets(numbers(), Decimal).map(lambda members: {"NS": members}),
    sets(BINARIES).map(lambda members: {"BS": members}),
)


def attribute_maps(values: st.SearchStrategy[dict[str, Any]], max_size: int = 4) -> st.SearchStrategy[AttributeMap]:
    return st.dictionaries(NAMES, values, max_size=max_size)


VALUES = st.recursive(
    SCALARS,
    lambda children: st.one_of(
        st.lists(children, max_size=4).map(lambda elements: {"L": elements}),
        attribute_maps(children).map(lambda attributes: {"M": attributes}),
        # maps with a single key, which is where tags could be taken for maps and maps for tags
        attribute_maps(children, max_size=1).map(lambda attributes: {"M": attributes}),
    ),
    max_leaves=12,
)
ITEMS = attribute_maps(VALUES)


def same_item(attributes: AttributeMap) -> Any:
    """Something that is equal for what the service takes for the same item: numbers by value, sets without order."""
    return {name: _same_value(value) for name, value in attributes.items()}


def _same_value(value: dict[str, Any]) -> Any:
    ((letter, payload),) = value.items()
    if letter == "M":
        return letter, same_item(payload)
    if letter == "L":
        return letter, [_same_value(element) for element in payload]
    if letter == "N":
        return letter, Decimal(payload)
    if letter in ("SS", "BS"):
        return letter, frozenset(payload)
    return (letter, frozenset(map(Decimal, payload))) if letter == "NS" else (letter, payload)


def nested(depth: int, kind: str) -> Any:
    """A plain value of lists (`L`) or maps (`M`) in each other, `depth` of them."""
    value: Any = "x"
    for _ in range(depth):
        value = [value] if kind == "L" else {"m": value}
    return value
