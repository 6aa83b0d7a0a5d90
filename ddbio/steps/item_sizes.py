"""The sizes of the items that a job reads, for its report: counted by powers of two, from a sample.

To measure an item takes a few microseconds, which is as long as to move it. So a worker measures all of the first
items, and then ever fewer, down to one of `RAREST`; each counts for all items of the stride in which it was chosen at
random. Items that a killed worker had read and not settled are counted twice: the numbers are estimates.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import msgspec

from ddbio.errors import RecordError
from ddbio.formats.json_lines import JsonObjects
from ddbio.formats.json_pages import RenderedPage
from ddbio.values.capacity import MAX_ITEM_BYTES, item_size_bytes
from ddbio.values.items import AttributeMap

ALL_OF_FIRST = 128  # items of a worker that are all measured
RAREST = 1024  # items to one that is measured, of many

Item = TypeVar("Item")
_plain_json = JsonObjects()
# Whatever an item with an invalid value raises; the sink rejects it.
_UNMEASURABLE = (RecordError, msgspec.MsgspecError, ArithmeticError, AttributeError, KeyError, TypeError, ValueError)


class Strides:
    """Chooses the items to measure; shared by the lanes of a worker."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._seen = 0  # items
        self._next, self._chosen, self._length = 0, 0, 0  # the end of the present stride, its chosen item, its length
        self._begin_stride()

    def _begin_stride(self) -> None:
        self._length = min(1 + self._next // ALL_OF_FIRST, RAREST)
        self._chosen = self._next + self._random.randrange(self._length)
        self._next += self._length

    def choose(self, count: int) -> Iterator[tuple[int, int]]:
        """Of the next `count` items, those to measure, by their indices, and for how many items each counts."""
        first, self._seen = self._seen, self._seen + count
        while self._chosen < first + count:
            yield self._chosen - first, self._length
            self._begin_stride()


class ItemSizes:
    """Counts the items that a lane's source reads: `items` by the exponent of the power of two that is not below
    their size in bytes. strides: shared by the lanes."""

    def __init__(self, strides: Strides) -> None:
        self._strides = strides
        self._items: dict[int, int] = {}

    def count(self, items: Sequence[Item], map_of: Callable[[Item], AttributeMap]) -> None:
        """Called once with each item that is read. map_of: an item as an attribute map; may raise RecordError."""
        pick: Callable[[int], Any] = items.near if isinstance(items, RenderedPage) else items.__getitem__
        for at, number in self._strides.choose(len(items)):
            try:
                item = map_of(pick(at))
                size_bytes = item_size_bytes(item)
            except _UNMEASURABLE:
                continue
            if type(item) is dict and size_bytes <= MAX_ITEM_BYTES:  # else it is a key alone, or will be rejected
                exponent = max(0, size_bytes - 1).bit_length()
                self._items[exponent] = self._items.get(exponent, 0) + number

    def take(self) -> dict[int, int]:
        """The counts since the last call."""
        items, self._items = self._items, {}
        return items


def row_as_map(row: Any) -> AttributeMap:
    """A row of a page, in whatever form the page was decoded to: bytes are a line of json."""
    if isinstance(row, bytes):
        return _plain_json.parse(row)
    if isinstance(row, msgspec.Raw):
        item: AttributeMap = msgspec.json.decode(row)
        return item
    built: AttributeMap = msgspec.to_builtins(row)
    return built
