"""The rejects file as a source: the format of its records.

The first readable record decides. CSV rows carry the layout from their header; for rows that the user put there
`--columns` must name the columns.
"""

from __future__ import annotations

from typing import Any

from ddbio.errors import RecordError, UsageError
from ddbio.formats.changes import NAME as CHANGES
from ddbio.formats.csv import CsvLayout
from ddbio.formats.csv.declaration import NAME as CSV
from ddbio.formats.csv.declaration import read_layout
from ddbio.formats.declaration import Beginning, Declaration, Found, Known
from ddbio.formats.encoding import check_encoding
from ddbio.formats.json_declaration import format_of_record, object_in
from ddbio.formats.rejected import RejectedRecords, of_rejects, read_rejected
from ddbio.messages.format_spec import FormatSpec

_REQUESTS = "write-requests"


class RejectedDeclaration(Declaration):
    name, label = "rejected", "rejects"

    def open(self, settings: Any) -> RejectedRecords:
        return RejectedRecords(settings)

    def detect(self, head: Beginning, known: Known, why: str | None) -> Found | None:
        while b"\n" not in head.text and not (head.is_whole or head.is_long):
            head.grow()
        check_encoding(head.text, head.file.uri)
        inner = _record_format(head, known)
        return Found(of_rejects(inner), f'in rejects of "{head.name}"', changes=inner.name in (_REQUESTS, CHANGES))


def _record_format(head: Beginning, known: Known) -> FormatSpec:
    record, layout = _first_rejected(head.text)
    if layout is not None and (known.auto or known.format == CSV):
        return FormatSpec(CSV, layout)
    is_row = known.auto and known.csv.columns is not None and not record.lstrip().startswith(b"{")
    default = CSV if is_row else "" if known.auto else known.format
    format = format_of_record(record, default)
    if format != CSV:
        return FormatSpec(format)
    if known.csv.columns is None:
        raise UsageError(f'"{head.file.uri}" has CSV rows without their header', "name the columns with --columns")
    return FormatSpec(CSV, read_layout(head.file, record, known).layout)


def _first_rejected(head: bytes) -> tuple[bytes, CsvLayout | None]:
    """The first record in a rejects file, fixed or not, and the layout from its header if it is a CSV row.

    Of JSON, the first that can be read, if one can.
    """
    records = [_rejected(line) for line in head.split(b"\n") if line.strip()]
    readable = (each for each in records if each[1] is not None or object_in(each[0]))
    return next(readable, None) or next(iter(records), (b"", None))


def _rejected(line: bytes) -> tuple[bytes, CsvLayout | None]:
    rejected = read_rejected(line)
    if rejected is None:
        return line, None
    try:
        return rejected.content(), rejected.csv
    except RecordError:
        return b"", rejected.csv


REJECTED = RejectedDeclaration()
