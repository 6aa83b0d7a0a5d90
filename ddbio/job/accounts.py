"""The accounts of a job: every report is entered, and a run may only claim what they say."""

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
from ddbio.messages import ChunkUnit, Cursor, SegmentUnit, SliceUnit, Tally, Unit, UnitReport

GO_ON = "run the same command again to resume"
KEPT = "what is done is kept"


@dataclass(frozen=True, slots=True)
class Past:
    """What the earlier runs of a job came to; nothing where this is the first."""

    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    runs: int = 0


@dataclass(slots=True)
class Accounts:
    """Sums of a run, and what became of each unit of its job.

    past: what came before this run. tally: of this run; total: of all runs. settled: the cursor of each unit that was
    worked to its end, in whatever run. failed: the error of each that was not, in this one. clock: seconds.
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
        """What went wrong with which unit, a sentence each."""
        for unit in units if self.failed else ():
            if unit.number in self.failed:
                yield f"{unit.describe()}: {self.failed[unit.number]}"

    def seconds(self) -> float:
        """Of this run."""
        return self.clock() - self.began_s


@dataclass(frozen=True, slots=True)
class Result:
    """What a job came to, in all its runs: the last word of the library call and of the command.

    tally: its counts. seconds: from the first unit to the last. error: why it is not complete, if it is not.
    past: what of that earlier runs did. failures: what went wrong with single units of work, a sentence each.
    warnings: what went wrong beside the transfer and does not change what it came to, a sentence each.
    """

    tally: Tally
    seconds: float
    error: DdbioError | None
    past: Past = field(default_factory=Past, kw_only=True)
    failures: tuple[str, ...] = field(default=(), kw_only=True)
    warnings: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def exit_code(self) -> int:
        """0 only when everything read is accounted for and nothing was rejected."""
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
    """The same error with what to do next: repeat the command, but only if that may help."""
    if isinstance(error, UsageError) or "run the same command again" in error.hint:
        return error
    advice = GO_ON if error.repeatable else KEPT
    return error.reworded(error.message, f"{error.hint}; {advice}" if error.hint else advice)


def verdict(
    accounts: Accounts, units: Sequence[Unit], *, stopped: bool, partly_planned: bool = False
) -> DdbioError | None:
    """Why a job is not complete after a run; None when it is.

    units: those that were planned. partly_planned: there would have been more.
    """
    aborted = next((error for error in accounts.failed.values() if isinstance(error, AbortError)), None)
    if aborted is not None:
        return aborted
    unfinished = partly_planned or len(accounts.settled) < len(units)
    if stopped and unfinished:
        return Stopped(
            f"stopped after {_extent(accounts, units, partly_planned=partly_planned)}",
            "what was in flight is settled",
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
    """How much of a job is done, in words that a user has for it."""
    if any(isinstance(unit, SegmentUnit) for unit in units):
        return f"{len(accounts.settled):,} of {len(units):,} segments"
    total = sum(map(_source_bytes, units))
    if partly_planned or not total:
        return f"{accounts.total.read:,} records"
    return f"{min(accounts.total.bytes / total, 1.0):.0%} of the source"


def _source_bytes(unit: Unit) -> int:
    if isinstance(unit, SliceUnit):
        return unit.stop - unit.start
    return unit.bytes if isinstance(unit, ChunkUnit) else 0
