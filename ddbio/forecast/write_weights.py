"""The write units of items, by the table and each of its global indexes: those of the estimator by which the cap of a
run is kept (`ddbio.sinks.estimates`), with a budget of its own for every index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ddbio.forecast.forecast import Amount, Demand
from ddbio.sinks.table_writes import MODES, OpenMode
from ddbio.values.capacity import SecondaryIndex, item_size_bytes
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableInfo

ITEMS, BYTES, OF_TABLE = "items", "bytes", "units"  # names of sums
OF_INDEX = "units of index "


class WriteWeights:
    """mode: as of `ddbio.sinks.table.TableWriter`."""

    def __init__(self, table: TableInfo, mode: str | OpenMode = "put") -> None:
        self.indexes = [each["IndexName"] for each in table.description.get("GlobalSecondaryIndexes", ())]
        apart = replace(table, index_write_units=dict.fromkeys(self.indexes, 1.0))
        opened = (MODES[mode] if isinstance(mode, str) else mode)(apart)
        self._units_of, self.check_key = opened.units_of, opened.key_of

    def of(self, attributes: AttributeMap) -> Mapping[str, float]:
        """The sums of one item. Raises RecordError for an item that is too large."""
        of_table, *of_indexes = self._units_of(attributes, False)
        by_index = {OF_INDEX + name: float(units) for name, units in zip(self.indexes, of_indexes, strict=True)}
        return {ITEMS: 1.0, BYTES: float(item_size_bytes(attributes)), OF_TABLE: float(of_table), **by_index}

    def fill(self, demand: Demand, total: Callable[[str], Amount]) -> Demand:
        """The demand with the totals of these sums."""
        items, size_bytes = total(ITEMS), total(BYTES)
        return replace(
            demand,
            items=items,
            item_bytes=_quotient(size_bytes, items),
            units=total(OF_TABLE),
            by_index={name: total(OF_INDEX + name) for name in self.indexes},
        )


def _quotient(size_bytes: Amount, items: Amount) -> Amount | None:
    return Amount.exact(size_bytes.likely / items.likely) if items.likely else None


@dataclass(frozen=True, slots=True)
class Changed:
    """names: of the attributes that an update changes; None if they are unknown."""

    names: frozenset[str] | None

    def writes_to(self, index: SecondaryIndex) -> tuple[int, int]:
        """How often at least and at most an update of an item writes to an index: twice if the entry moves."""
        if self.names is None:
            return 0, 2
        if self.names & {*index.key_names}:
            return 1, 2
        if index.projection == "ALL" or self.names & {*index.included_names}:
            return 1, 1
        return 0, 0
