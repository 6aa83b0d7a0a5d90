"""`--limit`: an allowance of items shared by the lanes of all workers.

A lane takes items from the allowance before it writes them, and writes as many as it was granted. Each unit of work
has its own field for the items it took, so that a unit that is restarted, by any lane, first returns those that its
cursor does not account for.

`Limit` serves the lanes of one process, `SharedLimit` those of all processes of a job: its fields are in a file that
each process maps. A take is one store of eight bytes under a `flock`: if a process is killed, the sum is still right
and the lock is free.

Items of an edit stay changed even if nobody could report it. So the file of its limit is `kept` for the next run, and
a unit that is begun again returns nothing: a lane that stops in order gives back what it did not send.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

_FIELD_BYTES = 8


@dataclass(frozen=True, slots=True)
class LimitNeeds:
    """items: maximum for all units together. units: number of units, numbered from 0.

    taken: items that earlier runs took and settled, by unit.
    kept: the file of the limit of an edit, for all runs; None for a limit whose units are repeated without harm.
    """

    items: int
    units: int
    taken: Mapping[int, int] = field(default_factory=dict)
    kept: Path | None = None


class Limit:
    """items: the allowance. taken: items taken so far, by unit. kept: see `LimitNeeds`."""

    def __init__(self, items: int, taken: list[int] | memoryview[int], *, kept: bool = False) -> None:
        self.items = items
        self.kept = kept
        self._taken = taken

    @classmethod
    def of(cls, needs: LimitNeeds) -> Limit:
        return cls(needs.items, _fields(needs))

    def begin(self, unit: int, settled: int) -> None:
        """Start a unit, perhaps again. settled: items that it has taken and settled."""
        with self._locked():
            self._taken[unit] = max(settled, self._taken[unit]) if self.kept else settled

    def take(self, unit: int, wanted: int) -> int:
        """Take up to `wanted` items for the unit; returns the number granted."""
        with self._locked():
            granted = max(0, min(wanted, self.left()))
            self._taken[unit] += granted
        return granted

    def give_back(self, unit: int, items: int) -> None:
        """Return items that the unit took and did not send."""
        with self._locked():
            self._taken[unit] -= items

    def left(self) -> int:
        """The number of items that no unit has taken."""
        return self.items - sum(self._taken)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        yield


class SharedLimit(Limit):
    """Pickled to a worker as its path. units: number of units."""

    _taken: memoryview[int]

    def __init__(self, path: Path, items: int, units: int, *, kept: bool = False) -> None:
        self.path = path
        self.units = units
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._memory = mmap.mmap(self._file, units * _FIELD_BYTES)
        super().__init__(items, memoryview(self._memory).cast("q"), kept=kept)

    @classmethod
    def create(cls, path: Path, needs: LimitNeeds) -> SharedLimit:
        """The file must not exist. The creator calls `close` and removes it. Raises OSError."""
        path.write_bytes(b"".join(taken.to_bytes(_FIELD_BYTES, sys.byteorder) for taken in _fields(needs)))
        return cls(path, needs.items, needs.units)

    @classmethod
    def keep(cls, path: Path, needs: LimitNeeds) -> SharedLimit:
        """Open the file of earlier runs, or make it; it is only ever extended. The creator calls `close`.

        Raises OSError.
        """
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            units = max(needs.units, os.fstat(file).st_size // _FIELD_BYTES)
            os.ftruncate(file, units * _FIELD_BYTES)
        finally:
            os.close(file)
        limit = cls(path, needs.items, units, kept=True)
        for unit, taken in needs.taken.items():
            limit.begin(unit, taken)
        return limit

    def __reduce__(self) -> tuple[Callable[..., SharedLimit], tuple[Path, int, int]]:
        return (partial(SharedLimit, kept=self.kept), (self.path, self.items, self.units))

    def close(self) -> None:
        self._taken.release()
        self._memory.close()
        os.close(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)


def _fields(needs: LimitNeeds) -> list[int]:
    return [needs.taken.get(unit, 0) for unit in range(needs.units)]
