"""Other jobs of this user that are working on the same table. Each job has its own cap."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ddbio.job.state import DIGEST_CHARACTERS, LOCK


def others_at_work(root: Path, name: str) -> list[int]:
    """Process ids of the jobs with the same verb on a table of the same name, in any region.

    root: the folder that contains all jobs' folders. name: of this job's folder.
    """
    return sorted(_pids(root, name))


def _pids(root: Path, name: str) -> Iterator[int]:
    verb_and_table = name[:-DIGEST_CHARACTERS]
    with suppress(OSError):
        for folder in root.iterdir():
            if folder.name[:-DIGEST_CHARACTERS] == verb_and_table and folder.name != name:
                pid = holder_of(folder)
                if pid is not None:
                    yield pid


def holder_of(folder: Path) -> int | None:
    """The process that works on the job in this folder, if there is one."""
    with suppress(OSError, ValueError, OverflowError):  # of a damaged lock file
        pid = int((folder / LOCK).read_text("ascii"))
        if pid > 0 and _is_alive(pid) and _is_locked(folder / LOCK):
            return pid
    return None


def _is_alive(pid: int) -> bool:
    """Checked before trying the lock, because holding it even briefly would block a job that begins in that
    moment."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def _is_locked(path: Path) -> bool:
    with path.open() as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    return True
