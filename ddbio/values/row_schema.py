"""Schemas of rows: the attribute names that items of a table share, and the type of each.

In most tables the items are alike. msgspec decodes and encodes a struct with their attributes in a half to a third of
the time that dicts take. So both directions learn a schema from the items and use it while items fit: imports for
records (`ddbio.formats.json_rows`), exports for pages (`ddbio.formats.json_pages`).

A schema only widens: one more name, a name that may be missing, any type instead of one. So it becomes stable, and
the cost of learning is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import UNSET, UnsetType

MOST_NAMES = 100  # items with more attributes are probably not alike
_UNUSABLE = re.compile(r'[\\"\x00-\x1f]')  # in the name of a struct's field: msgspec does not escape it
INTEGER = "int"
ANY = ""  # instead of a type's letter: several types, or a type without a letter here


class PageSchema(Protocol):
    """Learns a narrower type than that of arbitrary items, which is decoded faster.

    page_items: the type of the `Items` of a Scan page; None while there is no narrower type.
    """

    page_items: Any

    def rendered(self, answer: bytes | memoryview) -> tuple[bytes, Sequence[Any]] | None:
        """The answer to a Scan with no items, and its items in place of those; None if they must be decoded."""

    def learn(self, items: list[Any]) -> bool:
        """Learn from items that did not fit. Returns whether `page_items` has changed."""


@dataclass(frozen=True, eq=False)
class RowSchema:
    """The columns of rows. Compared by identity, so that objects built for one can be cached by it.

    kinds: of the values of each name: S or N, text; INTEGER, an int; ANY, a typed value such as `{"BOOL": True}`.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]


class RowBatch(NamedTuple):
    """Records with the same columns.

    cells: record by record, a value for each name of the schema.
    missing: whether a cell may be UNSET because the record lacks that attribute.
    """

    schema: RowSchema
    cells: list[Any]
    missing: bool = False

    def of(self, place: int) -> list[Any]:
        """The column at index `place` of the schema, one cell a record."""
        return self.cells[place :: len(self.schema.names)]

    def convert(self, place: int, function: Callable[[Any], Any]) -> None:
        """Apply `function` to each cell of a column, except the missing ones."""
        values = self.of(place)
        if self.missing:
            values = [value if value is UNSET else function(value) for value in values]
        else:
            values = list(map(function, values))
        self.cells[place :: len(self.schema.names)] = values


class LearnedSchema:
    """The schema learned so far. letters: types by name. optional: the names that some items lack."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}
        self.optional: set[str] = set()
        self._learned = False

    @property
    def usable(self) -> bool:
        """Whether a struct can have this schema; once false, it stays false."""
        return 0 < len(self.letters) <= MOST_NAMES and not any(map(_UNUSABLE.search, self.letters))

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

    def names(self) -> list[str]:
        """The names in the order of a struct's fields: sorted, so that the first item seen makes no difference."""
        return sorted(self.letters)


def row_type(names: Sequence[str], types: Sequence[Any], optional: Iterable[str] = ()) -> type[msgspec.Struct]:
    """A struct to decode, with a field for each name (of any characters), called `field_name(0)`, `field_name(1)`...

    An optional field is UNSET if it is missing. Any other name is a ValidationError.
    """
    fields: list[Any] = [
        (field_name(number), UnsetType | kind, UNSET) if name in optional else (field_name(number), kind)
        for number, (name, kind) in enumerate(zip(names, types, strict=True))
    ]
    return _struct(names, fields, kw_only=True)


def line_type(names: Sequence[str]) -> type[msgspec.Struct]:
    """A struct to encode, constructed with a value for each name in order; UNSET is not written."""
    return _struct(names, [(field_name(number), Any) for number in range(len(names))])


def _struct(names: Sequence[str], fields: list[Any], *, kw_only: bool = False) -> type[msgspec.Struct]:
    renamed = {field_name(number): name for number, name in enumerate(names)}
    return msgspec.defstruct("Row", fields, rename=renamed, forbid_unknown_fields=True, kw_only=kw_only, gc=False)


def field_name(number: int) -> str:
    return f"field_{number}"
