"""What the items of a table have in common: the names of their attributes, and of which type each is.

Most tables hold items that are alike. A struct made for them is decoded and encoded by msgspec in half to a third of
the time that dicts take, so both directions learn a shape from what they see and use it for as long as it fits:
records on their way in (`ddbio.formats.json_rows`), pages on their way out (`ddbio.formats.json_pages`).

A shape only grows: a name more, a name that may be missing, a type given up for all types. So it settles, and what it
costs to learn is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import UNSET, UnsetType

MOST_NAMES = 100  # of items with more there are probably no two alike
_UNUSABLE = re.compile(r'[\\"\x00-\x1f]')  # in the name of a struct's field, for msgspec writes it as it is
INTEGER = "int"
ANY = ""  # in the place of a type's letter: of several types, or of one that is not told apart


class Alike(Protocol):
    """What is known of the items of a table: a narrower type than that of any items, which is decoded faster.

    page_items: of the `Items` of a Scan page; None while there is no narrower type.
    """

    page_items: Any

    def learn(self, items: list[Any]) -> bool:
        """These did not fit. Whether `page_items` is another now."""


@dataclass(frozen=True, eq=False)
class Layout:
    """What a table of values is of. Told apart by identity: what somebody makes of one is made once.

    kinds: of the values of each name: S or N, text; INTEGER, an int; ANY, a typed value such as `{"BOOL": True}`.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]


class Values(NamedTuple):
    """Some records that are alike.

    cells: record by record, a value for each name of the layout.
    missing: whether there may be UNSET among them, where a record has no such attribute.
    """

    layout: Layout
    cells: list[Any]
    missing: bool = False

    def of(self, place: int) -> list[Any]:
        """What each record has of the name in that place of the layout."""
        return self.cells[place :: len(self.layout.names)]

    def convert(self, place: int, function: Callable[[Any], Any]) -> None:
        """Put `function` of each of these in its place; what is missing stays so."""
        values = self.of(place)
        if self.missing:
            values = [value if value is UNSET else function(value) for value in values]
        else:
            values = list(map(function, values))
        self.cells[place :: len(self.layout.names)] = values


class Shape:
    """Learned from items, each given as a mapping of names to letters of types."""

    def __init__(self) -> None:
        self.letters: dict[str, str] = {}
        self.optional: set[str] = set()
        self._learned = False

    @property
    def usable(self) -> bool:
        """Whether structs can be made for it; where that is over, it is for good."""
        return 0 < len(self.letters) <= MOST_NAMES and not any(map(_UNUSABLE.search, self.letters))

    def learn(self, items: Iterable[Mapping[str, str]]) -> bool:
        """Grow so that these items fit. Whether the shape has changed."""
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
        """In their order in structs: by name, which does not depend on which item was seen first."""
        return sorted(self.letters)


def row_type(names: Sequence[str], types: Sequence[Any], optional: Iterable[str] = ()) -> type[msgspec.Struct]:
    """A struct to decode: a field for each name, whatever characters are in it, called `field_name` of 0, 1, 2, ...

    An optional one is UNSET where it is missing. Any other name is a ValidationError.
    """
    fields: list[Any] = [
        (field_name(number), UnsetType | kind, UNSET) if name in optional else (field_name(number), kind)
        for number, (name, kind) in enumerate(zip(names, types, strict=True))
    ]
    return _struct(names, fields, kw_only=True)


def line_type(names: Sequence[str]) -> type[msgspec.Struct]:
    """A struct to encode: made with a value for each name in their order; UNSET is not written."""
    return _struct(names, [(field_name(number), Any) for number in range(len(names))])


def _struct(names: Sequence[str], fields: list[Any], *, kw_only: bool = False) -> type[msgspec.Struct]:
    renamed = {field_name(number): name for number, name in enumerate(names)}
    return msgspec.defstruct("Row", fields, rename=renamed, forbid_unknown_fields=True, kw_only=kw_only, gc=False)


def field_name(number: int) -> str:
    return f"field_{number}"
