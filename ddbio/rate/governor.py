"""The governor: keeps the whole job, all its workers, under a cap of capacity units per second.

A job has one or more **budgets**: its table, and on a provisioned table each global index, which has capacity of its
own. Amounts are tuples, one number a budget, the table first. Protocol of use, by a lane of any worker of any engine
(`ddbio.rate.pacer` does it for them):

1. `start(Place.of(*costs))` before the request: starts it, or returns its place in the queue and the time to sleep
   before the next attempt with that place. So no lane sleeps inside a lock, and a change of the rate takes effect at
   once. `queue_up` takes a place without an attempt, `leave` gives it up;
2. `settle(returned, consumed)` after the answer: returns unused units (unprocessed items), or charges the units of
   an underestimate (a negative return);
3. `throttled(budget)` if the table refuses requests below the cap: cuts the effective rate, once an interval and not
   once a worker; the rate then rises step by step to the cap again.

The cost of a scan's page is known only from its answer, so pages have separate methods, `start_page` and
`settle_page`. They hold the first budget to the rules of `ddbio.rate.window`.

`LocalGovernor` is a governor in this process, `SharedGovernor` one in shared memory for all processes of a job; the
arithmetic of both is `ddbio.rate.budgets`.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from ddbio.rate.buckets import UNCAPPED, BudgetRates, TokenBucket, Units
from ddbio.rate.budgets import Budgets, Place, Start
from ddbio.rate.window import PageBudget, PageCost, PageStart, Window

Answer = TypeVar("Answer")

_NUMBER_BYTES = 8  # a double
_ROOM_BYTES = 16_384  # of the shared file to begin with: more than a table with all the indexes it may have needs


class Governor(Protocol):
    """Supplied by an engine, used by its workers. See the module's docstring for the protocol of use."""

    def queue_up(self, place: Place) -> Place: ...
    def start(self, place: Place) -> Start: ...
    def leave(self, place: Place) -> None: ...
    def settle(self, returned: Units, consumed: Units, *, progress: bool | None = None) -> None: ...

    def start_page(self, place: Place, most: float) -> PageStart:
        """most: the most that the page can cost."""

    def settle_page(self, page: PageCost) -> None: ...

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        """budget: the one that was short; None if the service named none. hot: only a range of keys is short."""

    def set_cap(self, cap: float, budget: int = 0) -> None:
        """The cap of a budget from now on; the first is the table's."""

    def rates(self) -> Units:
        """Units per second in force for each budget, as of the last change; takes no lock."""

    def now(self) -> tuple[BudgetRates, ...]:
        """All budgets at this moment; takes no lock."""

    def progress_s(self) -> float:
        """Time of the job's last consumption, on the governor's clock; takes no lock."""


class Pacing(Protocol):
    """A worker's side of the governor, for the code that sends requests: `Pacer`, and `PagePacer` for pages."""

    async def acquire(self, costs: Units) -> Any:
        """Return as soon as a request of this estimated cost may start. Returns the claim for `settle`."""

    def settle(self, claim: Any, consumed: Units, *, in_vain: bool = False, answered: bool = True) -> None: ...
    def throttled(self, budget: int | None, *, hot: bool = False) -> None: ...
    def left_unprocessed(self, *, partly: bool) -> None: ...
    def request_units(self) -> Units: ...
    def progress_s(self) -> float: ...


class _Governing:
    """The methods of both governors; they access the budgets through `_change`."""

    _clock: Callable[[], float]
    _window: Window

    def _change(self, change: Callable[[Budgets], Answer]) -> Answer:
        """Keep every other lane of the job from changing the budgets meanwhile."""
        raise NotImplementedError

    def queue_up(self, place: Place) -> Place:
        return self._change(lambda budgets: budgets.queue_up(self._clock(), place))

    def start(self, place: Place) -> Start:
        return self._change(lambda budgets: budgets.start(self._clock(), place))

    def leave(self, place: Place) -> None:
        self._change(lambda budgets: budgets.leave(place))

    def settle(self, returned: Units, consumed: Units, *, progress: bool | None = None) -> None:
        self._change(lambda budgets: budgets.settle(self._clock(), returned, consumed, progress=progress))

    def start_page(self, place: Place, most: float) -> PageStart:
        return self._change(lambda budgets: PageBudget(budgets, self._window).start(self._clock(), place, most))

    def settle_page(self, page: PageCost) -> None:
        self._change(lambda budgets: PageBudget(budgets, self._window).settle(self._clock(), page))

    def throttled(self, budget: int | None, *, hot: bool = False) -> None:
        self._change(lambda budgets: budgets.throttled(self._clock(), budget, hot=hot))

    def set_cap(self, cap: float, budget: int = 0) -> None:
        self._change(lambda budgets: budgets.buckets[budget].set_cap(self._clock(), cap))


class LocalGovernor(_Governing):
    """A governor for one process: the inline engine, tests, one executor of a cluster with its share of the cap.

    Thread-safe: a cap may be set from another thread.
    """

    def __init__(self, *caps: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._budgets = Budgets.of(caps or (UNCAPPED,), clock())
        self._window = Window([0.0] * Window.FIELDS)
        self._lock = threading.Lock()

    def _change(self, change: Callable[[Budgets], Answer]) -> Answer:
        with self._lock:
            return change(self._budgets)

    def rates(self) -> Units:
        return self._budgets.rates()

    def now(self) -> tuple[BudgetRates, ...]:
        return self._budgets.now(self._clock())

    def progress_s(self) -> float:
        return self._budgets.progress_s


class SharedGovernor(_Governing):
    """A governor for all processes of a job: the budgets live in a small file that each process maps.

    The lock is `flock` on the process's own file description: the kernel releases it whenever the process dies.
    (`multiprocessing.Lock` is a semaphore without an owner: killed holders keep it for ever.) In one process, only
    one thread at a time may make changes. A new state is written next to the old one and takes effect by one aligned
    store, so that a process killed while it writes leaves the old state intact.

    Sent to a worker by pickle: only the path is, and the worker opens its own description.
    """

    _INDEX = struct.Struct("=q")  # of the newest state, at the start of the file; the two states follow
    _STATES_AT = 64

    def __init__(self, path: Path, budgets: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.budgets = budgets
        self._clock = clock
        self._fields = struct.Struct(f"={len(TokenBucket.FIELDS) * budgets + len(Budgets.SHARED_FIELDS)}d")
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        window_at = self._STATES_AT + 2 * self._fields.size
        size = window_at + Window.FIELDS * _NUMBER_BYTES
        if os.fstat(self._file).st_size < size:
            os.ftruncate(self._file, size)
        self._memory = mmap.mmap(self._file, size)
        self._cells = memoryview(self._memory)[window_at:].cast("d")
        self._window = Window(self._cells)

    @classmethod
    def create(cls, path: Path, *caps: float, clock: Callable[[], float] = time.monotonic) -> SharedGovernor:
        """Create the shared state of a new job. The file must not exist. The creator calls `close` and removes it.
        Raises OSError."""
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
            file.write(bytes(_ROOM_BYTES))  # real blocks: a store into a hole of a full disk is a SIGBUS
        governor = cls(path, len(caps), clock)
        governor._store(Budgets.of(caps, clock()).values())
        return governor

    def __reduce__(self) -> tuple[type[SharedGovernor], tuple[Path, int]]:
        return (SharedGovernor, (self.path, self.budgets))

    def rates(self) -> Units:
        values, width = self._load(), len(TokenBucket.FIELDS)
        return tuple([values[TokenBucket.RATE_AT + number * width] for number in range(self.budgets)])

    def now(self) -> tuple[BudgetRates, ...]:
        return Budgets.from_values(self._load()).now(self._clock())

    def progress_s(self) -> float:
        return self._load()[Budgets.PROGRESS_AT]

    def _change(self, change: Callable[[Budgets], Answer]) -> Answer:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            budgets = Budgets.from_values(self._load())
            answer = change(budgets)
            self._store(budgets.values())
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return answer

    def _load(self) -> Sequence[float]:
        (index,) = self._INDEX.unpack_from(self._memory, 0)
        return self._fields.unpack_from(self._memory, self._state_at(index))

    def _store(self, values: Sequence[float]) -> None:
        (index,) = self._INDEX.unpack_from(self._memory, 0)
        self._fields.pack_into(self._memory, self._state_at(index + 1), *values)
        self._INDEX.pack_into(self._memory, 0, index + 1)

    def _state_at(self, index: int) -> int:
        return self._STATES_AT + (index % 2) * self._fields.size

    def close(self) -> None:
        self._cells.release()
        self._memory.close()
        os.close(self._file)
