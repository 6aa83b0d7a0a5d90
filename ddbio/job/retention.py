"""How long finished jobs are kept in the state folder, for `ddbio jobs` and `ddbio report`.

The last `KEPT_JOBS` of them, for `KEPT_DAYS`: their history, their last report and their command. Of others only the
empty folder stays, which the next run of the same command uses. Unfinished jobs are kept until someone forgets them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ddbio.errors import UsageError
from ddbio.job.state import JobFolder

KEPT_JOBS = 100
KEPT_DAYS = 90
_KEPT = ("history.json", "report.json", "command.json")
_OF_UNFINISHED = ("journal.sqlite", "rejects.jsonl", "files")
_DAY_S = 86_400


def prune(root: Path, now_s: float | None = None) -> None:
    """Remove what is kept of finished jobs that are too many or too old. now_s: seconds since the epoch.

    A job that another process begins meanwhile is left alone. Never raises.
    """
    earliest_s = (time.time() if now_s is None else now_s) - KEPT_DAYS * _DAY_S
    with suppress(OSError):
        latest_first = sorted(_finished(root), reverse=True)
        for number, (at_s, folder) in enumerate(latest_first):
            if number >= KEPT_JOBS or at_s < earliest_s:
                with suppress(OSError, UsageError):
                    _remove(root, folder)


def _finished(root: Path) -> Iterator[tuple[float, Path]]:
    """The folders of finished jobs of which something is kept, each with the time of its end."""
    for folder in root.iterdir():
        if not (folder / "lock").is_file() or _is_unfinished(folder):
            continue
        times = [path.stat().st_mtime for name in _KEPT if (path := folder / name).is_file()]
        if times:
            yield max(times), folder


def _is_unfinished(folder: Path) -> bool:
    return any((folder / name).exists() for name in _OF_UNFINISHED) or any(folder.glob("places-*"))


def _remove(root: Path, folder: Path) -> None:
    claimed = JobFolder.claim(root, folder.name)
    try:
        if not _is_unfinished(folder):
            for name in _KEPT:
                (folder / name).unlink(missing_ok=True)
    finally:
        claimed.close()
