"""What waits to be written by a lane: an ordered batch of puts, one of a key, within the limits of one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from ddbio.capacity import MAX_BATCH_WRITES
from ddbio.items import AttributeMap
from ddbio.keys import ItemKey

LIMIT_BYTES = 4 * 1024 * 1024  # of records: a batch of large items is sent before it fills the memory


class Put(msgspec.Struct, gc=False):
    """A record on its way into the table.

    units: write units it will probably consume, by budget.
    replaces: the earlier record of the same key whose place it took.
    """

    offset: int
    line: int
    key: ItemKey
    record: bytes
    attributes: AttributeMap
    units: tuple[int, ...]
    replaces: Put | None = None


class Batch:
    """Puts in the order of their records. A later put replaces an earlier one of the same key.

    most_units: how many units of the table one request should cost; asked for each time, for a cap may change.
    """

    def __init__(self, most_units: Callable[[], float]) -> None:
        self._most_units = most_units
        self._puts: dict[ItemKey, Put] = {}
        self._bytes = 0
        self._units = 0
        self._limit_units = most_units()
        self.replaced = 0  # puts that a later one of the same key took the place of, since the batch was made

    def __len__(self) -> int:
        return len(self._puts)

    def puts(self) -> list[Put]:
        return list(self._puts.values())

    def offer(self, put: Put) -> bool:
        """Add `put` if there is room for it, in place of an earlier one of its key; an empty batch takes any."""
        puts, size, units = self._puts, self._bytes + len(put.record), self._units + put.units[0]
        if puts and (len(puts) >= MAX_BATCH_WRITES or size > LIMIT_BYTES or units > self._limit_units):
            return False
        self._bytes, self._units = size, units
        if put.key in puts:
            put.replaces = self._remove(put.key)
            self.replaced += 1
        puts[put.key] = put
        return True

    def settle(self, puts: Iterable[Put]) -> None:
        """These are written or rejected: they leave the batch."""
        for put in puts:
            self._remove(put.key)
        self._limit_units = self._most_units()

    def reject(self, put: Put) -> None:
        """The service refuses this one: it leaves the batch, and what it had replaced comes back."""
        self._remove(put.key)
        if put.replaces is not None:
            self.replaced -= 1
            self._puts[put.key] = put.replaces
            self._bytes += len(put.replaces.record)
            self._units += put.replaces.units[0]

    def clear(self) -> None:
        self._puts.clear()
        self._bytes = self._units = 0
        self._limit_units = self._most_units()

    def _remove(self, key: ItemKey) -> Put:
        put = self._puts.pop(key)
        self._bytes -= len(put.record)
        self._units -= put.units[0]
        return put
