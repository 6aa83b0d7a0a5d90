"""The engine of many machines: hands the units of a job to the seats that have joined the hub of this process.

    driver (hub) ---- connection ---- seat on some machine (event loop, lanes)
           \\----- connection ---- seat on another one
            ...

Rules:

- Seats come and go. `ddbio.engines.foreman` assigns units to them, as to the workers of a pool, and assigns the units
  of a lost one again, from the last progress that it sent.
- The driver alone keeps the books, the cap, the limits.
- When the engine ends a job, no seat works on it any more: each has said so, or has been silent for so long that it
  has stopped by itself.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from ddbio.cluster.attendant import JobAtHub
from ddbio.cluster.hub import Hub
from ddbio.cluster.roster import AbandonedError, Roster
from ddbio.engines.engine import Events, Running, Staff
from ddbio.engines.environment import Environment, Needs, local_environment
from ddbio.engines.foreman import Foreman, Patience
from ddbio.engines.keyring import KeyRing
from ddbio.flow.checkpoint import LaneState, states_in
from ddbio.flow.context import Job
from ddbio.messages import Unit
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.latency import Histogram, sum_of_cells
from ddbio.system.stop import StopFlag

_IN_VAIN = 20  # seats lost in a row without progress: the network may lose all of them, several times


@dataclass(frozen=True, slots=True)
class HubSettings:
    """token: see `ddbio.cluster.token`. address, port: to listen on; 0 for any free port.

    expected: number of seats: by it work is cut and the cap is divided. More or fewer may join.
    shares_disk: whether all machines have the same files.
    silence_s: a seat that hears nothing for this time stops, and after twice this time its units go to others.
    alone_s: how long to wait for a seat if there is none.
    send_keys: whether the seats get the AWS keys of the driver; otherwise each has those of its machine.
    """

    token: bytes = field(repr=False)
    address: str = "127.0.0.1"
    port: int = 0
    expected: int = 1
    shares_disk: bool = False
    silence_s: float = 5.0
    alone_s: float = 600.0
    send_keys: bool = False


class HubEngine:
    """Use it as a context manager: it listens until the end of the block, and then sends all seats home."""

    def __init__(self, settings: HubSettings) -> None:
        self.settings = settings
        self.shares_disk = settings.shares_disk
        self.staff = Staff("worker", settings.expected)
        self.alone_s = settings.alone_s
        self.why_alone = ""  # why no seat will join any more
        self.stopped = False  # the last job was
        self._hub: Hub | None = None
        self._jobs = 0

    def __enter__(self) -> HubEngine:
        """Raises UsageError if it cannot listen there."""
        asked = self.settings
        self._hub = Hub(asked.token, asked.address, asked.port, asked.silence_s)
        return self

    def __exit__(self, *_: object) -> None:
        if self._hub is not None:
            self._hub.close("the driver was stopped" if self.stopped else "the driver has no more work")
            self._hub = None

    @property
    def address(self) -> tuple[str, int]:
        """Where seats join, for seats on other machines if it listens on all addresses."""
        assert self._hub is not None, "it listens inside the block"
        everywhere = self.settings.address in ("", "0.0.0.0", "::")
        return (socket.gethostname() if everywhere else self.settings.address), self._hub.port

    def give_up(self, reason: str) -> None:
        """From any thread: no seat will join any more. Once all are lost, the run ends, and can be resumed."""
        self.why_alone = reason

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        """Raises UsageError for a job that other machines cannot work."""
        if self._hub is None:
            with self, self.open(job, needs) as running:
                yield running
            return
        # What seats settle is in the hub's memory, and no file: another machine could not map it.
        with local_environment(replace(needs, checkpoint=None), job.lanes) as environment:
            self._jobs += 1
            yield _JobOnHub(self, self._hub, self._jobs, job, needs, environment)


class _JobOnHub:
    """See `ddbio.engines.engine.Running`."""

    def __init__(
        self, engine: HubEngine, hub: Hub, number: int, job: Job, needs: Needs, environment: Environment
    ) -> None:
        self._engine = engine
        self._hub = hub
        self._number = number
        self._job = job
        self._needs = needs
        self._environment = environment
        self._states: dict[int, bytes] = {}  # by seat
        self._roster: Roster | None = None

    @property
    def workers(self) -> int:
        return self._roster.size if self._roster is not None else 0

    def work(self, units: Iterable[Unit | None], stop: StopFlag) -> Events:
        settings, needs, job = self._engine.settings, self._needs, self._job
        keys = KeyRing({role: table.keys for role, table in needs.tables.items()} if settings.send_keys else {})
        attendant = JobAtHub(
            self._number,
            job,
            needs,
            self._environment,
            keys if settings.send_keys else None,
            self._hub,
            shares_disk=settings.shares_disk,
        )
        foreman = Foreman(
            units,
            workers=settings.expected,
            lanes=job.lanes,
            opens_together=job.opens_together,
            patience=Patience(in_vain=max(_IN_VAIN, 4 * settings.expected)),
        )
        self._roster = roster = Roster(self._engine, self._hub, self._number, foreman, keys, stop, self._states)
        self._hub.begin_job(self._number, attendant)
        try:
            yield from roster.run()
        except AbandonedError:
            pass
        finally:
            roster.dismiss()
            self._engine.stopped = bool(stop.requests)
            self._states.update(self._hub.end_job())

    def budgets(self, role: str) -> tuple[BudgetRates, ...]:
        return self._environment.governors[role].now()

    def latencies(self, role: str) -> Histogram:
        return sum_of_cells(self._hub.latencies(role))

    def set_cap(self, role: str, cap: float, budget: int = 0) -> None:
        self._environment.governors[role].set_cap(cap, budget)

    def settled(self) -> list[LaneState]:
        return [state for memory in self._states.values() for state in states_in(memory)]

    def forget_settled(self) -> None:
        self._states.clear()
