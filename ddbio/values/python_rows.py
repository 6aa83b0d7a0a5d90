"""Pages of a table as dicts of Python values, by the schema that their items have: their names, and the type of each.

In most tables the items are alike. A page is first tried as structs made for the schema, which msgspec turns into
dicts; then each column loses its type letters. A page that does not fit is decoded as any items are, and the schema
learns from it. It only widens (one more name, a name that may be missing, any type instead of one), so it becomes
stable, and the cost of learning is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from ddbio.values.items import AttributeValue
from ddbio.values.python_values import python_item, python_value

Item = dict[str, Any]

MOST_NAMES = 100  # items with more attributes are probably not alike
ANY = ""  # instead of a type's letter: several types, or a type without a letter here

# By the type of a column that has only one: its Python value is decoded in place.
_DECODED: dict[str, Any] = {
    "S": str,
    "N": Decimal,
    "B": bytes,
    "BOOL": bool,
    "SS": set[str],
    "NS": set[Decimal],
    "BS": set[bytes],
}
_VALUES = {
    letter: msgspec.defstruct(f"Value{letter}", [(letter, kind)], gc=False) for letter, kind in _DECODED.items()
}
_decode_any = msgspec.json.Decoder(list[dict[str, AttributeValue]]).decode


class LearnedSchema:
    """The schema learned so far. letters: types by name. optional: the names that some items lack."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}
        self.optional: set[str] = set()
        self._learned = False

    @property
    def usable(self) -> bool:
        """Whether a struct can have this schema; once false, it stays false."""
        return 0 < len(self.letters) <= MOST_NAMES and all(map(str.isidentifier, self.letters))

    def learn(self, items: Iterable[Mapping[str, str]]) -> bool:
        """Widen the schema until these items fit; each maps names to type letters. Returns whether it changed."""
        before = dict(self.letters), len(self.optional)
        for item in items:
            if not self._learned or item.keys() != self.letters.keys():
                self._learn_names(item)
            for name, letter in item.items():
                if self.letters[name] != letter:
                    self.letters[name] = ANY
            if not self.usable:
                break
        return before != (self.letters, len(self.optional))

    def _learn_names(self, item: Mapping[str, str]) -> None:
        if self._learned:
            self.optional |= self.letters.keys() ^ item.keys()
        self._learned = True
        self.letters.update({name: letter for name, letter in item.items() if name not in self.letters})


class PythonRows:
    """The schema of a table's items, as learned from its pages."""

    def __init__(self) -> None:
        self._schema = LearnedSchema()
        self._decode: Callable[[bytes], list[Item]] | None = None

    def items(self, page: bytes) -> list[Item]:
        """page: a JSON list of items as the service sends them. Raises UnknownTypeError."""
        if self._decode is not None:
            try:
                return self._decode(page)
            except msgspec.ValidationError:
                pass
        items = _decode_any(page)
        if self._schema.usable or not self._schema.letters:
            self._learn(items)
        return [python_item(item) for item in items]

    def _learn(self, items: list[dict[str, AttributeValue]]) -> None:
        schema = self._schema
        if schema.learn({name: _letter(value) for name, value in item.items()} for item in items):
            self._decode = _Rows(schema).items if schema.usable else None


class _Rows:
    """The decoder for items of a schema, whose names are those of a struct's fields."""

    def __init__(self, schema: LearnedSchema) -> None:
        fields: list[Any] = []
        for name, letter in schema.letters.items():
            kind = _VALUES.get(letter, AttributeValue)
            fields.append((name, UnsetType | kind, UNSET) if name in schema.optional else (name, kind))
        row = msgspec.defstruct("Row", fields, forbid_unknown_fields=True, kw_only=True, gc=False)
        self._decode = msgspec.json.Decoder(list[row]).decode  # type: ignore[valid-type]
        self._columns = [(name, letter, name in schema.optional) for name, letter in schema.letters.items()]

    def items(self, page: bytes) -> list[Item]:
        items = list(map(asdict, self._decode(page)))
        for name, letter, optional in self._columns:
            if optional:
                _drop_missing(items, name)
            _UNTYPED[letter]([item for item in items if name in item] if optional else items, name)
        return items


def _drop_missing(items: list[Item], name: str) -> None:
    for item in items:
        if item[name] is UNSET:
            del item[name]


def _strings(items: list[Item], name: str) -> None:
    for item in items:
        item[name] = item[name].S


def _numbers(items: list[Item], name: str) -> None:
    for item in items:
        item[name] = item[name].N


def _others(letter: str) -> Callable[[list[Item], str], None]:
    def untyped(items: list[Item], name: str) -> None:
        for item in items:
            item[name] = getattr(item[name], letter)

    return untyped


def _any(items: list[Item], name: str) -> None:
    for item in items:
        item[name] = python_value(item[name])


_UNTYPED: dict[str, Callable[[list[Item], str], None]] = {
    **{letter: _others(letter) for letter in _DECODED},
    "S": _strings,
    "N": _numbers,
    ANY: _any,
}


def _letter(value: AttributeValue) -> str:
    return next((letter for letter in _DECODED if getattr(value, letter) is not None), ANY)
