"""The page size of a scan, and the detection of a scan that would never end."""

from __future__ import annotations

import math
from collections.abc import Callable

from ddbio.values.capacity import MAX_PAGE_BYTES, page_read_units

MostItems = Callable[[float], float]
FIRST_LIMIT = 1  # items of the first pages if the cap is below a full page and the item size is unknown


def most_page_units(consistent: bool) -> float:
    """The most that a page can cost: 1 MB, and the item that crosses it."""
    return page_read_units(MAX_PAGE_BYTES + 1, consistent)


class PageSize:
    """The page size to request and its estimated cost, learned from the pages seen so far. Shared by the lanes.

    most_units: returns the most that one request should cost; called each time, because a cap may change. A page that
        would cost more is made smaller with `Limit`. `Limit` counts items, whose sizes vary: it is chosen so that a
        page whose items exceed the mean by the recent deviation stays within `most_units`.
    most_items: given the average item size in bytes, returns the most items that a page should have; None for any
        number.
    """

    _WEIGHT = 0.3  # of the newest page in the averages

    def __init__(
        self,
        most_units: Callable[[], float],
        item_bytes: float,
        *,
        consistent: bool,
        most_items: MostItems | None = None,
    ) -> None:
        self._most_units = most_units
        self._most_items = most_items
        self._full_units = most_page_units(consistent)
        self._bytes_per_unit = MAX_PAGE_BYTES / page_read_units(MAX_PAGE_BYTES, consistent)
        self._least_units = page_read_units(0, consistent)
        self._item_bytes = item_bytes
        self._deviation_bytes = 0.0  # of an item, from page to page
        self._page_units = self._full_units  # the first request is cautious: it reserves a full page

    @property
    def limit(self) -> int | None:
        """Items to ask for; None for as many as fit in 1 MB."""
        by_cost = self._limit_by_cost
        most = math.inf if self._most_items is None else self._most_items(self._item_bytes)
        if most * self._item_bytes >= MAX_PAGE_BYTES:
            return by_cost
        if not self._item_bytes:
            return by_cost if math.isinf(most) else FIRST_LIMIT
        return max(1, int(most)) if by_cost is None else min(by_cost, max(1, int(most)))

    @property
    def _limit_by_cost(self) -> int | None:
        allowed_units = max(self._most_units(), self._least_units)
        if allowed_units >= self._full_units:
            return None
        if not self._item_bytes:
            return FIRST_LIMIT
        large_bytes = self._item_bytes + self._deviation_bytes
        return max(1, math.floor(allowed_units * self._bytes_per_unit / large_bytes))

    @property
    def estimate(self) -> float:
        """Units to reserve for the next page."""
        return self.estimate_of(self.limit)

    def estimate_of(self, limit: int | None) -> float:
        """The same for a page of that limit."""
        if limit is None or (not self._item_bytes and limit > FIRST_LIMIT):
            return min(self._page_units, self._full_units)
        return min(max(limit * self._item_bytes / self._bytes_per_unit, self._least_units), self._full_units)

    def bytes_of(self, units: float) -> float:
        """The most bytes of items that a page of this cost may have."""
        return units * self._bytes_per_unit

    def learn(self, items: int, units: float) -> None:
        self._page_units += self._WEIGHT * (units - self._page_units)
        if items:
            self._learn_item(units * self._bytes_per_unit / items)

    def _learn_item(self, size_bytes: float) -> None:
        if not self._item_bytes:
            self._item_bytes, self._deviation_bytes = size_bytes, size_bytes / 2
            return
        off_bytes = size_bytes - self._item_bytes
        self._item_bytes += self._WEIGHT * off_bytes
        self._deviation_bytes += self._WEIGHT * (abs(off_bytes) - self._deviation_bytes)


class KeyCircle:
    """Detects a scan that runs in a circle, by Brent's algorithm: it remembers one key, and replaces it each time the
    number of pages has doubled. A circle of n pages is found within 3 n pages, in the memory of one key.
    """

    def __init__(self) -> None:
        self._key = ""
        self._pages, self._most = 0, 1

    def closes(self, key: str) -> bool:
        """Whether the scan has seen this key before; called with the key after each page."""
        if key == self._key:
            return True
        self._pages += 1
        if self._pages == self._most:
            self._key, self._pages, self._most = key, 0, 2 * self._most
        return False
