"""Columns with one type each, for formats whose files store it: their types, and their values from items."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from ddbio.errors import PermanentAbortError
from ddbio.values.items import AttributeValue, plain_value

DECIMAL_DIGITS, DECIMAL_SCALE = 38, 9  # of `--numbers decimal`
_ENCODER = msgspec.json.Encoder()
_MISFIT = object()  # in the place of a value that is not of its column's type

Item = dict[str, AttributeValue]
Read = Callable[[AttributeValue], Any]


class TypedColumns:
    """How the columns of an export are chosen (`ddbio.formats.declaration.Columns`). label: of the format."""

    need_types = True

    def __init__(self, label: str) -> None:
        self._label = label

    def loses(self, listed: bool) -> str:
        return (
            f"{self._label} keeps types by column, lists and maps as JSON text; in columns of one type a null comes "
            "back as no attribute"
        )

    def type_of(self, letters: set[str]) -> str:
        """JSON text takes values of several types, and those without a type in the format."""
        (letter,) = letters if len(letters) == 1 else ("JSON",)
        return "JSON" if letter in ("L", "M") else letter


def reader(letter: str, number: Callable[[str], Any]) -> Read:
    """The value of a column of that type; JSON text for types that the format lacks. number: converts its digits."""
    readers: dict[str, Read] = {
        "S": lambda value: _MISFIT if value.S is None else value.S,
        "N": lambda value: _MISFIT if value.N is None else number(value.N),
        "B": lambda value: _MISFIT if value.B is None else base64.b64decode(value.B),
        "BOOL": lambda value: _MISFIT if value.BOOL is None else value.BOOL,
        "SS": lambda value: _MISFIT if value.SS is None else value.SS,
        "NS": lambda value: _MISFIT if value.NS is None else [number(member) for member in value.NS],
        "BS": lambda value: _MISFIT if value.BS is None else [base64.b64decode(member) for member in value.BS],
    }
    if letter not in readers:
        return lambda value: _ENCODER.encode(plain_value(value)).decode()
    read = readers[letter]
    return lambda value: None if value.NULL is not None else read(value)


def column_values(items: Sequence[Item], name: str, letter: str, read: Read) -> list[Any]:
    """The values of an attribute, None for missing ones.

    Raises PermanentAbortError for a value of another type than its column's: nothing is changed to fit.
    """
    values = [None if (value := item.get(name)) is None else read(value) for item in items]
    for item, value in zip(items, values, strict=True):
        if value is _MISFIT:
            raise _misfit(item, name, letter)
    return values


def too_large(name: str, kind: str, error: Exception) -> PermanentAbortError:
    """kind: the type that a number does not fit into."""
    return PermanentAbortError(
        f"a number of attribute {name!r} does not fit into {kind}: {error}",
        "export numbers as text with --numbers string",
    )


def _misfit(item: Item, name: str, letter: str) -> PermanentAbortError:
    kind = next(each for each in AttributeValue.__struct_fields__ if getattr(item[name], each) is not None)
    return PermanentAbortError(
        f"attribute {name!r} is of type {kind} in one item, and its column of type {letter}",
        f"export the column as JSON: --columns ...,{name}:JSON",
    )


class Sink(io.RawIOBase):
    """Collects the bytes that a library writes until they are taken."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def take(self) -> bytes:
        data, self._pieces = b"".join(self._pieces), []
        return data
