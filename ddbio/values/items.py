"""Converts items between plain values and DynamoDB's typed attribute values. Pure; no I/O.

Each direction has the typed form that was measured to be faster:

- *to* DynamoDB an **attribute map** is built of plain dicts in DynamoDB's own JSON form,
  `{"id": {"S": "x"}, "n": {"N": "1"}}`; binary values are base64 text in it;
- *from* DynamoDB a page is decoded straight into `AttributeValue` structs, which costs half of generic dicts.

Types that plain JSON lacks are tagged with DynamoDB's type letter after a dollar sign: `{"$B": "base64"}`,
`{"$SS": [...]}`, `{"$NS": [...]}`, `{"$BS": [...]}`; a real map whose only key starts with `$` is wrapped as
`{"$M": {...}}`. So every item survives an export and the import after it.

Numbers are text from end to end: a JSON number's own digits become the `N`, and the `N`'s digits the JSON number.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from ddbio.errors import RecordError

AttributeMap = dict[str, dict[str, Any]]

MAX_DEPTH = 32  # levels of nesting the service stores
MAX_SIGNIFICANT_DIGITS = 38
_EXPONENT_RANGE = range(-130, 126)  # of the most significant digit: 1E-130 to 9.99...E+125
_OUT_OF_RANGE = "is out of DynamoDB's range (1E-130 to 9.99...E+125)"
# Numbers that the service accepts; Python's Decimal accepts more: 1_000, Infinity, spaces, the digits of all scripts.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WITH_COMMAS = re.compile(r"[-+]?[0-9.]{0,30},[0-9.,]{1,30}", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?(?:s?nan[0-9]*|inf(?:inity)?)", re.IGNORECASE)


class Deletion(AttributeMap):
    """The key of an item to delete: a format's result for a record that orders a deletion."""

    __slots__ = ()


class Reversal(AttributeMap):
    """The key of an item that changed: a format's result for a change to be undone.

    old, new: the item before and after the change; None where there was no item.
    """

    __slots__ = ("new", "old")

    def __init__(self, key: AttributeMap, old: AttributeMap | None, new: AttributeMap | None) -> None:
        super().__init__(key)
        self.old = old
        self.new = new


class Addressed(AttributeMap):
    """An item and the table it goes to: a transform's result if it chooses the table."""

    __slots__ = ("table",)

    def __init__(self, attributes: AttributeMap, table: str) -> None:
        super().__init__(attributes)
        self.table = table


class NumberText(str):
    """The text of a JSON number that is not a plain integer: kept as written, never a float."""

    __slots__ = ()


class UnknownTypeError(ValueError):
    """The service sent a value of an unknown type."""


class AttributeValue(msgspec.Struct, gc=False, omit_defaults=True):
    """One typed value as DynamoDB sends it, and as it is encoded: exactly one field is set."""

    S: str | None = None
    N: str | None = None
    BOOL: bool | None = None
    NULL: bool | None = None
    M: dict[str, AttributeValue] | None = None
    L: list[AttributeValue] | None = None
    B: str | None = None
    SS: list[str] | None = None
    NS: list[str] | None = None
    BS: list[str] | None = None


# --------------------------------------------------------------------------- numbers


def check_number(text: str) -> str:
    """Return `text` if DynamoDB stores it as a number without loss.

    Rule: at most 38 significant digits, magnitude 0 or 1E-130 to 9.99...E+125 (the service rejects the rest).
    Raises RecordError `bad-number` or `not-finite`.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        if _NOT_FINITE.fullmatch(text):
            raise not_finite(text)
        hint = "; numbers have a decimal point, and no commas" if _WITH_COMMAS.fullmatch(text) else ""
        raise RecordError("bad-number", f"{_short(text)!r} is not a number{hint}")
    if len(text) <= MAX_SIGNIFICANT_DIGITS and match[1] is None:
        return text  # at most 38 digits and far inside the range
    try:
        number = Decimal(text)
    except ArithmeticError:  # an exponent of twenty digits
        raise RecordError("bad-number", f"{_short(text)} {_OUT_OF_RANGE}") from None
    digits = "".join(map(str, number.as_tuple().digits)).strip("0")
    if len(digits) > MAX_SIGNIFICANT_DIGITS:
        raise RecordError("bad-number", f"{_short(text)} has {len(digits)} significant digits; DynamoDB keeps 38")
    if digits and number.adjusted() not in _EXPONENT_RANGE:
        raise RecordError("bad-number", f"{_short(text)} {_OUT_OF_RANGE}")
    return text


def not_finite(text: str) -> RecordError:
    """text: `NaN`, `-Infinity` or another spelling of them."""
    return RecordError("not-finite", f"{_short(text)} cannot be stored: DynamoDB has neither NaN nor infinity")


def check_names(attributes: Mapping[str, Any]) -> None:
    """Raise RecordError `empty-name` if an item or map has an empty name, which DynamoDB would refuse."""
    if "" in attributes:
        raise RecordError("empty-name", "an attribute has an empty name, which DynamoDB does not store")


def normal_number(text: str) -> str:
    """The canonical text of a number, the same for equal numbers: `1.0`, `1` and `1E0` all give `1E0`."""
    number = Decimal(text)
    sign, digits, exponent = number.as_tuple()
    stripped = "".join(map(str, digits)).lstrip("0")
    significant = stripped.rstrip("0")
    if not significant:
        return "0"
    assert isinstance(exponent, int)
    return f"{'-' if sign else ''}{significant}E{exponent + len(stripped) - len(significant)}"


def _short(text: str) -> str:
    return text if len(text) <= 50 else f"{text[:47]}..."


# --------------------------------------------------------------------------- plain -> typed


def to_attributes(item: dict[str, Any], depth: int = 0) -> AttributeMap:
    """The attribute map of a plain item; nested values may have `$`-tags.

    item: decoded by msgspec with `NumberText` as float_hook, or the same with Decimal numbers.
    depth: the nesting level of `item`, if it is a nested map; 0 for an item itself.
    Raises RecordError for values that DynamoDB cannot store.
    """
    if "" in item:
        check_names(item)
    attributes = {}
    for (
        name,
        value,
    ) in item.items():  # the two most common types are handled inline, which saves a call for each value
        kind = type(value)
        if kind is str:
            attributes[name] = {"S": value}
        elif kind is int and _LEAST_INTEGER <= value <= _MOST_INTEGER:
            attributes[name] = {"N": str(value)}
        else:
            attributes[name] = TYPED[kind](value, depth)
    return attributes


def to_value(value: Any) -> dict[str, Any]:
    """The typed value of a plain one. Raises RecordError for a value that DynamoDB cannot store."""
    try:
        return TYPED[type(value)](value, 0)
    except KeyError:
        raise RecordError("bad-type", f"a value of type {type(value).__name__} cannot be stored") from None


_MOST_INTEGER = 10**MAX_SIGNIFICANT_DIGITS - 1
_LEAST_INTEGER = -_MOST_INTEGER


def _integer(value: int, _depth: int = 0) -> dict[str, Any]:
    if _LEAST_INTEGER <= value <= _MOST_INTEGER:
        return {"N": str(value)}
    try:
        text = str(value)
    except ValueError:  # CPython does not convert integers of more than 4,300 digits
        raise RecordError("bad-number", "a number has more digits than DynamoDB keeps") from None
    return {"N": check_number(text)}


def _number_text(value: str, _depth: int = 0) -> dict[str, Any]:
    # Short and without an exponent: at most 38 digits and far inside the range. All others are checked.
    if len(value) <= MAX_SIGNIFICANT_DIGITS and "e" not in value and "E" not in value:
        return {"N": str(value)}
    return {"N": check_number(str(value))}


def _dict(value: dict[str, Any], depth: int) -> dict[str, Any]:
    if len(value) == 1:
        (name,) = value
        if name in _TAGS:
            return {name[1:]: _TAGS[name](value[name], depth)}
    return {"M": to_attributes(value, deeper(depth))}


def _list(value: list[Any], depth: int) -> dict[str, Any]:
    depth = deeper(depth)
    return {
        "L": [{"S": element} if type(element) is str else TYPED[type(element)](element, depth) for element in value]
    }


def deeper(depth: int) -> int:
    """The depth of the elements of a list or map at `depth`. Raises RecordError `too-deep`."""
    if depth >= MAX_DEPTH:
        raise RecordError("too-deep", f"nested deeper than the {MAX_DEPTH} levels DynamoDB stores")
    return depth + 1


TYPED: dict[type, Callable[[Any, int], dict[str, Any]]] = {
    str: lambda value, _: {"S": value},
    int: _integer,
    NumberText: _number_text,
    bool: lambda value, _: {"BOOL": value},
    type(None): lambda value, _: {"NULL": True},
    dict: _dict,
    list: _list,
    Decimal: lambda value, _: {"N": check_number(str(value))},
    bytes: lambda value, _: {"B": base64.b64encode(value).decode()},
}


# --------------------------------------------------------------------------- the $-tags


def _tagged_binary(payload: Any, _depth: int = 0) -> str:
    if type(payload) is not str:
        raise RecordError("bad-tag", "the value of $B must be base64 text")
    return check_base64(payload)


def check_base64(text: str) -> str:
    """The canonical base64 of the bytes that `text` encodes. Raises RecordError `bad-base64`."""
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode()
    except (binascii.Error, ValueError):
        raise RecordError("bad-base64", f"{_short(text)!r} is not base64") from None


def _tagged_map(payload: Any, depth: int) -> AttributeMap:
    if type(payload) is not dict:
        raise RecordError("bad-tag", "the value of $M must be an object")
    return to_attributes(payload, deeper(depth))


def _string(member: Any) -> str:
    if type(member) is not str:
        raise RecordError("bad-tag", "the members of $SS must be strings")
    return member


def _number(member: Any) -> str:
    if type(member) in (int, NumberText):
        return str(TYPED[type(member)](member, 0)["N"])
    if type(member) is str:
        return check_number(member)
    raise RecordError("bad-tag", "the members of $NS must be numbers")


def _set_of(member_of: Callable[[Any], str], identity: Callable[[str], str]) -> Callable[[Any, int], list[str]]:
    def tagged_set(payload: Any, _depth: int) -> list[str]:
        if type(payload) is not list:
            raise RecordError("bad-tag", "the value of a set tag ($SS, $NS, $BS) must be an array")
        members = [member_of(member) for member in payload]
        check_set(members, identity)
        return members

    return tagged_set


def check_set(members: list[str], identity: Callable[[str], str] = str) -> None:
    """Raise RecordError if DynamoDB would refuse the set: empty, or with a member twice."""
    if not members:
        raise RecordError("empty-set", "a set must have at least one member")
    if len(set(map(identity, members))) != len(members):
        raise RecordError("duplicate-member", "a set has the same member twice")


_TAGS: dict[str, Callable[[Any, int], Any]] = {
    "$B": _tagged_binary,
    "$SS": _set_of(_string, str),
    "$NS": _set_of(_number, normal_number),
    "$BS": _set_of(_tagged_binary, str),
    "$M": _tagged_map,
}


# --------------------------------------------------------------------------- typed -> plain


def to_plain(attributes: dict[str, AttributeValue]) -> dict[str, Any]:
    """The plain form of an item, ready for `msgspec.json`: numbers are raw text with their original digits."""
    return {name: value.S if value.S is not None else plain_value(value) for name, value in attributes.items()}


def plain_value(value: AttributeValue) -> Any:
    """The plain form of one value."""
    # Ordered by the frequency of the types in real tables.
    if value.N is not None:
        return json_number(value.N)
    if value.S is not None:
        return value.S
    if value.BOOL is not None:
        return value.BOOL
    if value.M is not None:
        plain = to_plain(value.M)
        return {"$M": plain} if len(plain) == 1 and next(iter(plain)).startswith("$") else plain
    if value.L is not None:
        return [plain_value(element) for element in value.L]
    return None if value.NULL is not None else _plain_tagged(value)


def _plain_tagged(value: AttributeValue) -> dict[str, Any]:
    if value.B is not None:
        return {"$B": value.B}
    if value.SS is not None:
        return {"$SS": value.SS}
    if value.NS is not None:
        return {"$NS": [json_number(member) for member in value.NS]}
    if value.BS is not None:
        return {"$BS": value.BS}
    raise UnknownTypeError("an attribute value without a known type")


_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


def json_number(text: str) -> msgspec.Raw:
    """The digits of an `N` as a JSON number.

    The service sends numbers in JSON's notation. Emulators return the text they were sent (`+5`, `.5`, `007`): such
    numbers are converted, with the same value.
    """
    if (text.isascii() and text.isdigit() and text[0] != "0") or _JSON_NUMBER.fullmatch(text):
        return msgspec.Raw(text)
    return msgspec.Raw(str(Decimal(text)))
