"""The order of items by one attribute, and the first N of them. Pure.

Values are ordered as DynamoDB orders keys: numbers exactly, by value; text by its UTF-8 bytes; binary by its bytes,
unsigned. Values of different types are ordered by type: numbers, text, binary, booleans, nulls, then sets, lists and
maps, which have no order among themselves. Items without the attribute come last, in both directions. Ties are broken
by the table's key, so that the result does not depend on which item was read first.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import itemgetter
from typing import Any

import msgspec

SLACK = 1000  # items kept beyond the first N before they are sorted out

Key = tuple[Any, ...]
_item_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_value_decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
_ORDERED: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "N": (0, Decimal),
    "S": (1, lambda text: text.encode("utf-8", "surrogatepass")),
    "B": (2, base64.b64decode),
    "BOOL": (3, bool),
    "NULL": (4, lambda _: 0),
}
_UNORDERED = (5, 0)


@dataclass(frozen=True, slots=True)
class Order:
    """Picklable. name: of an attribute. ties: the attributes that break ties. descending: the largest first."""

    name: str
    ties: tuple[str, ...] = ()
    descending: bool = False

    def key(self, item: bytes | msgspec.Raw) -> Key:
        """The sort key of an item, in DynamoDB JSON. Of two items, the one with the smaller key comes first; the
        larger one if it is descending."""
        values = _item_decoder.decode(item)
        found = self.name in values
        return (found == self.descending, *(_place(values.get(name)) for name in (self.name, *self.ties)))


def _place(value: msgspec.Raw | None) -> tuple[int, Any]:
    if value is None:
        return _UNORDERED
    for letter, payload in _value_decoder.decode(value).items():
        if letter in _ORDERED:
            rank, convert = _ORDERED[letter]
            return rank, convert(payload)
    return _UNORDERED


class Top:
    """The first items of all that are added, at most `limit`, in memory for that many and a few more."""

    def __init__(self, order: Order, limit: int) -> None:
        self._order = order
        self._limit = limit
        self._kept: list[tuple[Key, bytes]] = []
        self._worst: Key | None = None  # of those that are surely needed

    def add(self, items: Iterable[bytes | msgspec.Raw]) -> list[tuple[Key, bytes]]:
        """Returns those that may be among the first."""
        entered = []
        for item in items:
            key = self._order.key(item)
            if self.may_be_first(key):
                entered.append((key, bytes(item)))
        self._kept += entered
        if len(self._kept) >= self._limit + max(self._limit, SLACK):
            self._sort_out()
        return entered

    def is_kept(self, key: Key) -> bool:
        """Whether an item that was added may still be among the first."""
        return self._worst is None or key == self._worst or self.may_be_first(key)

    def may_be_first(self, key: Key) -> bool:
        """Whether an item to be added may be among the first."""
        if self._worst is None:
            return True
        return key > self._worst if self._order.descending else key < self._worst

    def first(self) -> list[bytes]:
        """The items, in order."""
        self._sort_out()
        return [item for _, item in self._kept]

    def _sort_out(self) -> None:
        self._kept.sort(key=itemgetter(0), reverse=self._order.descending)
        del self._kept[self._limit :]
        if len(self._kept) == self._limit:
            self._worst = self._kept[-1][0]


def as_page(items: Sequence[bytes]) -> bytes:
    """Items as one text; `items_of` is its inverse. JSON has no line ends inside that are not blanks."""
    return msgspec.json.encode([msgspec.Raw(item) for item in items]) if items else b""


def items_of(page: bytes) -> list[msgspec.Raw]:
    return _page_decoder.decode(page) if page else []


_page_decoder = msgspec.json.Decoder(list[msgspec.Raw])
