"""Reports a fault of ddbio itself: one line for the terminal, the traceback in a private file."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ddbio.aws.redaction import hide
from ddbio.errors import DdbioError, InternalError
from ddbio.job.state import state_root
from ddbio.version import __version__


def report_crash(error: InternalError, state_dir: str | None) -> str:
    """Write the traceback to a file, and return the line for the terminal."""
    path = _written(_text(error), state_dir)
    if path is None:
        where = f"no file could be written with its traceback, which ends at {error.place or 'an unknown line'}"
        return hide(f"internal error: {error.message}; please report it; {where}")
    more = f"; {error.hint}" if error.hint else ""
    return f"{hide(f'internal error: {error.message}')}; please report it with {path}{more}"


def _text(error: InternalError) -> str:
    about = (
        f"ddbio {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"command: {' '.join(map(ascii, sys.argv))}\n\n"
    )
    return hide(about + error.trace)


def _written(text: str, state_dir: str | None) -> Path | None:
    name = f"crash-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    for folder in _folders(state_dir):
        path = folder / name
        with contextlib.suppress(OSError):
            folder.mkdir(0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return path
    return None


def _folders(state_dir: str | None) -> Iterator[Path]:
    """The state folder; if nothing can be written there, the one for temporary files."""
    with contextlib.suppress(DdbioError):
        yield state_root(state_dir)
    with contextlib.suppress(OSError):
        yield Path(tempfile.gettempdir())
