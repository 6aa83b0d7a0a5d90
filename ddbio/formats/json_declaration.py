"""`json` and `dynamodb-json`: how their files are detected.

JSON is `dynamodb-json` only if its first record is wrapped in `Item` or all its values carry a type: that cannot be
plain JSON of this table, whose key would be a map. The first bytes also show whether a file has one object a line
(`ddbio.formats.documents`), with any `--format`. Each file is detected separately.
"""

from __future__ import annotations

from typing import Any

from ddbio.errors import RecordError, UsageError
from ddbio.formats import Format
from ddbio.formats.changes import NAME as CHANGES
from ddbio.formats.changes import is_change
from ddbio.formats.declaration import Beginning, Declaration, Found, Known, Remark
from ddbio.formats.documents.detect import Detected, detect
from ddbio.formats.documents.layout import REQUESTS
from ddbio.formats.dynamodb_json import DynamoDBJson, looks_typed
from ddbio.formats.encoding import check_encoding
from ddbio.formats.framing import FIRST_BLANKS
from ddbio.formats.json_lines import JsonLines, decode_object
from ddbio.formats.write_requests import is_request
from ddbio.messages.format_spec import FormatSpec

_PLAIN, _TYPED, _REQUESTS = "json", "dynamodb-json", "write-requests"


class JsonDeclaration(Declaration):
    folder_suffixes = (".json", ".jsonl")

    def __init__(self, name: str, label: str, format: type[Format], suffixes: tuple[str, ...] = ()) -> None:
        self.name, self.label, self.suffixes = name, label, suffixes
        self._format = format

    def open(self, settings: Any) -> Format:
        return self._format()

    def detect(self, head: Beginning, known: Known, why: str | None) -> Found | None:
        if why is None and not head.text.lstrip(FIRST_BLANKS).startswith((b"{", b"[")):
            return None
        if not known.auto:
            _refuse_csv(head, known)
        found = _detected(head, known)
        check_encoding(head.text, head.file.uri)
        if found.foreign:
            raise UsageError(
                f'"{head.file.uri}": {found.foreign}', "name the table they are for with -t, or remove them"
            )
        name, why = self.name, why or f'as "{head.name}" begins with {"[" if found.is_array else "{"}'
        if known.auto and found.typed:
            name, why = _TYPED, "as all values of the first record carry types"
        if is_requests := found.layout is not None and found.layout.kind == REQUESTS:
            name, why = _REQUESTS, "as its members are lists of requests"
        return Found(
            FormatSpec(name, layout=found.layout),
            why if found.records else "",
            changes=is_requests,
            remarks=() if found.layout is None else (_layout_remark(head.name, found.words),),
        )


def _detected(head: Beginning, known: Known) -> Detected:
    while True:
        found = detect(head.text, known.keys, known.tables, whole=head.is_whole, long=head.is_long)
        if found is not None:
            return found
        head.grow()


def _refuse_csv(head: Beginning, known: Known) -> None:
    """Raises UsageError for a file whose first row has the keys of the table: no record of it is JSON."""
    if head.text.lstrip(FIRST_BLANKS).startswith((b"{", b"[")):
        return
    from ddbio.formats import declaration_of

    found = declaration_of("csv").detect(head, known, None)
    if found is not None and found.head_lines:
        raise UsageError(
            f'"{head.file.uri}" is CSV: its first row has the keys of the table', "add --format csv instead"
        )


def _layout_remark(name: str, words: str) -> Remark:
    return Remark(words, lambda more: f'"{name}" {f"and {more} are" if more else "is"} read as {words}')


PLAIN = JsonDeclaration(_PLAIN, "JSON", JsonLines, (".json", ".jsonl", ".ndjson"))
TYPED = JsonDeclaration(_TYPED, "DynamoDB JSON", DynamoDBJson)


def format_of_record(record: bytes, default: str) -> str:
    """The format of one record of JSON: `default`, unless it shows that it is a request or a change.

    default: a format, or empty to distinguish plain from DynamoDB JSON by the record.
    """
    value = object_in(record)
    if is_request(value):
        return _REQUESTS
    if is_change(value) and default in ("", CHANGES):
        return CHANGES
    return default or (_TYPED if looks_typed(value) else _PLAIN)


def object_in(record: bytes) -> dict[str, Any]:
    """The object that a record is; an empty one if it cannot be read."""
    try:
        return decode_object(record)
    except RecordError:
        return {}
