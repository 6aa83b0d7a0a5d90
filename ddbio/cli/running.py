"""What import and export do around a run: signals in, progress out, the exit code at the end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import TypeVar

import boto3  # noqa: F401 - for the session to find: while this module is loaded, signals are held

from ddbio.books.accounts import Result
from ddbio.cli.run import fail, say
from ddbio.engines.engine import StopFlag
from ddbio.machine import allow_open_files
from ddbio.progress import BarProgress, LogProgress, Progress

SomeResult = TypeVar("SomeResult", bound=Result)


def stop_on_signals() -> StopFlag:
    """A flag that Ctrl-C and SIGTERM raise: once means stop in order, twice at once.

    While no engine is at work there is nothing to settle: they end the command right away. But after its work a first
    one comes too late to stop anything, and must not make a job that is done look like one that is not.
    """
    stop = StopFlag()

    def handler(_signal: int, _frame: object) -> None:
        stop.ask()
        if stop.finishing and not stop.heeded:
            stop.finishing = False  # a second one is obeyed
        elif not stop.heeded:
            raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, handler)
    return stop


def new_progress() -> Progress:
    """A bar where somebody watches, lines with the time where stderr is a file or a pipe."""
    return BarProgress() if sys.stderr is not None and sys.stderr.isatty() else LogProgress()


def perform(
    program: str,
    transfer: Callable[..., SomeResult],
    summary: Callable[[SomeResult], str],
    *,
    data_on_stdout: bool = False,
) -> int:
    """Run an import or an export and tell what came of it, on stdout unless the data are there; where it is not
    complete also why, on stderr.

    transfer: called with `progress` and `stop`. Returns the exit code.
    """
    allow_open_files()
    result = transfer(progress=new_progress(), stop=stop_on_signals())
    (say if data_on_stdout else print)(summary(result))
    # As the interpreter shuts down it no longer asks the handlers: a late signal would change the exit code.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    return result.exit_code if result.error is None else fail(program, result.error)
