"""The governor: keeps the whole job, all its workers, under a cap of capacity units per second.

Protocol of use, by a lane of any worker of any engine (`Pacer` does it for them):

1. `reserve(units)` before the request: takes a place in the queue, first come first served, and returns a *ticket*;
2. `wait_s(ticket)`: 0 when the request may go now, else how long to sleep before asking again. Nobody sleeps inside
   a lock, and a rate that changes meanwhile counts at once;
3. `settle(returned, consumed)` after the answer: gives back what was reserved and not used (unprocessed items),
   charges (a negative return) what was under-estimated;
4. `throttled()` when the table says it gives less than the cap: the effective rate is cut, once an interval and not
   once a worker, and recovers to the cap.

`TokenBucket` is the arithmetic: pure, time passed in, refilled lazily. It counts two totals. *Supply* is what the cap
has allowed since the start and grows with time; *reserved* is what has been asked for. A reservation may go when the
supply has reached its ticket, the value of `reserved` just after it. What makes the ceiling hold in **every** window:

- supply never runs ahead of what is reserved by more than `burst`, so idle time is not saved up;
- whoever starts late, because the machine was busy, forfeits what piled up meanwhile beyond `burst`.

With both, the requests that start in any window of `w` seconds cost at most `rate * w + burst + one request`. The
supply starts at zero, so the first second obeys too.

`LocalGovernor` is a bucket in this process, `SharedGovernor` one in shared memory for all processes of a job.
"""

from __future__ import annotations

import asyncio
import fcntl
import math
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

Answer = TypeVar("Answer")

UNCAPPED = math.inf

BURST_S = 0.01  # of the cap: what may be saved up or caught up; a window of 1 s then holds to 1 % and one request
CUT_INTERVAL_S = 1.0
CUT_FACTOR = 0.7
RECOVERY_PER_S = 0.05  # of the cap (or of the best rate seen, where there is no cap)
MEASURE_OVER_S = 1.0  # time constant of the consumption that is measured
NOTHING = 1e-6  # units: the rounding of floats, which must not make anyone wait
GRANT_S = 0.005  # of the rate: what a worker reserves at once for its next requests
KEEP_GRANT_S = 0.05  # how long it may keep it
TELL_EVERY_S = 0.1  # how often it tells what was consumed


@dataclass(slots=True)
class TokenBucket:
    """One budget of capacity units. All times are monotonic seconds, all amounts capacity units.

    cap: units per second the user allows; infinite for none.
    rate: units per second in force: the cap, or less while the table throttles.
    """

    cap: float
    rate: float
    updated_s: float
    supply: float = 0.0
    reserved: float = 0.0
    cut_at_s: float = -math.inf
    measured: float = 0.0  # units per second, a decaying average
    measured_at_s: float = 0.0

    @classmethod
    def of(cls, cap: float, now_s: float) -> TokenBucket:
        return cls(cap=cap, rate=cap, updated_s=now_s, measured_at_s=now_s)

    @property
    def burst(self) -> float:
        return 0.0 if math.isinf(self.rate) else self.rate * BURST_S

    def refill(self, now_s: float) -> None:
        elapsed_s = now_s - self.updated_s
        if elapsed_s <= 0:  # a clock read before another process's update
            return
        self.updated_s = now_s
        if math.isinf(self.rate):
            return
        rate_before = self.rate
        if self.rate < self.cap:
            self.rate = min(self.cap, self.rate + self._recovery_per_s() * elapsed_s)
        gained = (rate_before + self.rate) / 2 * elapsed_s
        # A refund may have put the supply above its ceiling: it then stays, but does not grow.
        self.supply = min(self.supply + gained, max(self.supply, self.reserved + self.burst))

    def _recovery_per_s(self) -> float:
        reference = self.cap if not math.isinf(self.cap) else max(self.rate, self.measured)
        return max(reference * RECOVERY_PER_S, 0.1)

    def reserve(self, now_s: float, units: float) -> float:
        """Queue up for `units`; the ticket."""
        self.refill(now_s)
        self.reserved += units
        return self.reserved

    def wait_s(self, now_s: float, ticket: float) -> float:
        """0 when the holder of `ticket` may start, which it then must; else seconds until it probably may."""
        self.refill(now_s)
        if math.isinf(self.rate):
            return 0.0
        if ticket - self.supply <= NOTHING:
            self.supply = min(self.supply, ticket + self.burst)
            return 0.0
        return (ticket - self.supply) / self.rate

    def settle(self, now_s: float, returned: float, consumed: float) -> None:
        """Give back what was reserved and not used (less than nothing where more was used), and note consumption."""
        self.refill(now_s)
        self.supply += returned
        decay = math.exp(-max(0.0, now_s - self.measured_at_s) / MEASURE_OVER_S)
        self.measured = self.measured * decay + consumed / MEASURE_OVER_S
        self.measured_at_s = max(self.measured_at_s, now_s)

    def set_cap(self, now_s: float, cap: float) -> None:
        """The user allows something else from now on."""
        self.refill(now_s)
        self.rate = cap if self.rate >= self.cap else min(self.rate, cap)
        self.cap = cap

    def values(self) -> tuple[float, ...]:
        """The fields in the order of the constructor."""
        return (
            self.cap,
            self.rate,
            self.updated_s,
            self.supply,
            self.reserved,
            self.cut_at_s,
            self.measured,
            self.measured_at_s,
        )

    def cut(self, now_s: float) -> None:
        """The table gives less than this: lower the effective rate, at most once an interval."""
        self.refill(now_s)
        if now_s - self.cut_at_s < CUT_INTERVAL_S:
            return
        self.cut_at_s = now_s
        if math.isinf(self.rate):
            self.supply = self.reserved  # whoever is under way stays so; the queue begins here
            self.rate = max(self.measured, 1.0)
        self.rate = max(self.rate * CUT_FACTOR, min(1.0, self.cap))


class Governor(Protocol):
    """What an engine supplies and a worker uses. See the module's docstring for the protocol of use."""

    def reserve(self, units: float) -> float: ...
    def wait_s(self, ticket: float) -> float: ...
    def settle(self, returned: float, consumed: float) -> None: ...
    def throttled(self) -> None: ...
    def set_cap(self, cap: float) -> None: ...
    def rate(self) -> float:
        """Units per second in force, as of the last change; takes no lock."""


class LocalGovernor:
    """A governor for one process: the inline engine, tests, one executor of a cluster with its share of the cap."""

    def __init__(self, cap: float = UNCAPPED, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bucket = TokenBucket.of(cap, clock())

    def reserve(self, units: float) -> float:
        return self._bucket.reserve(self._clock(), units)

    def wait_s(self, ticket: float) -> float:
        return self._bucket.wait_s(self._clock(), ticket)

    def settle(self, returned: float, consumed: float) -> None:
        self._bucket.settle(self._clock(), returned, consumed)

    def throttled(self) -> None:
        self._bucket.cut(self._clock())

    def set_cap(self, cap: float) -> None:
        self._bucket.set_cap(self._clock(), cap)

    def rate(self) -> float:
        return self._bucket.rate


class SharedGovernor:
    """A governor for all processes of a job: the bucket lives in a small file that each process maps.

    The lock is `flock` on a file description of the process's own: the kernel releases it when the process dies, at
    whatever instruction. (`multiprocessing.Lock` is a semaphore without an owner: killed holders keep it for ever.)
    A new state is written beside the old one and takes effect by one aligned store, so that a process killed while
    it writes leaves the old state whole.

    Crosses to a worker by pickle: only the path does, the worker opens its own description.
    """

    _FIELDS = struct.Struct("=8d")
    _INDEX = struct.Struct("=q")
    _SLOTS_AT = 64
    _SLOT_BYTES = 128

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._memory = mmap.mmap(self._file, self._SLOTS_AT + 2 * self._SLOT_BYTES)

    @classmethod
    def create(cls, cap: float, clock: Callable[[], float] = time.monotonic) -> SharedGovernor:
        """Make the shared state of a new job. The creator calls `close` and `unlink` at the job's end."""
        handle, name = tempfile.mkstemp(prefix="ddbio-governor-")
        os.ftruncate(handle, cls._SLOTS_AT + 2 * cls._SLOT_BYTES)
        os.close(handle)
        governor = cls(Path(name), clock)
        governor._store(TokenBucket.of(cap, clock()))
        return governor

    def __reduce__(self) -> tuple[type[SharedGovernor], tuple[Path]]:
        return (SharedGovernor, (self.path,))

    def reserve(self, units: float) -> float:
        return self._locked(lambda bucket: bucket.reserve(self._clock(), units))

    def wait_s(self, ticket: float) -> float:
        return self._locked(lambda bucket: bucket.wait_s(self._clock(), ticket))

    def settle(self, returned: float, consumed: float) -> None:
        self._locked(lambda bucket: bucket.settle(self._clock(), returned, consumed))

    def throttled(self) -> None:
        self._locked(lambda bucket: bucket.cut(self._clock()))

    def set_cap(self, cap: float) -> None:
        self._locked(lambda bucket: bucket.set_cap(self._clock(), cap))

    def rate(self) -> float:
        return self._load().rate

    def _locked(self, change: Callable[[TokenBucket], Answer]) -> Answer:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            bucket = self._load()
            answer = change(bucket)
            self._store(bucket)
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        return answer

    def _load(self) -> TokenBucket:
        (index,) = self._INDEX.unpack_from(self._memory, 0)
        return TokenBucket(*self._FIELDS.unpack_from(self._memory, self._slot_at(index)))

    def _store(self, bucket: TokenBucket) -> None:
        (index,) = self._INDEX.unpack_from(self._memory, 0)
        self._FIELDS.pack_into(self._memory, self._slot_at(index + 1), *bucket.values())
        self._INDEX.pack_into(self._memory, 0, index + 1)

    def _slot_at(self, index: int) -> int:
        return self._SLOTS_AT + (index % 2) * self._SLOT_BYTES

    def close(self) -> None:
        self._memory.close()
        os.close(self._file)

    def unlink(self) -> None:
        with suppress(OSError):
            self.path.unlink()


class Pacer:
    """The lanes' side of the governor inside an event loop: asks, sleeps, asks again. One a worker.

    At rates where a lock for every request would cost more than the request's own work, it reserves for a few
    requests at once (`GRANT_S` of the rate): the lanes then take from this *allowance*. An allowance that is not used
    soon goes back, so that it cannot pile up.

    sleep: awaited with seconds; injected so that tests tick by hand.
    """

    def __init__(
        self,
        governor: Governor,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._governor = governor
        self._sleep = sleep
        self._clock = clock
        self._turn = asyncio.Lock()  # first come, first served
        self._allowance = 0.0
        self._granted_s = 0.0
        self._consumed = 0.0  # not yet told to the governor
        self._told_s = clock()

    async def acquire(self, units: float) -> None:
        """Return when `units` may be consumed."""
        if math.isinf(self._governor.rate()):
            return
        async with self._turn:
            if self._allowance > 0 and self._clock() - self._granted_s > KEEP_GRANT_S:
                self._tell(returned=self._allowance)
            if self._allowance < units:
                await self._ask(units - self._allowance)
            self._allowance -= units

    async def _ask(self, units: float) -> None:
        units = max(units, self._governor.rate() * GRANT_S)
        ticket = self._governor.reserve(units)
        while (wait_s := self._governor.wait_s(ticket)) > 0:
            await self._sleep(wait_s)
        self._allowance += units
        self._granted_s = self._clock()

    def settle(self, estimated: float, consumed: float) -> None:
        """After the answer: what was estimated for the request, and what it consumed."""
        if not math.isinf(self._governor.rate()):
            self._allowance += estimated - consumed
        self._consumed += consumed
        if self._clock() - self._told_s > TELL_EVERY_S:
            self._tell(returned=0.0)

    def throttled(self) -> None:
        """The table gives less than is asked of it."""
        self._tell(returned=0.0)
        self._governor.throttled()

    def _tell(self, *, returned: float) -> None:
        self._governor.settle(returned, self._consumed)
        self._allowance -= returned
        self._consumed = 0.0
        self._told_s = self._clock()
