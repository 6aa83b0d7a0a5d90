"""The journal of a job: the state from which the same command resumes, however the last run ended.

It is a SQLite file with one writer, the parent, in the job's folder (`ddbio.job.state`). It holds

- the *facts*: the job's identity (options, table, sources). A command that differs in one of them is another job, and
  is refused with the difference named rather than mixed into this one;
- the *plan*: the values by which units are cut. Units are not stored but cut again from it;
- for each unit that was begun, its cursor and its counts up to there; the finished files of an export;
- other state that must survive: the rejects file and its valid length, the time all runs took;
- the course of the job, for its report (`ddbio.job.history`).

Rules:

- Reports are entered as they arrive, and committed together once the engine has reported everything it knows. If the
  parent is killed, uncommitted work is done again, which is harmless; it is never claimed.
- Values are JSON of declared types. Nothing here can run code that someone put into the file.
- A finished job has no journal: the same command is then a new job. Only its history is kept.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from ddbio.errors import DdbioError, UsageError
from ddbio.flow.checkpoint import LaneState, states_left
from ddbio.job.accounts import Past
from ddbio.job.database import (
    ADD_SIZES,
    APPLICATION_ID,
    BLAME,
    ENTER,
    FRESH,
    SCHEMA,
    VERSION,
    Entry,
    close_database,
    connected,
    read_entries,
    writing_down,
)
from ddbio.job.difference import Facts as Facts
from ddbio.job.difference import difference
from ddbio.job.history import forget_history, keep_history, read_history
from ddbio.job.remains import LIMIT, PLACES, places_files, remove_file, remove_journal, remove_places
from ddbio.job.state import JobFolder
from ddbio.messages import Cursor, ExportedFile, Tally, Unit, UnitReport
from ddbio.messages.counts import NAMES
from ddbio.messages.files import SourceFile, WrittenFile
from ddbio.sources.plan import Plan, Remainder

Read = TypeVar("Read")


class Journal:
    """See the module's docstring. Made by `ddbio.job.opening`.

    resumed: whether it existed: the run resumes an unfinished job.
    damaged: whether an unfinished job is started over because its journal is unreadable.
    complete: set at the end of a finished job. past: the results of earlier runs.
    before_commit: called before anything is committed, to make the data durable that the journal counts on.
    before_begin: called when a run begins to work on the job.
    """

    def __init__(self, folder: JobFolder, database: sqlite3.Connection) -> None:
        self.folder = folder
        self._database = database
        self._writing = False
        self.resumed = self.damaged = False
        self.complete = False
        self.past = Past()
        self.before_commit: Callable[[], None] = lambda: None
        self.before_begin: Callable[[], None] = lambda: None
        self._begun = False
        self._entries: dict[int, Entry] = {}

    # -- the job

    def begin(self, facts: Facts, sources: Sequence[SourceFile], plan: Facts) -> None:
        """Begin the job, or verify that this command is the one that began it.

        plan: for a new job. Raises UsageError with the difference if another command began the job.
        """
        if not self.verify(facts, sources):
            self.forget()
        self.before_begin()
        if not self.resumed:
            self._create(facts, sources, plan)

    def verify(self, facts: Facts, sources: Sequence[SourceFile]) -> bool:
        """Whether this command resumes the existing job, if there is one. False for another command if the job moved
        nothing: `forget` it.

        Raises UsageError with the difference if the job moved anything.
        """
        difference = self._difference(facts, sources) if self.resumed else ""
        if difference and self._settled_anything():
            raise UsageError(f"the unfinished job cannot be resumed: {difference}", f"make it as it was; {FRESH}")
        return not difference

    def forget(self) -> None:
        """Remove the state of an unfinished job without reading it; the job is then a new one."""
        self.let_go()
        remove_journal(self.folder.path)
        self._database = connected(self.folder.journal)
        self.resumed = self._begun = self._writing = False
        self.past, self._entries = Past(), {}

    def _settled_anything(self) -> bool:
        """moved: noted by a job without units (`ddbio.job.stages`)."""
        return self.noted("moved", False) or any(each.settled_anything for each in self._entries.values())

    def cursors(self) -> list[Cursor]:
        """The cursors of the units that earlier runs began and did not finish."""
        return [each.cursor for each in self._entries.values() if each.cursor and not each.done]

    def _create(self, facts: Facts, sources: Sequence[SourceFile], plan: Facts) -> None:
        rows = ((file.uri, file.size_bytes, file.version) for file in sources)
        remove_places(self.folder.path)  # left by a job whose journal was lost
        with suppress(OSError):
            forget_history(self.folder.path)
        self._begun = True
        with writing_down():
            self._database.executescript(f"BEGIN; {SCHEMA}")
            self._database.executemany("INSERT INTO sources VALUES (?, ?, ?)", rows)
        self._writing = True
        self.note(facts=facts, plan=plan)
        self.commit(0.0)

    def note(self, **values: Any) -> None:
        """Keep values under names, for `noted` to return; written with the next commit."""
        rows = [(name, msgspec.json.encode(value).decode()) for name, value in values.items()]
        self.write("INSERT OR REPLACE INTO job VALUES (?, ?)", rows)

    def noted(self, name: str, default: Any = None, type: Any = Any) -> Any:
        row = self._database.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
        return default if row is None else msgspec.json.decode(row[0], type=type)

    @property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.noted("plan")
        return plan

    # -- units

    def left(self, plan: Plan) -> Remainder:
        """The unfinished units of the plan, to be resumed from their cursors."""
        if plan.complete:
            if self.noted("units", len(plan.units)) != len(plan.units) and self._settled_anything():
                raise UsageError(
                    "the unfinished job was begun by another version of ddbio, which divided it otherwise", FRESH
                )
            self.note(units=len(plan.units))
        return Remainder(plan, self._go_on)

    def recover(self, states: Iterable[LaneState]) -> list[UnitReport]:
        """Enter the work that lanes had settled but not reported; returns these reports."""
        missing = []
        for state in states:
            known = self._entry(state.unit)
            if not known.done and (report := state.since(known.cursor, known.tally)) is not None:
                self.enter(report)
                missing.append(report)
        return missing

    def read_by_unit(self) -> dict[int, int]:
        """The number of records read of each unit, in all runs."""
        return {number: entry.tally.read for number, entry in read_entries(self._database)}

    def settled(self) -> dict[int, Cursor]:
        """The cursor at the end of each unit that earlier runs finished."""
        return {number: each.cursor for number, each in self._entries.items() if each.done and each.cursor}

    def _go_on(self, unit: Unit) -> Unit | None:
        entry = self._entries.get(unit.number)
        if entry is None:
            return unit
        return None if entry.done else replace(unit, cursor=entry.cursor, before=entry.tally)  # type: ignore[arg-type]

    # -- reports

    def enter(self, report: UnitReport) -> None:
        """Enter a report; written with the next commit."""
        cursor = report.cursor
        kind, text = (None, None) if cursor is None else (type(cursor).__name__, msgspec.json.encode(cursor).decode())
        counts = [getattr(report.tally, name) for name in NAMES]
        self.write(ENTER, [(report.unit, kind, text, report.done, *counts)])
        if report.files:
            files = ((each.file.name, each.segment, each.items, *_written(each.file)) for each in report.files)
            self.write("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", files)
        if report.tally.reasons:
            self.write(BLAME, report.tally.reasons.items())
        if report.item_sizes:
            self.write(ADD_SIZES, report.item_sizes.items())

    def files(self) -> list[ExportedFile]:
        """The finished files, by name."""
        columns = "segment, items, name, size_bytes, checksum, part_bytes"
        return [
            ExportedFile(segment, WrittenFile(name, size, checksum, tuple(msgspec.json.decode(parts))), items)
            for segment, items, name, size, checksum, parts in self._database.execute(
                f"SELECT {columns} FROM files ORDER BY name"
            )
        ]

    def commit(self, seconds: float) -> None:
        """Commit the entries. seconds: the duration of this run so far."""
        if self._writing:
            self.before_commit()
            if seconds:
                self.note(seconds=self.past.seconds + seconds, runs=self.past.runs + 1)
                self.write("UPDATE runs SET seconds = ? WHERE number = ?", [(seconds, self.past.runs + 1)])
            with writing_down():
                self._database.execute("COMMIT")
            self._writing = False

    def write(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Execute a statement for each of the rows; written with the next commit."""
        with writing_down():
            if not self._writing:
                self._database.execute("BEGIN")
                self._writing = True
            self._database.executemany(statement, rows)

    def read(self, reader: Callable[[sqlite3.Connection], Read]) -> Read:
        """reader: takes what it needs from the database; see `ddbio.job.history`."""
        return reader(self._database)

    # -- earlier runs

    def exists(self) -> bool:
        """Whether there is a journal of a job, readable or not."""
        return bool(self._database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])

    def let_go(self) -> None:
        """Close it without removing it."""
        close_database(self._database)

    def load(self, *, recover: bool = True) -> None:
        """Read the state of earlier runs. recover: also the work that their workers had settled but not reported.

        Raises UsageError, or the error of reading it, if it makes no sense.
        """
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if (application, version) != (APPLICATION_ID, VERSION):
            raise UsageError("its journal is not one that this version of ddbio can read", FRESH)
        (problem,) = self._database.execute("PRAGMA quick_check(1)").fetchone()
        if problem != "ok":
            raise sqlite3.DatabaseError(problem)
        self.past = Past(seconds=self.noted("seconds", 0.0, float), runs=self.noted("runs", 0, int))
        for name in ("facts", "plan"):
            self.noted(name, type=dict[str, Any])
        self.noted("rejects", type=list[Any] | None)
        if recover:
            self._recover_all()
        self._entries = dict(read_entries(self._database))
        tally = Tally(reasons=dict(self._database.execute("SELECT reason, count FROM reasons")))
        for entry in self._entries.values():
            tally.add(entry.tally)
        self.past = replace(self.past, tally=tally)
        self.files()
        self.read(read_history)
        self.resumed = self._begun = True

    def _recover_all(self) -> None:
        """Recover the progress of the workers of a killed parent."""
        for path in places_files(self.folder.path):
            states = states_left(path)  # of any checkpoint: waits for its workers
            if path.name == self.noted("places"):
                self.recover(states)
                self.commit(0.0)
            remove_file(path)

    def new_checkpoint(self) -> Path:
        """The path at which this run may create its checkpoint."""
        path = self.folder.path / f"{PLACES}{secrets.token_hex(4)}"
        self.note(places=path.name)  # checkpoints of other jobs are never counted
        self.commit(0.0)
        return path

    def limit_file(self) -> Path:
        """The file in which all runs of this job count what they take from a limit."""
        name = self.noted("limit", type=str | None)
        if name is None:
            name = f"{LIMIT}{secrets.token_hex(4)}"
            self.note(limit=name)
            self.commit(0.0)
        return self.folder.path / str(name)

    def _entry(self, number: int) -> Entry:
        return next(
            (entry for _, entry in read_entries(self._database, "WHERE number = ?", number)),
            Entry(None, Tally(), False),
        )

    def _difference(self, facts: Facts, sources: Iterable[SourceFile]) -> str:
        were = {uri: (size, version) for uri, size, version in self._database.execute("SELECT * FROM sources")}
        return difference(self.noted("facts"), facts, were, sources)

    def mark_complete(self) -> None:
        """The job is complete and reported: the same command is a new job from now on, however this run ends."""
        with suppress(DdbioError):
            self.note(complete=True)
            self.commit(0.0)

    def close(self) -> None:
        """Close it. The journal of a job that is complete, or was never begun, is removed."""
        if self.complete:
            self.mark_complete()  # even if removing the file fails, the same command is now a new job
            with suppress(OSError, sqlite3.Error):
                keep_history(self.folder.path, self.read(read_history))
        self.let_go()
        if self.complete or not self._begun:
            with suppress(DdbioError):
                remove_journal(self.folder.path)


def _written(file: WrittenFile) -> tuple[int, str, str]:
    return file.size_bytes, file.checksum, msgspec.json.encode(file.part_bytes).decode()
