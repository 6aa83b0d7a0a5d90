"""At most so many items: a number that the lanes of all workers take from, for `--limit`.

A lane takes before it writes, and writes as many items as it got. Each unit of work has a field of its own for what
it took, so that a unit that is begun again, by whichever lane, first gives back what its cursor does not vouch for.

`Limit` is for the lanes of one process, `SharedLimit` for those of all processes of a job: its fields are in a file
that each of them maps. A take is one store of eight bytes under a `flock`: a process that is killed leaves the sum
right, and the lock free.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_FIELD_BYTES = 8


@dataclass(frozen=True, slots=True)
class LimitNeeds:
    """items: that all units together may take. units: how many there are, numbered from 0.

    taken: items that earlier runs took for good, by unit.
    """

    items: int
    units: int
    taken: Mapping[int, int] = field(default_factory=dict)


class Limit:
    """items: how many there are to take. taken: by each unit, so far."""

    def __init__(self, items: int, taken: list[int] | memoryview[int]) -> None:
        self.items = items
        self._taken = taken

    @classmethod
    def of(cls, needs: LimitNeeds) -> Limit:
        return cls(needs.items, _fields(needs))

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
        """How many no unit has taken."""
        return self.items - sum(self._taken)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        yield


class SharedLimit(Limit):
    """Crosses to a worker by pickle: only the path does. units: how many."""

    _taken: memoryview[int]

    def __init__(self, path: Path, items: int, units: int) -> None:
        self.path = path
        self.units = units
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._memory = mmap.mmap(self._file, units * _FIELD_BYTES)
        super().__init__(items, memoryview(self._memory).cast("q"))

    @classmethod
    def create(cls, path: Path, needs: LimitNeeds) -> SharedLimit:
        """The file must not be there. The creator calls `close` and removes it. Raises OSError."""
        path.write_bytes(b"".join(taken.to_bytes(_FIELD_BYTES, sys.byteorder) for taken in _fields(needs)))
        return cls(path, needs.items, needs.units)

    def __reduce__(self) -> tuple[type[SharedLimit], tuple[Path, int, int]]:
        return (SharedLimit, (self.path, self.items, self.units))

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
