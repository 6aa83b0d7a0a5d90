"""The child side of the process engine: runs `ddbio.flow.context` in a worker process.

A thread reads the pipe all the time, so the parent never blocks on a busy worker, and when the pipe ends, because
the parent ended in any way, the process exits at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import threading
import traceback
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from ddbio.aws.credentials import Keys
from ddbio.engines.environment import Environment, worker_context
from ddbio.engines.lanes import blocking_threads, run_lanes
from ddbio.engines.unit_queue import UnitQueue
from ddbio.errors import EXIT_OK, DdbioError, InternalError
from ddbio.flow.context import Job, new_event_loop
from ddbio.messages import Event
from ddbio.system.user_function import end_threads

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_FROM_KERNEL_BYTES = 32 * 1024 * 1024  # smaller blocks are kept for the next time
PARENT_DECIDES = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)  # the workers ignore these
EXIT_PARENT_GONE = 70
EXIT_CRASHED = 71


@dataclass(frozen=True, slots=True)
class WorkerArguments:
    """The arguments of a worker process. index: among the `workers` that there are at once. keys: by role."""

    number: int
    index: int
    workers: int
    job: Job
    environment: Environment
    keys: dict[str, Keys]


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Parent to worker: newer keys for the table of that role."""

    role: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class Stop:
    """Parent to worker: settle the requests in flight, report, exit."""


@dataclass(frozen=True, slots=True)
class Finish:
    """Parent to worker: there will be no more units."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Worker to parent: a lane has begun this unit."""

    unit: int


@dataclass(frozen=True, slots=True)
class Opened:
    """Worker to parent: the job is open there."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Worker to parent, before it ends: the error for which the job cannot be opened in any worker."""

    error: DdbioError


@dataclass(frozen=True, slots=True)
class Crashed:
    """Worker to parent, before it ends by a fault of ddbio."""

    error: InternalError


def worker_main(pipe: Connection, arguments: WorkerArguments) -> None:
    """The whole life of a worker process."""
    settle_in(f"ddbio worker {arguments.number}")
    try:
        _PipeWorker(pipe, arguments).run()
    except DdbioError as error:  # those of single units are reported by their lanes: this one is about the job
        _send(pipe, Refused(error))
        os._exit(EXIT_CRASHED)
    except BaseException as error:
        _crash(pipe, error)
    end_threads(EXIT_OK)


def _crash(pipe: Connection, error: BaseException) -> None:
    """End by a fault of ours: the parent names it, returns the units and continues without this worker."""
    if os.environ.get("DDBIO_DEBUG"):
        traceback.print_exception(error)
    _send(pipe, Crashed(InternalError.of(error)))
    os._exit(EXIT_CRASHED)


def settle_in(title: str) -> None:
    """Make this process a worker's: its parent decides on signals, and memory is managed for lanes."""
    for each in PARENT_DECIDES:
        signal.signal(each, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENT_DECIDES)
    _name_process(title)
    _relax_collector()
    _keep_freed_memory()


def _name_process(title: str) -> None:
    import setproctitle

    setproctitle.setproctitle(title)


def _relax_collector() -> None:
    """Lanes hold thousands of small dicts that are freed by reference count; scanning them for cycles every few
    hundred allocations costs more than parsing them."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def _keep_freed_memory() -> None:
    """Pages of 1 MB come and go many times a second. By default glibc gives each of them back to the kernel, which
    costs an export of large items a third of its CPU in page faults."""
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _FROM_KERNEL_BYTES)
        mallopt(_M_TRIM_THRESHOLD, 2 * _FROM_KERNEL_BYTES)


def _send(pipe: Connection, message: object) -> None:
    try:
        pipe.send(message)
    except OSError:
        os._exit(EXIT_PARENT_GONE)


class _PipeWorker:
    """Units in from the pipe, reports out to it."""

    def __init__(self, pipe: Connection, arguments: WorkerArguments) -> None:
        self._pipe = pipe
        self._job = arguments.job
        self._keys = arguments.keys
        self._loop = new_event_loop()
        self._units = UnitQueue(lambda unit: _send(pipe, Begun(unit.number)))
        self._context = worker_context(
            arguments.job,
            arguments.environment,
            {role: partial(self._keys.__getitem__, role) for role in self._keys},
            self._report,
            share=1 / arguments.workers,
            worker=arguments.index,
            opened=lambda: _send(pipe, Opened()),
        )

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(self._callback_failed)
        self._loop.set_default_executor(blocking_threads(self._job))
        threading.Thread(target=self._read_pipe, name="pipe", daemon=True).start()
        self._loop.run_until_complete(run_lanes(self._job, self._context, self._units.next))

    def _callback_failed(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A failed callback left its work undone; other errors of the loop come too late to matter."""
        error = context.get("exception")
        if "handle" in context and error is not None:
            _crash(self._pipe, error)

    def _read_pipe(self) -> None:
        while True:
            try:
                message = self._pipe.recv()
            except (EOFError, OSError):
                os._exit(EXIT_PARENT_GONE)
            except Exception as error:  # the message cannot be read: without this the worker would hear nothing more
                self._loop.call_soon_threadsafe(_crash, self._pipe, error)
                return
            self._loop.call_soon_threadsafe(self._take, message)

    def _take(self, message: object) -> None:
        if isinstance(message, NewKeys):
            self._keys[message.role] = message.keys
        elif isinstance(message, Finish):
            self._units.finish()
        elif isinstance(message, Stop):
            self._units.drop()
            self._context.sleep.stop()
        else:
            self._units.give(message)  # type: ignore[arg-type]

    def _report(self, report: Event) -> None:
        _send(self._pipe, report)
