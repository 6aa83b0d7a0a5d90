"""Detects from the first bytes of a JSON file whether it has one object a line, and in which form.

Both ways of reading are tried on these bytes, and the one that finds more records is taken. One object a line is
preferred, as such a file can be cut anywhere and a bad line spoils no other: if both find the same number, or if the
first line is an object and both find bad records. A page or a list of requests is one object a line, too, and is
known by the names in it: the rules are in `layout`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ddbio.errors import RecordError
from ddbio.formats.documents.layout import OBJECTS, PAGES, REQUESTS, DocumentLayout, kind_of
from ddbio.formats.documents.records import Fault
from ddbio.formats.documents.scanner import Scanner
from ddbio.formats.dynamodb_json import looks_typed
from ddbio.formats.framing import FIRST_BLANKS, may_be_inside
from ddbio.formats.json_lines import decode_object


@dataclass(frozen=True, slots=True)
class Detected:
    """layout: None for one object a line. typed: its records are DynamoDB JSON. records: it has some.

    is_array: it begins as an array. foreign: the fault, if there are requests for other tables.
    """

    layout: DocumentLayout | None = None
    typed: bool = False
    records: bool = True
    is_array: bool = False
    foreign: str = ""

    @property
    def words(self) -> str:
        """How the file is read, for a message."""
        if self.layout is None:
            return "one object a line"
        if self.layout.kind == PAGES:
            return "the items in answers to Scan or Query"
        if self.layout.kind == REQUESTS:
            return "write requests"
        return "a JSON array" if self.is_array else "JSON objects over several lines, or several on a line"


@dataclass(slots=True)
class _Reading:
    """The result of one way of reading. first: the first object. begins_good: no bad record before the first good."""

    good: int = 0
    bad: int = 0
    begins_good: bool = False
    first: dict[str, Any] | None = None
    foreign: str = ""

    def count(self, value: dict[str, Any] | None, *, good: bool = True) -> None:
        good = good and value is not None
        self.begins_good = self.begins_good or (good and not self.bad)
        self.good += good
        self.bad += not good
        self.first = self.first or value


def detect(head: bytes, keys: Sequence[str], tables: Sequence[str], *, whole: bool, long: bool) -> Detected | None:
    """The kind of a file that begins with `head`; None if more of it should be read.

    keys: the attributes that an item of the table must have. tables: names that requests may use for the table.
    whole: `head` is the whole file. long: it is not, but no more is read.
    """
    text = head.lstrip(FIRST_BLANKS)
    if not text:
        return Detected(records=False) if whole or long else None
    lines = _read_lines(text, keys, whole)
    kind = kind_of(lines.first, keys) if lines.first else OBJECTS
    if lines.good and not lines.bad:
        return Detected(typed=_is_typed(lines))
    is_array = text.startswith(b"[")
    layout, documents = _read_documents(text, kind, keys, tables, whole=whole, long=long)
    if not (whole or long or lines.good or documents.good) or (layout.kind == REQUESTS and not (whole or long)):
        return None
    better = documents.good > lines.good and not (lines.begins_good and documents.bad)
    clean = whole and lines.bad and not documents.bad and documents.good == lines.good
    if better or clean or (not lines.good and (is_array or layout.kind != OBJECTS)):
        return Detected(layout, _is_typed(documents), is_array=is_array, foreign=documents.foreign)
    return Detected(typed=_is_typed(lines))


def _is_typed(reading: _Reading) -> bool:
    return reading.first is not None and looks_typed(reading.first)


def _read_lines(text: bytes, keys: Sequence[str], whole: bool) -> _Reading:
    reading, before = _Reading(), b""
    lines = text.split(b"\n")
    for line in lines if whole else lines[:-1]:
        record = line.strip(FIRST_BLANKS)
        if record:
            value = None if may_be_inside(before) else _object(record)
            reading.count(value, good=value is not None and kind_of(value, keys) == OBJECTS)
            before = record[-1:]
    return reading


def _read_documents(
    text: bytes, kind: str, keys: Sequence[str], tables: Sequence[str], *, whole: bool, long: bool
) -> tuple[DocumentLayout, _Reading]:
    layout = DocumentLayout()
    if kind == OBJECTS:
        reading = _scanned(text, layout, whole)
        if reading.first is not None:
            kind = kind_of(reading.first, keys)
        elif whole or long:
            kind = _kind_of_unfinished(text, tables, whole=whole, long=long)
        if kind == OBJECTS:
            return layout, reading
    layout = _of(kind, tables)
    return layout, _scanned(text, layout, whole)


def _kind_of_unfinished(text: bytes, tables: Sequence[str], *, whole: bool, long: bool) -> str:
    """The kind of the first object, if its end is not there. Only a page or requests are longer than an item, and
    only in a page an array has DynamoDB JSON in it."""
    if _scanned(text, _of(REQUESTS, tables), whole).good:
        return REQUESTS
    page = _scanned(text, _of(PAGES, tables), whole)
    return PAGES if page.good and (long or _is_typed(page)) else OBJECTS


def _of(kind: str, tables: Sequence[str]) -> DocumentLayout:
    return DocumentLayout(kind, tuple(tables) if kind == REQUESTS else ())


def _scanned(text: bytes, layout: DocumentLayout, whole: bool) -> _Reading:
    reading = _Reading()
    for record, fault in _records(text, layout, whole):
        reading.count(None if fault else _object(record))
        if fault and fault.code == "other-table":
            reading.foreign = reading.foreign or fault.message
    return reading


def _records(text: bytes, layout: DocumentLayout, whole: bool) -> Iterator[tuple[bytes, Fault | None]]:
    scanner = Scanner(layout)
    found = [*scanner.feed(text), *(scanner.finish() if whole else ())]
    for records in found:
        for number, record in enumerate(records.texts):
            yield record, records.faults.get(number)


def _object(record: bytes) -> dict[str, Any] | None:
    try:
        return decode_object(record)
    except RecordError:
        return None
