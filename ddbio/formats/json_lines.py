"""`json`: one plain JSON object a line, readable by Athena, Glue, DuckDB and people. The default.

Values that JSON cannot express are tagged (see `ddbio.values.items`), so the format is lossless both ways.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ddbio.errors import RecordError
from ddbio.formats.encoding import BYTE_ORDER_MARK
from ddbio.formats.framing import FIRST_BLANKS, JsonText, Lines
from ddbio.formats.json_pages import Item, page_rendering, rendered_items
from ddbio.native import Notation, Rendering
from ddbio.values.items import MAX_DEPTH, AttributeMap, NumberText, not_finite, to_attributes

# float_hook is called with the text of a number, before it could lose a digit; integers of any size stay exact.
decode = msgspec.json.Decoder(float_hook=NumberText).decode

# A JSON string, which is skipped, or a token that other programs write for numbers that JSON does not have.
_STRING_OR_NOT_FINITE = re.compile(rb'"(?:[^"\\]|\\.)*"|(?<![\w.-])(-?(?:NaN|Infinity))(?!\w)')
_HALF_A_PAIR = re.compile(rb"\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])")


def decode_object(record: bytes) -> dict[str, Any]:
    """The JSON object in `record`. Raises RecordError `not-an-object`, and as `decode_value` does.

    A byte order mark before it is skipped: joined files have some.
    """
    try:
        value = decode_value(record)
    except RecordError:
        if not record.lstrip().startswith(BYTE_ORDER_MARK):
            raise
        value = decode_value(record.lstrip(FIRST_BLANKS))
    if type(value) is not dict:
        raise RecordError("not-an-object", f"a JSON object is needed, not {_KINDS[type(value)]}")
    return value


def decode_value(text: bytes) -> Any:
    """The JSON value in `text`. Raises RecordError `bad-json`, `bad-number`, `not-finite` or
    `too-deep`."""
    try:
        return decode(text)
    except msgspec.ValidationError:  # of untyped JSON, only integers that Python refuses to read are not valid
        raise RecordError("bad-number", "an integer has thousands of digits; DynamoDB keeps 38") from None
    except RecursionError:
        raise RecordError("too-deep", f"nested deeper than the {MAX_DEPTH} levels DynamoDB stores") from None
    except (msgspec.DecodeError, ValueError) as exc:
        _check_finite(text)
        raise RecordError("bad-json", f"not valid JSON: {_said(exc, text)}") from None


def _check_finite(text: bytes) -> None:
    """Raise RecordError `not-finite` if NaN or Infinity is all that keeps `text` from being JSON."""
    found = [match[1] for match in _STRING_OR_NOT_FINITE.finditer(text) if match[1]]
    if not found:
        return
    try:
        decode(_STRING_OR_NOT_FINITE.sub(lambda match: b"0" if match[1] else match[0], text))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return
    raise not_finite(found[0].decode())


def _said(exc: Exception, record: bytes) -> str:
    if _HALF_A_PAIR.search(record):  # msgspec takes the end of the text for the end of the input
        return "half of a surrogate pair (\\ud800 to \\udfff)"
    try:
        record.decode()
    except UnicodeDecodeError as error:
        return f"byte 0x{record[error.start]:02x} at offset {error.start} is not UTF-8"
    return str(exc).removeprefix("JSON is malformed: ")


_KINDS: dict[type, str] = {
    str: "a string",
    int: "a number",
    NumberText: "a number",
    bool: "true or false",
    type(None): "null",
    list: "an array",
}


# Any record with a text this short is one write unit: a value nested in JSON takes at least two
# characters, and never more than twice its text in DynamoDB's arithmetic.
ONE_UNIT_BYTES = 512


class JsonObjects(JsonText):
    """A record is an object, on a line or in a document."""

    page_items: Any = list[Item]
    one_unit_bytes = ONE_UNIT_BYTES
    rendered: Rendering | None = None
    notation: Notation | None = "json"

    def parse(self, record: bytes) -> AttributeMap:
        try:
            value = decode(record)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            value = None
        return to_attributes(value if type(value) is dict else decode_object(record))  # the latter words the fault


class JsonLines(JsonObjects, Lines):
    suffix = ".json"

    def __init__(self) -> None:
        self.rendered = page_rendering()

    def render(self, items: list[Any]) -> bytes:
        return rendered_items(items)
