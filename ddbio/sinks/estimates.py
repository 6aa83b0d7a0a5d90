"""Estimates the capacity, by budget, that a batch of writes will consume.

The item sizes give the table's units exactly, unless an item replaces a larger one, and the units of each index
whose keys the item has, if the index entry is new. The consumption that the service reports corrects the estimate: a
load over existing items writes fewer index entries, or more. The first estimates are uncorrected: they assume that
every entry is written.

A delete costs the size of the deleted item, which only the table knows. A record with more than a key is taken for
the whole item; for a key alone, the units of an item of mean size are expected. So they are for an update of an item
that was not read. The service's replies correct both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ddbio.errors import RecordError
from ddbio.rate.buckets import Units
from ddbio.values.capacity import MAX_ITEM_BYTES, MAX_NAME_BYTES, SecondaryIndex, item_size_bytes, write_units
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableInfo

ONE_UNIT = (1,)
_WEIGHT = 0.1  # of the newest reply in the correction
_SMALLEST_CORRECTION, _LARGEST_CORRECTION = 0.02, 4.0
_LARGEST_OF_DELETES = 400.0  # the maximum size of an item in KB


@dataclass(frozen=True, slots=True)
class _Index:
    index: SecondaryIndex
    budget: int  # the number of the budget that its writes are charged to


class WriteEstimates:
    """Estimates for one table; one a worker, shared by its lanes.

    deletes: whether items of unknown size may be deleted.
    """

    def __init__(self, table: TableInfo, *, deletes: bool = False) -> None:
        budgets = table.write_budgets()
        place = {name: number for number, name in enumerate(budgets)}
        # Local indexes, and all indexes of an on-demand table, are charged to the table's budget.
        self._indexes = [_Index(index, place.get(index.name, 0)) for index in table.indexes]
        self._correction = [1.0] * len(budgets)
        self._nothing = (0,) * len(budgets)
        self._key_names = {part.name for part in table.key}
        self._units_of_mean = write_units(table.size_bytes // table.item_count) if table.item_count else 1
        self._largest_correction = _LARGEST_OF_DELETES if deletes else _LARGEST_CORRECTION

    def of_put(self, attributes: AttributeMap, small: bool) -> tuple[int, ...]:
        """Units by budget, uncorrected. small: the record is known to cost one unit; the item is not measured.

        Raises RecordError for an item or a name that is too large.
        """
        table_units = 1 if small else _units(attributes)
        if not self._indexes:
            return ONE_UNIT if table_units == 1 else (table_units,)
        units = [table_units, *self._nothing[1:]]
        for each in self._indexes:
            entry = each.index.entry(attributes)
            if entry is not None:
                units[each.budget] += 1 if table_units == 1 else write_units(item_size_bytes(entry))
        return tuple(units)

    def of_delete(self, attributes: AttributeMap, small: bool) -> tuple[int, ...]:
        """The same for a delete. attributes: of the record, perhaps more than the key."""
        if attributes.keys() > self._key_names:
            return self.of_put(attributes, small)
        return self.of_unknown()

    def of_unknown(self) -> tuple[int, ...]:
        """The same for a write to an item of unknown size."""
        return (self._units_of_mean,) * len(self._correction)

    def of_batch(self, writes: Sequence[tuple[int, ...]]) -> Units:
        """Units of several writes together, by budget, corrected."""
        if not self._indexes:
            return (sum([units[0] for units in writes]) * self._correction[0],)
        return tuple(
            [
                sum(amounts) * factor
                for amounts, factor in zip(zip(*writes, strict=True), self._correction, strict=True)
            ]
        )

    def of_puts(self, table_units: int, entries: Sequence[int]) -> tuple[int, ...]:
        """Units by budget, uncorrected. entries: units of index entries, by index."""
        units = [table_units, *self._nothing[1:]]
        for each, number in zip(self._indexes, entries, strict=True):
            units[each.budget] += number
        return tuple(units)

    def learn(self, estimated: Units, consumed: Units) -> None:
        """Correct the estimates by the consumption of a request whose items were all written."""
        if consumed == estimated:
            return
        for budget, (expected, used) in enumerate(zip(estimated, consumed, strict=True)):
            if expected > 0:
                seen = self._correction[budget] * used / expected
                newer = self._correction[budget] + _WEIGHT * (seen - self._correction[budget])
                self._correction[budget] = min(max(newer, _SMALLEST_CORRECTION), self._largest_correction)


def _units(attributes: AttributeMap) -> int:
    size = item_size_bytes(attributes)
    if size > MAX_ITEM_BYTES:
        raise RecordError("item-too-large", f"the item has {size:,} bytes; DynamoDB takes {MAX_ITEM_BYTES:,}")
    if size > MAX_NAME_BYTES:
        _check_names(attributes)
    return write_units(size)


def _check_names(attributes: AttributeMap) -> None:
    longest = max(len(name.encode()) for name in attributes)
    if longest > MAX_NAME_BYTES:
        raise RecordError(
            "name-too-long", f"an attribute's name has {longest:,} bytes; DynamoDB takes {MAX_NAME_BYTES:,}"
        )
