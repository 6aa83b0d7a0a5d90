"""Attribute values between JSON and botocore, which has bytes for base64 text."""

from __future__ import annotations

import base64
from typing import Any


def for_botocore(value: dict[str, Any]) -> dict[str, Any]:
    """A value as in JSON, as botocore wants it: it encodes bytes itself."""
    return _converted(value, base64.b64decode)


def from_botocore(value: dict[str, Any]) -> dict[str, Any]:
    """The inverse."""
    return _converted(value, lambda binary: base64.b64encode(binary).decode())


def _converted(value: dict[str, Any], binary: Any) -> dict[str, Any]:
    ((letter, payload),) = value.items()
    if letter == "B":
        return {letter: binary(payload)}
    if letter == "BS":
        return {letter: [binary(member) for member in payload]}
    if letter == "L":
        return {letter: [_converted(element, binary) for element in payload]}
    if letter == "M":
        return {letter: {name: _converted(member, binary) for name, member in payload.items()}}
    return value
