"""`changes`: the differences that `ddbio diff` writes, one a line, as changes that make its second side equal to the
first.

    {"op": "put"|"delete"|"change", "key": {...}, "old": {...}|null, "new": {...}|null}

Keys and items are DynamoDB JSON. A put and a change write `new`, a delete deletes the item with `key`. `old` is the
item that the second side had; an import does not look at it (`ddbio sync` does).
"""

from __future__ import annotations

import re
from typing import Any

from ddbio.errors import RecordError
from ddbio.formats import Format
from ddbio.formats.declaration import Beginning, Declaration, Found, Known
from ddbio.formats.dynamodb_json import checked
from ddbio.formats.encoding import check_encoding
from ddbio.formats.framing import Lines
from ddbio.formats.json_lines import ONE_UNIT_BYTES, decode_object
from ddbio.messages.format_spec import FormatSpec
from ddbio.values.items import AttributeMap, Deletion

NAME = "changes"
PUT, DELETE, CHANGE = OPERATIONS = ("put", "delete", "change")
_MEMBERS = {"op", "key", "old", "new"}
_BEGINS = re.compile(
    rb'\s*\{\s*"op"\s*:\s*"(?:put|delete|change)"\s*,\s*"key"\s*:\s*\{\s*"[^"]*"\s*:\s*\{\s*"[SNB]"\s*:'
)


def are_changes(beginning: bytes) -> bool:
    """Whether a file begins with a change. With `--format json` its lines are items."""
    return _BEGINS.match(beginning) is not None


def is_change(value: dict[str, Any]) -> bool:
    """Whether an object has the form of a change."""
    return value.keys() == _MEMBERS and value["op"] in OPERATIONS and type(value["key"]) is dict


def old_item(value: dict[str, Any]) -> AttributeMap | None:
    """The item that the second side had. Raises RecordError."""
    old = value.get("old")
    return None if old is None else checked(_object(old))


def _object(value: Any) -> dict[str, Any]:
    if type(value) is not dict or not value:
        raise RecordError("bad-change", "the keys and items of a change are objects of typed values")
    return value


class ChangeLines(Lines):
    suffix = ".jsonl"
    page_items: Any = None
    one_unit_bytes = ONE_UNIT_BYTES

    def parse(self, record: bytes) -> AttributeMap:
        value = decode_object(record)
        if not is_change(value):
            raise RecordError(
                "bad-change", f"a change has the members op ({', '.join(OPERATIONS)}), key, old and new"
            )
        key = checked(_object(value["key"]))
        if value["op"] == DELETE:
            return Deletion(key)
        item = checked(_object(value["new"]))
        if any(item.get(name) != part for name, part in key.items()):
            raise RecordError("bad-change", "the item in `new` has another key than `key`")
        return item

    def render(self, items: list[Any]) -> bytes:
        raise NotImplementedError("only a comparison writes changes")


class ChangesDeclaration(Declaration):
    name, label = NAME, "changes"
    folder_suffixes = (".jsonl", ".json")

    def open(self, settings: Any) -> Format:
        return ChangeLines()

    def detect(self, head: Beginning, known: Known, why: str | None) -> Found | None:
        if why is None and not are_changes(head.text):
            return None
        check_encoding(head.text, head.file.uri)
        return Found(FormatSpec(NAME), why or "as its lines are differences of two tables", changes=True)


CHANGES = ChangesDeclaration()
