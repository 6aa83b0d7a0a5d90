"""The checkpoint: what each lane has settled, in memory that outlives its process.

A report crosses a pipe and is too dear for every batch. So each lane has a *slot* in a small file that all processes
of the job map, and writes there, in about a microsecond, what a report would say now. The process that resumes after
a death, the parent for a worker or the next run for the parent, reads it: at most the last batch of each lane is done
again.

Rules:

- A state holds all that was counted of a unit since its beginning, not what was added. So it can be compared with
  what is known otherwise, and nothing is counted twice however often it is looked at.
- It counts only if it is further than what is known *and* all rejects it counts are known: those travel in reports
  alone. A lane with rejects that are not reported does not write its state.
- A slot holds the last states of the lane's unit and those of the unit before it, whose last report may still have
  been on its way. Each is written beside the older one, with a checksum: a process that is killed while it writes
  leaves the older one.
- A worker holds a lock on the file as long as it lives: once a process has got the lock for itself, no worker writes.
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

ORPHANS_PATIENCE_S = 10.0  # for the workers of a killed parent to see that it is gone: they do within milliseconds

_KINDS = [each.kind for name in RECORDED for each in COUNTS if each.name == name]
_PACKED = struct.Struct("=4q" + "".join("d" if kind is float else "q" for kind in _KINDS))
_CHECKSUM = struct.Struct("=I")
_STATE_BYTES = 160
_STATES = 4  # two for each of the last two units
_SLOT_BYTES = _STATE_BYTES * _STATES
assert _PACKED.size + _CHECKSUM.size <= _STATE_BYTES


@dataclass(frozen=True, slots=True)
class LaneState:
    """How far a lane was in a unit, and all that was counted of the unit up to there."""

    unit: int
    done: bool
    cursor: ImportCursor
    tally: Tally

    def since(self, cursor: Cursor | None, tally: Tally) -> UnitReport | None:
        """A report of what the state holds beyond what is known: a unit's cursor, and what was counted up to it.
        None if that is nothing, or if rejects are missing that the state counts."""
        known = cursor.offset if isinstance(cursor, ImportCursor) else -1
        if self.tally.rejected != tally.rejected or (self.cursor.offset <= known and not self.done):
            return None
        return UnitReport(self.unit, self.cursor, self.tally.minus(tally), done=self.done)


class LaneSlot:
    """A lane's own part of the memory."""

    def __init__(self, memory: mmap.mmap, at: int) -> None:
        self._memory = memory
        self._at = at
        self._newest = 0  # of its states

    def next_unit(self) -> None:
        """Keep what was written last: from now on it is another unit's."""
        self._newest ^= 2

    def write(self, *state: float) -> None:
        """unit, done, offset and lines of the cursor, then the counts of `RECORDED`."""
        data = _PACKED.pack(*state)
        self._newest ^= 1
        at = self._at + self._newest * _STATE_BYTES
        self._memory[at : at + len(data) + 4] = data + _CHECKSUM.pack(zlib.crc32(data))


class Checkpoint:
    """The memory of all lanes of a run. Crosses to a worker by pickle: only the path does.

    path: of the file; it must be there. lanes: of each worker.
    """

    def __init__(self, path: Path, lanes: int) -> None:
        self.path = path
        self.lanes = lanes
        self._file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._size = os.fstat(self._file).st_size
        self._memory = mmap.mmap(self._file, self._size)

    @classmethod
    def create(cls, path: Path, workers: int, lanes: int) -> Checkpoint:
        """A new one for so many workers at once. The creator calls `close` and `unlink`."""
        try:
            with open(path, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
                for _ in range(workers):  # real blocks: a store into a hole of a full disk is a SIGBUS
                    file.write(bytes(lanes * _SLOT_BYTES))
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise TransferError(
                f'cannot make "{path}": {error.strerror}', "make room, or give another place with --state-dir"
            ) from None
        return cls(path, lanes)

    def __reduce__(self) -> tuple[type[Checkpoint], tuple[Path, int]]:
        return (Checkpoint, (self.path, self.lanes))

    def attend(self) -> None:
        """Called by a worker before it works: holds the lock until the process ends.

        Raises FileNotFoundError if the run is over: its workers were waited for before this one had started.
        """
        fcntl.flock(self._file, fcntl.LOCK_SH)
        if self.path.stat().st_ino != os.fstat(self._file).st_ino:
            raise FileNotFoundError(self.path)

    def slot(self, worker: int, lane: int) -> LaneSlot:
        return LaneSlot(self._memory, (worker * self.lanes + lane) * _SLOT_BYTES)

    def states(self, worker: int | None = None) -> list[LaneState]:
        """The states of one worker's lanes or of all, in the order of their offsets."""
        worker_bytes = self.lanes * _SLOT_BYTES
        start, stop = (0, self._size) if worker is None else (worker * worker_bytes, (worker + 1) * worker_bytes)
        return _states_in(self._memory, range(start, stop, _STATE_BYTES))

    def close(self) -> None:
        self._memory.close()
        os.close(self._file)

    def unlink(self) -> None:
        with suppress(OSError):
            self.path.unlink()


def states_left(path: Path, patience_s: float = ORPHANS_PATIENCE_S) -> list[LaneState]:
    """The states in the checkpoint of a killed run, in the order of offsets, once the workers of that run have ended.

    Whatever the file is now: of one that was cut short, overwritten or is no file, only states with a true checksum
    count, and what they do not hold is done again. Raises UsageError if workers do not end in time.
    """
    try:
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    with os.fdopen(file, "rb") as opened:
        _wait_for_workers(file, patience_s)
        try:
            content = opened.read() or b""  # None: a pipe without anything in it
        except OSError:
            return []
    return _states_in(content, range(0, len(content) - _STATE_BYTES + 1, _STATE_BYTES))


def _states_in(memory: mmap.mmap | bytes | bytearray, starts: Iterable[int]) -> list[LaneState]:
    """The states that were written whole, in the order of their offsets."""
    return sorted(_written_whole(memory, starts), key=lambda state: (state.cursor.offset, state.done))


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
