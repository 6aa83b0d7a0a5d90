"""Runs a verb for a command: signals in, progress out, the exit code at the end."""

from __future__ import annotations

import json
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ddbio.aws.redaction import hide
from ddbio.aws.settings import AwsSettings
from ddbio.cli.display import Display
from ddbio.cli.engine_option import Chosen
from ddbio.cli.interrupts import stop_on_signals
from ddbio.cli.run import Command, fail
from ddbio.cli.start import ENDING
from ddbio.errors import EXIT_OK, EXIT_REJECTED, DdbioError, TransferError
from ddbio.job.accounts import Result
from ddbio.job.run import Caller
from ddbio.job.spine import Story
from ddbio.options import STDOUT, TransferOptions
from ddbio.system.machine import allow_open_files
from ddbio.system.terminal import tell, write_out

if TYPE_CHECKING:
    from ddbio.cli.configuration import Setting
    from ddbio.engines.engine import Engine

SomeResult = TypeVar("SomeResult", bound=Result)
USUAL = Chosen()


def perform(
    command: Command,
    story: Story[SomeResult],
    summary: Callable[[SomeResult], str],
    options: TransferOptions,
    display: Display,
    *,
    data_on_stdout: bool = False,
    chosen: Chosen = USUAL,
) -> int:
    """Run a verb and print its summary: on stdout, unless the data or the report go there. If the job is not
    complete, print the reason on stderr.

    The summary is printed first, so that a later failure does not hide the result. Returns the exit code.
    """
    report_on_stdout = options.report == STDOUT
    if (data_on_stdout or report_on_stdout) and sys.stdout is None:
        raise TransferError("standard output is closed", "open it, or send its data and report to files")
    allow_open_files()
    reports: list[bytes] = []
    stop = stop_on_signals(command)
    lost: Exception | None = None
    try:
        with display.shown(command.name, stop, data_on_stdout=data_on_stdout) as (progress, log):
            for sentence in (*sentences_on(command.settings), *chosen.sentences):
                progress.say(sentence)
            result = story.perform(Caller(progress, chosen.engine, stop, reports.append))
            if log is not None:
                log.end(result)
        if log is not None and log.failure is not None:
            lost = TransferError(
                f"lines of the log were lost: {log.failure.strerror}", "make room; the run itself is not affected"
            )
    except BaseException:
        with suppress(DdbioError, BrokenPipeError):  # the error that ended the run matters more
            _print_report(reports)
        raise
    on_stdout = not (data_on_stdout or report_on_stdout)
    try:
        _print_end(command.name, summary(result), result.warnings, reports, on_stdout=on_stdout)
    except (TransferError, BrokenPipeError) as failure:
        lost = failure
    # A late signal must not change the exit code: during shutdown the interpreter no longer calls the handlers.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    error = command.thread_error or result.error
    code = result.exit_code if error is None else fail(command, error)
    if lost is not None and code <= EXIT_REJECTED:
        raise lost
    return code


def _print_end(name: str, text: str, warnings: Sequence[str], reports: Sequence[bytes], *, on_stdout: bool) -> None:
    """The summary, the warnings, the report. Raises TransferError, BrokenPipeError."""
    for line in text.splitlines():
        if on_stdout:
            write_out(f"{line}\n")
        else:
            tell(line)
    for warning in warnings:
        tell(f"{name}: warning: {warning}")
    _print_report(reports)


def show_plan(
    story: Story[SomeResult],
    aws: AwsSettings,
    settings: Sequence[Setting] = (),
    engine: Engine | None = None,
    *,
    prices: str | None = None,
    as_json: bool = False,
) -> int:
    """Print what the verb would do, need and cost, and do nothing. engine: that would do it; None for the usual one.
    prices: see `chosen_prices`. Returns the exit code."""
    from ddbio.forecast.bill import bill_of, chosen_prices
    from ddbio.forecast.text import lines_of

    prices_of = chosen_prices(prices, aws)
    plan = story.preview(Caller(engine=engine))
    bill = bill_of(plan, prices_of)
    plan = replace(plan, sentences=(*sentences_on(settings), *plan.sentences))
    if as_json:
        figures = {**plan.as_json(), **(bill.as_json() if bill is not None else {})}
        write_out(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
        return EXIT_OK
    for line in (*plan.sentences, *lines_of(plan.forecast), *(bill.lines() if bill is not None else ())):
        write_out(f"{line}\n")
    return EXIT_OK


def sentences_on(settings: Sequence[Setting]) -> list[str]:
    """A sentence about the settings that have a bearing on what is read and written, if there are any."""
    words: dict[str, list[str]] = {}
    for each in settings:
        if each.option != "--state-dir":
            words.setdefault(each.source, []).extend(each.words)
    shown = [f"{hide(shlex.join(of_source))} ({source})" for source, of_source in words.items()]
    return [f"Settings: {', '.join(shown)}"] if shown else []


def _print_report(reports: Sequence[bytes]) -> None:
    for report in reports:
        write_out(report.decode())
