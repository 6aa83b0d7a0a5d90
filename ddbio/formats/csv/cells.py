"""Converts a CSV cell to an attribute value, by the type of its column, and back."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from ddbio.errors import AbortError, RecordError
from ddbio.formats.json_lines import decode_value
from ddbio.values.items import (
    MAX_SIGNIFICANT_DIGITS,
    AttributeValue,
    check_base64,
    check_number,
    plain_value,
    to_value,
)

Reader = Callable[[str], dict[str, Any]]

UNTYPED = ""  # a column of an export without a type: values of any type, each as text
TEXT, INFER = "S", "infer"  # INFER is no type a user names: it is --infer-types

# A number as a person writes one, and nothing that may be a code or a phone number: no leading zero, no sign but a
# minus, no exponent, no spaces. A match has the same value as a number, though not always
# the same spelling (12.50).
_PLAIN_NUMBER = re.compile(r"(?!-0(?:\.0*)?$)-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)
_ENCODER = msgspec.json.Encoder()
_BOOLEANS = {"true": True, "false": False}


def number_text(cell: str) -> str:
    """The digits of a number. Raises RecordError."""
    if cell.isascii() and cell.isdigit() and len(cell) <= MAX_SIGNIFICANT_DIGITS:
        return cell
    return check_number(cell.strip())


def _number(text: str) -> dict[str, Any]:
    return {"N": number_text(text)}


def _inferred(text: str) -> dict[str, Any]:
    if len(text) <= MAX_SIGNIFICANT_DIGITS and _PLAIN_NUMBER.fullmatch(text):
        return {"N": text}
    return {"S": text}


def _boolean(text: str) -> dict[str, Any]:
    value = _BOOLEANS.get(text.strip().lower())
    if value is None:
        raise RecordError("bad-value", f"{text[:50]!r} is neither true nor false")
    return {"BOOL": value}


def _binary(text: str) -> dict[str, Any]:
    return {"B": check_base64(text.strip())}


def _json(text: str) -> dict[str, Any]:
    return to_value(decode_value(text.encode()))


def _json_of(letter: str, word: str) -> Reader:
    def read(text: str) -> dict[str, Any]:
        value = _json(text)
        if letter not in value:
            raise RecordError("bad-value", f"{word} in JSON is needed")
        return value

    return read


def _set_of(letter: str) -> Reader:
    def read(text: str) -> dict[str, Any]:
        members = decode_value(text.encode())
        if type(members) is not list:
            raise RecordError("bad-value", "a set must be an array in JSON")
        return to_value({f"${letter}": members})

    return read


# None: text as it is, handled in line because most cells are.
READERS: dict[str, Reader | None] = {
    INFER: _inferred,
    TEXT: None,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "SS": _set_of("SS"),
    "NS": _set_of("NS"),
    "BS": _set_of("BS"),
    "L": _json_of("L", "an array"),
    "M": _json_of("M", "an object"),
    "JSON": _json,
}


def cell_text(value: AttributeValue | None) -> str:
    """A value as the text of a cell; a missing attribute and null are the empty cell."""
    if value is None:
        return ""
    if value.S is not None:
        return value.S
    if value.N is not None:
        return value.N
    if value.B is not None:
        return value.B
    if value.BOOL is not None:
        return "true" if value.BOOL else "false"
    if value.NULL is not None:
        return ""
    return _as_json(value)


def cell_writer(name: str, letter: str) -> Callable[[AttributeValue | None], str]:
    """Writes the cells of a column of this type so that they are read back unchanged.

    Raises AbortError for a value of another type: an import could not distinguish it from one of the column's.
    """
    if letter == UNTYPED:
        return cell_text
    if letter == "JSON":
        return lambda value: "" if value is None else _ENCODER.encode(plain_value(value)).decode()

    def write(value: AttributeValue | None) -> str:
        if value is not None and getattr(value, letter) is None and value.NULL is None:
            raise misfit(name, value, letter)
        return cell_text(value)

    return write


def misfit(name: str, value: AttributeValue, letter: str) -> AbortError:
    """A value is not of its column's type."""
    kind = next(each for each in AttributeValue.__struct_fields__ if getattr(value, each) is not None)
    return AbortError(
        f"attribute {name!r} is of type {kind} in one item, and its column of type {letter}",
        f"export the column as JSON: --columns ...,{name}:JSON",
    )


def _as_json(value: AttributeValue) -> str:
    if value.NS is not None:  # the digits of a number in JSON, as everywhere
        return f"[{','.join(value.NS)}]"
    members = value.SS if value.SS is not None else value.BS
    return _ENCODER.encode(members if members is not None else plain_value(value)).decode()
