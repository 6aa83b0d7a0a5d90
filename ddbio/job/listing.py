"""The jobs in the state folder as they are, for `ddbio jobs`. Reading them changes and locks nothing.

The journal of an unfinished job is read from a copy (`ddbio.job.journal_copy`). Whatever is damaged is reported as
that, and never raises.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from ddbio.errors import EXIT_USAGE, UsageError
from ddbio.job.invocation import Noted, noted_command
from ddbio.job.journal_copy import copied_journal, is_of_this_version
from ddbio.job.others import holder_of
from ddbio.job.remains import places_files

RUNNING, UNFINISHED, DAMAGED, FINISHED, FAILED = "running", "unfinished", "damaged", "finished", "failed"
REFUSED = "refused"  # the command could not work as given, and moved nothing
_NAME = re.compile(r"([a-z]+)-(.+)-([0-9a-f]{12})")
_NAMED = 3  # jobs that a message lists
_KILLED = "it was killed, or the machine went down: there is no report of its last run"


class _Why(msgspec.Struct):
    message: str = ""
    hint: str = ""


class _Timing(msgspec.Struct):
    began: datetime | None = None
    ended: datetime | None = None
    seconds_of_all_runs: float = 0.0
    runs: int = 0


class _Table(msgspec.Struct):
    name: str = ""
    region: str = ""
    endpoint: str = ""


class _Report(msgspec.Struct):
    """The part of a report that is shown."""

    exit_code: int
    error: _Why | None = None
    table: _Table | None = None
    timing: _Timing = msgspec.field(default_factory=_Timing)
    counts: dict[str, float] = msgspec.field(default_factory=dict)


class Progress(msgspec.Struct):
    """How far an unfinished job is, as its journal has it. units: None if their number is not known yet.

    stages: the finished ones of a verb of several jobs in a row.
    """

    units_done: int
    units: int | None
    read: int
    runs: int
    seconds: float
    stages: list[str]


class JobState(msgspec.Struct, kw_only=True):
    """A job. id: the name of its folder. state: one of this module's words. pid: of the process that works on it.

    last: of its last run, when it ended; of an unfinished one without a report, when its journal was last written.
    exit_code: of its last run. why: it is not finished, or failed; hint: the next step. command: as it can be typed.
    """

    id: str
    verb: str
    table: str
    state: str
    path: str
    pid: int | None = None
    progress: Progress | None = None
    began: datetime | None = None
    last: datetime | None = None
    exit_code: int | None = None
    why: str = ""
    hint: str = ""
    region: str = ""
    endpoint: str = ""
    counts: dict[str, float] = msgspec.field(default_factory=dict)
    command: Noted | None = None

    @property
    def is_resumable(self) -> bool:
        return self.state == UNFINISHED


def list_jobs(root: Path) -> list[JobState]:
    """All jobs, the latest first, and refused ones last. Raises UsageError if the folder cannot be read."""
    try:
        folders = sorted(root.iterdir()) if root.exists() else []
    except OSError as error:
        raise UsageError(f'cannot read "{root}": {error.strerror}', "name the folder with --state-dir") from None
    found = (_job(folder) for folder in folders if _NAME.fullmatch(folder.name) and folder.is_dir())
    earliest = datetime.min.replace(tzinfo=timezone.utc)
    return sorted(
        (job for job in found if job),
        key=lambda job: (job.state != REFUSED, job.last or job.began or earliest),
        reverse=True,
    )


def find_job(root: Path, asked: str, fits: Callable[[JobState], bool] | None = None) -> JobState:
    """asked: an id, the beginning of one, or of its last 12 characters. Raises UsageError if that is not one job.

    fits: whether a job can be meant; of several with this beginning, one that alone can be meant is the one.
    """
    jobs = list_jobs(root)
    exact = [job for job in jobs if job.id == asked]
    near = [job for job in jobs if job.id.startswith(asked) or job.id[-12:].startswith(asked)]
    found = exact or (near if asked else [])
    fitting = [job for job in found if fits is None or fits(job)]
    if len(found) == 1 or len(fitting) == 1:
        return (fitting or found)[0]
    if found:
        likely = fitting or found
        more = f" and {len(likely) - _NAMED:,} more" * (len(likely) > _NAMED)
        named = ", ".join(job.id for job in likely[:_NAMED])
        raise UsageError(f"{asked!r} is the beginning of {len(found):,} jobs", f"give more of the id: {named}{more}")
    raise UsageError(
        f'there is no job {asked!r} in "{root}"', "ddbio jobs lists them; --state-dir names another folder"
    )


def _job(folder: Path) -> JobState | None:
    """None for a folder of a command that did nothing."""
    verb, table, _ = _NAME.fullmatch(folder.name).groups()  # type: ignore[union-attr]
    command = noted_command(folder)
    report = _read_report(folder, command)
    journal = _read_journal(folder)
    job = JobState(id=folder.name, verb=verb, table=table, state=FINISHED, path=str(folder), command=command)
    job.pid = holder_of(folder)
    job.began = None if command is None else _at(command.began)
    if journal is None and report is None and job.pid is None:
        return None
    if isinstance(journal, Progress):
        job.progress, job.state = journal, UNFINISHED
    elif journal is not None:
        job.state, job.why, job.hint = DAMAGED, journal, "start it over with --fresh, or ddbio jobs forget"
    if report is not None:
        _add_report(job, report)
    elif job.state == UNFINISHED:
        job.why = _KILLED
    if job.state != FINISHED and (report is None or job.why == _KILLED):
        job.last = _written(folder) or job.last
    if job.pid is not None:
        job.state, job.why, job.hint = RUNNING, "", ""
    return job


def _add_report(job: JobState, report: _Report) -> None:
    job.counts, job.exit_code = report.counts, report.exit_code
    job.began, job.last = job.began or report.timing.began, report.timing.ended
    if report.table is not None:
        job.region, job.endpoint = report.table.region, report.table.endpoint
    if job.began and job.last and job.last < job.began.replace(microsecond=0):
        job.exit_code = None  # of an earlier run
        job.why = job.why or _KILLED
        return
    if job.state == FINISHED and report.exit_code > 1:
        job.state = REFUSED if report.exit_code == EXIT_USAGE and not report.counts.get("read") else FAILED
    if job.state != DAMAGED and report.error is not None:
        job.why, job.hint = report.error.message, report.error.hint


def _read_report(folder: Path, command: Noted | None) -> _Report | None:
    for path in (str(folder / "report.json"), command and command.report):
        if path:
            with suppress(OSError, msgspec.MsgspecError):
                return msgspec.json.decode(Path(path).read_bytes(), type=_Report)
    return None


def _read_journal(folder: Path) -> Progress | str | None:
    """The progress of an unfinished job; why it cannot be read; None if there is none."""
    try:
        with copied_journal(folder) as database:
            return _without_journal(folder) if database is None else _progress(database)
    except OSError as error:
        return f"its journal cannot be read: {error.strerror}"
    except (sqlite3.Error, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        return f"its journal is damaged: {error}"


def _without_journal(folder: Path) -> str | None:
    return "its journal is lost" if any(places_files(folder)) else None  # those are made after the journal


def _progress(database: sqlite3.Connection) -> Progress | str | None:
    if not is_of_this_version(database):
        return "its journal is not one that this version of ddbio can read"
    noted = {name: msgspec.json.decode(value) for name, value in database.execute("SELECT name, value FROM job")}
    if noted.get("complete"):
        return None
    done, read = database.execute("SELECT coalesce(sum(done), 0), coalesce(sum(read), 0) FROM units").fetchone()
    return Progress(
        units_done=int(done),
        units=noted.get("units"),
        read=int(read),
        runs=int(noted.get("runs", 0)),
        seconds=float(noted.get("seconds", 0.0)),
        stages=[name.removeprefix("stage ") for name in noted if name.startswith("stage ")],
    )


def _written(folder: Path) -> datetime | None:
    times = [path.stat().st_mtime for path in _journal_files(folder)]
    return _at(max(times)) if times else None


def _journal_files(folder: Path) -> Iterator[Path]:
    return (path for name in ("journal.sqlite", "journal.sqlite-wal") if (path := folder / name).exists())


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
