"""The engine of one of several calls that share the caps of a job, each in a process that cannot talk to the others,
such as the tasks of a cluster: works in this process, at an equal part of every cap.

Together they never exceed a cap, as long as no more of them are at work at once than `parts`. What one of them does
not use, no other one can.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import ClassVar

from ddbio.engines.engine import Events, Running, Staff
from ddbio.engines.environment import Needs
from ddbio.engines.inline import InlineEngine
from ddbio.flow.checkpoint import LaneState
from ddbio.flow.context import Job
from ddbio.messages import Unit
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.latency import Histogram
from ddbio.system.stop import StopFlag


@dataclass(frozen=True, slots=True)
class ShareEngine:
    """parts: the calls that are at work at once, at most."""

    parts: int
    shares_disk: ClassVar[bool] = True
    staff: ClassVar[Staff] = Staff()

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        tables = {
            role: replace(table, caps=tuple(cap / self.parts for cap in table.caps))
            for role, table in needs.tables.items()
        }
        with InlineEngine().open(job, replace(needs, tables=tables)) as running:
            yield _Share(running, self.parts)


@dataclass(frozen=True, slots=True)
class _Share:
    """See `Running`. A cap that changes while it works is divided, too."""

    running: Running
    parts: int

    def work(self, units: Iterable[Unit | None], stop: StopFlag) -> Events:
        return self.running.work(units, stop)

    @property
    def workers(self) -> int:
        return self.running.workers

    def budgets(self, role: str) -> tuple[BudgetRates, ...]:
        return self.running.budgets(role)

    def latencies(self, role: str) -> Histogram:
        return self.running.latencies(role)

    def set_cap(self, role: str, cap: float, budget: int = 0) -> None:
        self.running.set_cap(role, cap / self.parts, budget)

    def settled(self) -> list[LaneState]:
        return self.running.settled()

    def forget_settled(self) -> None:
        self.running.forget_settled()
