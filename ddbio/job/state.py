"""The folders in which jobs keep their state: one for each, private to the user.

    ~/.local/state/ddbio/import-Orders-3f2a9c0b1d4e/
        lock             the process that works on the job; locked while it lives
        journal.sqlite   the state of an unfinished job (`ddbio.job.journal`); removed when it is finished
        places-9f3a01c2  the work its lanes have settled (`ddbio.flow.checkpoint`), until the job is finished
        caps             requests for another cap, while a process works (`ddbio.job.cap_requests`)
        command.json     the command that works on it (`ddbio.job.invocation`)
        report.json      the result of the last run (`ddbio.job.report`)
        rejects.jsonl    rejects on their way to S3 (`ddbio.sinks.reject_place`)

The same command finds the same folder, because its name is made of the job's identity: the verb, the table and its
address, and the sources or the destination.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ddbio.errors import UsageError

DIGEST_CHARACTERS = 12  # at the end of a folder's name
LOCK, JOURNAL = "lock", "journal.sqlite"
_PRIVATE = 0o700
_ELSEWHERE = "choose another folder with --state-dir, or fix its permissions"


def state_root(asked: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder that contains all jobs' folders: as given, `$DDBIO_STATE_DIR`, the user's folder for state, or one
    among the temporary files if there is no home folder that can be written.

    Raises UsageError for a place that is no folder of this machine, such as one in S3.
    """
    if chosen := asked or environment.get("DDBIO_STATE_DIR"):
        if "://" in chosen:
            raise UsageError(
                f'the state of jobs cannot be kept in "{chosen}"',
                "name a folder with --state-dir; one on a shared file system outlives this machine",
            )
        return Path(chosen).absolute()
    base = Path(environment.get("XDG_STATE_HOME") or "")
    if base.is_absolute():  # the specification says to ignore a relative one
        return base / "ddbio"
    return _below_home() or Path(tempfile.gettempdir()) / f"ddbio-state-{os.geteuid()}"


def _below_home() -> Path | None:
    """None if nothing can be kept there, as in AWS Lambda and in containers without a home folder."""
    try:
        place = Path.home() / ".local" / "state" / "ddbio"
    except RuntimeError:
        return None
    nearest = next(folder for folder in (place, *place.parents) if folder.exists())
    return place if nearest.is_dir() and os.access(nearest, os.W_OK) else None


def known_state_root(asked: str | None) -> Path | None:
    """The same; None if there is none, which matters only to a job that keeps state."""
    try:
        return state_root(asked)
    except UsageError:
        return None


def job_name(verb: str, table: str, identity: Sequence[str]) -> str:
    """The name of a job's folder. identity: distinguishes jobs with the same verb and table."""
    digest = hashlib.sha256("\0".join([verb, table, *identity]).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{verb}-{table}-{digest[:DIGEST_CHARACTERS]}"


class JobFolder:
    """The folder of one job, locked: no other process works on the job until it is closed. Without a lock, its
    paths."""

    def __init__(self, path: Path, lock: int | None = None) -> None:
        self.path = path
        self.journal = path / JOURNAL
        self.report = path / "report.json"
        self.rejects = path / "rejects.jsonl"
        self._lock = lock

    @classmethod
    def claim(cls, root: Path, name: str) -> JobFolder:
        """Raises UsageError if the folder cannot be used, or another process works on the job."""
        path = root / name
        try:
            root.mkdir(_PRIVATE, parents=True, exist_ok=True)
            path.mkdir(_PRIVATE, exist_ok=True)
            _check_own(path)
            return cls(path, _locked(path / LOCK))
        except OSError as error:
            raise UsageError(f'cannot keep the state of this job in "{path}": {error.strerror}', _ELSEWHERE) from None

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)  # which also releases the lock


def _check_own(path: Path) -> None:
    """In a folder that others may write to, someone else could have created it first."""
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise UsageError(f'"{path}" is not a folder of yours', _ELSEWHERE)
    path.chmod(_PRIVATE)


def _locked(path: Path) -> int:
    """The lock file, locked. The kernel unlocks it when this process ends, for whatever reason."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        os.close(lock)
        raise UsageError(
            f"process {holder or 'unknown'} is already working on this job", "wait until it ends, or stop it"
        ) from None
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError:
        os.close(lock)
        raise
    return lock
