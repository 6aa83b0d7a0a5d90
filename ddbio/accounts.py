"""The books of a run: every report is entered, and the run may only claim what the books say."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ddbio.errors import EXIT_FAILED, EXIT_OK, EXIT_REJECTED, AbortError, DdbioError, Stopped
from ddbio.units import Cursor, Tally, UnitReport


@dataclass(slots=True)
class Accounts:
    """Sums of a run, and what became of each unit.

    settled: the cursor of each unit that was worked to its end. failed: the error of each that was not.
    """

    tally: Tally = field(default_factory=Tally)
    settled: dict[int, Cursor] = field(default_factory=dict)
    failed: dict[int, DdbioError] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    began_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.began_s = self.clock()

    def enter(self, report: UnitReport) -> None:
        """Enter a report."""
        self.tally.add(report.tally)
        if report.error is not None:
            self.failed[report.unit] = report.error
        elif report.done and report.cursor is not None:
            self.settled[report.unit] = report.cursor

    def seconds(self) -> float:
        return self.clock() - self.began_s


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to: the last word of the library call and of the command.

    tally: its counts. seconds: from the first unit to the last. error: why it is not complete, if it is not.
    """

    tally: Tally
    seconds: float
    error: DdbioError | None

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


def verdict(accounts: Accounts, units: int, *, stopped: bool, partly_planned: bool = False) -> DdbioError | None:
    """Why a run that has ended is not complete; None when it is.

    units: how many were planned. partly_planned: there would have been more.
    """
    aborted = next((error for error in accounts.failed.values() if isinstance(error, AbortError)), None)
    if aborted is not None:
        return aborted
    unfinished = partly_planned or len(accounts.settled) < units
    if stopped and unfinished:
        return Stopped(
            f"stopped after {len(accounts.settled):,} of {'more than ' * partly_planned}{units:,} units of work",
            "what was in flight is settled; run the same command again to do the whole job",
        )
    if accounts.failed:
        first = next(iter(accounts.failed.values()))
        more = f" (and {len(accounts.failed) - 1:,} more units of work failed)" if len(accounts.failed) > 1 else ""
        return type(first)(first.message + more, first.hint)
    if unfinished:
        return AbortError(f"{units - len(accounts.settled):,} units of work were not done", "run the command again")
    return None
