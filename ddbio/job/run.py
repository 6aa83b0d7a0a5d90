"""The beginning of a run: its caller, table, cap, and numbers of workers and connections."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.engines.choice import engine_of
from ddbio.engines.engine import Engine, Staff
from ddbio.flow.context import SOURCE, TARGET
from ddbio.job.cap_requests import CapRequest
from ddbio.job.progress import Progress, QuietProgress
from ddbio.job.side import Side
from ddbio.job.small_work import is_small
from ddbio.options import TransferOptions, TransformOptions, material
from ddbio.rate.caps import Cap, choose_cap
from ddbio.sources.plan import Remainder
from ddbio.steps.transform import fingerprint
from ddbio.system.machine import usable_cpus
from ddbio.system.stop import StopFlag
from ddbio.values.table import TableInfo


@dataclass(frozen=True, slots=True)
class Caller:
    """Objects that the caller of a verb may supply.

    take_report: gets the report if `options.report` is `-`; None prints it.
    in_event_loop: whether an event loop is running in the caller's thread, so that no other can.
    given_caps: the caps that were asked for while a job worked, by `Side.budget`: they hold for its later stages.
    """

    progress: Progress | None = None
    engine: Engine | None = None
    stop: StopFlag | None = None
    take_report: Callable[[bytes], object] | None = None
    in_event_loop: bool = False
    given_caps: dict[tuple[str, ...], CapRequest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChangedCap:
    """A cap of a table that changed while a run worked. at: UTC. role, table: of the table and its name. kind: RCU or
    WCU. units_per_s: None for no cap. origin: of the new cap, in words."""

    at: datetime.datetime
    role: str
    table: str
    kind: str
    units_per_s: float | None
    origin: str


@dataclass(frozen=True, slots=True)
class Run:
    """The state with which a run of a verb begins.

    workers: their maximum; lanes: the maximum per worker. tables: if it imports into several; `table` then has the
    capacity of all of them. other: the second table of a job that has two. cap_changes: grows while the run works.
    may_work_here: whether this process may do without workers if the work is small.
    given_caps: of the caller; grows, too. desk: the folder for requests for caps; None for that of the job.
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
    other: Side | None = None
    cap_changes: list[ChangedCap] = field(default_factory=list)
    may_work_here: bool = False
    given_caps: dict[tuple[str, ...], CapRequest] = field(default_factory=dict)
    desk: Path | None = None

    @classmethod
    def begin(
        cls,
        options: TransferOptions,
        session: Session,
        table: TableInfo,
        kind: str,
        default_lanes: int,
        caller: Caller,
        other: Side | None = None,
        option: str = "-c",
    ) -> Run:
        """kind: of the cap's units, WCU or RCU. other: the second table, if the job has two. option: of the capacity.

        Raises UsageError for an impossible cap.
        """
        return cls(
            options=options,
            session=session,
            table=table,
            cap=choose_cap(options.capacity, table, kind, over_provisioned=options.over_provisioned, option=option),
            workers=(caller.engine and caller.engine.staff.expected) or options.processes or usable_cpus(),
            lanes=options.lanes or default_lanes,
            progress=caller.progress or QuietProgress(),
            stop=caller.stop or StopFlag(),
            engine=caller.engine,
            other=other,
            may_work_here=may_work_here(options, caller),
            given_caps=caller.given_caps,
        )

    @property
    def main(self) -> Side:
        """The table of `-t`. The cap of several tables does not follow them."""
        options = self.options
        role = TARGET if self.cap.kind == "WCU" else SOURCE
        return Side(role, self.session, self.table, self.cap, options.table, options.capacity, not self.tables)

    @property
    def sides(self) -> tuple[Side, ...]:
        """All tables of the job, the one of `-t` first."""
        return (self.main, *((self.other,) if self.other is not None else ()))

    def of_which(self, side: Side) -> str:
        """The side's name in messages about one of two; empty if there is only one."""
        if self.other is None:
            return ""
        name = side.table.name
        if self.other.table.name != self.table.name:
            return name
        if self.other.session is self.session:
            return f"{'reads' if side.cap.kind == 'RCU' else 'writes'} of {name}"
        return f"{name}, the {side.role}"  # in two regions or accounts

    def table_facts(self) -> dict[str, Any]:
        """Those of its tables."""
        return {f"table {self._called(side)}": side.made() for side in self.sides}

    def _called(self, side: Side) -> str:
        """The name of the side's table, by which no other table of the job is called."""
        is_one_table = self.other is None or self.other.session is self.session
        return side.table.name if is_one_table else self.of_which(side)

    def works_here(self, left: Remainder) -> bool:
        """Whether this process does the work itself, because it is small."""
        return self.may_work_here and is_small(left, self.table.size_bytes)

    def workers_for(self, left: Remainder) -> int:
        """The maximum, or fewer if there is less work; none if this process does it itself."""
        if self.works_here(left):
            return 0
        return max(1, min(self.workers, len(left.known()))) if left.is_known else self.workers

    def staffing(self, left: Remainder) -> str:
        """By whom the work is done, as in `with 2 processes` or `with 2 workers`."""
        workers = self.workers_for(left)
        if not workers:
            return "in this process"
        called = (self.engine.staff if self.engine is not None else Staff()).called
        return f"with {workers:,} {called}{('es' if called.endswith('s') else 's') * (workers != 1)}"

    def engine_for(self, left: Remainder) -> Engine:
        """The caller's engine, or the one that suits the work."""
        return self.engine or engine_of(self.workers_for(left))

    def identity(self) -> list[str]:
        """The addresses of the tables: with the verb, its name, and sources or destination, they identify a job."""
        return [part for side in self.sides for part in side.identity()]

    def facts(self) -> dict[str, Any]:
        """The facts that must be the same in all runs of a job."""
        facts = {**material(self.options), **self.table_facts()}
        if isinstance(self.options, TransformOptions) and self.options.transform:
            facts["the transform's file"] = fingerprint(self.options)
        return facts


def may_work_here(options: TransferOptions, caller: Caller) -> bool:
    """Whether small work needs no workers.

    Not if processes were asked for, nor beside an event loop of the caller, nor with a function of the user, which
    may end or damage its process.
    """
    function = isinstance(options, TransformOptions) and options.transform is not None
    return options.processes is None and caller.engine is None and not caller.in_event_loop and not function
