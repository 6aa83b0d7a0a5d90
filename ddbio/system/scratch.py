"""Temporary folders that are removed even if the run is killed.

A killed run cannot clean up. So a run holds a lock on each of its temporary folders, which the kernel releases
however the run ends, and every later run of any job removes the folders that no process has locked. A process id in
the name would not work: containers that share a folder number their processes independently.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ddbio.errors import TransferError

PREFIX = "ddbio-run-"
_YOUNG_S = 60.0  # the owner of a younger empty folder may be about to lock it


class Scratch:
    """A temporary folder of this process, private to the user. Made by `create`; `remove` it at the end."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls) -> Scratch:
        """Raises TransferError if the folder cannot be created."""
        sweep()
        try:
            path = Path(tempfile.mkdtemp(prefix=PREFIX))
            lock = _opened(path)
        except OSError as error:
            raise no_room(error) from None
        with suppress(OSError):  # a file system without locks: no other run can lock the folder either
            fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path, lock)

    def remove(self) -> None:
        """Never raises."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def no_room(error: OSError) -> TransferError:
    """`error` as a message for the user."""
    return TransferError(
        f"no room for a small file in the temporary folder: {error.strerror}", "make room, or set TMPDIR"
    )


def sweep(wall_clock: Callable[[], float] = time.time) -> None:
    """Remove the folders of runs that were killed. Never raises."""
    with suppress(OSError):
        for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            with suppress(OSError):
                _remove_if_dead(path, wall_clock)


def _remove_if_dead(path: Path, wall_clock: Callable[[], float]) -> None:
    lock = _opened(path)
    try:
        status = os.fstat(lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_young = wall_clock() - status.st_mtime < _YOUNG_S and not any(path.iterdir())
        if status.st_uid == os.geteuid() and not is_young:
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(lock)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
