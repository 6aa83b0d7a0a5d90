"""The report of a run: its options and its outcome, as JSON for programs. Every run writes one, including a failed
one.

{
  "version": 1, "tool": "ddbio 0.1.0", "command": "import", "exit_code": 1,
  "error": null | {"message": "...", "hint": "..."}, "failures": ["<unit>: <message>", ...],
  "table": {"name", "arn", "region", "endpoint"}, "cap": {"units_per_s": 500.0 | null, "kind": "WCU", "origin": "-c"},
  "counts": {<each count of `ddbio.messages.counts`>: number},
  "reasons": {"<cause of throttling or of a retry>": count}, "this_run": {counts and reasons of this run alone},
  "timing": {"began", "ended", "seconds": this run's, "seconds_of_all_runs", "runs"},
  "item_sizes": [{"up_to_bytes": 256, "items": estimated number}, ...]: of the items read (`ddbio.steps.item_sizes`),
  "cap_changes": [{"at", "role": "source" | "target", "table", "kind", "units_per_s", "origin"}, ...]: of this run,
  "other_table", "other_cap": the same of the second table, in a job that has two,
  "options": {...}, "versions": {"ddbio", "native_core", "python", "botocore", "platform"}, and per command:
  "rejects": path | null, "rejects_by_code": {code: {"count", "first": {"source", "offset", "line", "message"}}}
  for an import; "files", "manifest" for an export
}

A report to a file whose name ends in `.html` is a page for people (`ddbio.report_page`) instead.

Counts are of the whole job, all its runs. There are no secrets in it: no keys, and no password of a URL.

A report never changes the outcome of a run: a forbidden path is detected before anything is moved
(`ddbio.job.report_place`), and a report that still cannot be written is a warning of the result.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import os
import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ddbio import native
from ddbio.aws.redaction import hide, without_userinfo
from ddbio.errors import DdbioError, InternalError, Stopped, TransferError
from ddbio.job.accounts import Result
from ddbio.job.history import read_history, read_item_sizes
from ddbio.job.journal import Journal
from ddbio.job.report_place import is_page
from ddbio.job.run import Run
from ddbio.job.side import Side
from ddbio.job.state import JobFolder
from ddbio.messages.counts import NAMES, Tally
from ddbio.options import STDOUT, TransferOptions
from ddbio.version import __version__

SomeResult = TypeVar("SomeResult", bound=Result)
Read = TypeVar("Read")

Taker = Callable[[bytes], object]


class Report:
    """Collects facts during a run, and is written at its end.

    take: receives the report if its destination is standard output.
    """

    def __init__(self, command: str, options: TransferOptions, take: Taker | None = None) -> None:
        self._command = command
        self._options = options
        self._began = _now()
        self._take = (take or _print) if options.report == STDOUT else None
        self._path = Path(options.report) if options.report and self._take is None else None
        self._folder: JobFolder | None = None
        self._journal: Journal | None = None
        self._facts: dict[str, Any] = {}
        self._result: Result | None = None

    def begin(self, run: Run, journal: Journal) -> None:
        """The run has found its job's folder."""
        self._journal = journal
        self._folder = journal.folder if self._options.journal else None  # else that folder will be removed
        self._facts["table"], self._facts["cap"] = _facts_of(run.main)
        self._facts["cap_changes"] = run.cap_changes  # it grows
        if run.other is not None:
            self._facts["other_table"], self._facts["other_cap"] = _facts_of(run.other)

    def end(self, result: SomeResult, **facts: Any) -> SomeResult:
        """Write the report of a finished run. facts: specific to its command.

        Returns the result, with a warning if the report could not be written.
        """
        self._result = result
        self._facts.update(facts)
        try:
            self.write(None)
        except TransferError as error:
            return dataclasses.replace(result, warnings=(*result.warnings, str(error)))
        return result

    def write(self, error: DdbioError | None) -> None:
        """Raises TransferError if it cannot be written."""
        content = self.content(error)
        try:
            if self._folder is not None:
                write_report(self._folder.report, content)
        finally:
            if self._take is not None:
                self._take(content)
            elif self._path is not None:
                write_report(self._path, self._page(content) if is_page(self._path) else content)

    def _page(self, content: bytes) -> bytes:
        """The page for people of this report. Raises TransferError for whatever prevents it, even a broken library,
        as the run's result must not depend on it."""
        if self._journal is not None and self._journal.complete:
            self._journal.mark_complete()  # drawing charts takes a while
        history = self._read(read_history)
        folder = None if self._folder is None else self._folder.path.name
        try:
            from ddbio.job.page import page_of_run

            return page_of_run(content, self._command, self._options.table, folder, history)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise TransferError(f'cannot make the report "{self._path}": {why}', "try ddbio report") from None

    def _read(self, reader: Callable[[sqlite3.Connection], Read]) -> Read | None:
        """From the journal; None without one."""
        with suppress(sqlite3.Error):  # it was never begun, or is closed
            return None if self._journal is None else self._journal.read(reader)
        return None

    def content(self, error: DdbioError | None) -> bytes:
        """error: the reason if the run ended without a result."""
        result = self._result or Result(Tally(), 0.0, error)
        error = result.error
        run_tally = result.tally.minus(result.past.tally)
        values = {
            "version": 1,
            "tool": f"ddbio {__version__}",
            "command": self._command,
            "exit_code": result.exit_code,
            "error": None if error is None else {"message": hide(error.message), "hint": hide(error.hint)},
            "failures": [hide(each) for each in result.failures],
            **self._facts,
            "counts": _counts(result.tally),
            "reasons": result.tally.reasons,
            "this_run": {**_counts(run_tally), "reasons": run_tally.reasons},
            "item_sizes": [
                {"up_to_bytes": bound, "items": items} for bound, items in self._read(read_item_sizes) or ()
            ],
            "timing": {
                "began": self._began,
                "ended": _now(),
                "seconds": result.seconds - result.past.seconds,
                "seconds_of_all_runs": result.seconds,
                "runs": result.past.runs + 1,
            },
            "options": _without_passwords(dataclasses.asdict(self._options)),
            "versions": _versions(),
        }
        return orjson.dumps(values, None, orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def write_report(path: Path, content: bytes) -> None:
    """Write it at once and privately. Raises TransferError."""
    part = path.with_name(f".{path.name}.part")
    try:
        target = path.resolve()  # a link stays a link
        part = target.with_name(f".{target.name}.part")
        with open(part, "wb", opener=_private) as file:
            file.write(content)
        part.replace(target)
    except OSError as failure:
        with suppress(OSError):
            part.unlink()
        raise TransferError(
            f'cannot write the report "{path}": {failure.strerror}',
            "the run's result is not affected",
        ) from None


def _facts_of(side: Side) -> tuple[dict[str, Any], dict[str, Any]]:
    """The table, and its cap."""
    session, cap = side.session, side.cap
    where = {"region": session.region, "endpoint": _without_passwords(session.endpoint_url)}
    limit = None if math.isinf(cap.units_per_s) else cap.units_per_s
    return (
        {"name": side.table.name, "arn": side.table.description.get("TableArn"), **where},
        {"units_per_s": limit, "kind": cap.kind, "origin": cap.origin},
    )


@contextmanager
def reported(command: str, options: TransferOptions, take: Taker | None = None) -> Iterator[Report]:
    """A run that is reported however it ends, even before its `end`. take: see `Report`."""
    report = Report(command, options, take)
    try:
        yield report
    except (Exception, KeyboardInterrupt) as error:  # a fault of ddbio is reported, too
        with suppress(TransferError):  # the error that ended the run matters more
            report.write(as_ours(error))
        raise


def as_ours(error: BaseException) -> DdbioError:
    """The exception that ended a run, as an error with an exit code."""
    if isinstance(error, KeyboardInterrupt):
        return Stopped("stopped")
    return error if isinstance(error, DdbioError) else InternalError.of(error)


def _counts(tally: Tally) -> dict[str, float]:
    return {name: getattr(tally, name) for name in NAMES}


def _without_passwords(value: Any) -> Any:
    """The same with `http://user:password@host` as `http://host`."""
    if isinstance(value, dict):
        return {name: _without_passwords(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_passwords(each) for each in value]
    return without_userinfo(value) if isinstance(value, str) else value


def _versions() -> dict[str, str | None]:
    botocore = getattr(sys.modules.get("botocore"), "__version__", None)
    python, machine = platform.python_version(), platform.platform()
    core = native.state()
    return {
        "ddbio": __version__,
        "native_core": core,
        "python": python,
        "botocore": botocore,
        "platform": machine,
    }


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def _print(content: bytes) -> None:
    sys.stdout.write(content.decode())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
