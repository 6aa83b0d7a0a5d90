"""The items of a table for a program as a task: pages go to the parent undecoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from ddbio.flow.context import PAGES_INTERVAL_S
from ddbio.flow.scan_job import ScanJob
from ddbio.sinks.first_items import UNDECODED_ITEMS
from ddbio.sinks.item_pages import ItemPages
from ddbio.sinks.sink import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemsJob(ScanJob):
    """The pages of items."""

    report_every_s: ClassVar[float] = PAGES_INTERVAL_S

    def rows(self) -> Any:
        return UNDECODED_ITEMS

    def sinks(self) -> Callable[[Desk], ItemPages]:
        return lambda desk: ItemPages(desk.tally)
