"""The rejects file as a source: after repair its lines are imported like those of any other file.

A line of it has the record that was refused as `record`, or as `record_base64`; that is parsed with the run's format,
or as DynamoDB JSON if it is an item of a table. A line that is not a reject, because the user replaced it with the
fixed record itself, is read as that record.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from ddbio.errors import RecordError
from ddbio.formats import REJECTED, get_format
from ddbio.formats.csv import Csv, CsvLayout
from ddbio.formats.dynamodb_json import DynamoDBJson
from ddbio.formats.framing import Lines
from ddbio.messages.format_spec import FormatSpec
from ddbio.values.items import AttributeMap


class Rejected(msgspec.Struct, omit_defaults=True):
    """One line of a rejects file.

    source: the file, or the table that was scanned. offset, line: of a record of a file; line from 1, null if it is
    not known. segment, key: of an item of a table. record_bytes: the length of the record, if only its beginning is
    here. csv: of a CSV row, the layout from its header.
    """

    source: str
    code: str
    message: str
    offset: int | None = None
    line: int | None = None
    segment: int | None = None
    key: dict[str, Any] | None = None
    record_bytes: int | None = None
    record: str | None = None
    record_base64: str | None = None
    csv: CsvLayout | None = None

    @property
    def of_table(self) -> bool:
        """Whether it is an item of a table, as DynamoDB JSON."""
        return self.segment is not None

    def content(self) -> bytes:
        """The record itself. Raises RecordError."""
        if self.record_bytes is not None:
            raise RecordError(
                "line-too-long",
                "only the beginning of the record is here: put the whole record here and remove `record_bytes`",
            )
        if self.record is not None:
            return self.record.encode()
        try:
            return base64.b64decode(self.record_base64 or "", validate=True)
        except binascii.Error:
            raise RecordError("bad-base64", "`record_base64` is not base64") from None


LINE_IN_UNIT = "line_in_unit"  # a member of the lines of an unfinished job, as is `unit`
REJECT_BEGINS = b'{"source":'  # a line as it was written
_MEMBERS = {*Rejected.__struct_fields__, "unit", LINE_IN_UNIT}
_decode = msgspec.json.Decoder(Rejected).decode


def read_rejected(line: bytes) -> Rejected | None:
    """The reject in a line of a rejects file; None if it is something else."""
    try:
        rejected = _decode(line)
    except (msgspec.MsgspecError, ValueError):
        return None
    if rejected.offset is None and not rejected.of_table:
        return None
    return rejected if rejected.record is not None or rejected.record_base64 is not None else None


def are_rejects(beginning: bytes) -> bool:
    """Whether the first line of a file has the members of a reject and no others.

    So a rejects file is recognised under any name. With `--format json` such lines are items.
    """
    line = beginning.lstrip().partition(b"\n")[0]
    if read_rejected(line) is None:
        return False
    return msgspec.json.decode(line, type=dict[str, Any]).keys() <= _MEMBERS


def of_rejects(spec: FormatSpec) -> FormatSpec:
    """The format of a rejects file whose records are of that format."""
    return FormatSpec(REJECTED, spec)


def header_of(spec: FormatSpec) -> dict[str, Any]:
    """The members of a rejects line beside the record, so that the record can be read without its file."""
    return {"csv": msgspec.to_builtins(spec.settings)} if isinstance(spec.settings, CsvLayout) else {}


class RejectedRecords(Lines):
    """inner: the format of the records; CSV rows carry the layout from their header."""

    def __init__(self, inner: FormatSpec) -> None:
        self._format = get_format(inner)
        self._of_table = DynamoDBJson().parse
        self._of_csv: Callable[[CsvLayout], Csv] = cache(Csv)
        self.suffix = self._format.suffix
        self.page_items = self._format.page_items
        self.one_unit_bytes = self._format.one_unit_bytes  # a record is never longer than the line it is in

    def parse(self, record: bytes) -> AttributeMap:
        rejected = read_rejected(record)
        if rejected is not None and rejected.code == "part-of-record":  # alone it might well be an item
            raise RecordError(
                "part-of-record", "this is only part of a record: replace the line by the whole record, or delete it"
            )
        content = record if rejected is None else rejected.content()
        if not content.strip():
            raise RecordError("bad-json", "the record is empty")
        return self._parser_for(rejected)(content)

    def _parser_for(self, rejected: Rejected | None) -> Callable[[bytes], AttributeMap]:
        if rejected is not None and rejected.of_table:
            return self._of_table
        if rejected is None or rejected.csv is None:
            return self._format.parse
        try:
            return self._of_csv(rejected.csv).parse
        except (KeyError, TypeError):
            raise RecordError("bad-csv", "`csv` does not describe a valid layout of the row") from None

    def render(self, items: list[Any]) -> bytes:
        raise NotImplementedError("nothing is exported as rejects")
