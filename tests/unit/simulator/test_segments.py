"""The hash space, and items in its order."""

from __future__ import annotations

from base64 import b64encode
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.simulator.segments import EVERYTHING, HASH_SPACE, HashRange, hash_of, range_number, range_of
from ddbio.simulator.store import ItemStore, Key, Row

HUGE = 1 << 60


@given(st.integers(1, 1_000_000), st.data())
def test_ranges_are_contiguous_and_complete(count: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, count - 1))
    assert range_of(0, count).start == 0
    assert range_of(count - 1, count).stop == HASH_SPACE
    assert range_of(number, count).start < range_of(number, count).stop == range_of(number + 1, count).start


@given(st.integers(0, HASH_SPACE - 1), st.integers(1, 1_000_000))
def test_a_hash_belongs_to_the_range_that_contains_it(key_hash: int, count: int) -> None:
    span = range_of(range_number(key_hash, count), count)
    assert span.start <= key_hash < span.stop


@pytest.mark.parametrize("count", [4, 7, 16])
def test_keys_that_count_up_are_spread_evenly(count: int) -> None:
    numbers = [range_number(hash_of(f"user-{number:06}"), count) for number in range(20_000)]
    shares = [numbers.count(number) / len(numbers) for number in range(count)]
    assert min(shares) > 0.8 / count
    assert max(shares) < 1.2 / count


def store_of(keys: list[Key], types: tuple[str, ...] = ("S", "S")) -> ItemStore:
    store = ItemStore(types)
    for key in keys:
        store.put(key, Row(repr(key).encode(), 1))
    return store


def scan(store: ItemStore, span: HashRange = EVERYTHING, max_items: int = HUGE) -> list[bytes]:
    rows: list[bytes] = []
    after = None
    while True:
        page = store.page(span, after, max_items, HUGE)
        assert len(page.rows) <= max_items
        rows += page.rows
        after = page.last_key
        if after is None:
            return rows


keys = st.lists(st.tuples(st.text("abc\u00e9", max_size=3), st.text("xyz", max_size=2)), unique=True, max_size=60)


@given(keys, st.integers(1, 50), st.integers(1, 10))
def test_the_segments_of_a_scan_are_disjoint_and_complete(keys: list[Key], total: int, limit: int) -> None:
    store = store_of(keys)
    segments = [scan(store, range_of(number, total), limit) for number in range(total)]
    found = [row for segment in segments for row in segment]
    assert found == scan(store)
    assert sorted(found) == sorted(repr(key).encode() for key in keys)


@given(keys, st.lists(st.tuples(st.booleans(), st.integers(0, 59)), max_size=40))
def test_a_store_is_a_dict_whose_items_can_be_scanned(keys: list[Key], changes: list[tuple[bool, int]]) -> None:
    store, model = store_of(keys), {key: repr(key).encode() for key in keys}
    scan(store)  # everything is in its bucket before the changes come
    for deletes, number in changes[: len(keys) and 40]:
        key = keys[number % len(keys)]
        if deletes:
            store.delete(key)
            model.pop(key, None)
        else:
            store.put(key, Row(b"new", 5))
            model[key] = b"new"
    assert sorted(scan(store)) == sorted(model.values())
    assert len(store) == len(model)
    assert store.size_bytes == sum(5 if json == b"new" else 1 for json in model.values())


@given(st.lists(st.integers(-500, 500), unique=True, min_size=1))
def test_sort_keys_that_are_numbers_are_in_numeric_order(numbers: list[int]) -> None:
    store = store_of([("p", str(number)) for number in numbers], ("S", "N"))
    assert [Decimal(key[1]) for key in store.in_order()] == sorted(numbers)


@given(st.lists(st.binary(max_size=4), unique=True, min_size=1))
def test_sort_keys_that_are_binary_are_in_order_of_their_bytes(values: list[bytes]) -> None:
    store = store_of([("p", b64encode(value).decode()) for value in values], ("S", "B"))
    assert [key[1] for key in store.in_order()] == [b64encode(value).decode() for value in sorted(values)]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), unique=True, min_size=1))
def test_sort_keys_that_are_text_are_in_order_of_their_utf8(texts: list[str]) -> None:
    store = store_of([("p", text) for text in texts])
    assert [key[1].encode() for key in store.in_order()] == sorted(text.encode() for text in texts)


def test_a_page_ends_with_the_item_that_reaches_its_size() -> None:
    store = ItemStore(("S", "S"))
    for number in range(5):
        store.put(("p", str(number)), Row(str(number).encode(), 40))
    page = store.page(EVERYTHING, None, HUGE, 100)
    assert (page.rows, page.size_bytes, page.last_key) == ([b"0", b"1", b"2"], 120, ("p", "2"))
    page = store.page(EVERYTHING, page.last_key, HUGE, 100)
    assert (page.rows, page.last_key) == ([b"3", b"4"], None)


def test_a_scan_goes_on_after_a_key_that_is_gone() -> None:
    store = store_of([("p", letter) for letter in "abcd"])
    store.delete(("p", "b"))
    assert store.page(EVERYTHING, ("p", "b"), 1, HUGE).last_key == ("p", "c")
