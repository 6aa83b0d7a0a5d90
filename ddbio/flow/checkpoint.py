"""The checkpoint: the settled position of each lane, in memory that outlives its process.

A report crosses a pipe, which costs too much for every batch. So each lane has a *slot* in a small file that all
processes of the job map, and writes there, in about a microsecond, the content of a report. After a process died, the
parent (for a worker) or the next run (for the parent) reads it and resumes: at most the last batch of each lane is
repeated.

Rules:

- A state holds the totals of a unit since its beginning, not increments. So it can be compared with the reports, and
  nothing is counted twice however often it is read.
- It counts only if it is further than the last report *and* all rejects that it counts were reported: rejects are
  sent in reports only. A lane with unreported rejects does not write its state.
- A slot holds the last two states of the lane's unit and of the unit before it, whose last report may not have
  arrived. A new state replaces the older of the two and has a checksum: a process that is killed during the write
  leaves the other one intact.
- A worker holds a shared lock on the file until it exits: once a process has the exclusive lock, no worker writes.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ddbio.errors import TransferError, UsageError
from ddbio.messages import Cursor, ImportCursor, Tally, UnitReport
from ddbio.messages.counts import COUNTS, RECORDED

ORPHANS_PATIENCE_S = 10.0  # for the workers of a killed parent to exit: they normally do within milliseconds

_KINDS = [each.kind for name in RECORDED for each in COUNTS if each.name == name]
_PACKED = struct.Struct("=4q" + "".join("d" if kind is float else "q" for kind in _KINDS))
_CHECKSUM = struct.Struct("=I")
_STATE_BYTES = 192
_STATES = 4  # two for each of the last two units
_SLOT_BYTES = _STATE_BYTES * _STATES
assert _PACKED.size + _CHECKSUM.size <= _STATE_BYTES


@dataclass(frozen=True, slots=True)
class LaneState:
    """The position of a lane in a unit, and the unit's totals up to there."""

    unit: int
    done: bool
    cursor: ImportCursor
    tally: Tally

    def since(self, cursor: Cursor | None, tally: Tally) -> UnitReport | None:
        """A report of the progress since the unit's last known cursor and totals. None if there is no progress, or if
        the state counts rejects that were not reported."""
        known = _position(cursor) if isinstance(cursor, ImportCursor) else (-1, -1)
        if self.tally.rejected != tally.rejected or (_position(self.cursor) <= known and not self.done):
            return None
        return UnitReport(self.unit, self.cursor, self.tally.minus(tally), done=self.done)


def _position(cursor: ImportCursor) -> tuple[int, int]:
    """For comparison: the rows of one block of an Avro file have one offset, and differ in their number."""
    return cursor.offset, cursor.lines


class LaneSlot:
    """One lane's part of the memory."""

    def __init__(self, memory: mmap.mmap, at: int) -> None:
        self._memory = memory
        self._at = at
        self._newest = 0  # of its states

    def next_unit(self) -> None:
        """Start a new unit; the last state of the one before is kept."""
        self._newest ^= 2

    def write(self, *state: float) -> None:
        """unit, done, offset and lines of the cursor, then the counts of `RECORDED`."""
        data = _PACKED.pack(*state)
        self._newest ^= 1
        at = self._at + self._newest * _STATE_BYTES
        self._memory[at : at + len(data) + 4] = data + _CHECKSUM.pack(zlib.crc32(data))


class Checkpoint:
    """The memory of all lanes of a run. Pickled to a worker as its path.

    path: of the file, which must exist. lanes: number of lanes of each worker.
    """

    def __init__(self, path: Path, lanes: int) -> None:
        self.path = path
        self.lanes = lanes
        self._file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._size = os.fstat(self._file).st_size
        self._memory = mmap.mmap(self._file, self._size)

    @classmethod
    def create(cls, path: Path, workers: int, lanes: int) -> Checkpoint:
        """A new checkpoint for that many concurrent workers. The creator calls `close` and `unlink`."""
        try:
            with open(path, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
                for _ in range(workers):  # real blocks: a store into a hole of a full disk is a SIGBUS
                    file.write(bytes(lanes * _SLOT_BYTES))
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise TransferError(
                f'cannot create "{path}": {error.strerror}',
                "make room, or give another place with --state-dir",
            ) from None
        return cls(path, lanes)

    def __reduce__(self) -> tuple[type[Checkpoint], tuple[Path, int]]:
        return (Checkpoint, (self.path, self.lanes))

    def attend(self) -> None:
        """Called by a worker before its first unit: holds the lock until the process ends.

        Raises FileNotFoundError if the run is over: the parent waited for its workers before this one had started.
        """
        fcntl.flock(self._file, fcntl.LOCK_SH)
        if self.path.stat().st_ino != os.fstat(self._file).st_ino:
            raise FileNotFoundError(self.path)

    def slot(self, worker: int, lane: int) -> LaneSlot:
        return LaneSlot(self._memory, (worker * self.lanes + lane) * _SLOT_BYTES)

    def states(self, worker: int | None = None) -> list[LaneState]:
        """The states of the lanes of one worker, or of all workers, in the order of their offsets."""
        worker_bytes = self.lanes * _SLOT_BYTES
        start, stop = (0, self._size) if worker is None else (worker * worker_bytes, (worker + 1) * worker_bytes)
        return _states_in(self._memory, range(start, stop, _STATE_BYTES))

    def close(self) -> None:
        self._memory.close()
        os.close(self._file)

    def unlink(self) -> None:
        with suppress(OSError):
            self.path.unlink()


class OwnSlots:
    """The memory of the lanes of one process, without a file: for a process whose parent is on another machine, and
    gets copies of it."""

    def __init__(self, lanes: int) -> None:
        self._memory = mmap.mmap(-1, lanes * _SLOT_BYTES)
        self._lanes = lanes

    def slots(self) -> Iterator[LaneSlot]:
        return (LaneSlot(self._memory, lane * _SLOT_BYTES) for lane in range(self._lanes))

    def copy(self) -> bytes:
        """May be called from another thread: a state that is only half copied does not count."""
        return self._memory[:]


def states_in(copy: bytes) -> list[LaneState]:
    """The states in a copy of `OwnSlots`, in the order of their offsets."""
    return _states_in(copy, range(0, len(copy) - _STATE_BYTES + 1, _STATE_BYTES))


def states_left(path: Path, patience_s: float = ORPHANS_PATIENCE_S) -> list[LaneState]:
    """The states in the checkpoint of a killed run, in the order of offsets, once the workers of that run have ended.

    The file may be truncated, overwritten or no regular file: only states with a valid checksum count, and all other
    work is repeated. Raises UsageError if workers do not end in time.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    with os.fdopen(file, "rb") as opened:
        _wait_for_workers(file, patience_s)
        try:
            content = opened.read() or b""  # None for an empty pipe
        except OSError:
            return []
    return states_in(content)


def _states_in(memory: mmap.mmap | bytes | bytearray, starts: Iterable[int]) -> list[LaneState]:
    """The completely written states, in the order of their offsets."""
    return sorted(_written_whole(memory, starts), key=lambda state: (*_position(state.cursor), state.done))


def _written_whole(memory: mmap.mmap | bytes | bytearray, starts: Iterable[int]) -> Iterator[LaneState]:
    for at in starts:
        data = memory[at : at + _PACKED.size]
        (checksum,) = _CHECKSUM.unpack_from(memory, at + _PACKED.size)
        if checksum == zlib.crc32(data) and any(data):
            unit, done, offset, lines, *counts = _PACKED.unpack(data)
            tally = Tally(**dict(zip(RECORDED, counts, strict=True)))
            yield LaneState(unit, bool(done), ImportCursor(offset, lines), tally)


def _wait_for_workers(file: int, patience_s: float) -> None:
    """Return when no worker has a lock on the file any more."""
    deadline_s = time.monotonic() + patience_s
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        if time.monotonic() > deadline_s:
            raise UsageError(
                "workers of an earlier run of this job are still alive", 'end them; `ps` shows "ddbio worker"'
            )
        time.sleep(0.02)
