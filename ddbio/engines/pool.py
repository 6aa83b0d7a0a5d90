"""The process engine: the only module that starts, feeds, watches and ends processes.

    parent ---- one pipe ----- worker 0 (event loop, lanes)
         \\----- one pipe ----- worker 1
          ...

Rules:

- A worker is a fresh process (`ddbio.engines.process`): siblings do not inherit each other's pipe ends, so a worker
  whose parent was killed reads the end of its pipe and exits at once (with `fork`, four of four lived on).
- One pipe a worker, no lock shared between workers on the hand-off: a worker killed at any instruction harms none.
- `ddbio.engines.foreman` assigns units to workers, and reassigns those of a dead worker.
- Children ignore SIGINT and SIGTERM; the parent decides. Every process it started has ended when the engine ends.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection as mp_connection
from typing import Any, ClassVar

from ddbio.aws.redaction import hide
from ddbio.engines.engine import ABANDONED, HUNGRY_S, STOP_PATIENCE_S, TICK_S, Events, Running, RunningHere, Staff
from ddbio.engines.environment import Environment, Needs, shared_environment
from ddbio.engines.foreman import PATIENCE, Death, Foreman, Patience
from ddbio.engines.keyring import KeyRing
from ddbio.engines.pool_worker import (
    PARENT_DECIDES,
    Begun,
    Crashed,
    Finish,
    NewKeys,
    Opened,
    Refused,
    Stop,
    WorkerArguments,
    worker_main,
)
from ddbio.engines.process import WorkerProcess
from ddbio.errors import InternalError, UsageError
from ddbio.flow.context import Job
from ddbio.messages import Event, Flushed, Notice, Tick, Trouble, Unit, UnitReport
from ddbio.system.stop import StopFlag

_EXIT_PATIENCE_S = 5.0


@dataclass(slots=True)
class _Worker:
    number: int
    index: int  # among the workers at once: whose slots of the checkpoint it has; its replacement has the same
    process: WorkerProcess
    crash: InternalError | None = None  # the fault of ours by which it ended


@dataclass(frozen=True, slots=True)
class ProcessEngine:
    """workers: how many processes."""

    workers: int
    patience: Patience = PATIENCE
    shares_disk: ClassVar[bool] = True

    @property
    def staff(self) -> Staff:
        return Staff(expected=self.workers)

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        with shared_environment(needs, self.workers, job.lanes) as environment:
            yield RunningHere(
                environment, lambda units, stop: self._work(job, needs, environment, units, stop), self.workers
            )

    def _work(
        self, job: Job, needs: Needs, environment: Environment, units: Iterable[Unit | None], stop: StopFlag
    ) -> Events:
        keys = KeyRing({role: table.keys for role, table in needs.tables.items()})
        foreman = Foreman(
            units,
            workers=self.workers,
            lanes=job.lanes,
            opens_together=job.opens_together,
            patience=self.patience,
        )
        pool = _Pool(job, environment, self.workers, foreman, keys, stop)
        try:
            pool.start()
            yield from pool.run()
        finally:
            pool.kill()


class _Pool:
    def __init__(
        self, job: Job, environment: Environment, wanted: int, foreman: Foreman, keys: KeyRing, stop: StopFlag
    ) -> None:
        self._job = job
        self._environment = environment
        self._wanted = wanted
        self._foreman = foreman
        self._keys = keys
        self._stop = stop
        self._stop_sent_s: float | None = None
        self._next_number = 0
        self._workers: dict[int, _Worker] = {}

    # -- the loop

    def start(self) -> None:
        """Raises UsageError if the machine does not allow so many."""
        for index in range(self._wanted):
            try:
                self._start(index)
            except OSError as error:
                raise UsageError(
                    f"only {index:,} of {self._wanted:,} processes could be started: {error.strerror}",
                    "use fewer with -p, or raise the limits (ulimit -u, ulimit -n, the container's)",
                ) from None

    def run(self) -> Iterator[Event]:
        self._hand_out()
        while self._workers:
            for number in self._foreman.finish():
                self._send(number, Finish())
            happened = False
            for event in self._listen():
                happened = True
                yield event
            if happened:
                yield Flushed()
            elif self._foreman.waits:
                yield Tick()
            yield from self._renew_keys()
            yield from self._obey_stop()
            if self._stop_sent_s is None:
                self._hand_out()

    def _hand_out(self) -> None:
        for number, unit in self._foreman.hand_out():
            self._send(number, unit)

    def _listen(self) -> Iterator[Event]:
        by_pipe: dict[Any, _Worker] = {worker.process.pipe: worker for worker in self._workers.values()}
        by_sentinel: dict[Any, _Worker] = {worker.process.sentinel: worker for worker in self._workers.values()}
        ready = mp_connection.wait([*by_pipe, *by_sentinel], HUNGRY_S if self._foreman.hungry else TICK_S)
        for each in ready:
            if each in by_pipe:
                yield from self._receive(by_pipe[each])
        for each in ready:
            if each in by_sentinel:
                yield from self._receive(by_sentinel[each])  # its last messages are still in its pipe
                yield from self._bury(by_sentinel[each])

    def _receive(self, worker: _Worker) -> Iterator[Event]:
        """All that a worker has sent so far. The end of the pipe is no news: the sentinel reports it."""
        with suppress(EOFError, OSError):
            while worker.process.pipe.poll():
                yield from self._take(worker, worker.process.pipe.recv())

    def _take(self, worker: _Worker, message: Any) -> Iterator[Event]:
        if isinstance(message, UnitReport):
            self._foreman.reported(worker.number, message)
            yield self._keys.explained(message)
        elif isinstance(message, Begun):
            yield self._foreman.begun(worker.number, message.unit)
        elif isinstance(message, Opened):
            self._foreman.opened(worker.number)
        elif isinstance(message, Refused):
            raise message.error
        elif isinstance(message, Crashed):
            worker.crash = message.error
        elif isinstance(message, Notice | Trouble):
            yield message

    def _send(self, number: int, message: object) -> None:
        with suppress(OSError):  # it died: its sentinel reports that, and its units come back
            self._workers[number].process.pipe.send(message)

    def _send_all(self, message: object) -> None:
        for number in self._workers:
            self._send(number, message)

    # -- workers

    def _start(self, index: int) -> None:
        number = self._next_number
        self._next_number += 1
        arguments = WorkerArguments(
            number, index, self._wanted, self._job, self._environment, dict(self._keys.handed)
        )
        # A terminal sends Ctrl-C to every process of the group: it must not meet a worker that cannot ignore it yet.
        process = WorkerProcess.start(worker_main, arguments, blocked=PARENT_DECIDES)
        self._workers[number] = _Worker(number, index, process)
        self._foreman.started(number)

    def _bury(self, worker: _Worker) -> Iterator[Event]:
        """A worker has ended: reap it, and if it left work, return that and replace the worker."""
        del self._workers[worker.number]
        worker.process.close()
        if self._stop_sent_s is not None or self._foreman.has_finished(worker.number):
            self._foreman.forget(worker.number)
            return
        death = _death_of(worker)
        yield Notice(f"worker {worker.number} {death.how}; its work continues in a new one")
        checkpoint = self._environment.checkpoint
        yield from self._foreman.died(worker.number, death, checkpoint.states(worker.index) if checkpoint else ())
        if (error := self._foreman.why_end(death)) is not None:
            raise error
        self._start(worker.index)

    # -- keys and stopping

    def _renew_keys(self) -> Iterator[Event]:
        for sentence in self._keys.news():
            yield Notice(sentence)
        for role, keys in self._keys.renewed():
            self._send_all(NewKeys(role, keys))

    def _obey_stop(self) -> Iterator[Event]:
        if not self._stop.requests:
            return
        if self._stop_sent_s is None:
            self._stop_sent_s = time.monotonic()
            self._send_all(Stop())
        elif self._stop.requests > 1 or time.monotonic() - self._stop_sent_s > STOP_PATIENCE_S:
            if self._workers:
                yield Notice(ABANDONED)
            for worker in self._workers.values():
                worker.process.kill()

    def kill(self) -> None:
        """End whatever still runs, at once, and reap it."""
        self._keys.end()
        for worker in self._workers.values():
            worker.process.kill()
        for worker in self._workers.values():
            worker.process.close(_EXIT_PATIENCE_S)
        self._workers.clear()


def _death_of(worker: _Worker) -> Death:
    code = worker.process.exit_code
    killed = code in (-signal.SIGKILL, -signal.SIGTERM)
    if worker.crash is not None:
        how = f"failed by an error in ddbio ({hide(worker.crash.message)})"
    elif code is not None and code < 0:
        how = f"was killed by {signal.Signals(-code).name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    else:
        how = f"exited with {code}"
    return Death(how, killed, worker.crash)
