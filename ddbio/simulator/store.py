"""Items by key and in scan order.

Strategy: writes only change a dict, so that a bulk load runs at the speed of a dict. The order for a Scan (hash of
the partition key, partition key, sort key) is kept in buckets, one for each range of hashes; a new key waits in a
list until the next Scan assigns it to a bucket, and a bucket is sorted when a Scan first reads it. Deleted keys stay
in their bucket until then, so readers of a bucket look up each key in the dict.

An item is stored as its JSON text, so that a Scan only joins texts.
"""

from __future__ import annotations

from base64 import b64decode
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from ddbio.simulator.segments import EVERYTHING, HashRange, hash_of, range_number

Key = tuple[str, ...]
"""Canonical texts of the key attributes, partition key first."""

Order = tuple[Any, ...]

_BUCKETS = 1024  # a 1,000,000-item table has about 1,000 keys in each: sorted in under a millisecond


class Row(msgspec.Struct, frozen=True, gc=False):
    """One stored item: its JSON text, and its size as the service counts it."""

    json: bytes
    size_bytes: int


class Page(NamedTuple):
    """The result of one Scan. last_key: of the item that ended the page; None if nothing was left to read."""

    rows: list[bytes]
    size_bytes: int
    last_key: Key | None


_ORDERABLE: dict[str, Callable[[str], Any] | None] = {
    "S": None,  # code points sort like their UTF-8 bytes
    "N": Decimal,
    "B": b64decode,
}


def _order_of(key_types: tuple[str, ...]) -> Callable[[Key], Order]:
    """A function that returns the sort position of a key, whether or not there is such an item."""
    converters = [_ORDERABLE[letter] for letter in key_types]
    if not any(converters):
        return lambda key: (hash_of(key[0]), key)

    def order(key: Key) -> Order:
        parts = [convert(text) if convert else text for convert, text in zip(converters, key, strict=True)]
        return (hash_of(key[0]), parts)

    return order


class ItemStore:
    """One ordered collection of items: a table, or a secondary index.

    key_types: the type letters of the key, such as `("S", "N")`. order: returns the sort position of a key.
    """

    def __init__(self, key_types: tuple[str, ...]) -> None:
        self.rows: dict[Key, Row] = {}
        self.size_bytes = 0
        self.order = _order_of(key_types)
        self._unplaced: list[Key] = []
        self._buckets: list[list[Key]] = [[] for _ in range(_BUCKETS)]
        self._unsorted: set[int] = set()

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, key: Key, row: Row) -> None:
        """Store an item, replacing the one with the same key."""
        old = self.rows.get(key)
        if old is None:
            self._unplaced.append(key)
            self.size_bytes += row.size_bytes
        else:
            self.size_bytes += row.size_bytes - old.size_bytes
        self.rows[key] = row

    def delete(self, key: Key) -> None:
        """Remove an item, if it exists."""
        old = self.rows.pop(key, None)
        if old is not None:
            self.size_bytes -= old.size_bytes

    def page(self, span: HashRange, after: Key | None, max_items: int, max_bytes: int) -> Page:
        """Read from the start of `span`, or after the key `after`, up to and including the item that reaches a
        limit."""
        rows: list[bytes] = []
        size_bytes = 0
        lookup = self.rows.get
        for key in self.in_order(span, after):
            row = lookup(key)
            if row is None:  # deleted since its bucket was sorted
                continue
            rows.append(row.json)
            size_bytes += row.size_bytes
            if size_bytes >= max_bytes or len(rows) >= max_items:
                return Page(rows, size_bytes, key)
        return Page(rows, size_bytes, None)

    def in_order(self, span: HashRange = EVERYTHING, after: Key | None = None) -> Iterator[Key]:
        """Keys in scan order, deleted ones possibly among them."""
        self._place_new_keys()
        start = (span.start,) if after is None else self.order(after)
        skip = bisect_left if after is None else bisect_right
        first, last = range_number(start[0], _BUCKETS), range_number(span.stop - 1, _BUCKETS)
        for number in range(first, last + 1):
            bucket = self._sorted_bucket(number)
            low = skip(bucket, start, key=self.order) if number == first else 0
            high = bisect_left(bucket, (span.stop,), key=self.order) if number == last else len(bucket)
            yield from bucket[low:high]

    def _place_new_keys(self) -> None:
        for key in self._unplaced:
            number = range_number(hash_of(key[0]), _BUCKETS)
            self._buckets[number].append(key)
            self._unsorted.add(number)
        self._unplaced.clear()

    def _sorted_bucket(self, number: int) -> list[Key]:
        bucket = self._buckets[number]
        if number in self._unsorted:
            # a key that was deleted and stored again is in the bucket twice
            bucket[:] = sorted({key for key in bucket if key in self.rows}, key=self.order)
            self._unsorted.discard(number)
        return bucket
