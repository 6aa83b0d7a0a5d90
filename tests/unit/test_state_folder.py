"""The folder of an unfinished job, with one of its files lost, cut short, overwritten or in the way: the same command
goes on or says in one line what to do, and --fresh starts over whatever is there. Nothing is counted that was not so.
"""

from __future__ import annotations

import random
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ddbio.errors import DdbioError, UsageError
from ddbio.flow.checkpoint import Checkpoint
from ddbio.job.journal import Journal
from ddbio.job.opening import open_journal
from ddbio.messages import ImportCursor, SegmentUnit, Tally, UnitReport
from ddbio.messages.counts import RECORDED as RECORDED_NAMES
from ddbio.messages.files import SourceFile
from ddbio.options import TransferOptions
from ddbio.sources.plan import Plan

FACTS = {"format": "json"}
SOURCES = [SourceFile("/a.json", 10_000, "1")]
UNITS = [SegmentUnit(number, number, 4) for number in range(4)]
REPORTED, RECORDED = 50, 90  # offsets of each unit; every 10 bytes are a record


@contextmanager
def opened(root: Path, **options: Any) -> Iterator[Journal]:
    asked = TransferOptions(table="Orders", state_dir=str(root), **options)
    with open_journal("import", "Orders", ["here"], asked) as journal:
        yield journal


def report(unit: int, offset: int) -> UnitReport:
    records = offset // 10
    return UnitReport(unit, ImportCursor(offset, records), Tally(read=records, written=records, bytes=offset))


def work(journal: Journal, sources: list[SourceFile] = SOURCES) -> None:
    """What a run does until it is killed: reports are entered, and lanes record what they did beyond them."""
    journal.begin(FACTS, sources, {"size": 7})
    journal.left(Plan(UNITS))
    checkpoint = Checkpoint.create(journal.new_checkpoint(), 2, 2)
    for unit in UNITS:
        journal.enter(report(unit.number, REPORTED))
        journal.commit(1.0)
        records = RECORDED // 10
        counts = {"read": records, "written": records, "bytes": RECORDED, "units": 9.0}
        slot = checkpoint.slot(unit.number % 2, unit.number // 2)
        slot.write(unit.number, 0, RECORDED, records, *(counts.get(name, 0) for name in RECORDED_NAMES))
    checkpoint.close()


@pytest.fixture
def unfinished(tmp_path: Path) -> Path:
    """The state of a job whose run was killed: its journal is as a kill leaves it, with a write-ahead log."""
    with opened(tmp_path / "live") as journal:
        work(journal)
        shutil.copytree(tmp_path / "live", tmp_path / "state")
    return tmp_path / "state"


def assert_true(journal: Journal) -> None:
    """What the journal says was done was done."""
    known = (0, REPORTED // 10, RECORDED // 10)
    assert journal.past.tally.read <= len(UNITS) * RECORDED // 10
    for unit in (each for each in journal.left(Plan(UNITS)) if each is not None and journal.resumed):
        tally, cursor = unit.before or Tally(), unit.cursor
        assert tally.read in known
        assert cursor is None or (isinstance(cursor, ImportCursor) and cursor.offset == tally.read * 10)


def test_all_of_it_is_gone_on_from(unfinished: Path) -> None:
    with opened(unfinished) as journal:
        assert journal.resumed
        journal.begin(FACTS, SOURCES, {"size": 7})
        assert journal.past.tally.read == len(UNITS) * RECORDED // 10
        assert_true(journal)


def files(state: Path) -> list[Path]:
    (folder,) = state.iterdir()
    return sorted(path for path in folder.iterdir() if path.name != "report.json")


def harms(path: Path) -> Iterator[str]:
    """Harm the file in one way after another; the caller puts it back."""
    size = path.stat().st_size
    for length in sorted({0, 1, 20, 24, 100, 159, 160, 161, 512, 4095, 4096, 4097, size // 2, size - 1} - {size}):
        if length < size:
            with path.open("r+b") as file:
                file.truncate(length)
            yield f"cut to {length}"
    for seed in range(12):
        chance = random.Random(seed)
        content = bytearray(path.read_bytes())
        at = chance.randrange(len(content) or 1)
        content[at : at + chance.choice((1, 16, 2000, len(content)))] = chance.randbytes(chance.choice((1, 16, 2000)))
        path.write_bytes(content)
        yield f"overwritten {seed}"
    path.write_bytes(random.Random(0).randbytes(size))
    yield "noise"
    path.write_bytes(bytes(size))
    yield "zeros"
    path.unlink()
    yield "lost"
    path.unlink()
    path.mkdir()
    (path / "x").touch()
    yield "a folder"
    path.unlink()
    path.symlink_to("/nonexistent/file")
    yield "a link to nothing"


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite-wal", "lock", "places-"])
@pytest.mark.parametrize("fresh", [False, True])
def test_one_file_that_is_not_what_it_was(unfinished: Path, tmp_path: Path, name: str, fresh: bool) -> None:
    (path,) = (
        each for each in files(unfinished) if each.name == name or (name == "places-" and each.name.startswith(name))
    )
    whole, trial = path.read_bytes(), tmp_path / "trial"
    for harm in harms(path):
        shutil.rmtree(trial, ignore_errors=True)
        shutil.copytree(unfinished, trial, symlinks=True)
        if path.is_symlink() or path.is_dir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        path.write_bytes(whole)
        refused = ""
        try:
            with opened(trial, fresh=fresh) as journal:
                if fresh:
                    journal.forget()
                    assert not journal.resumed, harm
                journal.begin(FACTS, SOURCES, {"size": 7})
                assert_true(journal)
        except UsageError as error:
            refused = str(error)
            assert "--fresh" in refused or "--state-dir" in refused, harm
        # In the way is what only its owner may remove; all else --fresh gets past.
        assert not (refused and fresh) or harm in ("a folder", "a link to nothing"), (harm, refused)


def test_places_of_a_job_whose_journal_was_lost_are_not_those_of_the_next(unfinished: Path) -> None:
    """The next one has other sources: its first records were never written."""
    for path in files(unfinished):
        if path.name.startswith("journal"):
            path.unlink()
    others = [SourceFile("/b.json", 99_999, "2")]
    with opened(unfinished) as journal:
        assert journal.damaged
        journal.begin(FACTS, others, {"size": 7})
        journal.left(Plan(UNITS))
        journal.commit(1.0)
    with opened(unfinished) as journal:
        journal.begin(FACTS, others, {"size": 7})
        assert journal.past.tally == Tally()


def test_places_that_no_journal_names_are_not_counted(unfinished: Path) -> None:
    (places,) = (path for path in files(unfinished) if path.name.startswith("places-"))
    places.rename(places.with_name("places-ffffffff"))
    with opened(unfinished) as journal:
        assert journal.past.tally.read == len(UNITS) * REPORTED // 10


# --------------------------------------------------------------------------- a disk without room


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """No file of this process may be larger."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("size_bytes", [0, 1, 100, 1000, 2500, 4096, 10_000, 20_000, 40_000, 80_000])
def test_a_job_that_began_without_room_begins_when_there_is_some(
    tmp_path: Path, size_bytes: int, fresh: bool
) -> None:
    state = tmp_path / "state"
    with room_for(size_bytes):
        try:
            with opened(state) as journal:
                work(journal)
        except DdbioError as error:
            assert "--state-dir" in error.hint, str(error)
    with opened(state, fresh=fresh) as journal:
        if fresh:
            journal.forget()
        journal.begin(FACTS, SOURCES, {"size": 7})
        assert_true(journal)
        work(journal)
    with opened(state) as journal:
        journal.begin(FACTS, SOURCES, {"size": 7})
        assert journal.past.tally.read >= len(UNITS) * RECORDED // 10


# --------------------------------------------------------------------------- what was never begun, what is finished


def test_a_command_that_was_refused_leaves_no_journal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="refused"), opened(tmp_path / "state"):
        raise UsageError("refused")
    assert [path.name for path in files(tmp_path / "state")] == ["lock"]


def test_a_finished_job_is_finished_though_its_journal_cannot_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stays(_path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch, opened(tmp_path / "state") as journal:
        work(journal)
        journal.complete = True
        patch.setattr(Path, "unlink", stays)
    (folder,) = (tmp_path / "state").iterdir()
    assert (folder / "journal.sqlite").exists()
    with opened(tmp_path / "state") as journal:
        assert not journal.resumed
        journal.begin(FACTS, [], {"size": 9})


def test_the_rejects_are_safe_before_the_journal_counts_on_them(tmp_path: Path) -> None:
    seen: list[int] = []

    def what_is_written() -> int:
        with opened(copied) as other:
            return other.past.tally.read

    with opened(tmp_path / "state") as journal:
        journal.begin(FACTS, SOURCES, {"size": 7})
        copied = tmp_path / "copy"

        def look() -> None:
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(tmp_path / "state", copied)
            seen.append(what_is_written())

        journal.before_commit = look
        for _ in (10, 20, 30):
            journal.enter(report(0, 10))
            journal.commit(1.0)
        journal.before_commit = lambda: None
    assert seen == [0, 1, 2], "it was called before each of them was written down"


@pytest.mark.parametrize("place", ["s3://bucket/state", "file:///state"])
def test_a_place_that_is_no_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """It would be a folder called `s3:`, which is lost with the machine."""
    monkeypatch.chdir(tmp_path)
    given = TransferOptions(table="Orders", state_dir=place)
    with pytest.raises(UsageError, match="cannot be kept in"), open_journal("import", "Orders", ["here"], given):
        pass
    monkeypatch.setenv("DDBIO_STATE_DIR", place)
    usual = TransferOptions(table="Orders")
    with pytest.raises(UsageError, match="cannot be kept in"), open_journal("import", "Orders", ["here"], usual):
        pass
    assert not list(tmp_path.iterdir())
