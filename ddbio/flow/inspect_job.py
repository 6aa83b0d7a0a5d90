"""An inspection as a task: the items of segments are profiled by the workers, and the parent merges the profiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ddbio.flow.scan_job import ScanJob
from ddbio.sinks.profile_items import ProfileItems
from ddbio.sinks.sink import Desk
from ddbio.sources.scan import ATTRIBUTE_MAPS
from ddbio.values.profile import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectJob(ScanJob):
    subject: Subject

    def rows(self) -> Any:
        return ATTRIBUTE_MAPS

    def sinks(self) -> Callable[[Desk], ProfileItems]:
        return lambda desk: ProfileItems(desk.tally, self.subject)
