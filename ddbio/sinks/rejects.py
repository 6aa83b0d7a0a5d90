"""The rejects file: every record that was not imported, as JSON, with its position in the source and the reason.

A line is written as soon as its report arrives, so a crash loses none. The line *number* in the source is known only
when everything before it has been counted, at the end of the run: then the file is rewritten with the numbers.

    {"source": "orders.json", "offset": 2341, "line": 12, "code": "missing-key", "message": "...", "record": "..."}
    {"source": "Orders", "segment": 3, "key": {"id": {"S": "a"}}, "code": "...", "message": "...", "record": "..."}

The second is an item of a table that was scanned, as DynamoDB JSON; it has no line, and the file needs no numbers.

A record that is not valid UTF-8 is stored as `record_base64` instead. Of a record that is too long only the beginning
is stored, and its length as `record_bytes`: the whole record is in the source at that offset.

A rejects file is a source, too: records that were fixed in it are imported; those that are rejected again keep their
original position (`ddbio.formats.rejected`).
"""

from __future__ import annotations

import base64
import os
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import orjson

from ddbio.errors import TransferError, UsageError
from ddbio.formats import REJECTED
from ddbio.formats.rejected import LINE_IN_UNIT, header_of, read_rejected
from ddbio.messages import ImportCursor, ImportUnit, Reject
from ddbio.sinks.reject_kinds import Lines, RejectKind, RejectKinds, line_of
from ddbio.sinks.reject_place import next_free
from ddbio.storage.local_output import sync_folder

_START_OVER = "put it back, or start over with --fresh"


class RejectsFile:
    """Created when the first record is rejected; readable only by the user, because it holds their data.

    ours: whether we chose the name: then a file that another program has created in the meantime is not touched.
    """

    def __init__(self, path: Path, count: int = 0, size_bytes: int = 0, ours: bool = False) -> None:
        self.path = path
        self._ours = ours
        self.count = count
        self._fd: int | None = None
        self._bytes = size_bytes  # of whole lines
        self._finished = False
        self._kinds = RejectKinds()
        self._unsafe = False  # something was written since the last `sync`
        if size_bytes:
            self._reopen()

    def state(self) -> tuple[str, int, int, bool]:
        """The arguments with which a later run's `RejectsFile` resumes the file."""
        return str(self.path.absolute()), self.count, self._bytes, self._ours

    def _reopen(self) -> None:
        """Resume the file of an earlier run, truncated to the lines that the journal counts."""
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
            size_bytes = os.fstat(self._fd).st_size
            self._finished = size_bytes > 0 and LINE_IN_UNIT not in orjson.loads(_first_line(self._fd))
            if not self._finished and size_bytes >= self._bytes:
                os.ftruncate(self._fd, self._bytes)
            self._count_kinds()
        except (OSError, orjson.JSONDecodeError, TypeError, KeyError) as error:  # also JSON that is no reject
            raise UsageError(f'the rejects file "{self.path}" cannot be resumed: {error}', _START_OVER) from None
        if not self._finished and size_bytes < self._bytes:
            raise UsageError(f'the rejects file "{self.path}" lacks lines that earlier runs wrote', _START_OVER)

    def _count_kinds(self) -> None:
        with self.path.open("rb") as file:
            for line in file:
                self._kinds.add(orjson.loads(line))

    def kinds(self, before: Lines) -> tuple[RejectKind, ...]:
        """The rejects by code. before: see `lines_before`."""
        return self._kinds.named(before)

    def add(self, rejects: Iterable[Reject]) -> None:
        """Append; the lines have reached the kernel when this returns. After a TransferError the file ends in a whole
        line."""
        entries = [_as_json(reject) for reject in rejects]
        if not entries:
            return
        try:
            if self._fd is None:
                self._fd = self._open()
            for entry in entries:
                self._append(self._fd, orjson.dumps(entry, None, orjson.OPT_APPEND_NEWLINE))
                self._kinds.add(entry)
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def _open(self) -> int:
        # O_APPEND: after a partial write is truncated, the next write starts at the end of the file.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        while self._ours:
            try:
                return os.open(self.path, flags | os.O_EXCL, 0o600)
            except FileExistsError:
                self.path = next_free(self.path)
        fd = os.open(self.path, flags | os.O_TRUNC, 0o600)
        os.fchmod(fd, 0o600)  # if the file existed before
        return fd

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
        self._unsafe = True

    def sync(self) -> None:
        """Flush added lines to disk: the journal relies on them, so they must survive a power failure with it.

        Raises TransferError.
        """
        if self._fd is None or not self._unsafe:
            return
        try:
            os.fsync(self._fd)
            sync_folder(self.path.resolve().parent)
        except OSError as error:
            raise _unwritable(self.path, error) from None
        self._unsafe = False

    def finish(self, before: Lines) -> None:
        """Rewrite the file with line numbers. before: see `lines_before`.

        Raises TransferError; the file then still has every reject, without the numbers.
        """
        if self._fd is None or self._finished:
            return
        target = self.path.resolve()  # a link stays a link
        part = target.with_name(f".{target.name}.part")
        try:
            self._number(target, part, before)
            part.replace(target)
            sync_folder(target.parent)
            self._finished = True
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise _unwritable(self.path, error) from None

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @staticmethod
    def _number(target: Path, part: Path, before: Lines) -> None:
        with target.open("rb") as rejects, open(part, "wb", opener=_private) as out:
            for text in rejects:
                reject = orjson.loads(text)
                if "line" in reject:
                    reject["line"] = line_of(reject, before)
                del reject[LINE_IN_UNIT], reject["unit"]
                out.write(orjson.dumps(reject, None, orjson.OPT_APPEND_NEWLINE))
            out.flush()
            os.fsync(out.fileno())


def _first_line(fd: int) -> bytes:
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        return file.readline()


def _unwritable(path: Path, error: OSError) -> TransferError:
    return TransferError(
        f"cannot write the rejects file {path}: {error.strerror or error}",
        "make room, or give another place with --rejects, and run the same command again",
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _as_json(reject: Reject) -> dict[str, Any]:
    earlier = read_rejected(reject.record) if reject.format.name == REJECTED else None
    if earlier is not None:  # rejected again: its position in the original source is more useful
        reasons = {"code": reject.code, "message": reject.message}
        place = {} if earlier.of_table else {"line": earlier.line}  # null, too
        again = {**msgspec.to_builtins(earlier), **place, **reasons}
        return {**again, "unit": reject.unit, LINE_IN_UNIT: reject.line}
    of_table = {"segment": reject.segment, "key": reject.key}
    common: dict[str, Any] = {
        "source": reject.source,
        **({"offset": reject.offset, "line": reject.line_in_file} if reject.segment is None else of_table),
        "code": reject.code,
        "message": reject.message,
        "unit": reject.unit,
        LINE_IN_UNIT: reject.line,
    }
    if reject.record_bytes is not None:
        common["record_bytes"] = reject.record_bytes
    common.update(header_of(reject.format))
    try:
        return {**common, "record": reject.record.decode()}
    except UnicodeDecodeError:
        return {**common, "record_base64": base64.b64encode(reject.record).decode()}


def lines_before(units: Iterable[ImportUnit], settled: dict[int, ImportCursor]) -> dict[tuple[str, int], int]:
    """Lines of the source before each unit, by (uri, unit number); only for units before which all is counted.

    settled: the cursor at each unit's end, by unit number.
    """
    by_source: dict[str, list[ImportUnit]] = defaultdict(list)
    for unit in units:
        by_source[unit.file.uri].append(unit)
    before: dict[tuple[str, int], int] = {}
    for uri, slices in by_source.items():
        lines = 0
        for unit in sorted(slices, key=lambda unit: unit.start):
            lines += unit.head_lines
            before[uri, unit.number] = lines
            cursor = settled.get(unit.number)
            if cursor is None:
                break
            lines += cursor.lines
    return before
