"""The worker process: what it does if its parent ends before it has begun."""

from __future__ import annotations

import multiprocessing.connection
import os
from pathlib import Path
from typing import Any

import pytest

from ddbio.engines.process import child


class Missing:
    """Opens a file when it is unpickled, as shared state does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path),))


def test_a_worker_whose_parent_is_gone_with_its_files_ends_quietly(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.connection.Pipe()
    ours.send((print, Missing(tmp_path / "gone")))
    ours.close()
    child(os.dup(theirs.fileno()))
    theirs.close()


def test_a_worker_that_cannot_open_its_files_says_so_while_its_parent_lives(tmp_path: Path) -> None:
    ours, theirs = multiprocessing.connection.Pipe()
    ours.send((print, Missing(tmp_path / "gone")))
    with pytest.raises(FileNotFoundError):
        child(os.dup(theirs.fileno()))
    theirs.close()
    ours.close()


def test_a_worker_whose_parent_never_sent_anything_ends_quietly() -> None:
    ours, theirs = multiprocessing.connection.Pipe()
    ours.close()
    child(os.dup(theirs.fileno()))
    theirs.close()
