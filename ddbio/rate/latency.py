"""The latencies of requests, as a histogram: from the first byte sent to the whole answer, connecting included.

Every answered request counts, refused ones too; a request without an answer does not. Counting costs about a
microsecond a request: each worker adds to cells of its own, without a lock, and the parent sums up those of all
workers when it shows them.

`LocalLatencies` has the cells of one process, `SharedLatencies` those of all processes of a job, in shared memory.
"""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# Upper bounds in seconds, six a decade from 1 ms to 68 s: a quantile is known to 20 %. Slower ones have a cell, too.
BOUNDS_S = tuple(round(step * 10.0**power, 6) for power in range(-3, 2) for step in (1, 1.5, 2.2, 3.3, 4.7, 6.8))
_SUM_AT = len(BOUNDS_S) + 1
_CELLS = 64  # of a worker: a whole number of cache lines
_CELL_BYTES = 8


@dataclass(frozen=True, slots=True)
class Histogram:
    """counts: requests by bound, the last beyond all of `BOUNDS_S`. sum_s: of all latencies."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS_S) + 1)
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def plus(self, other: Histogram) -> Histogram:
        counts = (ours + theirs for ours, theirs in zip(self.counts, other.counts, strict=True))
        return Histogram(tuple(counts), self.sum_s + other.sum_s)

    def minus(self, other: Histogram) -> Histogram:
        """The requests since `other`."""
        counts = (ours - theirs for ours, theirs in zip(self.counts, other.counts, strict=True))
        return Histogram(tuple(counts), self.sum_s - other.sum_s)

    def quantile_s(self, share: float) -> float | None:
        """The latency that this share (0 to 1) of the requests did not exceed, interpolated between two bounds; the
        last bound if it is beyond. None without requests."""
        rank, before = share * self.count, 0
        if not self.count:
            return None
        for number, count in enumerate(self.counts[:-1]):
            if count and before + count >= rank:
                lower = BOUNDS_S[number - 1] if number else 0.0
                return lower + (BOUNDS_S[number] - lower) * (rank - before) / count
            before += count
        return BOUNDS_S[-1]


class Latencies:
    """The cells of one worker. Not thread-safe: one event loop adds to it."""

    def __init__(self, cells: list[float] | memoryview[float]) -> None:
        self._cells = cells

    def add(self, seconds: float) -> None:
        """Count an answer. Called once a request."""
        cells = self._cells
        cells[bisect_left(BOUNDS_S, seconds)] += 1.0
        cells[_SUM_AT] += seconds


class LatencyBoard(Protocol):
    """The cells of all workers of a job."""

    def of_worker(self, worker: int) -> Latencies:
        """worker: its number among those at once; a replacement continues the cells of a dead one."""

    def histogram(self) -> Histogram: ...


class LocalLatencies:
    """For the lanes of one process."""

    def __init__(self) -> None:
        self._cells = [0.0] * _CELLS

    def of_worker(self, worker: int) -> Latencies:
        return Latencies(self._cells)

    def histogram(self) -> Histogram:
        return _histogram([self._cells])

    def cells(self) -> list[float]:
        """For `sum_of_cells`, in another process. May be called from another thread."""
        return self._cells[:]


class SharedLatencies:
    """For all processes of a job: a small file that each maps. Sent to a worker by pickle: only its path is."""

    def __init__(self, path: Path, workers: int) -> None:
        """Opens the file of that path. Raises OSError."""
        self._path, self._workers = path, workers
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._memory = mmap.mmap(file, workers * _CELLS * _CELL_BYTES)
        finally:
            os.close(file)
        self._cells: memoryview[float] = memoryview(self._memory).cast("d")

    @classmethod
    def create(cls, path: Path, workers: int) -> SharedLatencies:
        """The file must not exist. The creator calls `close` and removes it. Raises OSError."""
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags | os.O_EXCL, 0o600)) as file:
            file.write(bytes(workers * _CELLS * _CELL_BYTES))  # real blocks: see `SharedGovernor`
        return cls(path, workers)

    def __reduce__(self) -> tuple[type[SharedLatencies], tuple[Path, int]]:
        return (SharedLatencies, (self._path, self._workers))

    def of_worker(self, worker: int) -> Latencies:
        return Latencies(self._row(worker))

    def histogram(self) -> Histogram:
        return _histogram([self._row(worker).tolist() for worker in range(self._workers)])

    def _row(self, worker: int) -> memoryview[float]:
        return self._cells[worker * _CELLS : (worker + 1) * _CELLS]

    def close(self) -> None:
        self._cells.release()
        self._memory.close()


def sum_of_cells(rows: Sequence[Sequence[float]]) -> Histogram:
    """rows: of `LocalLatencies.cells`, one a process."""
    return _histogram([row for row in rows if len(row) == _CELLS]) if rows else Histogram()


def _histogram(rows: Sequence[Sequence[float]]) -> Histogram:
    sums = [sum(cells) for cells in zip(*rows, strict=True)]
    return Histogram(tuple(map(int, sums[:_SUM_AT])), sums[_SUM_AT])
