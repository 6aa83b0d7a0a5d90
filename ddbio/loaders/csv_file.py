"""The file of a load: whether it can be read, and its number of rows. Imports almost nothing."""

from __future__ import annotations

import csv
import errno
import os
from pathlib import Path

_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")  # gzip, zstd


def readable(csv_file: str | os.PathLike[str]) -> str:
    """The absolute path of a file that can be read. Raises OSError, as `open` does."""
    path = Path(csv_file)
    if path.is_dir():
        raise _error(errno.EISDIR, csv_file)
    if not path.exists():
        raise _error(errno.ENOENT, csv_file)
    if not os.access(path, os.R_OK):
        raise _error(errno.EACCES, csv_file)
    return str(path.absolute())


def _error(code: int, csv_file: str | os.PathLike[str]) -> OSError:
    return OSError(code, os.strerror(code), os.fspath(csv_file))  # of the subclass for the code


def records(path: str) -> int:
    """The rows below the header of a file, as csv.DictReader counts them; 1 if they cannot be counted."""
    if not Path(path).is_file():  # to open a FIFO would wait for its writer
        return 1
    try:
        with Path(path).open("rb") as file:
            if file.read(4).startswith(_COMPRESSED):
                return 1
        with Path(path).open(newline="", encoding="utf-8", errors="replace") as lines:
            return max(0, sum(1 for row in csv.reader(lines) if row) - 1)
    except (OSError, csv.Error):
        return 1
