"""One table: its items and index entries, the cost of changing them, and its throughput.

A write has three steps, so that a refused one changes nothing: it is *prepared* (checked, measured, its key read),
*priced* (units of the table and of each index), and, after its budgets have admitted it, *applied*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ddbio.simulator.capacity import MAX_ITEM_BYTES, MAX_PAGE_BYTES, Attributes, entry_units, item_bytes, write_units
from ddbio.simulator.errors import ServiceError, invalid
from ddbio.simulator.schema import IndexSchema, TableSchema
from ddbio.simulator.segments import HashRange, hash_of, range_number
from ddbio.simulator.store import ItemStore, Key, Page, Row
from ddbio.simulator.throughput import Refusal, TableThroughput
from ddbio.simulator.values import Item, check_item

encode_json = msgspec.json.encode
decode_item = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode


class Write(msgspec.Struct, gc=False):
    """A checked put, or a delete if `item` is None. size_bytes: of the item, 0 for a delete."""

    key: Key
    item: Item | None
    size_bytes: int


class EntryChange(msgspec.Struct):
    """The change by a write in one secondary index."""

    index: IndexSchema
    old: Attributes | None
    new: Attributes | None
    units: int


class Cost(msgspec.Struct, gc=False):
    """Units of one write. table_units: of the table alone; a local index is charged to the table's budget."""

    table_units: int
    changes: Sequence[EntryChange] = ()

    def index_units(self, is_global: bool) -> dict[str, float]:
        """Units by index, without those that cost nothing."""
        return {
            change.index.name: float(change.units)
            for change in self.changes
            if change.units and change.index.is_global is is_global
        }


@dataclass(slots=True)
class Table:
    """A table and its contents. created_s: seconds since the epoch. ready_s: when it becomes ACTIVE."""

    schema: TableSchema
    throughput: TableThroughput
    table_id: str
    created_s: float
    ready_s: float
    pending_status: str = "CREATING"  # its status until `ready_s`
    provisioned: bool = False
    was_on_demand: bool = False  # now or ever: only then does its description name a billing mode
    recoverable: bool = False  # has point-in-time recovery
    expiry_attribute: str = ""  # of the time to live; "" if that is off
    items: ItemStore = field(init=False)
    entries: dict[str, ItemStore] = field(init=False)

    def __post_init__(self) -> None:
        self.items = ItemStore(self.schema.keys.types)
        self.entries = {
            index.name: ItemStore(index.keys.types + self.schema.keys.types) for index in self.schema.indexes
        }

    def prepare_put(self, item: Item, key: Key) -> Write:
        """A put of an item that `check_item` normalised; raises ServiceError if too big or with a bad index key."""
        size_bytes = item_bytes(item)
        if size_bytes > MAX_ITEM_BYTES:
            raise invalid("Item size has exceeded the maximum allowed size")
        if self.entries:
            for index in self.schema.indexes:
                index.check(item)
        return Write(key, item, size_bytes)

    def prepare_update(self, item: Item, key: Key) -> Write:
        """The put of an item as it is after an update, which has its own error messages."""
        size_bytes = item_bytes(item)
        if size_bytes > MAX_ITEM_BYTES:
            raise invalid("Item size to update has exceeded the maximum allowed size")
        for index in self.schema.indexes:
            index.check_update(item)
        return Write(key, item, size_bytes)

    def prepare_delete(self, key_attributes: Item) -> Write:
        """A delete by key attributes."""
        check_item(key_attributes)
        return Write(self.schema.keys.key_of(key_attributes), None, 0)

    def get(self, key: Key) -> Item | None:
        """The item with that key."""
        row = self.items.rows.get(key)
        return None if row is None else decode_item(row.json)

    def write(self, write: Write, now_s: float) -> Cost | Refusal:
        """Apply a write if its budgets admit it now; returns its cost, or the budget that is short."""
        cost = Cost(self._units(write), self._entry_changes(write) if self.entries else ())
        refusal = self._admit(write, cost, now_s)
        if refusal is None:
            self._apply(write, cost)
        return refusal or cost

    def charge_failed_condition(self, write: Write, now_s: float) -> Refusal | None:
        """Charge a write whose condition does not hold: like a successful one, but without the indexes."""
        return self._admit(write, Cost(self._units(write)), now_s)

    def _units(self, write: Write) -> int:
        """Units of the table: by the larger size of the item before and after."""
        old = self.items.rows.get(write.key)
        return write_units(write.size_bytes, 0 if old is None else old.size_bytes)

    def load(self, write: Write) -> None:
        """Apply a write without charging it."""
        self._apply(write, Cost(0, self._entry_changes(write)))

    def partition(self, key_hash: int) -> int | None:
        """The number of the partition that owns a hash; None if partitions have no limits."""
        count = len(self.throughput.partitions)
        return range_number(key_hash, count) if count else None

    def page(self, index: str, span: HashRange, after: Key | None, max_items: int) -> Page:
        """One page of the table, or of an index."""
        return self.store(index).page(span, after, max_items, MAX_PAGE_BYTES)

    def store(self, index: str) -> ItemStore:
        """The items of the table, or the entries of an index."""
        return self.entries[index] if index else self.items

    def index_key(self, index: IndexSchema, entry: Attributes) -> Key:
        """The key of an index entry: the index's own, then the table's."""
        return index.keys.read(entry) + self.schema.keys.read(entry)

    def _admit(self, write: Write, cost: Cost, now_s: float) -> Refusal | None:
        throughput = self.throughput
        if not cost.changes and not throughput.partitions:
            return throughput.admit_plain_write(cost.table_units, now_s)
        partition = self.partition(hash_of(write.key[0]))
        table_units = cost.table_units + sum(cost.index_units(is_global=False).values())
        return throughput.admit_write(table_units, cost.index_units(is_global=True), partition, now_s)

    def _apply(self, write: Write, cost: Cost) -> None:
        if write.item is None:
            self.items.delete(write.key)
        else:
            self.items.put(write.key, Row(encode_json(write.item), write.size_bytes))
        if cost.changes:
            for change in cost.changes:
                self._apply_entry(change)

    def _apply_entry(self, change: EntryChange) -> None:
        store = self.entries[change.index.name]
        if change.old is not None:
            store.delete(self.index_key(change.index, change.old))
        if change.new is not None:
            row = Row(encode_json(change.new), item_bytes(change.new))
            store.put(self.index_key(change.index, change.new), row)

    def _entry_changes(self, write: Write) -> Sequence[EntryChange]:
        old_item = self.get(write.key)
        changes = []
        for index in self.schema.indexes:
            old, new = index.entry(old_item), index.entry(write.item)
            changes.append(EntryChange(index, old, new, entry_units(old, new, index.keys.names)))
        return changes


def not_found(details: str = "") -> ServiceError:
    """A table that does not exist, or cannot be used yet."""
    return ServiceError("ResourceNotFoundException", "Requested resource not found" + details)
