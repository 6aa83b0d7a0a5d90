"""The rejects file: every record that was not imported, as JSON, with where it stood and why.

A line is written the moment its report arrives, so a crash loses none. The line *number* in the source is known only
when everything before it has been counted, which is at the end of the run: then the file is rewritten with it.

    {"source": "orders.json", "offset": 2341, "line": 12, "code": "missing-key", "message": "...", "record": "..."}

A record that is not valid UTF-8 is kept as `record_base64` instead. Of one that is too long to be a record only the
beginning is kept, and its length as `record_bytes`: the source has it at that offset.

A file of this name is a source, too: what is mended in it is imported, what is refused again keeps the place where it
first stood (`ddbio.formats.rejected`).
"""

from __future__ import annotations

import base64
import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import orjson

from ddbio.errors import TransferError, UsageError
from ddbio.formats.rejected import read_rejected
from ddbio.storage import SourceFile
from ddbio.storage.names import REJECTS_SUFFIX
from ddbio.units import ImportCursor, ImportUnit, Reject

_LINE_IN_UNIT = "line_in_unit"  # only until the file is finished


def choose_rejects_path(asked: str | None, sources: Iterable[str], files: Iterable[SourceFile]) -> Path:
    """Where the rejects of an import go: where the user says, else the current folder, under the name of the first
    source and never over a file that is there.

    Raises UsageError, before anything is moved, for a place that cannot be written, is no file, or is a source.
    """
    if asked is None:
        stem = _stem(next(iter(sources)))
        names = (
            f"{stem}{REJECTS_SUFFIX}" if number == 1 else f"{stem}.{number}{REJECTS_SUFFIX}" for number in count(1)
        )
        path = next(path for path in map(Path, names) if not path.exists())
    else:
        path = Path(asked)
        _check_existing(path, files)
    folder = path.resolve().parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f'the rejects file "{path}" cannot be written', "give another place with --rejects")
    return path


def _check_existing(path: Path, files: Iterable[SourceFile]) -> None:
    if not path.exists():
        return
    if not path.is_file():
        raise UsageError(
            f'"{path}" is not a file that rejects can be written to', "give another place with --rejects"
        )
    if any(Path(file.uri).exists() and path.samefile(file.uri) for file in files if "://" not in file.uri):
        raise UsageError(f'"{path}" is one of the sources: the rejects would overwrite it', "give another place")


def _stem(source: str) -> str:
    name = source.rstrip("/").rpartition("/")[2] or "import"
    name = name.removesuffix(REJECTS_SUFFIX)
    return "".join("_" if character in '*?[]:\\"' else character for character in name.split(".")[0]) or "import"


class RejectsFile:
    """Made when the first record is rejected; private to the user, for it holds their data."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._fd: int | None = None
        self._bytes = 0  # of whole lines

    def add(self, rejects: Iterable[Reject]) -> None:
        """Append; in the kernel's hands when this returns. After a TransferError the file ends in a whole line."""
        lines = [orjson.dumps(_as_json(reject), None, orjson.OPT_APPEND_NEWLINE) for reject in rejects]
        if not lines:
            return
        try:
            if self._fd is None:
                # O_APPEND: after a write that failed half-way is cut off, the next one begins where the file ends.
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
                self._fd = os.open(self.path, flags, 0o600)
                os.fchmod(self._fd, 0o600)  # where the file was there before
            for line in lines:
                self._append(self._fd, line)
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def _append(self, fd: int, line: bytes) -> None:
        done = 0
        try:
            while done < len(line):
                done += os.write(fd, line[done:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(fd, self._bytes)
            raise
        self._bytes += len(line)
        self.count += 1

    def finish(self, units: Iterable[ImportUnit], settled: dict[int, ImportCursor]) -> None:
        """Give every reject its line number. settled: by unit number, the cursor at the unit's end.

        Raises TransferError; the file then still has every reject, without the numbers.
        """
        if self._fd is None:
            return
        os.close(self._fd)
        self._fd = None
        target = self.path.resolve()  # a link stays a link
        part = target.with_name(f".{target.name}.part")
        try:
            self._number(target, part, lines_before(units, settled))
            part.replace(target)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise _unwritable(self.path, error) from None

    @staticmethod
    def _number(target: Path, part: Path, before: dict[tuple[str, int], int]) -> None:
        with target.open("rb") as rejects, open(part, "wb", opener=_private) as out:
            for text in rejects:
                reject = orjson.loads(text)
                line, start = reject.pop(_LINE_IN_UNIT), before.get((reject["source"], reject.pop("unit")))
                if reject["line"] is None and start is not None:
                    reject["line"] = start + line
                out.write(orjson.dumps(reject, None, orjson.OPT_APPEND_NEWLINE))


def _unwritable(path: Path, error: OSError) -> TransferError:
    return TransferError(
        f"cannot write the rejects file {path}: {error.strerror or error}",
        "make room, or give another place with --rejects, and run the same command again",
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _as_json(reject: Reject) -> dict[str, Any]:
    earlier = read_rejected(reject.record) if reject.source.endswith(REJECTS_SUFFIX) else None
    if earlier is not None:  # refused again: where it first stood is what helps, not the line of the rejects file
        reasons = {"code": reject.code, "message": reject.message}
        return {**msgspec.to_builtins(earlier), **reasons, "unit": reject.unit, _LINE_IN_UNIT: reject.line}
    common: dict[str, Any] = {
        "source": reject.source,
        "offset": reject.offset,
        "line": None,
        "code": reject.code,
        "message": reject.message,
        "unit": reject.unit,
        _LINE_IN_UNIT: reject.line,
    }
    if reject.record_bytes is not None:
        common["record_bytes"] = reject.record_bytes
    try:
        return {**common, "record": reject.record.decode()}
    except UnicodeDecodeError:
        return {**common, "record_base64": base64.b64encode(reject.record).decode()}


def lines_before(units: Iterable[ImportUnit], settled: dict[int, ImportCursor]) -> dict[tuple[str, int], int]:
    """Lines of the source before each unit, by (uri, unit number); only as far as everything before is counted."""
    by_source: dict[str, list[ImportUnit]] = defaultdict(list)
    for unit in units:
        by_source[unit.file.uri].append(unit)
    before: dict[tuple[str, int], int] = {}
    for uri, slices in by_source.items():
        lines = 0
        for unit in sorted(slices, key=lambda unit: unit.start):
            before[uri, unit.number] = lines
            cursor = settled.get(unit.number)
            if cursor is None:
                break
            lines += cursor.lines
    return before
