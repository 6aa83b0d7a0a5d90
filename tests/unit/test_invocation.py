"""The command line in a job's folder: what is noted of it, and that another job is not resumed in its place."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddbio.errors import UsageError
from ddbio.job.invocation import check_expected, expect, invoked, note_command, noted_command

URL = "http://someone:secr@t@127.0.0.1:8000"


def apart(action: Callable[[], Any]) -> Any:
    """As in a process of its own."""
    return contextvars.copy_context().run(action)


def test_a_program_notes_nothing_and_keeps_what_a_command_noted(tmp_path: Path) -> None:
    note_command(tmp_path, None)
    assert noted_command(tmp_path) is None
    apart(lambda: (invoked("ddbio count", ["-t", "Orders"]), note_command(tmp_path, None)))
    note_command(tmp_path, None)
    noted = noted_command(tmp_path)
    assert noted is not None
    assert (noted.program, noted.words, noted.folder) == ("ddbio count", ["-t", "Orders"], str(Path.cwd()))
    assert (noted.complete, noted.report, noted.job) == (True, None, tmp_path.name)
    assert (tmp_path / "command.json").stat().st_mode & 0o777 == 0o600


def test_passwords_are_left_out(tmp_path: Path) -> None:
    apart(lambda: (invoked("ddbio count", ["--endpoint-url", URL, "--proxy=" + URL]), note_command(tmp_path, "-")))
    noted = noted_command(tmp_path)
    assert noted is not None
    assert (noted.words[1:], noted.complete) == (
        ["http://127.0.0.1:8000", "--proxy=http://127.0.0.1:8000"],
        False,
    )
    assert b"t@127" not in (tmp_path / "command.json").read_bytes()


def test_a_folder_that_cannot_be_written_does_not_end_the_job(tmp_path: Path) -> None:
    apart(lambda: (invoked("ddbio count", []), note_command(tmp_path / "missing", "run.json")))


def test_a_command_in_a_folder_whose_name_is_not_utf_8_is_not_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart(lambda: (invoked("ddbio count", ["old"]), note_command(tmp_path, None)))
    odd = tmp_path / "\udcff"
    odd.mkdir()
    monkeypatch.chdir(odd)
    apart(lambda: (invoked("ddbio count", ["new"]), note_command(tmp_path, None)))
    assert noted_command(tmp_path) is None
    assert not (tmp_path / "command.json").exists()


def test_a_command_that_is_resumed_begins_with_that_job() -> None:
    def resume(*jobs: str) -> None:
        expect("import-Orders-1")
        invoked("ddbio import", [])
        for job in jobs:
            check_expected(job)

    apart(lambda: resume("import-Orders-1", "import-Orders-2"))  # a stage of it
    with pytest.raises(UsageError, match="is not that job, but import-Orders-2"):
        apart(lambda: resume("import-Orders-2"))


def test_stages_name_the_job_that_they_are_stages_of(tmp_path: Path) -> None:
    def run() -> None:
        invoked("ddbio diff", [])
        check_expected("diff-Orders-1")
        check_expected("compare-Orders-2")
        note_command(tmp_path, None)

    apart(run)
    noted = noted_command(tmp_path)
    assert noted is not None and noted.job == "diff-Orders-1"
