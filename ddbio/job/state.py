"""Where the state of jobs is kept: one folder for each, private to the user.

    ~/.local/state/ddbio/import-Orders-3f2a9c0b1d4e/
        lock             who works on the job; locked as long as that process lives
        journal.sqlite   how far an unfinished job is (`ddbio.job.journal`); gone when it is finished
        places-9f3a01c2  what its lanes have settled (`ddbio.flow.checkpoint`), until the job is finished
        report.json      what the last run came to (`ddbio.job.report`)
        rejects.jsonl    rejects on their way to S3 (`ddbio.sinks.reject_place`)

The same command finds the same folder, because the name is made of what makes two jobs one: the verb, the table and
where it is, and the sources or the destination.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from ddbio.errors import UsageError

DIGEST_CHARACTERS = 12  # at the end of a folder's name
LOCK = "lock"
_PRIVATE = 0o700
_ELSEWHERE = "give another place with --state-dir, or put its permissions right"


def state_root(asked: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Where the folders of all jobs are: as asked, `$DDBIO_STATE_DIR`, or where the system keeps such things."""
    if chosen := asked or environment.get("DDBIO_STATE_DIR"):
        return Path(chosen).absolute()
    base = Path(environment.get("XDG_STATE_HOME") or "")
    if base.is_absolute():  # a relative one is invalid, says the specification, and to be ignored
        return base / "ddbio"
    try:
        return Path.home() / ".local" / "state" / "ddbio"
    except RuntimeError:
        raise UsageError("there is no home folder to keep the state of a job in", "set --state-dir") from None


def known_state_root(asked: str | None) -> Path | None:
    """The same; None if there is none, which only matters to a job that keeps state."""
    try:
        return state_root(asked)
    except UsageError:
        return None


def job_name(verb: str, table: str, identity: Sequence[str]) -> str:
    """The name of a job's folder. identity: what makes two jobs one, beside the verb and the table."""
    digest = hashlib.sha256("\0".join([verb, table, *identity]).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{verb}-{table}-{digest[:DIGEST_CHARACTERS]}"


class JobFolder:
    """The folder of one job, locked: nobody else works on the job until it is closed."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.journal = path / "journal.sqlite"
        self.report = path / "report.json"
        self.rejects = path / "rejects.jsonl"
        self._lock = lock

    @classmethod
    def claim(cls, root: Path, name: str) -> JobFolder:
        """Raises UsageError where the folder cannot be used, or another process works on the job."""
        path = root / name
        try:
            root.mkdir(_PRIVATE, parents=True, exist_ok=True)
            path.mkdir(_PRIVATE, exist_ok=True)
            _check_own(path)
            return cls(path, _locked(path / LOCK))
        except OSError as error:
            raise UsageError(f'cannot keep the state of this job in "{path}": {error.strerror}', _ELSEWHERE) from None

    def close(self) -> None:
        os.close(self._lock)  # and with it the lock


def _check_own(path: Path) -> None:
    """In a folder that others may write to, somebody could have made it before us."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise UsageError(f'"{path}" is not a folder of yours', _ELSEWHERE)
    path.chmod(_PRIVATE)


def _locked(path: Path) -> int:
    """The lock file, locked. The kernel unlocks it when this process ends, however it does."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise UsageError(
            f"this very job is being worked on by process {holder or 'unknown'}", "wait until it ends, or stop it"
        ) from None
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        os.close(lock)
        raise
    return lock
