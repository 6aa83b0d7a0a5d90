"""The rejects file: every record that was not imported, as JSON, with where it stood and why.

A line is written the moment its report arrives, so a crash loses none. The line *number* in the source is known only
when everything before it has been counted, which is at the end of the run: then the file is rewritten with it.

    {"source": "orders.json", "offset": 2341, "line": 12, "code": "missing-key", "message": "...", "record": "..."}

A record that is not valid UTF-8 is kept as `record_base64` instead.
"""

from __future__ import annotations

import base64
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from ddbio.errors import TransferError
from ddbio.units import ImportCursor, Reject, SliceUnit

_LINE_IN_UNIT = "line_in_unit"  # only until the file is finished


def rejects_path(source: str) -> Path:
    """Where the rejects of a source go unless the user says otherwise: the current folder, under its name."""
    name = source.rstrip("/").rpartition("/")[2] or "import"
    stem = "".join("_" if character in '*?[]:\\"' else character for character in name.split(".")[0]) or "import"
    return Path(f"{stem}.rejects.jsonl")


class RejectsFile:
    """Made when the first record is rejected; private to the user, for it holds their data."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: BinaryIO | None = None

    def add(self, rejects: Iterable[Reject]) -> None:
        """Append; on disk for the kernel to keep when this returns. Raises TransferError."""
        lines = [orjson.dumps(_as_json(reject), None, orjson.OPT_APPEND_NEWLINE) for reject in rejects]
        if not lines:
            return
        try:
            if self._file is None:
                handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                self._file = os.fdopen(handle, "wb", buffering=0)
            self._file.write(b"".join(lines))
        except OSError as exc:
            raise TransferError(
                f"cannot write the rejects file {self.path}: {exc.strerror}", "give another place with --rejects"
            ) from None
        self.count += len(lines)

    def finish(self, units: Iterable[SliceUnit], settled: dict[int, ImportCursor]) -> None:
        """Give every reject its line number. settled: by unit number, the cursor at the unit's end."""
        if self._file is None:
            return
        self._file.close()
        before = lines_before(units, settled)
        numbered = self.path.with_name(f".{self.path.name}.part")
        with self.path.open("rb") as rejects, open(numbered, "wb", opener=_private) as out:
            for text in rejects:
                reject = orjson.loads(text)
                line = reject.pop(_LINE_IN_UNIT)
                start = before.get((reject["source"], reject.pop("unit")))
                reject["line"] = None if start is None else start + line
                out.write(orjson.dumps(reject, None, orjson.OPT_APPEND_NEWLINE))
        numbered.replace(self.path)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _as_json(reject: Reject) -> dict[str, Any]:
    common = {
        "source": reject.source,
        "offset": reject.offset,
        "line": None,
        "code": reject.code,
        "message": reject.message,
        "unit": reject.unit,
        _LINE_IN_UNIT: reject.line,
    }
    try:
        return {**common, "record": reject.record.decode()}
    except UnicodeDecodeError:
        return {**common, "record_base64": base64.b64encode(reject.record).decode()}


def lines_before(units: Iterable[SliceUnit], settled: dict[int, ImportCursor]) -> dict[tuple[str, int], int]:
    """Lines of the source before each unit, by (uri, unit number); only as far as everything before is counted."""
    by_source: dict[str, list[SliceUnit]] = defaultdict(list)
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
