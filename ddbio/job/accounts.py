"""The accounts of a job: every report is entered, and a run may claim only what the accounts show."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ddbio.errors import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_REJECTED,
    AbortError,
    DdbioError,
    InternalError,
    Stopped,
    UsageError,
)
from ddbio.messages import ChunkUnit, Cursor, PartitionUnit, SegmentUnit, SliceUnit, Tally, Unit, UnitReport

GO_ON = "run the same command again to resume"
KEPT = "what is done is kept"


@dataclass(frozen=True, slots=True)
class Past:
    """The results of a job's earlier runs; all 0 if there are none."""

    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    runs: int = 0


@dataclass(slots=True)
class Accounts:
    """Sums of a run, and the outcome of each unit of its job.

    past: the earlier runs. tally: of this run; total: of all runs. settled: the last cursor of each finished unit, in
    any run. failed: the error of each unit that failed in this run. clock: seconds.
    """

    past: Past = field(default_factory=Past)
    tally: Tally = field(default_factory=Tally)
    settled: dict[int, Cursor] = field(default_factory=dict)
    failed: dict[int, DdbioError] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    total: Tally = field(init=False)
    began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.total = self.past.tally.copy()
        self.began_s = self.clock()

    def enter(self, report: UnitReport) -> None:
        """Enter a report."""
        self.tally.add(report.tally)
        self.total.add(report.tally)
        if report.error is not None:
            self.failed[report.unit] = report.error
        elif report.done and report.cursor is not None:
            self.settled[report.unit] = report.cursor
            self.failed.pop(report.unit, None)

    def failures(self, units: Iterable[Unit]) -> Iterator[str]:
        """The errors of units, a sentence each."""
        for unit in units if self.failed else ():
            if unit.number in self.failed:
                yield f"{unit.describe()}: {self.failed[unit.number]}"

    def seconds(self) -> float:
        """Of this run."""
        return self.clock() - self.began_s


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a job, over all its runs: returned by the library call, and shown by the command.

    tally: its counts. seconds: from the first unit to the last. error: the reason if it is not complete.
    past: the share of earlier runs. failures: errors of single units of work, a sentence each.
    warnings: problems outside the transfer that do not change its outcome, a sentence each.
    caps_changed: kinds of the caps, RCU and WCU, that changed during the run. indexes_apart: those with budgets of
    their own: the tally has their units, too, and the cap of their table does not hold them.
    """

    tally: Tally
    seconds: float
    error: DdbioError | None
    past: Past = field(default_factory=Past, kw_only=True)
    failures: tuple[str, ...] = field(default=(), kw_only=True)
    warnings: tuple[str, ...] = field(default=(), kw_only=True)
    caps_changed: tuple[str, ...] = field(default=(), kw_only=True)
    indexes_apart: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def exit_code(self) -> int:
        """0 only if everything read is accounted for and nothing was rejected."""
        if self.error is not None:
            return self.error.exit_code
        if self.tally.unsettled():
            return EXIT_FAILED
        return EXIT_REJECTED if self.tally.rejected else EXIT_OK

    @property
    def units_per_s(self) -> float:
        """Average capacity units per second."""
        return self.tally.units / self.seconds if self.seconds > 0 else 0.0


def outcome(accounts: Accounts, error: DdbioError | None, units: Iterable[Unit]) -> dict[str, Any]:
    """The fields of `Result`."""
    return {
        "tally": accounts.total,
        "seconds": accounts.past.seconds + accounts.seconds(),
        "error": error and _resumable(error),
        "past": accounts.past,
        "failures": tuple(accounts.failures(units)),
    }


def _resumable(error: DdbioError) -> DdbioError:
    """The same error with a hint to repeat the command, but only if that may help."""
    if isinstance(error, UsageError) or "run the same command again" in error.hint:
        return error
    return advised(error, GO_ON if error.repeatable else KEPT)


def advised(error: DdbioError, advice: str) -> DdbioError:
    """The same error with advice after its own hint."""
    return error.reworded(error.message, f"{error.hint}; {advice}" if error.hint else advice)


def not_kept(error: DdbioError, advice: str) -> DdbioError:
    """The error of a job that keeps nothing, and so cannot be resumed. advice: says to run the same command again."""
    return error.reworded(error.message, advice) if isinstance(error, Stopped) else advised(error, advice)


def verdict(
    accounts: Accounts, units: Sequence[Unit], *, stopped: bool, partly_planned: bool = False
) -> DdbioError | None:
    """Why a job is not complete after a run; None if it is.

    units: those that were planned. partly_planned: more would have followed.
    """
    aborted = next((error for error in accounts.failed.values() if isinstance(error, AbortError)), None)
    if aborted is not None:
        return aborted
    unfinished = partly_planned or len(accounts.settled) < len(units)
    if stopped and unfinished:
        return Stopped(
            f"stopped after {_extent(accounts, units, partly_planned=partly_planned)}",
            "requests in flight were settled",
        )
    if accounts.failed:
        faults = [error for error in accounts.failed.values() if isinstance(error, InternalError)]
        first = next(iter(faults or accounts.failed.values()))  # one of ours decides on the exit code
        others = len(accounts.failed) - 1
        more = f" (and {others:,} more failure{'s' * (others != 1)} of the kind in the report)" if others else ""
        return first.reworded(first.message + more, first.hint)
    if unfinished:
        return AbortError(f"the work ended after {_extent(accounts, units, partly_planned=partly_planned)}")
    return None


def _extent(accounts: Accounts, units: Sequence[Unit], *, partly_planned: bool) -> str:
    """How much of a job is done, in a user's words."""
    for kind, noun in ((SegmentUnit, "segments"), (PartitionUnit, "partitions")):
        if any(isinstance(unit, kind) for unit in units):
            items = accounts.total.read
            extent = f"{len(accounts.settled):,} of {len(units):,} {noun}"
            return f"{items:,} item{'s' * (items != 1)}, with {extent} complete" if items else extent
    total = sum(map(_source_bytes, units))
    if partly_planned or not total:
        return f"{accounts.total.read:,} records"
    return f"{min(accounts.total.bytes / total, 1.0):.0%} of the source"


def _source_bytes(unit: Unit) -> int:
    if isinstance(unit, SliceUnit):
        return unit.stop - unit.start
    return unit.bytes if isinstance(unit, ChunkUnit) else 0
