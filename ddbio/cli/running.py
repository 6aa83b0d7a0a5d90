"""What import and export do around a run: signals in, progress out, the exit code at the end."""

from __future__ import annotations

import signal
import sys

from ddbio.accounts import Result
from ddbio.cli.run import fail
from ddbio.engine import StopFlag
from ddbio.progress import BarProgress, LogProgress, Progress


def stop_on_signals() -> StopFlag:
    """A flag that Ctrl-C and SIGTERM raise: once means stop in order, twice at once.

    While no engine is at work there is nothing to settle: they end the command right away.
    """
    stop = StopFlag()

    def handler(_signal: int, _frame: object) -> None:
        stop.ask()
        if not stop.heeded:
            raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, handler)
    return stop


def new_progress() -> Progress:
    """A bar where somebody watches, lines with the time where stderr is a file or a pipe."""
    return BarProgress() if sys.stderr is not None and sys.stderr.isatty() else LogProgress()


def conclude(program: str, result: Result) -> int:
    """Say why a run is not complete, if it is not; its exit code."""
    if result.error is not None:
        return fail(program, result.error)
    return result.exit_code
