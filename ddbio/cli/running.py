"""What import and export do around a run: signals in, progress out, the exit code at the end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import boto3  # noqa: F401 - for the session to find: while this module is loaded, signals are held

from ddbio.cli.interrupts import stop_on_signals
from ddbio.cli.run import Command, fail
from ddbio.cli.start import ENDING
from ddbio.errors import EXIT_REJECTED, DdbioError, TransferError
from ddbio.job.accounts import Result
from ddbio.job.progress import BarProgress, LogProgress, Progress
from ddbio.options import STDOUT, TransferOptions
from ddbio.system.machine import allow_open_files
from ddbio.system.terminal import stderr, tell, write_out

SomeResult = TypeVar("SomeResult", bound=Result)


def new_progress(*, data_on_stdout: bool = False) -> Progress:
    """A bar on a terminal; lines with the time if stderr is a file or a pipe, and if the data go to a terminal: their
    lines would be glued to the bar."""
    shared = data_on_stdout and sys.stdout is not None and sys.stdout.isatty()
    return BarProgress() if stderr.isatty() and not shared else LogProgress()


def perform(
    command: Command,
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
    report_on_stdout = options.report == STDOUT
    if (data_on_stdout or report_on_stdout) and sys.stdout is None:
        raise TransferError("standard output is closed", "open it, or name a place with -d and --report")
    allow_open_files()
    reports: list[bytes] = []
    stop = stop_on_signals(command)
    progress = new_progress(data_on_stdout=data_on_stdout)
    try:
        result = transfer(progress=progress, stop=stop, take_report=reports.append)
    except BaseException:
        with suppress(DdbioError, BrokenPipeError):  # what ended the run is what must be heard
            _print_report(reports)
        raise
    lost: Exception | None = None
    try:
        for line in summary(result).splitlines():
            tell(line) if data_on_stdout or report_on_stdout else write_out(f"{line}\n")
        for warning in result.warnings:
            tell(f"{command.name}: warning: {warning}")
        _print_report(reports)
    except (TransferError, BrokenPipeError) as failure:
        lost = failure
    # A late signal must not change the exit code: as the interpreter shuts down it no longer asks the handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    error = command.thread_error or result.error
    code = result.exit_code if error is None else fail(command, error)
    if lost is not None and code <= EXIT_REJECTED:
        raise lost
    return code


def _print_report(reports: list[bytes]) -> None:
    for report in reports:
        write_out(report.decode())
