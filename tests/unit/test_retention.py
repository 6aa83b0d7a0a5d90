"""Finished jobs are kept for a while, and only so many; unfinished ones and those at work are left alone."""

from __future__ import annotations

import os
from pathlib import Path

from ddbio.job.opening import open_journal
from ddbio.job.retention import KEPT_DAYS, KEPT_JOBS, prune
from ddbio.job.state import JobFolder
from ddbio.options import TransferOptions

NOW_S = 2_000_000_000
DAY_S = 86_400


def job(root: Path, number: int, ended_s: float, *more: str) -> Path:
    """A job that left these files besides the usual ones."""
    folder = root / f"import-Orders-{number:012x}"
    folder.mkdir(parents=True)
    for name in ("lock", "history.json", "report.json", "command.json", *more):
        (folder / name).write_text("{}")
        os.utime(folder / name, (ended_s, ended_s))
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_latest_are_kept_and_of_the_others_only_the_lock(tmp_path: Path) -> None:
    jobs = [job(tmp_path, number, NOW_S - number) for number in range(KEPT_JOBS + 3)]
    prune(tmp_path, NOW_S)
    kept = [len(names(folder)) for folder in jobs]
    assert kept == [4] * KEPT_JOBS + [1] * 3
    prune(tmp_path, NOW_S)
    assert [len(names(folder)) for folder in jobs] == kept


def test_old_ones_go_but_no_unfinished_one_and_none_at_work(tmp_path: Path) -> None:
    old_s = NOW_S - KEPT_DAYS * DAY_S - 1
    old, young = job(tmp_path, 1, old_s), job(tmp_path, 2, NOW_S - KEPT_DAYS * DAY_S + 60)
    unfinished = [
        job(tmp_path, 3 + at, old_s, name) for at, name in enumerate(("journal.sqlite", "rejects.jsonl", "places-1a"))
    ]
    at_work = JobFolder.claim(tmp_path, job(tmp_path, 9, old_s).name)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "report.json").write_text("mine")
    os.utime(tmp_path / "notes" / "report.json", (old_s, old_s))
    prune(tmp_path, NOW_S)
    assert [names(old), len(names(young))] == [{"lock"}, 4]
    assert [len(names(folder)) for folder in unfinished] == [5] * 3
    assert len(names(at_work.path)) == 4
    assert names(tmp_path / "notes") == {"report.json"}
    at_work.close()
    prune(tmp_path / "gone", NOW_S)


def test_the_end_of_a_job_removes_what_is_too_old(tmp_path: Path) -> None:
    old = job(tmp_path, 1, 0.0)
    asked = TransferOptions(table="Orders", state_dir=str(tmp_path))
    for complete in (False, True):
        with open_journal("import", "Orders", ["here"], asked) as journal:
            journal.begin({}, (), {})
            journal.complete = complete
        assert names(old) == ({"lock"} if complete else {"lock", "history.json", "report.json", "command.json"})
