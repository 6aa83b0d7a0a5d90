"""The write modes: a record puts an item, inserts it, deletes it, or names the action itself.

A mode turns a record into a `Write`, and writes into a request. Batches, positions, rejects and pending writes are
the same for all modes and belong to the lane.

    put      BatchWriteItem; an item replaces the one with its key
    delete   BatchWriteItem; a record is the key of an item, or the whole item
    changes  BatchWriteItem; a record whose attributes are a `Deletion` deletes, every other puts
    insert   PutItem, one item a request, on the condition that the key is free: nothing is ever replaced

Deletes and updates on a condition of the user are in `ddbio.sinks.conditional_deletes` and `ddbio.sinks.updates`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol

import msgspec

from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import (
    Operation,
    batch_body,
    batch_write_body,
    batch_write_operation,
    encode_item,
    insert_body,
    single_write_operation,
)
from ddbio.errors import UsageError
from ddbio.sinks.batch import Write
from ddbio.sinks.estimates import WriteEstimates
from ddbio.values.capacity import MAX_BATCH_WRITES, item_size_bytes, write_units
from ddbio.values.equality import same_item
from ddbio.values.items import AttributeMap, Deletion
from ddbio.values.keys import ItemKey, key_checker
from ddbio.values.table import TableInfo

KeyOf = Callable[[AttributeMap], ItemKey]
UnitsOf = Callable[[AttributeMap, bool], tuple[int, ...]]


class Outcome(Enum):
    """What has become of a write whose condition did not hold when it was last sent."""

    WRITTEN = "written"  # by an earlier attempt that got no answer
    SKIPPED = "skipped"  # the item is left as it is
    DROPPED = "dropped"  # the newest item needs no change, or is gone already


class WriteMode(Protocol):
    """A mode for one table; one a worker, shared by its lanes.

    most_writes: how many fit in one request.
    key_of: the key of the item that a record names. Raises RecordError.
    operation: its replies report `unprocessed()` writes.
    units_of: the units that writing the item consumes, by budget; see `WriteEstimates.of_put`. Raises RecordError.
    body_of_puts: the request body of encoded puts, from `batch_body`; None if a record may be anything but a put into
        the one table.
    new_write: called with the fields of `Write` up to `units`, and attributes in place of `item`.
    """

    most_writes: int
    operation: Operation[Any]
    estimates: WriteEstimates
    key_of: KeyOf
    units_of: UnitsOf
    new_write: Callable[..., Write]
    body_of_puts: Callable[[bytes], bytes] | None

    def body(self, writes: Sequence[Write]) -> bytes:
        """The request of these writes."""

    def operation_of(self, writes: Sequence[Write]) -> Operation[Any]:
        """The operation of their request."""

    def condition_units(self, writes: Sequence[Write]) -> float:
        """Units of the table that the request consumes if its condition fails."""

    def deletes(self, writes: Sequence[Write]) -> int:
        """The number of deletes among these writes."""

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        """What has become of a write whose condition did not hold, or the write to send instead.

        error: with the item, if there is one, and whether an earlier attempt may have been applied. Raises
        RecordError if the record must be rejected.
        """


def new_put(place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]) -> Write:
    return Write(place, key, record, encode_item(attributes), units)


class Puts:
    """The mode of nearly every import, and so the one whose speed matters."""

    most_writes = MAX_BATCH_WRITES

    def __init__(self, table: TableInfo) -> None:
        budgets = table.write_budgets()
        self.address = table.address
        self.by_index = len(budgets) > 1
        self.operation: Operation[Any] = batch_write_operation(budgets)
        self.estimates = WriteEstimates(table)
        self.key_of: KeyOf = key_checker(table)
        self.units_of: UnitsOf = self.estimates.of_put
        self.new_write: Callable[..., Write] = new_put
        self.body_of_puts: Callable[[bytes], bytes] | None = self._body_of_puts

    def body(self, writes: Sequence[Write]) -> bytes:
        return batch_write_body(self.address, [write.item for write in writes], by_index=self.by_index)

    def _body_of_puts(self, requests: bytes) -> bytes:
        return batch_body(self.address, requests, by_index=self.by_index)

    def operation_of(self, writes: Sequence[Write]) -> Operation[Any]:
        return self.operation

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        raise AssertionError("a BatchWriteItem has no condition")

    def condition_units(self, writes: Sequence[Write]) -> float:
        return 0.0

    def deletes(self, writes: Sequence[Write]) -> int:
        return 0


class Inserts(Puts):
    """One request an item, because BatchWriteItem accepts no condition."""

    most_writes = 1

    def __init__(self, table: TableInfo) -> None:
        super().__init__(table)
        self._key_name = table.key[0].name
        self.body_of_puts = None
        self.operation = single_write_operation("PutItem", table.write_budgets())

    def body(self, writes: Sequence[Write]) -> bytes:
        return insert_body(self.address, writes[0].item, self._key_name, by_index=self.by_index)

    def condition_units(self, writes: Sequence[Write]) -> float:
        return write_units(item_size_bytes(msgspec.json.decode(writes[0].item)))

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        """The key exists: perhaps because an earlier attempt without an answer was applied."""
        found = error.item
        own = error.applied_before and found is not None and same_item(found, msgspec.json.decode(write.item))
        return Outcome.WRITTEN if own else Outcome.SKIPPED


class Changes(Puts):
    """Puts and deletes in one stream; each record names its action."""

    def __init__(self, table: TableInfo) -> None:
        super().__init__(table)
        self.estimates = WriteEstimates(table, deletes=True)
        self.units_of = self._units
        self.new_write = self._new_write
        self.body_of_puts = None

    def _units(self, attributes: AttributeMap, small: bool) -> tuple[int, ...]:
        estimates = self.estimates
        return (estimates.of_delete if type(attributes) is Deletion else estimates.of_put)(attributes, small)

    def _new_write(
        self, place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]
    ) -> Write:
        deletes = type(attributes) is Deletion
        return Write(place, key, record, encode_item(attributes), units, deletes)

    def body(self, writes: Sequence[Write]) -> bytes:
        puts = [write.item for write in writes if not write.deletes]
        deletes = [write.item for write in writes if write.deletes]
        return batch_write_body(self.address, puts, deletes, by_index=self.by_index)

    def deletes(self, writes: Sequence[Write]) -> int:
        return sum([write.deletes for write in writes])


class Deletes(Changes):
    """Every record deletes the item that has its key."""

    def __init__(self, table: TableInfo) -> None:
        super().__init__(table)
        self._key_names = tuple(part.name for part in table.key)
        self.key_of = key_checker(table, index_keys=False)
        self.units_of = self.estimates.of_delete

    def _new_write(
        self, place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]
    ) -> Write:
        return Write(place, key, record, self._key(attributes), units, True)

    def _key(self, attributes: AttributeMap) -> bytes:
        return encode_item({name: attributes[name] for name in self._key_names})


OpenMode = Callable[[TableInfo], WriteMode]

MODES: dict[str, OpenMode] = {
    "put": Puts,
    "insert": Inserts,
    "delete": Deletes,
    "changes": Changes,
}


def check_mode(name: str) -> str:
    """The name itself. Raises UsageError if there is no such mode."""
    if name not in MODES:
        raise UsageError(f"there is no mode {name!r}", f"choose one of {', '.join(MODES)}")
    return name
