"""The environment of a run: governors, limits and the checkpoint, which its workers share and its engine makes.

The parent declares `Needs`. `local_environment` is for an engine that works in its own process,
`shared_environment` for one whose workers are processes of this machine: it is files that each of them maps, in a
temporary folder that is removed however the run ends. Both have the checkpoint in the folder of the job's state.
`worker_context` makes the context of one worker's lanes of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ddbio.aws.credentials import KeysProvider
from ddbio.flow.checkpoint import Checkpoint, LaneSlot
from ddbio.flow.context import Job, JobTable, OpenTable, WorkerContext
from ddbio.flow.sleeping import Sleep, Sleeper
from ddbio.messages import Event
from ddbio.rate.governor import Governor, LocalGovernor, Pacing, SharedGovernor
from ddbio.rate.latency import LatencyBoard, LocalLatencies, SharedLatencies
from ddbio.rate.pacer import Pacer
from ddbio.rate.page_pacer import PagePacer
from ddbio.steps.limit import Limit, LimitNeeds, SharedLimit
from ddbio.steps.reject_limit import LocalRejectCount, RejectCount, SharedRejectCount
from ddbio.system.scratch import Scratch, no_room


@dataclass(frozen=True, slots=True)
class TableNeeds:
    """caps: units per second of the table's budget, then of those of its indexes. keys: the newest of its account."""

    caps: tuple[float, ...]
    keys: KeysProvider


@dataclass(frozen=True, slots=True)
class Needs:
    """The requirements of a run, beside the job, on its engine.

    tables: by role; all that the job names.
    limit: of items; None for no limit. most_rejects: that this run may report; None for any number.
    checkpoint: the file to make for the progress that lanes settle; None for none.
    """

    tables: Mapping[str, TableNeeds] = field(default_factory=dict)
    limit: LimitNeeds | None = None
    most_rejects: int | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """Shared by the workers of a run; picklable if these are processes. governors, latencies: by the table's role."""

    governors: Mapping[str, Governor]
    latencies: Mapping[str, LatencyBoard]
    limit: Limit | None = None
    reject_count: RejectCount | None = None
    checkpoint: Checkpoint | None = None

    def slots(self, worker: int) -> Iterator[LaneSlot]:
        """Of a worker's lanes; none without a checkpoint. Locks it: the worker is at work until its process ends."""
        checkpoint = self.checkpoint
        if checkpoint is None:
            return iter(())
        checkpoint.attend()
        return (checkpoint.slot(worker, lane) for lane in range(checkpoint.lanes))


@contextmanager
def local_environment(needs: Needs, lanes: int) -> Iterator[Environment]:
    """For `lanes` lanes in this process. Raises TransferError if there is no room for it."""
    with ExitStack() as stack:
        try:
            limit = _limit_here(needs.limit, stack) if needs.limit is not None else None
        except OSError as error:
            raise no_room(error) from None
        yield Environment(
            governors={role: LocalGovernor(*table.caps) for role, table in needs.tables.items()},
            latencies={role: LocalLatencies() for role in needs.tables},
            limit=limit,
            reject_count=LocalRejectCount(needs.most_rejects) if needs.most_rejects is not None else None,
            checkpoint=_checkpoint(needs, 1, lanes, stack),
        )


@contextmanager
def shared_environment(needs: Needs, workers: int, lanes: int) -> Iterator[Environment]:
    """For `workers` processes at once, each with `lanes` lanes. Raises TransferError if there is no room for it."""
    with ExitStack() as stack:
        scratch = Scratch.create()
        stack.callback(scratch.remove)
        try:
            environment = _in_scratch(scratch.path, needs, workers, stack)
        except OSError as error:
            raise no_room(error) from None
        yield replace(environment, checkpoint=_checkpoint(needs, workers, lanes, stack))


def _checkpoint(needs: Needs, workers: int, lanes: int, stack: ExitStack) -> Checkpoint | None:
    if needs.checkpoint is None:
        return None
    checkpoint = Checkpoint.create(needs.checkpoint, workers, lanes)
    stack.callback(checkpoint.close)
    return checkpoint


def _limit_here(needs: LimitNeeds, stack: ExitStack) -> Limit:
    return _kept_limit(needs, stack) or Limit.of(needs)


def _kept_limit(needs: LimitNeeds, stack: ExitStack) -> SharedLimit | None:
    """The limit of an edit, which outlives the run; None for any other. Raises OSError."""
    if needs.kept is None:
        return None
    limit = SharedLimit.keep(needs.kept, needs)
    stack.callback(limit.close)
    return limit


def _in_scratch(folder: Path, needs: Needs, workers: int, stack: ExitStack) -> Environment:
    governors, latencies, limit, reject_count = {}, {}, None, None
    for role, table in needs.tables.items():
        governors[role] = SharedGovernor.create(folder / f"governor-{role}", *table.caps)
        stack.callback(governors[role].close)
        latencies[role] = SharedLatencies.create(folder / f"latencies-{role}", workers)
        stack.callback(latencies[role].close)
    if needs.limit is not None:
        limit = _kept_limit(needs.limit, stack)
        if limit is None:
            limit = SharedLimit.create(folder / "limit", needs.limit)
            stack.callback(limit.close)
    if needs.most_rejects is not None:
        reject_count = SharedRejectCount.create(folder / "rejected", needs.most_rejects)
    return Environment(governors, latencies, limit, reject_count)


def worker_context(
    job: Job,
    environment: Environment,
    keys: Mapping[str, KeysProvider],
    report: Callable[[Event], None],
    *,
    share: float = 1.0,
    worker: int = 0,
    opened: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep | None = None,
) -> WorkerContext:
    """The context for the lanes of one worker.

    keys: by role, the newest that the parent handed over. share: of the job's rate that this worker is expected to
    spend. worker: its number among those at once.
    """
    sleep = sleep or Sleeper()
    tables: dict[str, OpenTable] = {}
    for role, table in job.tables.items():
        pacer = _pacer(table, environment.governors[role], sleep, clock, share)
        clients = table.data_plane.clients(keys[role], pacer, environment.latencies[role].of_worker(worker))
        tables[role] = OpenTable(table.info.name, pacer, keys[role], clients)
    return WorkerContext(
        tables=tables,
        report=report,
        sleep=sleep,
        clock=clock,
        limit=environment.limit,
        reject_count=environment.reject_count,
        slots=environment.slots(worker),
        opened=opened,
    )


def _pacer(table: JobTable, governor: Governor, sleep: Sleep, clock: Callable[[], float], share: float) -> Pacing:
    if table.most_page_units is None:
        return Pacer.of(governor, sleep, clock, share=share)
    return PagePacer(governor, table.most_page_units, sleep, clock)
