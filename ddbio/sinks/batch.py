"""A lane's pending writes: an ordered batch with one write per key, within the limits of one request."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ddbio.values.capacity import MAX_BATCH_WRITES
from ddbio.values.keys import ItemKey

LIMIT_BYTES = 4 * 1024 * 1024  # of records: large items are sent before the batch fills the memory


class Write(msgspec.Struct, gc=False):
    """A record to be written to the table.

    place: the record's position in its source, in the source's terms.
    item: the encoded item to put; if `deletes`, the encoded key of the item to delete. Encoded, because dicts are
        costly to keep: they would fall out of the CPU's cache before they are freed.
    units: write units it will probably consume, by budget.
    replaces: the earlier record of the same key that this one replaced in the batch.
    """

    place: Any
    key: ItemKey
    record: bytes
    item: bytes
    units: tuple[int, ...]
    deletes: bool = False
    replaces: Write | None = None


class Batch:
    """Writes in the order of their records. A later one replaces an earlier one of the same key.

    most_writes: how many fit in one request.
    most_units: returns the most units of the table that one request should cost; called each time, because a cap may
        change.
    """

    def __init__(self, most_units: Callable[[], float], most_writes: int = MAX_BATCH_WRITES) -> None:
        self._most_units = most_units
        self._most_writes = most_writes
        self._writes: dict[ItemKey, Write] = {}
        self._bytes = 0
        self._units = 0
        self._limit_units = most_units()
        self.replaced = 0  # writes replaced by a later one of the same key, since the batch was created

    def __len__(self) -> int:
        return len(self._writes)

    @property
    def room(self) -> int:
        """How many more writes fit, if they are small."""
        return max(0, self._most_writes - len(self._writes))

    def takes_whole(self, units: int) -> bool:
        """Whether nothing is pending and one request may cost `units`."""
        if self._writes:
            return False
        self._limit_units = self._most_units()
        return units <= self._limit_units

    def writes(self) -> list[Write]:
        return list(self._writes.values())

    def offer(self, write: Write) -> bool:
        """Add `write` if there is room, replacing an earlier one of its key. An empty batch accepts any write."""
        writes, size, units = self._writes, self._bytes + len(write.record), self._units + write.units[0]
        if writes and (len(writes) >= self._most_writes or size > LIMIT_BYTES or units > self._limit_units):
            return False
        self.add(write)
        return True

    def add(self, write: Write) -> None:
        """Add `write`, whether or not there is room, replacing an earlier one of its key."""
        self._bytes += len(write.record)
        self._units += write.units[0]
        if write.key in self._writes:
            write.replaces = self._remove(write.key)
            self.replaced += 1
        self._writes[write.key] = write

    def settle(self, writes: Iterable[Write]) -> None:
        """Remove writes that were written or rejected."""
        for write in writes:
            self._remove(write.key)
        self._limit_units = self._most_units()

    def reject(self, write: Write) -> None:
        """Remove a write that the service refused, and restore the one it had replaced."""
        self._remove(write.key)
        if write.replaces is not None:
            self.replaced -= 1
            self._writes[write.key] = write.replaces
            self._bytes += len(write.replaces.record)
            self._units += write.replaces.units[0]

    def clear(self) -> None:
        self._writes.clear()
        self._bytes = self._units = 0
        self._limit_units = self._most_units()

    def _remove(self, key: ItemKey) -> Write:
        write = self._writes.pop(key)
        self._bytes -= len(write.record)
        self._units -= write.units[0]
        return write
