"""The order of items, and the first N of them, however they are divided among workers."""

from __future__ import annotations

import base64
import functools
import json
import random
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ddbio.values import ordering
from ddbio.values.ordering import Order, Top, as_page, items_of

NUMBERS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
    st.integers(-(10**38) + 1, 10**38 - 1).map(str),
    st.sampled_from(["1", "1.0", "1E0", "-0", "0", "1E-130", "9.9E125", "-9.9E125"]),
)
VALUES = st.one_of(
    NUMBERS.map(lambda text: {"N": text}),
    st.text(max_size=4).map(lambda text: {"S": text}),
    st.binary(max_size=3).map(lambda data: {"B": base64.b64encode(data).decode()}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.sampled_from([{"NULL": True}, {"SS": ["a"]}, {"L": []}, {"M": {"N": {"N": "1"}}}]),
)
ITEMS = st.lists(st.one_of(st.none(), VALUES), max_size=40).map(
    lambda values: [
        json.dumps({"id": {"N": str(number)}, **({"v": value} if value else {})}).encode()
        for number, value in enumerate(values)
    ]
)
KINDS = ["N", "S", "B", "BOOL", "NULL"]


def less(left: bytes, right: bytes) -> int:
    """The rule again, spelt out. Negative if the left one comes first."""
    (one, two) = (json.loads(each) for each in (left, right))
    ranks, values = [], []
    for each in (one, two):
        ((letter, payload),) = each["v"].items() if "v" in each else (("", None),)
        ranks.append(99 if not letter else KINDS.index(letter) if letter in KINDS else 50)
        values.append(
            Decimal(payload)
            if letter == "N"
            else payload.encode()
            if letter == "S"
            else base64.b64decode(payload)
            if letter == "B"
            else payload
            if letter == "BOOL"
            else 0
        )
    if ranks[0] != ranks[1]:
        return ranks[0] - ranks[1]
    if values[0] != values[1]:
        return -1 if values[0] < values[1] else 1  # type: ignore[operator]
    return int(one["id"]["N"]) - int(two["id"]["N"])


def in_order(items: list[bytes], *, descending: bool) -> list[bytes]:
    there = sorted((each for each in items if "v" in json.loads(each)), key=functools.cmp_to_key(less))
    without = sorted((each for each in items if "v" not in json.loads(each)), key=functools.cmp_to_key(less))
    return [*reversed(there), *reversed(without)] if descending else [*there, *without]


@given(ITEMS, st.integers(1, 45), st.booleans(), st.integers(0, 4), st.randoms(use_true_random=False))
def test_the_first_of_the_workers_firsts_are_the_first_of_all(
    items: list[bytes], limit: int, descending: bool, slack: int, chance: random.Random
) -> None:
    """Each worker sends what entered since its last report and was not displaced; the parent keeps the first."""
    order, before = Order("v", ("id",), descending), ordering.SLACK
    ordering.SLACK = slack
    try:
        parent, workers = Top(order, limit), [Top(order, limit) for _ in range(3)]
        given_out = items[:]
        chance.shuffle(given_out)
        while given_out:
            worker, page = chance.choice(workers), [given_out.pop() for _ in range(min(len(given_out), 7))]
            entered = worker.add(page)
            parent.add(items_of(as_page([item for key, item in entered if worker.is_kept(key)])))
    finally:
        ordering.SLACK = before
    assert parent.first() == in_order(items, descending=descending)[:limit]


def first(values: list[dict[str, Any]], *, descending: bool = False) -> list[str]:
    top = Top(Order("v", (), descending), 100)
    top.add([json.dumps({"v": value}).encode() for value in values])
    return [next(iter(json.loads(item)["v"].values())) for item in top.first()]


def test_numbers_are_compared_by_all_their_digits() -> None:
    least, most = "9" * 37 + "1", "9" * 37 + "2"
    assert first([{"N": most}, {"N": least}, {"N": "10"}, {"N": "9"}]) == ["9", "10", least, most]
    assert first([{"N": "0." + "1" * 37}, {"N": "0." + "1" * 38}], descending=True) == [
        "0." + "1" * 38,
        "0." + "1" * 37,
    ]


def test_text_is_compared_by_its_utf8_bytes() -> None:
    """Not by UTF-16, in which the second is a surrogate and less, nor by any language."""
    assert first([{"S": "\U0001f600"}, {"S": "\uffee"}, {"S": "a"}, {"S": "Z"}, {"S": "é"}]) == [
        *("Z", "a", "é", "\uffee", "\U0001f600"),
    ]


def test_memory_is_bounded() -> None:
    top = Top(Order("v"), 10)
    for number in range(20_000):
        top.add([b'{"v":{"N":"%d"}}' % (20_000 - number)])
    assert len(top._kept) <= 10 + ordering.SLACK
    assert [json.loads(item)["v"]["N"] for item in top.first()] == [str(each) for each in range(1, 11)]
