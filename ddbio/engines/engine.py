"""The engine interface: an engine works the units of a job, and yields events.

    with engine.open(job, needs) as running:
        for event in running.work(units, stop):
            ...

- `job` is picklable plain data and opens its clients where it runs; any worker can work any of the `units`, in any
  order. They are made while they are worked; None among them means "no more at the moment".
- The engine owns the environment of the job: the parent declares it in `Needs`; the engine makes it, hands it to its
  workers, and removes it. So the cap is the engine's to divide: shared memory for processes on one machine, a share
  of the cap for an executor of a cluster.
- Results come back only as unit reports; a `Flushed` between them means that all progress so far was reported. The
  events end when every unit is done or failed, or after a stop.
- `settled` has the progress that lanes had settled but not reported when their worker died, if the engine has a
  checkpoint.

`InlineEngine` (`ddbio.engines.inline`) is a loop in this process, for jobs that are small; `ProcessEngine`
(`ddbio.engines.pool`) starts workers. `ddbio.job.run` chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from ddbio.engines.environment import Environment, Needs
from ddbio.errors import UsageError
from ddbio.flow.checkpoint import LaneState
from ddbio.flow.context import Job
from ddbio.messages import Event, Unit
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.latency import Histogram
from ddbio.system.stop import StopFlag

Events = Generator[Event, None, None]  # once it is closed, no lane works any more

HUNGRY_S = 0.01  # how soon to look again if there was no unit at the moment
TICK_S = 0.25  # how often to say so when nothing happens
STOP_PATIENCE_S = 5.0  # for lanes to settle requests in flight after a stop
ABANDONED = "Requests that were not answered in time were abandoned: any later writes by them are not counted"


@dataclass(frozen=True, slots=True)
class Staff:
    """The workers of an engine. called: one of them, in messages. expected: by this number work is cut; None if the
    options of the job say how many there are."""

    called: str = "process"
    expected: int | None = None


class Running(Protocol):
    """A job that an engine has opened."""

    @property
    def workers(self) -> int:
        """How many there are at this moment. May be asked from another thread."""

    def work(self, units: Iterable[Unit | None], stop: StopFlag) -> Events:
        """Work the units. Once."""

    def budgets(self, role: str) -> tuple[BudgetRates, ...]:
        """The budgets of a table at this moment, the table's own first. May be called from another thread."""

    def latencies(self, role: str) -> Histogram:
        """Those of all requests to a table so far. May be called from another thread."""

    def set_cap(self, role: str, cap: float, budget: int = 0) -> None:
        """The cap of a budget of a table from now on. May be called from another thread, one at a time."""

    def settled(self) -> list[LaneState]:
        """The progress that lanes settled, reported or not; call it after the last lane has ended."""

    def forget_settled(self) -> None:
        """The settled progress is stored elsewhere: the next run need not look for it."""


class Engine(Protocol):
    """shares_disk: whether the workers see the files of this machine."""

    @property
    def shares_disk(self) -> bool: ...

    @property
    def staff(self) -> Staff: ...

    def open(self, job: Job, needs: Needs) -> AbstractContextManager[Running]:
        """Raises TransferError if there is no room for the environment of the job, UsageError for a job that the
        workers of this engine cannot work."""


def check_reachable(engine: Engine | None, places: Iterable[str]) -> None:
    """Raises UsageError if workers are on other machines, and one of these places is a path."""
    if engine is not None and not engine.shares_disk:
        for place in places:
            check_place(place)


def check_place(place: str) -> None:
    """Raises UsageError for a path."""
    if "://" not in place:
        raise UsageError(
            f'"{place}" is a place on this machine, and the workers are on others',
            "name a place in S3, or add --shared-filesystem if all machines have the same files there",
        )


@dataclass(frozen=True, slots=True)
class RunningHere:
    """A job that is worked on this machine."""

    environment: Environment
    work: Callable[[Iterable[Unit | None], StopFlag], Events]
    workers: int = 1

    def budgets(self, role: str) -> tuple[BudgetRates, ...]:
        return self.environment.governors[role].now()

    def latencies(self, role: str) -> Histogram:
        return self.environment.latencies[role].histogram()

    def set_cap(self, role: str, cap: float, budget: int = 0) -> None:
        self.environment.governors[role].set_cap(cap, budget)

    def settled(self) -> list[LaneState]:
        checkpoint = self.environment.checkpoint
        return checkpoint.states() if checkpoint is not None else []

    def forget_settled(self) -> None:
        if self.environment.checkpoint is not None:
            self.environment.checkpoint.unlink()
