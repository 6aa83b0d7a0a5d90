"""A copy of a job's journal, to read it while it may be written. The original is neither locked nor changed.

SQLite would lock the original, and complete it from its log.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ddbio.job.database import APPLICATION_ID, VERSION
from ddbio.system.scratch import Scratch

_TRIES = 3  # for a copy of a journal that is being written


@contextmanager
def copied_journal(folder: Path) -> Iterator[sqlite3.Connection | None]:
    """None if there is no journal, or an empty one. Raises OSError; sqlite3.Error for a damaged one."""
    if not (folder / "journal.sqlite").exists():
        yield None
        return
    scratch = Scratch.create()
    try:
        any(_copied(folder, scratch.path) for _ in range(_TRIES))
        with closing(sqlite3.connect(scratch.path / "journal.sqlite")) as database:
            is_empty = not database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            yield None if is_empty else database
    finally:
        scratch.remove()


def is_of_this_version(database: sqlite3.Connection) -> bool:
    made = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return made == [APPLICATION_ID, VERSION]


def _copied(folder: Path, place: Path) -> bool:
    """Whether the copy is of one moment."""
    before = _fingerprint(folder)
    for name in ("journal.sqlite", "journal.sqlite-wal"):
        (place / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(folder / name, place / name)
    return before == _fingerprint(folder)


def _fingerprint(folder: Path) -> list[object]:
    """Of the database file: its log is only appended to until it is copied into that."""
    status = (folder / "journal.sqlite").stat()
    return [status.st_mtime_ns, status.st_size]
