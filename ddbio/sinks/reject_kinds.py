"""The rejects of a job by code: their number and the first one, for the summary and the report.

The first is the one with the lowest source name and offset, whichever worker found it. All of this is read from the
lines of the rejects file, so the counts agree with the file, also after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from ddbio.formats.rejected import LINE_IN_UNIT
from ddbio.messages.files import STDIN

MESSAGE_CHARACTERS = 200  # of the first reject's message

Lines = Mapping[tuple[str, int], int]  # lines of a source before each unit, see `lines_before`


@dataclass(frozen=True, slots=True)
class RejectKind:
    """The rejects of one code.

    source, offset, line, message: of the first one. line: from 1; None if it is not known. segment, key: of an item
    of a table, which has no offset and no line.
    """

    code: str
    count: int
    source: str
    offset: int | None
    line: int | None
    message: str
    segment: int | None = None
    key: dict[str, Any] | None = None

    def describe(self) -> str:
        """`missing-key 20,000, first: orders.json line 1: the key 'id' is missing`."""
        name = "standard input" if self.source == STDIN else self.source.rpartition("/")[2]
        if self.key is not None:
            return f"{self.code} {self.count:,}, first: {name} {orjson.dumps(self.key).decode()}: {self.message}"
        place = f"byte {self.offset}" if self.line is None else f"line {self.line}"
        return f"{self.code} {self.count:,}, first: {name} {place}: {self.message}"

    def as_json(self) -> dict[str, Any]:
        """For the report: `{"count": 2, "first": {"source", "offset", "line", "message"}}`; of items of a table with
        `segment` and `key` in place of `offset` and `line`."""
        first = asdict(self)
        of_other = ("offset", "line") if self.segment is not None else ("segment", "key")
        for name in ("code", *of_other):
            del first[name]
        return {"count": first.pop("count"), "first": first}


class RejectKinds:
    """Counts the lines of a rejects file."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, dict[str, Any]] = {}

    def add(self, entry: dict[str, Any]) -> None:
        """entry: a line of the file, finished or not."""
        code = entry["code"]
        self._counts[code] = self._counts.get(code, 0) + 1
        if code not in self._first or _place(entry) < _place(self._first[code]):
            self._first[code] = {name: value for name, value in entry.items() if name not in _CONTENT}

    def named(self, before: Lines) -> tuple[RejectKind, ...]:
        """Most frequent first."""
        kinds = [self._kind(code, count, before) for code, count in self._counts.items()]
        return tuple(sorted(kinds, key=lambda kind: (-kind.count, kind.code)))

    def _kind(self, code: str, count: int, before: Lines) -> RejectKind:
        first = self._first[code]
        line, message = line_of(first, before), " ".join(first["message"].split())
        if len(message) > MESSAGE_CHARACTERS:
            message = f"{message[:MESSAGE_CHARACTERS]}..."
        where = {"segment": first.get("segment"), "key": first.get("key")}
        return RejectKind(code, count, first["source"], first.get("offset"), line, message, **where)


def kinds_in(path: Path, size_bytes: int) -> tuple[RejectKind, ...]:
    """The rejects by code in the first bytes of an unfinished file. Raises OSError; KeyError, TypeError or ValueError
    for a file of something else."""
    kinds, left = RejectKinds(), size_bytes
    with path.open("rb") as file:
        for line in file:
            left -= len(line)
            if left < 0:
                break
            kinds.add(orjson.loads(line))
    return kinds.named({})


_CONTENT = {"record", "record_base64", "csv"}


def _place(entry: dict[str, Any]) -> tuple[str, int]:
    return entry["source"], entry["offset"] if "offset" in entry else entry["segment"]


def line_of(entry: Mapping[str, Any], before: Lines) -> int | None:
    """The line of a reject in its source, if that is known."""
    line: int | None = entry.get("line")
    if line is not None or LINE_IN_UNIT not in entry:
        return line
    start = before.get((entry["source"], entry["unit"]))
    return None if start is None else start + int(entry[LINE_IN_UNIT])
