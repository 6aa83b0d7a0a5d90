"""A count as a task: the pages of segments are counted, and no item crosses the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ddbio.dynamodb.scan import COUNT_ONLY
from ddbio.flow.scan_job import ScanJob
from ddbio.sinks.item_count import ItemCount
from ddbio.sinks.sink import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class CountJob(ScanJob):
    """scan: with `Select=COUNT` among its members."""

    def rows(self) -> Any:
        return COUNT_ONLY

    def sinks(self) -> Callable[[Desk], ItemCount]:
        return lambda desk: ItemCount(desk.tally)
