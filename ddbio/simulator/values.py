"""Attribute values: checked as the service checks them, and normalised as it normalises them.

The JSON decoder checks the types of payloads (a string for S, a list of strings for NS, ...) by the declaration of
`Value`, and drops unknown type letters. This module checks the rest in one pass over an item, in place: numbers
become plain decimal text without redundant zeros (`00042` -> `42`, `1.5E2` -> `150`, `-0` -> `0`), base64 becomes
its canonical form. Each type letter that needs a check has one function in the table `_CHECKS`; it raises a
ServiceError or returns the payload to store.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import TYPE_CHECKING, Any, TypedDict

from ddbio.simulator.capacity import MAX_NESTING_LEVELS
from ddbio.simulator.errors import ServiceError, invalid, invalid_value

if TYPE_CHECKING:
    Value = dict[str, Any]
else:

    class Value(TypedDict, total=False):
        """An attribute value, as declared to the decoder. At run time it is a plain dict."""

        S: str
        N: str
        B: str
        BOOL: bool
        NULL: bool
        SS: list[str]
        NS: list[str]
        BS: list[str]
        L: list[Value]
        M: dict[str, Value]


Item = dict[str, Value]

# Service quotas, "Numbers": 38 significant digits, magnitudes from 1E-130 to 9.99...E+125.
_MAX_DIGITS = 38
_MAX_EXPONENT = 125
_MIN_EXPONENT = -130
EXACT = Context(prec=10_000, Emin=-100_000, Emax=100_000, traps=[InvalidOperation, Inexact, Overflow])
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

_OVERFLOW = "Number overflow. Attempting to store a number with magnitude larger than supported range"
_UNDERFLOW = "Number underflow. Attempting to store a number with magnitude smaller than supported range"

_TOO_DEEP = (
    "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"
)


def check_item(item: Item) -> None:
    """Check and normalise every value of an item or key, in place; raises ServiceError for the first bad one."""
    _check_names(item)
    for value in item.values():
        # `_check_value`, inlined: this runs for every stored attribute
        if len(value) != 1:
            raise _wrong_type_count(value)
        if "S" in value:
            continue
        for letter, payload in value.items():
            if letter in _CHECKS:
                value[letter] = _CHECKS[letter](payload, 1)


def _check_names(attributes: Item) -> None:
    if "" in attributes:
        raise invalid("Empty attribute name")  # DynamoDB Local's message


def canonical_number(text: str) -> str:
    """The number as the service returns it: plain decimal digits, no exponent, no redundant zeros."""
    if text.isdigit() and text.isascii() and text[0] != "0" and len(text) <= _MAX_DIGITS:
        return text
    if not _NUMBER.fullmatch(text):
        raise invalid(f"The parameter cannot be converted to a numeric value: {text}")
    try:
        return _plain(EXACT.create_decimal(text))
    except (Overflow, Inexact, InvalidOperation):  # thousands of digits, or an exponent with that many
        raise invalid(_OVERFLOW if "E-" not in text.upper() else _UNDERFLOW) from None


def _plain(number: Decimal) -> str:
    if number == 0:
        return "0"
    number = number.normalize(EXACT)
    exponent = number.adjusted()
    if exponent > _MAX_EXPONENT:
        raise invalid(_OVERFLOW)
    if exponent < _MIN_EXPONENT:
        raise invalid(_UNDERFLOW)
    if len(number.as_tuple().digits) > _MAX_DIGITS:
        raise invalid("Attempting to store more than 38 significant digits in a Number")
    return format(number, "f")


def canonical_base64(text: str) -> str:
    """The base64 text of the same bytes in canonical form; raises ServiceError if it is not base64."""
    try:
        return b64encode(b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise ServiceError("SerializationException", "Unable to deserialize a binary value: not base64") from None


def _check_value(value: Value, depth: int) -> None:
    if len(value) != 1:
        raise _wrong_type_count(value)
    for letter, payload in value.items():
        check = _CHECKS.get(letter)
        if check is not None:
            value[letter] = check(payload, depth)  # the key exists, so replacing its value under iteration is safe


def _wrong_type_count(value: Value) -> ServiceError:
    found = "has more than one datatypes set" if value else "is empty"
    return invalid(f"Supplied AttributeValue {found}, must contain exactly one of the supported datatypes")


def _number(text: str, depth: int) -> str:
    return canonical_number(text)


def _binary(text: str, depth: int) -> str:
    return canonical_base64(text)


def _null(payload: bool, depth: int) -> bool:
    if not payload:
        raise invalid_value("Null attribute value types must have the value of true")
    return payload


def _set_of(canonical: Callable[[str], str], empty_message: str) -> Callable[[list[str], int], list[str]]:
    def check_set(payload: list[str], depth: int) -> list[str]:
        members = [canonical(member) for member in payload]
        if not members:
            raise invalid_value(empty_message)
        if len(set(members)) != len(members):
            raise invalid_value(f"Input collection [{', '.join(payload)}] contains duplicates.")
        return members

    return check_set


def _list(values: list[Value], depth: int) -> list[Value]:
    for value in values:
        _check_nested(value, depth + 1)
    return values


def _map(attributes: Item, depth: int) -> Item:
    _check_names(attributes)
    for value in attributes.values():
        _check_nested(value, depth + 1)
    return attributes


def _check_nested(value: Value, depth: int) -> None:
    if depth > MAX_NESTING_LEVELS:
        raise invalid(_TOO_DEEP)
    _check_value(value, depth)


_CHECKS: dict[str, Callable[[Any, int], Any]] = {
    "N": _number,
    "B": _binary,
    "NULL": _null,
    "SS": _set_of(str, "An string set  may not be empty"),  # two spaces: the service's own words
    "NS": _set_of(canonical_number, "An number set  may not be empty"),
    "BS": _set_of(canonical_base64, "Binary sets should not be empty"),
    "L": _list,
    "M": _map,
}
