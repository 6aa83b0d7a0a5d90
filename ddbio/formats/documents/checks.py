"""Classifies texts for the scanner, and words the faults of texts that are not records."""

from __future__ import annotations

import re

import msgspec

from ddbio.errors import RecordError
from ddbio.formats.documents import tokens
from ddbio.formats.documents.records import Fault

_split_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_check_value = msgspec.json.Decoder(msgspec.Raw).decode
_read_name = msgspec.json.Decoder(str).decode
_INVALID = (msgspec.MsgspecError, ValueError, RecursionError)


def is_value(text: bytes) -> bool:
    try:
        _check_value(text)
    except _INVALID:
        return False
    return True


def is_certain(text: bytes) -> bool:
    """Whether a text is a JSON value but for words in it, and commas that are missing at the ends of lines.

    Then its end is certain."""
    return is_value(text) or is_value(tokens.LOOSE_TOKEN.sub(_mended, text))


def _mended(token: re.Match[bytes]) -> bytes:
    return (b"0" if token["word"] else token["other"]) + (b"," if token["gap"] else b"")


def elements(region: bytes, separator: bytes) -> list[bytes]:
    """The elements of an array that has the same separator between all of them; none if it has not."""
    try:
        texts = list(map(bytes, _split_array(b"[%b]" % region)))
    except _INVALID:
        return []
    return texts if separator.join(texts) == region else []


def name_of(text: bytes) -> str:
    try:
        return _read_name(text)
    except _INVALID:
        return ""


def lost() -> Fault:
    return RecordError(
        "bad-json", "its quotes or brackets do not match; the text up to the next certain start of a record is here"
    )


def breaks_off(what: str) -> Fault:
    return RecordError("truncated", f"the file ends inside this {what}: the rest of it is missing")
