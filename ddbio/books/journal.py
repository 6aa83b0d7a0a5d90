"""The journal of a job: what the same command needs to go on where a run ended, however it ended.

It is a SQLite file with one writer, the parent, in the job's folder (`ddbio.books.state`). It holds

- the *facts*: what the job is (options, table, sources). A command that differs in one of them is another job, and is
  refused with the difference named rather than mixed into this one;
- the *plan*: what the units are cut by. Units are cut again from it, not stored;
- of each unit that was touched its cursor and what was counted up to there; the finished files of an export;
- what else must survive: the rejects file and how much of it counts, the time all runs took.

Rules:

- Reports are entered as they arrive and written down together, when the engine has told all it knows. What was not
  yet written down when the parent is killed is done again, which is harmless; it is never claimed.
- Values are JSON of declared types. Nothing here can run code that somebody put into the file.
- A finished job has no journal: the same command then is a new job.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import msgspec

from ddbio.books.accounts import Past
from ddbio.books.state import JobFolder, job_name, state_root
from ddbio.engines.recorder import Place, Recorder
from ddbio.errors import TransferError, UsageError
from ddbio.options import TransferOptions
from ddbio.planning import Plan, Remainder
from ddbio.storage import SourceFile, WrittenFile
from ddbio.units import COUNTS, Cursor, ExportedFile, Tally, Unit, UnitReport

Facts = Mapping[str, Any]  # JSON values by what they are called in messages

_APPLICATION_ID = 0x64646269  # "ddbi": says that the file is ours
_VERSION = 1  # of the schema, and of the way units are cut from a plan
_PLACES = "places-"  # a recorder's file, by a name nobody had before
_FRESH = "with --fresh it is started over"

_SCHEMA = f"""
    DROP TABLE IF EXISTS job;
    DROP TABLE IF EXISTS sources;
    DROP TABLE IF EXISTS units;
    DROP TABLE IF EXISTS files;
    DROP TABLE IF EXISTS reasons;
    CREATE TABLE job (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE sources (uri TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, version TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE units (
        number INTEGER PRIMARY KEY, kind TEXT, cursor TEXT, done INTEGER NOT NULL,
        {", ".join(f"{name} NUMERIC NOT NULL" for name in COUNTS)}
    );
    CREATE TABLE files (
        name TEXT PRIMARY KEY, segment INTEGER NOT NULL, items INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
        checksum TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE reasons (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
    PRAGMA application_id = {_APPLICATION_ID};
    PRAGMA user_version = {_VERSION};
"""
_ENTER = f"""
    INSERT INTO units (number, kind, cursor, done, {", ".join(COUNTS)})
    VALUES (?, ?, ?, ?, {", ".join("?" * len(COUNTS))})
    ON CONFLICT (number) DO UPDATE SET
        kind = coalesce(excluded.kind, kind), cursor = coalesce(excluded.cursor, cursor), done = excluded.done,
        {", ".join(f"{name} = {name} + excluded.{name}" for name in COUNTS)}
"""
_BLAME = "INSERT INTO reasons VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count"
_CURSORS: dict[str, type] = {each.__name__: each for each in get_args(Cursor)}


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal knows of a unit: how far it is, and what was counted up to there."""

    cursor: Cursor | None
    tally: Tally
    done: bool


class Journal:
    """See the module's docstring. Made by `open_journal`.

    resumed: whether it was there: the run goes on with an unfinished job.
    past: what earlier runs came to.
    """

    def __init__(self, folder: JobFolder, database: sqlite3.Connection) -> None:
        self.folder = folder
        self._database = database
        self._writing = False
        self.resumed = False
        self.complete = False
        self.past = Past()
        self._entries: dict[int, Entry] = {}

    # -- the job

    def begin(self, facts: Facts, sources: Sequence[SourceFile], plan: Facts) -> None:
        """Begin the job, or make sure that this command is the one that began it.

        plan: of a job that is new. Raises UsageError with the difference where another command began the job.
        """
        self.verify(facts, sources)
        if not self.resumed:
            self._create(facts, sources, plan)

    def verify(self, facts: Facts, sources: Sequence[SourceFile]) -> None:
        """Raise UsageError where the job is unfinished, and another command began it."""
        if self.resumed and (difference := self._difference(facts, sources)):
            if self._entries:
                raise UsageError(f"the unfinished job cannot go on: {difference}", f"make it as it was; {_FRESH}")
            self.forget()  # nothing was done yet: it is no loss

    def forget(self) -> None:
        """Whatever is left of an unfinished job: from now on the job is new."""
        self.resumed, self.past, self._entries = False, Past(), {}

    def cursors(self) -> list[Cursor]:
        """Where the units go on that earlier runs began and did not finish."""
        return [each.cursor for each in self._entries.values() if each.cursor and not each.done]

    def _create(self, facts: Facts, sources: Sequence[SourceFile], plan: Facts) -> None:
        rows = ((file.uri, file.size_bytes, file.version) for file in sources)
        with writing_down():
            self._database.executescript(f"BEGIN; {_SCHEMA}")
            self._database.executemany("INSERT INTO sources VALUES (?, ?, ?)", rows)
        self._writing = True
        self.note(facts=facts, plan=plan)
        self.commit(0.0)

    def note(self, **values: Any) -> None:
        """Keep something under a name, until `noted` asks for it; written down with the next commit."""
        rows = [(name, msgspec.json.encode(value).decode()) for name, value in values.items()]
        self._write("INSERT OR REPLACE INTO job VALUES (?, ?)", rows)

    def noted(self, name: str, default: Any = None) -> Any:
        row = self._database.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
        return default if row is None else msgspec.json.decode(row[0])

    @property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.noted("plan")
        return plan

    # -- units

    def left(self, plan: Plan) -> Remainder:
        """The units of the plan that are not done, to be gone on with from their cursors."""
        if plan.complete:
            if self.noted("units", len(plan.units)) != len(plan.units):
                raise UsageError("the unfinished job was cut into units of work by another version of ddbio", _FRESH)
            self.note(units=len(plan.units))
        return Remainder(plan, self._go_on)

    def recover(self, places: Iterable[Place]) -> list[UnitReport]:
        """Enter what the lanes had settled and nobody heard of; the reports that were missing."""
        missing = []
        for place in places:
            known = self._entry(place.unit)
            if not known.done and (report := place.since(known.cursor, known.tally)) is not None:
                self.enter(report)
                missing.append(report)
        return missing

    def settled(self) -> dict[int, Cursor]:
        """The cursor at the end of each unit that earlier runs finished."""
        return {number: each.cursor for number, each in self._entries.items() if each.done and each.cursor}

    def _go_on(self, unit: Unit) -> Unit | None:
        entry = self._entries.get(unit.number)
        if entry is None:
            return unit
        return None if entry.done else replace(unit, cursor=entry.cursor, before=entry.tally)  # type: ignore[arg-type]

    # -- what happens

    def enter(self, report: UnitReport) -> None:
        """Enter a report; written down with the next commit."""
        cursor = report.cursor
        kind, text = (None, None) if cursor is None else (type(cursor).__name__, msgspec.json.encode(cursor).decode())
        counts = [getattr(report.tally, name) for name in COUNTS]
        self._write(_ENTER, [(report.unit, kind, text, report.done, *counts)])
        if report.files:
            files = ((each.file.name, each.segment, each.items, *_written(each.file)) for each in report.files)
            self._write("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", files)
        if report.tally.reasons:
            self._write(_BLAME, report.tally.reasons.items())

    def files(self) -> list[ExportedFile]:
        """The files that are finished, by name."""
        rows = self._database.execute("SELECT segment, name, size_bytes, checksum, items FROM files ORDER BY name")
        return [ExportedFile(segment, WrittenFile(*file), items) for segment, *file, items in rows]

    def commit(self, seconds: float) -> None:
        """Write down what was entered. seconds: how long this run takes so far."""
        if self._writing:
            if seconds:
                self.note(seconds=self.past.seconds + seconds, runs=self.past.runs + 1)
            with writing_down():
                self._database.execute("COMMIT")
            self._writing = False

    def _write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with writing_down():
            if not self._writing:
                self._database.execute("BEGIN")
                self._writing = True
            self._database.executemany(statement, rows)

    # -- what was

    def load(self) -> None:
        """Read what earlier runs left. Raises UsageError when it cannot be made sense of."""
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if (application, version) != (_APPLICATION_ID, _VERSION):
            raise UsageError("its journal is not one that this version of ddbio can read", _FRESH)
        (problem,) = self._database.execute("PRAGMA quick_check(1)").fetchone()
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        self.past = Past(seconds=self.noted("seconds", 0.0), runs=self.noted("runs", 0))
        self._recover_all()
        self._entries = dict(self._read_entries())
        tally = Tally(reasons=dict(self._database.execute("SELECT reason, count FROM reasons")))
        for entry in self._entries.values():
            tally.add(entry.tally)
        self.past = replace(self.past, tally=tally)
        self.resumed = True
        # What a killed parent could not clear away itself.
        if (left_over := Path(self.noted("governor", ""))).name.startswith("ddbio-governor-"):
            left_over.unlink(missing_ok=True)

    def _recover_all(self) -> None:
        """Where the parent was killed: see how far its workers came."""
        for recorder in _left_recorders(self.folder.path):
            self.recover(recorder.places())
            self.commit(0.0)

    def new_recorder(self, workers: int, lanes: int) -> Recorder:
        """For this run."""
        return Recorder.create(self.folder.path / f"{_PLACES}{secrets.token_hex(4)}", workers, lanes)

    def _entry(self, number: int) -> Entry:
        return next(
            (entry for _, entry in self._read_entries("WHERE number = ?", number)), Entry(None, Tally(), False)
        )

    def _read_entries(self, which: str = "", *values: int) -> Iterator[tuple[int, Entry]]:
        columns = ", ".join(COUNTS)
        rows = self._database.execute(f"SELECT number, kind, cursor, done, {columns} FROM units {which}", values)
        for number, kind, text, done, *counts in rows:
            cursor = None if kind is None else msgspec.json.decode(text, type=_CURSORS[kind])
            yield number, Entry(cursor, Tally(*counts), bool(done))

    def _difference(self, facts: Facts, sources: Iterable[SourceFile]) -> str:
        """How this command differs from the one that began the job; empty where it does not."""
        then = self.noted("facts")
        for name in {**then, **facts}:
            now = facts.get(name)
            if then.get(name) != msgspec.json.decode(msgspec.json.encode(now)):
                return f"{name} was {_spoken(then.get(name))} and is {_spoken(now)}"
        was = {uri: (size, version) for uri, size, version in self._database.execute("SELECT * FROM sources")}
        for file in sources:
            if file.uri not in was:
                return f'"{file.uri}" is new among the sources'
            if was.pop(file.uri) != (file.size_bytes, file.version):
                return f'"{file.uri}" has changed'
        return f'"{next(iter(was))}" is gone' if was else ""

    def close(self) -> None:
        """Let go of it; a journal of a job that is complete is removed."""
        with suppress(sqlite3.Error):
            self._database.close()
        if self.complete:
            remove_journal(self.folder.path)


@contextmanager
def open_journal(verb: str, table: str, identity: Sequence[str], options: TransferOptions) -> Iterator[Journal]:
    """The journal of a job: the one an unfinished job has, or one for a job that is still to `begin`.

    identity: what makes two jobs one, beside the verb and the table.
    Raises UsageError where another process works on the job, or its journal cannot be used.
    """
    with _job_folder(job_name(verb, table, identity), options) as folder:
        journal = _opened(folder, fresh=options.fresh)
        try:
            yield journal
        finally:
            journal.close()


@contextmanager
def _job_folder(name: str, options: TransferOptions) -> Iterator[JobFolder]:
    root = state_root(options.state_dir) if options.journal else Path(tempfile.mkdtemp(prefix="ddbio-job-"))
    try:
        folder = JobFolder.claim(root, name)
        try:
            yield folder
        finally:
            folder.close()
    finally:
        if not options.journal:
            shutil.rmtree(root, ignore_errors=True)


def _opened(folder: JobFolder, *, fresh: bool) -> Journal:
    try:
        return _loaded(folder)
    except UsageError:
        if not fresh:
            raise
    remove_journal(folder.path)  # it tells nothing
    return _loaded(folder)


def _loaded(folder: JobFolder) -> Journal:
    path = folder.journal
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # before SQLite makes it readable to all
    database = sqlite3.connect(path, isolation_level=None)
    journal = Journal(folder, database)
    try:
        # Exclusive: no shared memory beside the file, so that it may lie on a network file system.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {pragma}")
        if database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            journal.load()
    except (sqlite3.Error, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
        database.close()
        raise UsageError(f'the journal "{path}" of this job is damaged: {error}', _FRESH) from None
    except UsageError as error:
        database.close()
        raise UsageError(f'this job is unfinished, but {error.message}: "{path}"', error.hint) from None
    return journal


def remove_journal(folder: Path) -> None:
    """Forget the job. Waits until nobody works on it any more."""
    for _ in _left_recorders(folder):
        pass
    for name in ("journal.sqlite-wal", "journal.sqlite-journal", "journal.sqlite"):
        (folder / name).unlink(missing_ok=True)


def _left_recorders(folder: Path) -> Iterator[Recorder]:
    """Recorders of runs whose parent was killed, once their workers have gone; each is removed when it was used."""
    for path in sorted(folder.glob(f"{_PLACES}*")):
        recorder = Recorder(path, lanes=1)
        try:
            recorder.wait_for_workers()
            yield recorder
            recorder.unlink()
        finally:
            recorder.close()


@contextmanager
def writing_down() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TransferError(
            f"cannot write the journal of this job: {error}", "make room, or give another place with --state-dir"
        ) from None


def _written(file: WrittenFile) -> tuple[int, str]:
    return file.size_bytes, file.checksum


def _spoken(value: Any) -> str:
    return "not there" if value is None else msgspec.json.encode(value).decode()
