"""Temporary folders: removed by their owner, or by the next run of any job once the owner is dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ddbio.errors import TransferError
from ddbio.system.scratch import PREFIX, Scratch, sweep

KILLED = """
import os, signal
from ddbio.system.scratch import Scratch
scratch = Scratch.create()
(scratch.path / "governor").touch()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_the_owner_removes_it(temporary: Path) -> None:
    scratch = Scratch.create()
    assert scratch.path.stat().st_mode & 0o777 == 0o700
    scratch.remove()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next(temporary: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd()), "TMPDIR": str(temporary)}
    for _ in range(2):
        killed = subprocess.run([sys.executable, "-c", KILLED], timeout=30, env=environment, check=False)
        assert killed.returncode == -signal.SIGKILL
        assert len(list(temporary.iterdir())) == 1, "that of this one alone"
    scratch = Scratch.create()
    assert list(temporary.iterdir()) == [scratch.path]
    scratch.remove()
    assert list(temporary.iterdir()) == []


def test_what_is_in_use_is_left_alone() -> None:
    scratch = Scratch.create()
    (scratch.path / "governor").touch()
    sweep(lambda: time.time() + 1e6)
    assert (scratch.path / "governor").exists()
    scratch.remove()


def test_a_folder_that_is_about_to_be_locked_is_left_alone(temporary: Path) -> None:
    young = temporary / f"{PREFIX}x"
    young.mkdir()
    sweep()
    assert young.exists()
    sweep(lambda: time.time() + 61)
    assert not young.exists()


def test_what_is_not_ours_is_left_alone(temporary: Path) -> None:
    (temporary / "mine").mkdir()
    (temporary / "mine" / "file").touch()
    (temporary / f"{PREFIX}file").touch()
    (temporary / f"{PREFIX}link").symlink_to(temporary / "mine")
    sweep(lambda: time.time() + 1e6)
    assert sorted(path.name for path in temporary.iterdir()) == [f"{PREFIX}file", f"{PREFIX}link", "mine"]
    assert (temporary / "mine" / "file").exists()


def test_a_temporary_folder_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary / "gone"))
    with pytest.raises(TransferError, match="set TMPDIR"):
        Scratch.create()
