"""The page on a job: of a run that has just ended, and of any job in the state folder."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import msgspec
import orjson

from ddbio.aws.redaction import hide
from ddbio.errors import EXIT_REJECTED, EXIT_USAGE, UsageError
from ddbio.job.history import kept_history, read_history
from ddbio.job.invocation import present_command, typed
from ddbio.job.journal_copy import copied_journal, is_of_this_version
from ddbio.job.listing import FINISHED, REFUSED, UNFINISHED, JobState
from ddbio.report_page.facts import JobFacts, RejectsOfCode, Report, Table, Why
from ddbio.report_page.history import History
from ddbio.report_page.page import render
from ddbio.sinks.reject_kinds import kinds_in


def page_of_run(content: bytes, verb: str, table: str, folder: str | None, history: History | None) -> bytes:
    """content: the report of the run, as JSON. folder: the name of the job's folder; None if it keeps none."""
    report = msgspec.json.decode(content, type=Report)
    code = report.exit_code
    state = UNFINISHED if folder else "failed"
    if code is not None and code <= EXIT_REJECTED:
        state = FINISHED
    elif code == EXIT_USAGE and not report.counts.get("read"):
        state = REFUSED
    job = JobFacts(id=folder or "", verb=verb, table=table, state=state, command=present_command(verb))
    return _without_secrets(render(job, report, history))


def page_of_job(job: JobState) -> bytes:
    """Raises UsageError if nothing is known about its course, or what is known makes no sense."""
    folder = Path(job.path)
    history = _history(folder)
    report = _report(folder)
    if history is None and report is None:
        raise UsageError(f"nothing is kept of the course of {job.id}", "ddbio jobs lists the jobs")
    report = report or Report(table=Table(job.table, None, job.region, job.endpoint))
    if job.exit_code is None:  # there is no report of its last run
        report.exit_code, report.error = None, Why(job.why, job.hint) if job.why else None
        report.timing.ended = None
        _add_rejects(report, history)
    command = "" if job.command is None else typed(job.command.program, job.command.words, job.verb)
    facts = JobFacts(id=job.id, verb=job.verb, table=job.table, state=job.state, command=command)
    try:
        return _without_secrets(render(facts, report, history))
    except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UsageError(
            f"what is kept of the course of {job.id} is damaged: {why}", f"look into {job.path}"
        ) from None


def _without_secrets(page: bytes) -> bytes:
    """Its sources have none; but it may be passed on to anyone."""
    return hide(page.decode()).encode()


def _add_rejects(report: Report, history: History | None) -> None:
    """Those so far, of a job whose last run was killed or is at work, from their file."""
    if history is None or not history.rejects:
        return
    with suppress(OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):  # the file is gone or changed
        kinds = kinds_in(Path(history.rejects), history.rejects_bytes)
        report.rejects = history.rejects
        report.rejects_by_code = {each.code: msgspec.convert(each.as_json(), RejectsOfCode) for each in kinds}


def _report(folder: Path) -> Report | None:
    try:
        return msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)
    except (OSError, msgspec.MsgspecError):
        return None


def _history(folder: Path) -> History | None:
    """From its journal, or from the file that a finished job leaves."""
    try:
        with copied_journal(folder) as database:
            if database is not None:
                return read_history(database) if is_of_this_version(database) else None
    except (OSError, sqlite3.Error, msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return None
    return kept_history(folder)
