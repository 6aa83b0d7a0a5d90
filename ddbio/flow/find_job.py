"""A search as a task, if its result is put in order or into columns: the parent gets the items that may belong to it.

Any other search is an export to standard output (`ddbio.flow.export_job`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ddbio.flow.scan_job import ScanJob
from ddbio.sinks.first_items import UNDECODED_ITEMS, FirstItems
from ddbio.sinks.sink import Desk
from ddbio.values.ordering import Order, Top


@dataclass(frozen=True, slots=True, kw_only=True)
class FindJob(ScanJob):
    """order: None for the order in which items are found. limit: of the items that a worker keeps."""

    order: Order | None
    limit: int

    def rows(self) -> Any:
        return UNDECODED_ITEMS

    def sinks(self) -> Callable[[Desk], FirstItems]:
        top = None if self.order is None else Top(self.order, self.limit)
        return lambda desk: FirstItems(desk.tally, top)
