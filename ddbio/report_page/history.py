"""What a journal knows about the course of a job: the data of the page besides the report of the last run.

All of it is JSON: it outlives the journal of a finished job, in `history.json` (`ddbio.job.history`).
"""

from __future__ import annotations

from typing import Any

import msgspec

VERSION = 1  # of the file


class SideSample(msgspec.Struct, array_like=True, gc=False):
    """One table during an interval. units: consumed in it, without indexes that have capacity of their own. cap,
    rate: units per second allowed and in force at its end; None if there is no limit."""

    units: float
    cap: float | None
    rate: float | None


class Sample(msgspec.Struct, array_like=True):
    """An interval of a run. All counts are those of the interval.

    run: from 1. began: seconds since the epoch. sides: one for each table of the job, in the order of
    `History.sides`. latencies: answered requests by class of their duration (`History.latency_bounds`).
    indexes: units by index, of those that have capacity of their own.
    """

    run: int
    began: float
    seconds: float
    read: int
    written: int
    rejected: int
    throttled: int
    retries: int
    sides: list[SideSample]
    reasons: dict[str, int] = {}
    latencies: list[int] = []
    indexes: dict[str, float] = {}

    @property
    def units(self) -> float:
        return sum(side.units for side in self.sides)


class RunOfJob(msgspec.Struct, array_like=True):
    """A run. began: seconds since the epoch. exit_code: None if it was killed, or is running. why: it did not finish
    the job."""

    number: int
    began: float
    seconds: float
    exit_code: int | None = None
    why: str = ""


class Part(msgspec.Struct, array_like=True):
    """A part of the job: a segment of a table, a source file, or several of them.

    name: of the file, or the number of the segment. size_bytes: of a file. done: whether all of it is.
    """

    name: str
    size_bytes: int | None
    done: bool
    read: int
    written: int
    rejected: int
    units: float


class File(msgspec.Struct, array_like=True):
    """A finished file of an export. checksum: as the manifest has it."""

    name: str
    items: int
    size_bytes: int
    checksum: str


class History(msgspec.Struct, kw_only=True):
    """sides: the tables, by role (`source`, `target`). counts, reasons, seconds: of all runs.

    parts: at most `MOST_ROWS`, if there are more then several in one; parts_are: the noun for one of them.
    files: the first of them. all_files: their number. units_of_work, units_done: None if not known.
    latency_bounds: upper bounds of the classes in seconds; the last class has none.
    by_index: capacity units of the table and of each index that has capacity of its own; empty without any.
    item_sizes: items by their size, as upper bounds in bytes and estimated numbers. forecast: of the job's begin.
    rejects, rejects_bytes: of an unfinished job, the file and how much of it counts.
    """

    version: int = VERSION
    sides: list[str] = []
    counts: dict[str, float] = {}
    reasons: dict[str, int] = {}
    seconds: float = 0.0
    runs: list[RunOfJob] = []
    samples: list[Sample] = []
    parts: list[Part] = []
    parts_are: str = "part"
    files: list[File] = []
    all_files: int = 0
    units_of_work: int | None = None
    units_done: int = 0
    latency_bounds: list[float] = []
    by_index: dict[str, float] = {}
    item_sizes: list[tuple[int, int]] = []
    forecast: dict[str, Any] | None = None
    rejects: str = ""
    rejects_bytes: int = 0


MOST_ROWS = 1000  # of parts, and of files
