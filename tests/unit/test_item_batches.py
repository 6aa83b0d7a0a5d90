"""The fast path of a copy: what it puts is what the slow path would put, and it knows what that costs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.dynamodb.operations import batch_body
from ddbio.errors import RecordError
from ddbio.formats.scanned import ScannedItems
from ddbio.sinks.item_batches import ItemBatches
from ddbio.sinks.table_writes import Puts
from ddbio.sources.raw_page import RawPage
from ddbio.values.capacity import item_size_bytes, write_units
from tests.support.items import Item
from tests.support.strategies import ITEMS
from tests.support.tables import table

INDEXED = table({"id": "S"}, {"byDay": {"day": "S"}, "byPlace": {"place": "B", "id": "S"}, "byRank": {"rank": "N"}})
KEYS = st.fixed_dictionaries(
    {"id": st.builds(lambda text: {"S": text}, st.text(min_size=1, max_size=20))},
    optional={
        "day": st.sampled_from([{"S": "monday"}, {"S": ""}, {"N": "1"}, {"NULL": True}, {"S": "x" * 600}]),
        "place": st.sampled_from([{"B": "AA=="}, {"S": "AA=="}, {"B": ""}]),
        "rank": st.sampled_from([{"N": "1"}, {"N": "-2.5"}, {"S": "1"}]),
        "other": st.just({"M": {"day": {"N": "1"}}}),
    },
)


def raw(items: list[Item]) -> list[Any]:
    return msgspec.json.decode(msgspec.json.encode(items), type=list[msgspec.Raw])


@given(st.lists(KEYS, min_size=1, max_size=25, unique_by=lambda item: item["id"]["S"]))
def test_a_batch_is_put_whole_if_the_table_takes_all_its_index_keys(items: list[Item]) -> None:
    mode = Puts(INDEXED)
    puts = ItemBatches(INDEXED, ScannedItems()).prepare(raw(items))
    try:
        units = [mode.units_of(item, False) for item in items if mode.key_of(item)]
    except RecordError:
        assert puts is None
        return
    if puts is None:  # a key so long that only the slow path knows whether it is too long
        assert any(len(item.get("day", {}).get("S", "")) > 256 for item in items)
        return
    sent = msgspec.json.decode(batch_body("Orders", puts.requests))["RequestItems"]["Orders"]
    assert [each["PutRequest"]["Item"] for each in sent] == items
    assert mode.estimates.of_puts(puts.units, puts.entries) == tuple(map(sum, zip(*units, strict=True)))


@given(ITEMS)
def test_an_item_is_never_larger_than_its_text(item: Item) -> None:
    text = msgspec.json.encode(item)
    assert item_size_bytes(item) <= len(text)


@pytest.mark.parametrize(("length", "count"), [(900, 25), (3000, 10), (100_000, 9)])
def test_the_units_of_large_items_are_known_from_what_their_page_cost(length: int, count: int) -> None:
    items = [{"id": {"S": f"{number:03}"}, "l": {"L": [{"N": "12"}] * (length // 12)}} for number in range(count)]
    format, sizes = ScannedItems(), list(map(item_size_bytes, items))
    page = raw(items)
    cautious = ItemBatches(table({"id": "S"}), format).prepare(page)
    format.learn(page, sum(sizes) + 4000)
    puts = ItemBatches(table({"id": "S"}), format).prepare(page)
    assert puts is not None and cautious is not None
    exact = sum(map(write_units, sizes))
    assert exact <= puts.units <= exact + 4 + count
    assert puts.units <= cautious.units


def test_large_items_for_a_table_with_indexes_take_the_slow_path() -> None:
    assert ItemBatches(INDEXED, ScannedItems()).prepare(raw([{"id": {"S": "x" * 2000}}])) is None


def test_a_page_counts_what_was_taken() -> None:
    items = [{"id": {"S": str(number)}} for number in range(5)]
    page = RawPage(raw(items), ScannedItems())
    assert (page.left, page.taken, page.rows()) == (5, False, None)
    run = page.run(2)
    assert (list(map(bytes, run)), page.left) == (list(map(msgspec.json.encode, items[:2])), 5)
    page.take(run)
    first, second = page.each(2)
    assert (first.items, second.items, first.text) == ([items[2]], [items[3]], msgspec.json.encode(items[2]))
    assert (page.left, page.taken) == (1, False)
    records = page.each()
    assert next(records).items == [items[4]]
    assert not page.taken, "only when the next one is asked for"
    assert next(records, None) is None
    assert page.taken
    assert RawPage([], ScannedItems()).taken
