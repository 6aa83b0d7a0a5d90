"""`json`: one plain JSON object a line, readable by Athena, Glue, DuckDB and people. The default.

What JSON cannot say is tagged (see `ddbio.items`), so the format is lossless both ways.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from ddbio.errors import RecordError
from ddbio.items import AttributeMap, AttributeValue, NumberText, to_attributes, to_plain

# float_hook is called with the text of a number, before it could lose a digit; integers of any size stay exact.
decode = msgspec.json.Decoder(float_hook=NumberText).decode

_PARSE_ERRORS = (msgspec.DecodeError, ValueError, RecursionError)


def decode_object(record: bytes) -> dict[str, Any]:
    """The JSON object in `record`. Raises RecordError `bad-json` or `not-an-object`."""
    try:
        value = decode(record)
    except _PARSE_ERRORS as exc:
        raise RecordError("bad-json", f"not valid JSON: {exc}") from None
    if type(value) is not dict:
        raise RecordError("not-an-object", f"a JSON object is needed, not {_KINDS[type(value)]}")
    return value


_KINDS: dict[type, str] = {
    str: "a string",
    int: "a number",
    NumberText: "a number",
    bool: "true or false",
    type(None): "null",
    list: "an array",
}


class JsonLines:
    suffix = ".json"
    source_suffixes = (".json", ".jsonl")
    page_items = list[dict[str, AttributeValue]]

    def parse(self, record: bytes) -> AttributeMap:
        return to_attributes(decode_object(record))

    def render(self, items: list[dict[str, AttributeValue]]) -> bytes:
        dumps, newline = orjson.dumps, orjson.OPT_APPEND_NEWLINE
        return b"".join([dumps(to_plain(item), None, newline) for item in items])
