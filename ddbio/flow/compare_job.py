"""The second half of a comparison as a task: partitions of two spills become lines, one for each difference."""

from __future__ import annotations

from dataclasses import dataclass

from ddbio.flow.context import JobTable, WorkerContext
from ddbio.flow.lane import Task
from ddbio.messages import Tally
from ddbio.sinks.difference_lines import DifferenceLines
from ddbio.sources.suspects import SpilledSides, SuspectSource
from ddbio.sources.table_items import ReadCost, TableItems

COMPARE_LANES = 4  # each has a partition in memory


@dataclass(frozen=True, slots=True)
class CompareJob:
    """Describes a comparison to the workers; picklable.

    tables: by role. first, second: the role of each side; None for an export.
    """

    sides: SpilledSides
    tables: dict[str, JobTable]
    first: str | None
    second: str | None
    lanes: int = COMPARE_LANES
    opens_together: bool = False

    def open(self, context: WorkerContext) -> Task:
        costs = {role: ReadCost(_mean_bytes(table)) for role, table in self.tables.items()}

        def items(role: str | None, spent: Tally) -> TableItems | None:
            if role is None:
                return None
            table = self.tables[role].info
            return TableItems(table, context.client(role, spent), costs[role], context.request_units(role))

        return Task(
            context,
            source=lambda desk: SuspectSource(
                self.sides, items(self.first, desk.spent), items(self.second, desk.spent), desk.tally
            ),
            sink=lambda desk: DifferenceLines(),
        )


def _mean_bytes(table: JobTable) -> float:
    info = table.info
    return info.size_bytes / info.item_count if info.item_count else 0.0
