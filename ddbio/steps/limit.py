"""At most so many items: a budget that all lanes of all processes take from, for `--limit`.

A lane takes before it writes, and writes what it got. What each unit of work took stands in a field of its own, so
that a unit which is begun again, by whoever, first gives back what its cursor does not vouch for. A take is one store
of eight bytes under a `flock`: a process that is killed leaves the sum right, and the lock free.

Crosses to a worker by pickle, as the governor does: only the path.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ddbio.system.scratch import Scratch, no_room

_FIELD_BYTES = 8


class SharedQuota:
    """limit: how many items there are to take. units: how many units of work, numbered from 0, take them."""

    def __init__(self, path: Path, limit: int, units: int) -> None:
        self.path = path
        self.limit = limit
        self.units = units
        self._scratch: Scratch | None = None  # of the creator
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._memory = mmap.mmap(self._file, units * _FIELD_BYTES)
        self._taken = memoryview(self._memory).cast("q")

    @classmethod
    def create(cls, limit: int, units: int) -> SharedQuota:
        """A quota of which nothing is taken. The creator calls `close` and `unlink`."""
        scratch = Scratch.create()
        path = scratch.path / "quota"
        try:
            path.write_bytes(bytes(units * _FIELD_BYTES))
        except OSError as error:
            scratch.remove()
            raise no_room(error) from None
        quota = cls(path, limit, units)
        quota._scratch = scratch
        return quota

    def __reduce__(self) -> tuple[type[SharedQuota], tuple[Path, int, int]]:
        return (SharedQuota, (self.path, self.limit, self.units))

    def begin(self, unit: int, settled: int) -> None:
        """A unit is begun, perhaps again. settled: items it has taken for good."""
        with self._locked():
            self._taken[unit] = settled

    def take(self, unit: int, wanted: int) -> int:
        """How many of `wanted` items may still be written: so many the unit has taken now."""
        with self._locked():
            granted = max(0, min(wanted, self.left()))
            self._taken[unit] += granted
        return granted

    def left(self) -> int:
        """How many nobody has taken."""
        return self.limit - sum(self._taken)

    def close(self) -> None:
        self._taken.release()
        self._memory.close()
        os.close(self._file)

    def unlink(self) -> None:
        """Called by the creator alone."""
        if self._scratch is not None:
            self._scratch.remove()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
