"""Which other jobs work on a table: those that hold their lock, with the same verb, on a table of that name."""

from __future__ import annotations

import os
from pathlib import Path

from ddbio.job.others import others_at_work
from ddbio.job.state import JobFolder, job_name


def test_only_running_jobs_on_that_table_count(tmp_path: Path) -> None:
    own = job_name("import", "Orders", ["a"])
    names = {
        "another": job_name("import", "Orders", ["b"]),
        "of reads": job_name("export", "Orders", ["b"]),
        "of a table with a longer name": job_name("import", "Orders-old", ["b"]),
        "ended": job_name("import", "Orders", ["c"]),
    }
    folders = {what: JobFolder.claim(tmp_path, name) for what, name in names.items()}
    mine = JobFolder.claim(tmp_path, own)
    (tmp_path / "not-a-job").mkdir()
    (tmp_path / job_name("import", "Orders", ["without a lock"])).mkdir()
    folders.pop("ended").close()
    assert others_at_work(tmp_path, own) == [os.getpid()]
    folders.pop("another").close()
    assert others_at_work(tmp_path, own) == []
    for folder in (mine, *folders.values()):
        folder.close()


def test_a_lock_of_a_process_that_is_gone_or_that_says_nothing_is_none(tmp_path: Path) -> None:
    for number, text in enumerate(["", "x", "99999999\n", "-1\n", "9" * 20]):
        folder = tmp_path / job_name("import", "Orders", [str(number)])
        folder.mkdir()
        (folder / "lock").write_text(text)
    assert others_at_work(tmp_path, job_name("import", "Orders", ["mine"])) == []
    assert others_at_work(tmp_path / "nowhere", "import-Orders-0123456789ab") == []
