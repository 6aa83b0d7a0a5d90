"""The files of an unfinished job in its folder, found and removed without reading them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ddbio.errors import UsageError
from ddbio.flow.checkpoint import states_left

PLACES = "places-"  # prefix of the name of a checkpoint's file
LIMIT = "limit-"  # of that of an edit's --limit
_JOURNAL = ("journal.sqlite-wal", "journal.sqlite-journal", "journal.sqlite")  # in this order: without its
# write-ahead log a journal is only outdated, while a log without its journal would become part of the next one


def places_files(folder: Path) -> Iterator[Path]:
    """The checkpoint files of all runs."""
    return iter(sorted(folder.glob(f"{PLACES}*")))


def remove_places(folder: Path) -> None:
    """Remove the checkpoint files, and those of limits. Raises UsageError if workers of an earlier run do not end."""
    for path in places_files(folder):
        states_left(path)  # waits for the workers
        remove_file(path)
    for path in folder.glob(f"{LIMIT}*"):
        remove_file(path)


def remove_journal(folder: Path) -> None:
    """Remove the journal, once no process works on the job any more."""
    remove_places(folder)
    for name in _JOURNAL:
        remove_file(folder / name)


def remove_file(path: Path) -> None:
    """Remove a file of a job, if it exists. Raises UsageError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f'cannot remove "{path}": {error.strerror}', "remove it yourself, or give another place with --state-dir"
        ) from None
