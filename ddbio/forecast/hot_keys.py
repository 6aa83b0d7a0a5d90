"""The partition key that alone may limit a job, as far as a sample shows one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from ddbio.forecast import warnings
from ddbio.forecast.write_weights import OF_TABLE
from ddbio.values.items import AttributeMap
from ddbio.values.table import TableInfo


class KeyUnits:
    """Sampled items that will be written, and their write units, by partition key. table: that is written."""

    def __init__(self, table: TableInfo) -> None:
        self._name = table.key[0].name
        self._items: Counter[str] = Counter()
        self._units: Counter[str] = Counter()

    @property
    def items(self) -> int:
        return sum(self._items.values())

    def add(self, item: AttributeMap, sums: Mapping[str, float]) -> None:
        """sums: of `WriteWeights.of`."""
        key = str(next(iter(item[self._name].values())))
        self._items[key] += 1
        self._units[key] += int(sums[OF_TABLE])

    def warning(self, cap_units_per_s: float, total_units: float | None = None) -> Iterator[str]:
        """total_units: of all items, if those of a key are all in the sample or none of them, as in a sample of whole
        segments; None if the sample has its share of each key."""
        if not self._units:
            return
        ((key, units),) = self._units.most_common(1)
        whole = sum(self._units.values()) if total_units is None else max(total_units, units)
        of = "sampled write units" if total_units is None else "write units"
        yield from warnings.of_hot_key(repr(key), self._items[key], units / (whole or 1), cap_units_per_s, of)
