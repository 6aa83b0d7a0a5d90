"""The process engine: the only module that starts, feeds, watches and ends processes.

    parent ---- one pipe ----- worker 0 (event loop, lanes)
         \\----- one pipe ----- worker 1
          ...

Rules:

- Start method `spawn`: siblings do not inherit each other's pipe ends, so a worker whose parent was killed reads the
  end of its pipe and exits at once (with `fork`, four of four lived on).
- One pipe a worker, no lock shared between workers on the hand-off: a worker killed at any instruction harms nobody.
- The parent remembers what each worker has in hand and the last cursor of each unit. When a worker dies its units go
  back in the plan, from their cursors, and another worker takes its place. A unit on which two workers died without
  getting further is worked once more, alone in its worker; if that dies too, the unit is failed by name.
- A run whose workers die again and again ends, also if each of them gets a little further.
- Children ignore SIGINT and SIGTERM; the parent decides. Every process it started has ended when the engine ends.
"""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing import connection as mp_connection
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from ddbio.aws.redaction import hide
from ddbio.engines.engine import HUNGRY_S, Events, Running, RunningHere
from ddbio.engines.environment import Environment, Needs, shared_environment
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
from ddbio.errors import InternalError, PermanentAbortError, PermanentError, UsageError
from ddbio.flow.context import Job
from ddbio.messages import Cursor, Event, Flushed, Notice, Tally, Tick, Trouble, Unit, UnitReport
from ddbio.system.stop import StopFlag

DEATHS_OF_A_UNIT = 3
DEATHS_IN_VAIN = 6  # in a row, without any unit of the job getting further: something is wrong with all of them
_DEATHS_OF_A_RUN = {True: 1000, False: 100}  # though its workers get further; True: killed from outside
UNITS_READY = 8  # that a worker has in hand at least, beside those it works on
TICK_S = 0.25  # how often the parent looks at signals when nothing happens
STOP_PATIENCE_S = 5.0  # for workers to settle what is in flight after a stop
_EXIT_PATIENCE_S = 5.0


@dataclass(slots=True)
class _InHand:
    """A unit some worker has, and how far that worker got."""

    unit: Unit
    cursor: Cursor | None
    tally: Tally  # what was counted of it up to the cursor, by whoever did it
    begun: bool = False


@dataclass(slots=True)
class _Worker:
    number: int
    place: int  # among the workers: whose slots of the checkpoint it has; a worker that replaces it has the same
    process: BaseProcess
    pipe: Connection
    in_hand: dict[int, _InHand] = field(default_factory=dict)
    begun: int = 0  # of those
    crash: InternalError | None = None  # the fault of ours by which it ended
    opened: bool = False
    finishing: bool = False


@dataclass(frozen=True, slots=True)
class ProcessEngine:
    """workers: how many processes."""

    workers: int

    @contextmanager
    def open(self, job: Job, needs: Needs) -> Iterator[Running]:
        with shared_environment(needs, self.workers, job.lanes) as environment:
            yield RunningHere(environment, lambda units, stop: self._work(job, needs, environment, units, stop))

    def _work(
        self, job: Job, needs: Needs, environment: Environment, units: Iterable[Unit | None], stop: StopFlag
    ) -> Events:
        keys = KeyRing({role: table.keys for role, table in needs.tables.items()})
        pool = _Pool(job, units, environment, keys, stop)
        try:
            pool.start(self.workers)
            yield from pool.run()
        finally:
            pool.kill()


class _Pool:
    def __init__(
        self,
        job: Job,
        units: Iterable[Unit | None],
        environment: Environment,
        keys: KeyRing,
        stop: StopFlag,
    ) -> None:
        self._environment = environment
        self._context = multiprocessing.get_context("spawn")
        self._job = job
        self._plan = iter(units)
        self._planned = False  # all units there are were taken from the plan
        self._hungry = False  # there was none at the moment
        self._returned: deque[Unit] = deque()  # units of dead workers: worked next
        self._suspects: deque[Unit] = deque()  # units on which workers died again: worked last, each alone
        self._keys = keys
        self._stop = stop
        self._stop_sent_s: float | None = None
        self._deaths: Counter[int] = Counter()
        self._deaths_in_vain = 0
        self._deaths_by = {True: 0, False: 0}  # by whether the worker was killed from outside
        self._most_in_hand = job.lanes + max(2, job.lanes // 4)
        self._opens_together = getattr(job, "transform", None) is not None
        self._next_number = 0
        self._wanted = 1
        self._workers: list[_Worker] = []

    # -- the loop

    def start(self, workers: int) -> None:
        """Raises UsageError when the machine does not allow so many."""
        self._wanted = workers
        for number in range(workers):
            try:
                self._workers.append(self._start(place=number))
            except OSError as error:
                raise UsageError(
                    f"only {number:,} of {workers:,} processes could be started: {error.strerror}",
                    "use fewer with -p, or raise the limits (ulimit -u, ulimit -n, the container's)",
                ) from None

    def run(self) -> Iterator[Event]:
        self._hand_out()
        while self._workers:
            self._finish_idle()
            told = False
            for event in self._listen():
                told = True
                yield event
            if told:
                yield Flushed()
            elif any(worker.in_hand for worker in self._workers):
                yield Tick()
            yield from self._renew_keys()
            yield from self._obey_stop()
            if self._stop_sent_s is None:
                self._hand_out()

    def _listen(self) -> Iterator[Event]:
        by_pipe: dict[Any, _Worker] = {worker.pipe: worker for worker in self._workers}
        by_sentinel: dict[Any, _Worker] = {worker.process.sentinel: worker for worker in self._workers}
        ready = mp_connection.wait([*by_pipe, *by_sentinel], HUNGRY_S if self._hungry else TICK_S)
        for each in ready:
            if each in by_pipe:
                yield from self._receive(by_pipe[each])
        for each in ready:
            if each in by_sentinel:
                yield from self._receive(by_sentinel[each])  # what it had sent before it ended is still in its pipe
                yield from self._bury(by_sentinel[each])

    def _receive(self, worker: _Worker) -> Iterator[Event]:
        """All that a worker has sent so far. The end of the pipe is no news: the sentinel tells it."""
        with suppress(EOFError, OSError):
            while worker.pipe.poll():
                yield from self._take(worker, worker.pipe.recv())

    def _take(self, worker: _Worker, message: Any) -> Iterator[Event]:
        if isinstance(message, UnitReport):
            self._note_progress(worker, message)
            yield self._with_key_failure(message)
        elif isinstance(message, Begun):
            worker.in_hand[message.unit].begun = True
            worker.begun += 1
        elif isinstance(message, Opened):
            worker.opened = True
        elif isinstance(message, Refused):
            raise message.error
        elif isinstance(message, Crashed):
            worker.crash = message.error
        elif isinstance(message, Notice | Trouble):
            yield message

    def _note_progress(self, worker: _Worker, report: UnitReport) -> None:
        if report.done or report.error is not None:
            self._deaths_in_vain = 0
            worker.begun -= worker.in_hand.pop(report.unit).begun
            return
        held = worker.in_hand[report.unit]
        held.tally.add(report.tally)
        if report.cursor is not None:
            held.cursor = report.cursor
        if report.tally.read or report.tally.bytes:
            self._deaths.pop(report.unit, None)
            self._deaths_in_vain = 0

    # -- handing out

    def _hand_out(self) -> None:
        """Give units to whoever has the fewest, until all have enough; suspects to idle workers, each alone."""
        self._hungry = False
        if not self._all_open():
            return
        while (worker := self._with_room()) is not None:
            unit = self._returned.popleft() if self._returned else self._next_planned()
            if unit is None:
                break
            self._give(worker, unit)
        for worker in self._workers:
            if self._suspects and not worker.in_hand and not worker.finishing:
                self._give(worker, self._suspects.popleft())

    def _all_open(self) -> bool:
        """Whether work may begin: a job with code of the user's is first opened by every worker, so that if one of
        them refuses, nothing was moved."""
        if self._opens_together and all(worker.opened for worker in self._workers):
            self._opens_together = False
        return not self._opens_together

    def _next_planned(self) -> Unit | None:
        """The next unit of the plan, if there is one at the moment."""
        try:
            unit = next(self._plan)
        except StopIteration:
            unit, self._planned = None, True
        self._hungry = unit is None and not self._planned
        return unit

    def _with_room(self) -> _Worker | None:
        open_to_work = [
            each
            for each in self._workers
            if not each.finishing
            and len(each.in_hand) < self._room(each)
            and not any(map(self._is_suspect, each.in_hand))
        ]
        return min(open_to_work, key=lambda each: len(each.in_hand), default=None)

    def _room(self, worker: _Worker) -> int:
        """A few units beyond those that its lanes have begun: neither a lane nor a new one waits for the parent."""
        return min(self._most_in_hand, worker.begun + max(UNITS_READY, worker.begun // 2))

    def _is_suspect(self, unit: int) -> bool:
        return self._deaths[unit] >= DEATHS_OF_A_UNIT - 1

    def _give(self, worker: _Worker, unit: Unit) -> None:
        worker.in_hand[unit.number] = _InHand(unit, unit.cursor, unit.before.copy() if unit.before else Tally())
        self._send(worker, unit)

    def _finish_idle(self) -> None:
        """When nothing is left to hand out and nobody may still return a unit, the workers go home."""
        if not self._planned or any(worker.in_hand for worker in self._workers) or self._returned or self._suspects:
            return
        for worker in self._workers:
            if not worker.finishing:
                worker.finishing = True
                self._send(worker, Finish())

    def _send(self, worker: _Worker, message: object) -> None:
        with suppress(OSError):  # it died: its sentinel tells, and its units come back
            worker.pipe.send(message)

    # -- workers

    def _start(self, place: int) -> _Worker:
        number = self._next_number
        self._next_number += 1
        ours, theirs = self._context.Pipe()
        arguments = WorkerArguments(
            number, place, self._wanted, self._job, self._environment, dict(self._keys.handed)
        )
        process = self._context.Process(
            target=worker_main, args=(theirs, arguments), name=f"Worker_{number:04d}", daemon=True
        )
        # A terminal sends Ctrl-C to every process of the group: it must not meet a worker that cannot ignore it yet.
        # (The tracker is a process of multiprocessing's own; starting it would unblock the signals.)
        resource_tracker.ensure_running()
        # A blocked signal stays blocked in the child, which unblocks it when it is ready; here it is only late.
        signal.pthread_sigmask(signal.SIG_BLOCK, PARENT_DECIDES)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENT_DECIDES)
        theirs.close()
        return _Worker(number, place, process, ours)

    def _bury(self, worker: _Worker) -> Iterator[Event]:
        """A worker has ended: reap it, and where it left work behind, return that and replace it."""
        self._workers.remove(worker)
        worker.process.join()
        worker.pipe.close()
        if self._stop_sent_s is not None or (worker.finishing and not worker.in_hand):
            return
        yield Notice(f"worker {worker.number} {_how_it_ended(worker)}; its work continues in a new one")
        yield from self._recover(worker)
        yield from self._return_units(worker)
        self._check_deaths(worker)
        self._deaths_in_vain += 1
        if self._deaths_in_vain >= max(DEATHS_IN_VAIN, 3 * len(self._workers)):
            raise worker.crash or PermanentAbortError(
                f"{self._deaths_in_vain} workers in a row ended without getting any further: the last one "
                f"{_how_it_ended(worker)}",
                "if memory is short, use fewer processes with -p",
            )
        self._workers.append(self._start(worker.place))

    def _check_deaths(self, worker: _Worker) -> None:
        """End a run whose workers die again and again, though each gets further: it would take for ever."""
        killed = worker.process.exitcode in (-signal.SIGKILL, -signal.SIGTERM)  # from outside: memory, a person
        self._deaths_by[killed] += 1
        if self._deaths_by[killed] >= max(_DEATHS_OF_A_RUN[killed], 4 * self._wanted):
            cause = (
                "if memory is short, use fewer processes with -p" if killed else "this is a fault of ddbio: report it"
            )
            raise worker.crash or PermanentAbortError(
                f"{self._deaths_by[killed]} workers of this run ended: the last one {_how_it_ended(worker)}", cause
            )

    def _recover(self, worker: _Worker) -> Iterator[Event]:
        """What it had settled and not yet reported."""
        checkpoint = self._environment.checkpoint
        for state in checkpoint.states(worker.place) if checkpoint else ():
            held = worker.in_hand.get(state.unit)
            if held is not None and (report := state.since(held.cursor, held.tally)) is not None:
                self._note_progress(worker, report)
                yield report

    def _return_units(self, worker: _Worker) -> Iterator[Event]:
        for number, held in worker.in_hand.items():
            if held.begun:
                self._deaths[number] += 1
            if self._deaths[number] < DEATHS_OF_A_UNIT:
                queue = self._suspects if self._is_suspect(number) else self._returned
                queue.append(replace(held.unit, cursor=held.cursor, before=held.tally))  # type: ignore[arg-type]
            else:
                error = worker.crash or PermanentError(
                    f"{held.unit.describe()} was given up: {DEATHS_OF_A_UNIT} workers died on it, "
                    f"the last one {_how_it_ended(worker)}",
                    "the rest of the job went on; if memory is short, use fewer processes with -p",
                )
                yield UnitReport(number, held.cursor, Tally(), error=error)
        worker.in_hand.clear()

    # -- keys and stopping

    def _renew_keys(self) -> Iterator[Event]:
        for sentence in self._keys.news():
            yield Notice(sentence)
        for role, keys in self._keys.renewed():
            for worker in self._workers:
                self._send(worker, NewKeys(role, keys))

    def _with_key_failure(self, report: UnitReport) -> UnitReport:
        """A unit that failed while the keys could not be renewed failed, most likely, because of that."""
        error, failure = report.error, self._keys.failure
        if error is None or not failure:
            return report
        message = f"{error.message}; the AWS keys could not be renewed: {failure}"
        return replace(report, error=type(error)(message, error.hint))

    def _obey_stop(self) -> Iterator[Event]:
        if not self._stop.requests:
            return
        if self._stop_sent_s is None:
            self._stop_sent_s = time.monotonic()
            for worker in self._workers:
                self._send(worker, Stop())
        elif self._stop.requests > 1 or time.monotonic() - self._stop_sent_s > STOP_PATIENCE_S:
            if self._workers:
                yield Notice(
                    "Requests that were not answered in time were given up: what they still write is not counted"
                )
            for worker in self._workers:
                worker.process.kill()

    def kill(self) -> None:
        """End whatever still runs, at once, and reap it."""
        self._keys.end()
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(_EXIT_PATIENCE_S)
            worker.pipe.close()
        self._workers.clear()


def _how_it_ended(worker: _Worker) -> str:
    code = worker.process.exitcode
    if worker.crash is not None:
        return f"failed by an error in ddbio ({hide(worker.crash.message)})"
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"was killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    return f"exited with {code}"
