"""The usual case of an import, done in one go: a whole batch of small records, all of them puts, no key twice.

What is not usual (a blank line, a record that is refused, a key that comes twice, a large item) is for the lane to do
record by record (`ddbio.imports.writer`). Here there is nothing to do for a record but to decode it, to look at its
key and to encode it; and where records are alike, not even that is done for each alone (`ddbio.shape`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from ddbio.capacity import MAX_SORT_KEY_BYTES
from ddbio.dynamodb.table import TableInfo
from ddbio.errors import RecordError
from ddbio.formats import Format, Tabular
from ddbio.formats.framing import JsonText
from ddbio.items import AttributeMap, normal_number
from ddbio.keys import ItemKey
from ddbio.shape import Layout, line_type

_encode_lines = msgspec.json.Encoder().encode_lines
_LAYOUTS = 64  # that are kept in mind: of CSV there is one for each set of columns with empty cells
_line_type = lru_cache(_LAYOUTS)(line_type)
_TYPED: dict[str, Callable[[str], Any]] = {
    letter: msgspec.defstruct(f"Value{letter}", [(letter, str)], gc=False) for letter in "SN"
}


class Puts(NamedTuple):
    """lines: the items as they stand in a request, each with a line end.

    entries: how many of them each index has an entry of, in the order of `TableInfo.indexes`.
    """

    lines: bytes
    entries: tuple[int, ...]


class SmallPuts:
    """Of records of one format into one table. Shared by the lanes of a worker.

    key_of: as of the write mode.
    """

    def __init__(self, table: TableInfo, format: Format, key_of: Callable[[AttributeMap], ItemKey]) -> None:
        self._table = table
        self._format = format
        self._key_of = key_of
        keys = (*table.key, *table.index_keys)
        # Binary keys have several spellings. And sizes are not looked at: no key of so small a record is too long.
        plain = all(part.type != "B" for part in keys) and format.one_unit_bytes <= MAX_SORT_KEY_BYTES
        self._tabular = format if plain and isinstance(format, Tabular) else None
        self._plan_of = lru_cache(_LAYOUTS)(lambda layout: _Plan(layout, table))

    def prepare(self, records: Sequence[bytes]) -> Puts | None:
        """Records of one write unit each; None where all is not usual."""
        if not self._are_one_unit(records):
            return None
        puts = self._alike(records) if self._tabular is not None else None
        return puts if puts is not None else self._any(records)

    def _alike(self, records: Sequence[bytes]) -> Puts | None:
        assert self._tabular is not None
        columns = self._tabular.columns(records)
        if columns is None:
            return None
        plan = self._plan_of(columns.layout)
        return plan.puts(columns.values) if plan.possible else None

    def _are_one_unit(self, records: Sequence[bytes]) -> bool:
        longest_bytes = max(map(len, records))
        if longest_bytes <= self._format.one_unit_bytes:
            return True
        return isinstance(self._format, JsonText) and all(map(self._format.is_one_unit, records))

    def _any(self, records: Sequence[bytes]) -> Puts | None:
        if not all(records) or any(map(bytes.isspace, records)):
            return None
        try:
            parsed = list(map(self._format.parse, records))
            keys = list(map(self._key_of, parsed))
        except RecordError:
            return None
        if len(set(keys)) < len(keys):
            return None
        entries = [sum([index.entry(item) is not None for item in parsed]) for index in self._table.indexes]
        return Puts(_encode_lines(parsed), tuple(entries))


class _Plan:
    """How to make puts of columns of one layout."""

    def __init__(self, layout: Layout, table: TableInfo) -> None:
        self._layout = layout
        self._new_line = _line_type(layout.names)
        self._typed = [
            _typing(letter, optional) for letter, optional in zip(layout.letters, layout.optional, strict=True)
        ]
        place_of = {name: place for place, name in enumerate(layout.names)}
        keys = {part.name: part for part in (*table.index_keys, *table.key) if part.name in place_of}
        self._places = [place_of[name] for name in keys]
        self._key_places = [place_of[part.name] for part in table.key if part.name in place_of]
        self._entry_places = [[place_of.get(name) for name in index.key_names] for index in table.indexes]
        self.possible = len(self._key_places) == len(table.key) and all(
            layout.letters[place_of[part.name]] == part.type for part in keys.values()
        )

    def puts(self, values: Sequence[Sequence[Any]]) -> Puts | None:
        """None where a key is empty or missing, or comes twice."""
        if any("" in values[place] for place in self._places):
            return None
        keys = [self._identities(place, values[place]) for place in self._key_places]
        if None in keys or len(set(zip(*keys, strict=True))) < len(values[0]):
            return None
        items = map(self._new_line, *[typed(column) for typed, column in zip(self._typed, values, strict=True)])
        return Puts(
            _encode_lines(list(items)), tuple([self._entries(places, values) for places in self._entry_places])
        )

    def _identities(self, place: int, values: Sequence[Any]) -> Sequence[Any] | None:
        """What tells these keys apart; None where one is missing."""
        if self._layout.optional[place] and UNSET in values:
            return None
        if self._layout.letters[place] == "S":
            return values
        return list(map(int if "".join(values).isdigit() else normal_number, values))

    def _entries(self, places: Sequence[int | None], values: Sequence[Sequence[Any]]) -> int:
        """How many of the items an index has an entry of."""
        there = [values[place] for place in places if place is not None]
        if len(there) < len(places):
            return 0
        return sum([UNSET not in parts for parts in zip(*there, strict=True)])


def _typing(letter: str, optional: bool) -> Callable[[Sequence[Any]], Iterable[Any]]:
    """What makes typed values of a column."""
    typed = _TYPED.get(letter)
    if typed is None:
        return _itself
    if optional:
        return lambda values: [value if value is UNSET else typed(value) for value in values]
    return partial(map, typed)


def _itself(values: Sequence[Any]) -> Sequence[Any]:
    return values
