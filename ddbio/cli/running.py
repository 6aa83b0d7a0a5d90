"""What import and export do around a run: signals in, progress out, the exit code at the end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import boto3  # noqa: F401 - for the session to find: while this module is loaded, signals are held

from ddbio.books.accounts import Result
from ddbio.cli.run import fail, say, say_lines, writing_stdout
from ddbio.engines.engine import StopFlag
from ddbio.errors import DdbioError, UsageError
from ddbio.machine import allow_open_files
from ddbio.options import STDOUT, TransferOptions
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
    options: TransferOptions,
    *,
    data_on_stdout: bool = False,
) -> int:
    """Run an import or an export and print what it came to: on stdout unless the data or the report go there; if the
    job is not complete also why, on stderr.

    The summary is printed first: what fails after the transfer does not hide what the transfer came to.
    transfer: called with `progress`, `stop` and `take_report`. Returns the exit code.
    """
    allow_open_files()
    report_on_stdout = options.report == STDOUT
    if report_on_stdout and sys.stdout is None:
        raise UsageError("standard output is closed", "write the report to a file with --report")
    reports: list[bytes] = []
    try:
        result = transfer(progress=new_progress(), stop=stop_on_signals(), take_report=reports.append)
    except BaseException:
        with suppress(DdbioError, BrokenPipeError):  # what ended the run is what must be heard
            _print_report(reports)
        raise
    (say_lines if data_on_stdout or report_on_stdout else print)(summary(result))
    for warning in result.warnings:
        say(f"{program}: warning: {warning}")
    _print_report(reports)
    # As the interpreter shuts down it no longer asks the handlers: a late signal would change the exit code.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    return result.exit_code if result.error is None else fail(program, result.error)


def _print_report(reports: list[bytes]) -> None:
    for report in reports:
        with writing_stdout():
            sys.stdout.write(report.decode())
            sys.stdout.flush()
