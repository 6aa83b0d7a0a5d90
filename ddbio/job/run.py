"""The beginning of a run: its caller, table, cap, and numbers of workers and connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.engines.engine import Engine
from ddbio.flow.context import SOURCE, TARGET
from ddbio.job.progress import Progress, QuietProgress
from ddbio.options import ShapingOptions, TransferOptions, material
from ddbio.rate.caps import Cap, choose_cap
from ddbio.rate.following import Caps
from ddbio.sources.plan import Remainder
from ddbio.steps.transform import fingerprint
from ddbio.system.machine import usable_cpus
from ddbio.system.stop import StopFlag
from ddbio.values.table import TableInfo


@dataclass(frozen=True, slots=True)
class Caller:
    """Objects that the caller of a verb may supply.

    take_report: gets the report if `options.report` is `-`; None prints it.
    """

    progress: Progress | None = None
    engine: Engine | None = None
    stop: StopFlag | None = None
    take_report: Callable[[bytes], object] | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """The state with which a run of a verb begins.

    workers: their maximum; lanes: the maximum per worker. tables: if it imports into several; `table` then has the
    capacity of all of them.
    """

    options: TransferOptions
    session: Session
    table: TableInfo
    cap: Cap
    workers: int
    lanes: int
    progress: Progress
    stop: StopFlag
    engine: Engine | None
    tables: tuple[TableInfo, ...] = ()

    @classmethod
    def begin(
        cls,
        options: TransferOptions,
        session: Session,
        table: TableInfo,
        kind: str,
        default_lanes: int,
        caller: Caller,
    ) -> Run:
        """kind: of the cap's units, WCU or RCU. Raises UsageError for an impossible cap."""
        return cls(
            options=options,
            session=session,
            table=table,
            cap=choose_cap(options.capacity, table, kind, over_provisioned=options.over_provisioned),
            workers=options.processes or usable_cpus(),
            lanes=options.lanes or default_lanes,
            progress=caller.progress or QuietProgress(),
            stop=caller.stop or StopFlag(),
            engine=caller.engine,
        )

    @property
    def role(self) -> str:
        """The role of its table in the job."""
        return TARGET if self.cap.kind == "WCU" else SOURCE

    @property
    def index_caps(self) -> Mapping[str, float]:
        """The budgets in addition to the table's: units per second by index."""
        return self.table.index_write_units if self.cap.kind == "WCU" else {}

    def follows_table(self, caps: Caps) -> bool:
        """Whether a cap comes from the table's capacity, which auto scaling may change. The cap of several tables
        does not follow them."""
        asked = self.options.capacity
        return not self.tables and (asked is None or "%" in asked or bool(caps.indexes))

    def look_at_caps(self) -> Caps:
        """The caps as they would be chosen now. Raises DdbioError."""
        table = self.session.describe(self.options.table)
        if self.table.index:
            table = table.through(self.table.index)
        chosen = choose_cap(
            self.options.capacity, table, self.cap.kind, over_provisioned=True, now=self.cap.chosen_at
        )
        return Caps(chosen, table.index_write_units)

    def workers_for(self, left: Remainder) -> int:
        """The maximum, or fewer if there is less work."""
        return max(1, min(self.workers, len(left.known()))) if left.is_known else self.workers

    def identity(self) -> list[str]:
        """The table's address: with the verb, its name, and the sources or destination, it identifies a job."""
        return [self.session.region, self.session.endpoint_url, self.table.description.get("TableArn", "")]

    def facts(self) -> dict[str, Any]:
        """The facts that must be the same in all runs of a job. A table deleted and created again is another one."""
        description = self.table.description
        made = [description.get("TableId"), str(description.get("CreationDateTime"))]
        facts = {**material(self.options), f"table {self.table.name}": made}
        if isinstance(self.options, ShapingOptions) and self.options.transform:
            facts["the transform's file"] = fingerprint(self.options)
        return facts
