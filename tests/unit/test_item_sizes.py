"""The sizes of items: counted for every verb that reads whole items, by a sample that stays small and true."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import RecordError
from ddbio.formats import get_format
from ddbio.formats.json_pages import RenderedPage
from ddbio.messages.format_spec import JSON
from ddbio.steps.item_sizes import ALL_OF_FIRST, RAREST, ItemSizes, Strides, row_as_map
from ddbio.values.items import AttributeMap, AttributeValue, Deletion


def item_of(size_bytes: int) -> AttributeMap:
    return {"a": {"S": "x" * (size_bytes - 1)}}


@given(st.lists(st.integers(0, 40), max_size=40), st.integers(0, 9))
def test_each_item_is_represented_by_one_that_is_measured(batches: list[int], seed: int) -> None:
    """However the items come: each stride has one measured item, until the stride at the end."""
    strides, seen, chosen = Strides(seed), 0, list[tuple[int, int]]()
    for count in batches:
        chosen += [(seen + at, length) for at, length in strides.choose(count)]
        seen += count
    places = [place for place, _ in chosen]
    assert places == sorted({*places}) and all(place < seen for place in places)
    first = 0
    for place, length in chosen:
        assert first <= place < first + length
        first += length
    if seen <= ALL_OF_FIRST:
        assert len(chosen) == seen


def test_few_of_many_items_are_measured_and_their_numbers_are_right() -> None:
    """Every second item is large, which a fixed stride would never notice."""
    sizes, measured = ItemSizes(Strides()), 0

    def map_of(size_bytes: int) -> AttributeMap:
        nonlocal measured
        measured += 1
        return item_of(size_bytes)

    number = 400_000
    sizes.count([100, 3000] * (number // 2), map_of)
    found = sizes.take()
    assert measured < number / RAREST + 2 * ALL_OF_FIRST * 6
    assert found.keys() == {7, 12}
    assert all(abs(count - number / 2) < 0.1 * number for count in found.values())
    assert sizes.take() == {}


def test_lanes_of_a_worker_share_the_sample() -> None:
    strides = Strides()
    lanes = [ItemSizes(strides) for _ in range(50)]
    found: Counter[int] = Counter()
    for at in range(200):
        lanes[at % 50].count([64] * 100, item_of)
    for lane in lanes:
        found.update(lane.take())
    assert abs(found[6] - 20_000) < RAREST


@pytest.mark.parametrize(
    ("size_bytes", "exponent"), [(1, 0), (2, 1), (3, 2), (1024, 10), (1025, 11), (409_600, 19), (409_601, None)]
)
def test_a_size_belongs_to_the_smallest_power_of_two_that_is_not_below_it(
    size_bytes: int, exponent: int | None
) -> None:
    sizes = ItemSizes(Strides())
    sizes.count([size_bytes], item_of)
    assert sizes.take() == ({} if exponent is None else {exponent: 1})


def test_what_is_no_item_is_not_counted() -> None:
    def refuse(record: object) -> AttributeMap:
        raise RecordError("bad-json", "no")

    sizes = ItemSizes(Strides())
    sizes.count([1], refuse)
    wrong: list[Any] = [Deletion(item_of(9)), {"a": {"Z": 1}}, {"a": {"N": "x"}}, {"a": 5}, []]
    sizes.count(wrong, lambda item: item)
    sizes.count(range(5), row_as_map)
    assert sizes.take() == {}


VALUES = {
    "S": "text",
    "N": "-12.5",
    "B": "AAEC",
    "BOOL": True,
    "NULL": True,
    "L": [{"S": "a"}, {"L": [{"NULL": True}]}],
    "M": {"b": {"N": "1"}},
    "NS": ["1", "2"],
}


def test_a_row_of_every_form_of_page_is_the_same_item() -> None:
    item = {letter: {letter: value} for letter, value in VALUES.items()}
    text = msgspec.json.encode([item] * 3)
    json = get_format(JSON)
    forms: list[Any] = [list[msgspec.Raw], list[AttributeMap], list[dict[str, AttributeValue]], json.page_items]
    for form in forms:
        assert [row_as_map(row) for row in msgspec.json.decode(text, type=form)] == [item] * 3


@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=60))
def test_the_sample_of_lines_that_were_never_items_has_the_sizes_of_whole_lines(sizes_bytes: list[int]) -> None:
    lines = [b'{"a":"%s"}\n' % (b"x" * (size - 1)) for size in sizes_bytes]
    page = RenderedPage(b"".join(lines), len(lines))
    assert {page.near(place) for place in range(len(lines))} <= {*lines}
    sizes = ItemSizes(Strides())
    sizes.count(page, row_as_map)
    found = sizes.take()
    assert sum(found.values()) == len(lines)
    assert found.keys() <= {max(0, size - 1).bit_length() for size in sizes_bytes}


def test_long_lines_are_not_chosen_more_often_than_short_ones() -> None:
    draw = Random(1)
    lines = [b"x" * draw.choice((10, 1000)) + b"\n" for _ in range(20_000)]
    page = RenderedPage(b"".join(lines), len(lines))
    chosen = [len(page.near(place)) for place in range(0, len(lines), 10)]
    assert 0.45 < sum(length > 500 for length in chosen) / len(chosen) < 0.55
