"""The SQLite file of a journal (`ddbio.job.journal`): opening it, its tables, the meaning of its errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import msgspec

from ddbio.errors import TransferError, UsageError
from ddbio.job import history
from ddbio.messages import Cursor, ExportCursor, Tally
from ddbio.messages.counts import NAMES

APPLICATION_ID = 0x64646269  # "ddbi": marks the file as ours
FRESH = "with --fresh it is started over"
VERSION = 8  # of the schema, and of the way units are cut from a plan

SCHEMA = f"""
    DROP TABLE IF EXISTS job;
    DROP TABLE IF EXISTS sources;
    DROP TABLE IF EXISTS units;
    DROP TABLE IF EXISTS files;
    DROP TABLE IF EXISTS reasons;
    DROP TABLE IF EXISTS item_sizes;
    CREATE TABLE job (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE sources (uri TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, version TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE units (
        number INTEGER PRIMARY KEY, kind TEXT, cursor TEXT, done INTEGER NOT NULL,
        {", ".join(f"{name} NUMERIC NOT NULL" for name in NAMES)}
    );
    CREATE TABLE files (
        name TEXT PRIMARY KEY, segment INTEGER NOT NULL, items INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
        checksum TEXT NOT NULL, part_bytes TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE reasons (reason TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE item_sizes (exponent INTEGER PRIMARY KEY, items INTEGER NOT NULL);
    {history.SCHEMA}
    PRAGMA application_id = {APPLICATION_ID};
    PRAGMA user_version = {VERSION};
"""
ENTER = f"""
    INSERT INTO units (number, kind, cursor, done, {", ".join(NAMES)})
    VALUES (?, ?, ?, ?, {", ".join("?" * len(NAMES))})
    ON CONFLICT (number) DO UPDATE SET
        kind = coalesce(excluded.kind, kind), cursor = coalesce(excluded.cursor, cursor), done = excluded.done,
        {", ".join(f"{name} = {name} + excluded.{name}" for name in NAMES)}
"""
BLAME = "INSERT INTO reasons VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count"
ADD_SIZES = "INSERT INTO item_sizes VALUES (?, ?) ON CONFLICT (exponent) DO UPDATE SET items = items + excluded.items"
_CURSORS: dict[str, type] = {each.__name__: each for each in get_args(Cursor)}


@dataclass(frozen=True, slots=True)
class Entry:
    """A unit in the journal: its cursor, and its counts up to there."""

    cursor: Cursor | None
    tally: Tally
    done: bool

    @property
    def settled_anything(self) -> bool:
        """Whether anything of the unit was moved, or is in an unfinished file or upload."""
        exported = isinstance(self.cursor, ExportCursor) and self.cursor != ExportCursor(None, 0, None, 0)
        return exported or self.tally.moves()


def read_entries(database: sqlite3.Connection, which: str = "", *values: int) -> Iterator[tuple[int, Entry]]:
    """The entries of all units, or of those `which` selects, by the unit's number."""
    columns = ", ".join(NAMES)
    rows = database.execute(f"SELECT number, kind, cursor, done, {columns} FROM units {which}", values)
    for number, kind, text, done, *counts in rows:
        cursor = None if kind is None else msgspec.json.decode(text, type=_CURSORS[kind])
        yield number, Entry(cursor, Tally(*counts), bool(done))


def connected(path: Path) -> sqlite3.Connection:
    """Raises UsageError if the file cannot be created or opened, or is not a journal."""
    database = None
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # SQLite makes it readable to all
        database = sqlite3.connect(path, isolation_level=None)
        # Exclusive: no shared memory next to the file, so that it may be on a network file system.
        for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = NORMAL"):
            database.execute(f"PRAGMA {pragma}")
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    except sqlite3.OperationalError as error:
        close_database(database)
        raise _unusable(path, str(error)) from None
    except sqlite3.Error as error:
        close_database(database)
        raise UsageError(f'the journal "{path}" of this job is damaged: {error}', FRESH) from None
    return database


def close_database(database: sqlite3.Connection | None) -> None:
    with suppress(sqlite3.Error):
        if database is not None:
            database.close()


def _unusable(path: Path, reason: str) -> UsageError:
    return UsageError(
        f'the journal "{path}" of this job cannot be used: {reason}',
        f"free some space, fix its permissions, or choose another folder with --state-dir; {FRESH}",
    )


@contextmanager
def writing_down() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise TransferError(
            f"cannot write the journal of this job: {error}",
            "free some space, or choose another folder with --state-dir",
        ) from None
