"""The journal: what was entered and committed is there for the next run, and what differs is named."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ddbio.errors import TransferError, UsageError
from ddbio.job.journal import Journal
from ddbio.job.opening import open_journal
from ddbio.messages import ExportCursor, ExportedFile, ImportCursor, SegmentUnit, Tally, UnitReport
from ddbio.messages.files import SourceFile, WrittenFile
from ddbio.options import TransferOptions
from ddbio.sources.plan import Plan

FACTS = {"format": "json", "segments": None}
SOURCES = [SourceFile("/a.json", 10, "1"), SourceFile("/b.json", 20, "2")]
UNITS = [SegmentUnit(number, number, 4) for number in range(4)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "state"


@contextmanager
def opened(root: Path, **options: Any) -> Iterator[Journal]:
    asked = TransferOptions(table="Orders", state_dir=str(root), **options)
    with open_journal("import", "Orders", ["here"], asked) as journal:
        yield journal


def begun(root: Path, *reports: UnitReport, seconds: float = 1.5, **notes: Any) -> None:
    """A run that entered these reports and died."""
    with opened(root) as journal:
        journal.begin(FACTS, SOURCES, {"size": 7})
        journal.left(Plan(UNITS))
        for report in reports:
            journal.enter(report)
        journal.note(**notes)
        journal.commit(seconds)


def report(unit: int, offset: int, *, done: bool = False, **counts: Any) -> UnitReport:
    return UnitReport(unit, ImportCursor(offset, offset // 10), Tally(**counts), done=done)


def test_a_new_job_has_no_past(root: Path) -> None:
    with opened(root) as journal:
        assert (journal.resumed, journal.past.runs, journal.settled()) == (False, 0, {})
        journal.begin(FACTS, SOURCES, {"size": 7})
        assert journal.plan == {"size": 7}


def test_the_next_run_knows_what_was_committed(root: Path) -> None:
    begun(
        root,
        report(0, 50, read=5, written=4, rejected=1, units=4.5, reasons={"throttled": 2}),
        report(0, 90, done=True, read=4, written=4),
        report(2, 30, read=3, written=3, reasons={"throttled": 1, "cut": 1}),
        rejects=["x", 1, 2],
    )
    with opened(root) as journal:
        assert journal.resumed
        journal.begin(FACTS, SOURCES, {"size": 8})
        assert journal.plan == {"size": 7}, "a job goes on as it was planned"
        assert journal.noted("rejects") == ["x", 1, 2]
        assert (journal.past.runs, journal.past.seconds) == (1, 1.5)
        assert journal.past.tally == Tally(
            read=12, written=11, rejected=1, units=4.5, reasons={"throttled": 3, "cut": 1}
        )
        assert journal.settled() == {0: ImportCursor(90, 9)}
        left = [unit for unit in journal.left(Plan(UNITS)) if unit is not None]
        assert [unit.number for unit in left] == [1, 2, 3]
        assert [unit.cursor for unit in left] == [None, ImportCursor(30, 3), None]
        assert left[1].before == Tally(read=3, written=3)


def test_what_was_not_committed_is_not_claimed(root: Path) -> None:
    begun(root, report(0, 50, read=5, written=5))
    with opened(root) as journal:
        journal.enter(report(0, 90, read=4, written=4))
    with opened(root) as journal:
        assert journal.past.tally.read == 5


def test_seconds_and_runs_add_up(root: Path) -> None:
    begun(root, report(0, 50, read=5, written=5), seconds=2.0)
    with opened(root) as journal:
        for seconds in (1.0, 3.0):  # of this run, each time
            journal.enter(report(1, 50, read=1, written=1))
            journal.commit(seconds)
    with opened(root) as journal:
        assert (journal.past.runs, journal.past.seconds) == (2, 5.0)


def test_a_failed_unit_keeps_its_cursor(root: Path) -> None:
    error = UnitReport(0, None, Tally(requests=1), error=TransferError("no"))
    begun(root, report(0, 50, read=5, written=5), error)
    with opened(root) as journal:
        assert journal.cursors() == [ImportCursor(50, 5)]


def test_files_and_cursors_of_an_export(root: Path) -> None:
    file = ExportedFile(3, WrittenFile("Orders-0003-00000.json", 99, "sha256:0"), 10)
    cursor = ExportCursor('{"id":{"S":"x"}}', 1, {"path": "/out/x", "durable_bytes": 5, "sha256": "0"}, 2, (1, 2), 12)
    begun(root, UnitReport(3, cursor, Tally(read=12, written=10), files=(file,)))
    parts = ExportedFile(4, WrittenFile("Orders-0004-00000.json", 99, "sha256-composite:x-2", (90, 9)), 10)
    begun(root, UnitReport(4, None, Tally(read=10, written=10), files=(parts,)))
    with opened(root) as journal:
        assert (journal.files(), journal.cursors()) == ([file, parts], [cursor])


def test_a_finished_job_has_no_journal(root: Path) -> None:
    begun(root, report(0, 50, read=5, written=5))
    with opened(root) as journal:
        journal.complete = True
    with opened(root) as journal:
        assert not journal.resumed
    (folder,) = root.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not [path for path in folder.iterdir() if path.stat().st_mode & 0o077]


def test_a_job_that_nobody_goes_on_with_leaves_nothing(root: Path, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with opened(root, journal=False) as journal:
        journal.begin(FACTS, SOURCES, {"size": 7})
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("facts", "sources", "words"),
    [
        ({**FACTS, "format": "csv"}, SOURCES, 'format was "json" and is "csv"'),
        ({**FACTS, "--filter": "n > 1"}, SOURCES, '--filter was not given and is "n > 1"'),
        ({**FACTS, "--drop": ("a", "b")}, SOURCES, '--drop was not given and is "a,b"'),
        ({**FACTS, "--csv-types": (("a", "N"),)}, SOURCES, '--csv-types was not given and is "a:N"'),
        ({**FACTS, "--infer-types": True}, SOURCES, "--infer-types was not given and is given"),
        ({"format": "json"}, SOURCES, ""),  # an option of None is none
        (FACTS, [*SOURCES, SourceFile("/c.json", 1, "1")], '"/c.json" is new among the sources'),
        (FACTS, SOURCES[:1], '"/b.json" is gone'),
        (FACTS, [SOURCES[0], SourceFile("/b.json", 20, "3")], '"/b.json" has changed'),
        (FACTS, [SOURCES[0], SourceFile("/b.json", 21, "2")], '"/b.json" has changed'),
    ],
)
def test_another_command_is_refused_with_the_difference(
    root: Path, facts: dict[str, Any], sources: list[SourceFile], words: str
) -> None:
    begun(root, report(0, 50, read=5, written=5))
    with opened(root) as journal:
        if not words:
            journal.begin(facts, sources, {})
            return
        with pytest.raises(UsageError) as raised:
            journal.begin(facts, sources, {})
        assert words in raised.value.message
        assert "--fresh" in raised.value.hint


def test_a_job_of_which_nothing_was_done_is_begun_anew(root: Path) -> None:
    begun(root)
    with opened(root) as journal:
        journal.begin({**FACTS, "format": "csv"}, SOURCES[:1], {"size": 9})
        assert (journal.resumed, journal.plan) == (False, {"size": 9})


def test_another_number_of_units_is_refused(root: Path) -> None:
    begun(root, report(0, 50, read=5, written=5))
    with opened(root) as journal, pytest.raises(UsageError, match="another version"):
        journal.left(Plan(UNITS[:3]))


def damage(root: Path) -> Path:
    (path,) = root.glob("*/journal.sqlite")
    return path


@pytest.mark.parametrize("content", [b"nonsense" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_journal_is_refused_unless_it_is_to_be_forgotten(root: Path, content: bytes) -> None:
    begun(root, report(0, 50, read=5, written=5))
    damage(root).write_bytes(content)
    with pytest.raises(UsageError, match="damaged") as raised, opened(root):
        pass
    assert "--fresh" in raised.value.hint
    with opened(root, fresh=True) as journal:
        assert not journal.resumed


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version = 999",
        "PRAGMA application_id = 1",
        "UPDATE units SET kind = 'os.system'",
        'UPDATE units SET cursor = \'{"offset": "x"}\'',
        "UPDATE units SET cursor = 'garbage'",
        "DROP TABLE units",
    ],
)
def test_a_journal_that_makes_no_sense_is_refused(root: Path, statement: str) -> None:
    begun(root, report(0, 50, read=5, written=5))
    with sqlite3.connect(damage(root)) as database:
        database.execute(statement)
    database.close()
    with pytest.raises(UsageError, match="journal"), opened(root):
        pass


def test_a_job_is_one_process_s_at_a_time(root: Path) -> None:
    with opened(root), pytest.raises(UsageError, match=f"process {os.getpid()}"), opened(root):
        pass
    with opened(root):
        pass


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(UsageError, match="cannot keep the state"), opened(tmp_path / "state"):
        pass
    (tmp_path / "link").mkdir()
    with pytest.raises(UsageError, match="is not a folder of yours"):
        (tmp_path / "root").mkdir()
        with opened(tmp_path / "root"):
            pass
        (folder,) = (tmp_path / "root").iterdir()
        folder.rename(tmp_path / "elsewhere")
        folder.symlink_to(tmp_path / "elsewhere")
        with opened(tmp_path / "root"):
            pass
