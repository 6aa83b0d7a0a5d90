"""A profile of items: sizes, attributes, heavy keys, index entries, expired items. Pure, mergeable, bounded memory.

Profiles of any parts of a table are merged in any order: all figures are sums, and the sketch of the heavy keys keeps
its bound. Bounded are: the largest items, the names of attributes (of more than `MOST_NAMES` the rarest are only
counted), the heavy keys. Sizes and units are those of `ddbio.values.capacity`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ddbio.values.capacity import SecondaryIndex, item_size_bytes, value_size_bytes, write_units
from ddbio.values.heavy_hitters import HeavyHitters
from ddbio.values.items import AttributeMap

MOST_NAMES, MOST_LARGEST = 1000, 10
_EXAMPLE_CHARACTERS = 40
_GET_BYTES = 4096  # of half a unit, read eventually consistent
EXPIRY_LOOKBACK_S = 5 * 365 * 86400  # TTL leaves items that expired before: developer guide, "Using time to live"


@dataclass(frozen=True, slots=True)
class Subject:
    """What to look for; picklable. key: names of the table's key, partition key first. indexes: all of the table.

    ttl: the attribute with the time of expiry, None if TTL is off. now_s: the time of the inspection, Unix seconds.
    """

    key: tuple[str, ...]
    indexes: tuple[SecondaryIndex, ...] = ()
    ttl: str | None = None
    now_s: int = 0


class Sizes(msgspec.Struct):
    """Items of about the same size. write_units: to put each once; read_units: to get each, eventually consistent."""

    items: int = 0
    bytes: int = 0
    write_units: int = 0
    read_units: float = 0.0

    def add(self, other: Sizes) -> None:
        self.items += other.items
        self.bytes += other.bytes
        self.write_units += other.write_units
        self.read_units += other.read_units


class Attribute(msgspec.Struct):
    """types: the number of values of each. bytes: of names and values. example: the first in order of some."""

    types: dict[str, int] = {}
    bytes: int = 0
    example: str = ""

    @property
    def items(self) -> int:
        return sum(self.types.values())

    def add(self, other: Attribute) -> None:
        for letter, count in other.types.items():
            self.types[letter] = self.types.get(letter, 0) + count
        self.bytes += other.bytes
        self.example = min(self.example or other.example, other.example or self.example)


class Expiry(msgspec.Struct):
    """expired: a TTL that is over, and is still there; too_old: longer ago than TTL looks back. later: in the future.
    never: without the attribute, or not a number."""

    expired: int = 0
    expired_bytes: int = 0
    too_old: int = 0
    later: int = 0
    never: int = 0

    def add(self, other: Expiry) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Profile(msgspec.Struct):
    """sizes: by the number of bits of the size in bytes. largest: sizes and keys. rare: attributes of further names.
    indexes: the entries by name. heavy: weights are bytes of the items of a partition key."""

    sizes: dict[int, Sizes] = {}
    largest: list[tuple[int, str]] = []
    attributes: dict[str, Attribute] = {}
    rare: int = 0
    heavy: HeavyHitters = msgspec.field(default_factory=HeavyHitters)
    indexes: dict[str, Sizes] = {}
    expiry: Expiry = msgspec.field(default_factory=Expiry)

    @property
    def total(self) -> Sizes:
        total = Sizes()
        for each in self.sizes.values():
            total.add(each)
        return total

    def merge(self, other: Profile) -> None:
        for bits, sizes in other.sizes.items():
            self.sizes.setdefault(bits, Sizes()).add(sizes)
        for name, sizes in other.indexes.items():
            self.indexes.setdefault(name, Sizes()).add(sizes)
        for name, attribute in other.attributes.items():
            self.attributes.setdefault(name, Attribute()).add(attribute)
        self.rare += other.rare
        self.largest = sorted([*self.largest, *other.largest], key=_largest_first)[:MOST_LARGEST]
        self.heavy.merge(other.heavy)
        self.expiry.add(other.expiry)
        self._bound_names()

    def add(self, items: Iterable[AttributeMap], subject: Subject) -> None:
        """Add the items of a page."""
        run, run_bytes, run_items = None, 0, 0  # items of a partition key come together
        for item in items:
            size = self._add_attributes(item)
            self._add_size(size, item, subject.key)
            self._add_entries(item, size, subject.indexes)
            if subject.ttl is not None:
                self._add_expiry(item, size, subject.ttl, subject.now_s)
            key = _text(item[subject.key[0]])
            if key != run and run is not None:
                self.heavy.add(run, run_bytes, run_items)
                run_bytes = run_items = 0
            run, run_bytes, run_items = key, run_bytes + size, run_items + 1
        if run is not None:
            self.heavy.add(run, run_bytes, run_items)
        self.heavy.prune()
        self._bound_names()

    def _add_attributes(self, item: AttributeMap) -> int:
        """Returns the item's size."""
        attributes, total = self.attributes, 0
        for name, value in item.items():
            attribute = attributes.get(name)
            if attribute is None:
                attribute = attributes[name] = Attribute(example=_example(value))
            (letter,) = value
            size = len(name.encode()) + value_size_bytes(value)
            attribute.types[letter] = attribute.types.get(letter, 0) + 1
            attribute.bytes += size
            total += size
        return total

    def _add_size(self, size: int, item: AttributeMap, key: Sequence[str]) -> None:
        self.sizes.setdefault(size.bit_length(), Sizes()).add(_sizes(size))
        if len(self.largest) < MOST_LARGEST or size >= self.largest[-1][0]:
            named = ", ".join(f"{name}={_text(item[name])}" for name in key)
            self.largest = sorted([*self.largest, (size, named)], key=_largest_first)[:MOST_LARGEST]

    def _add_entries(self, item: AttributeMap, size: int, indexes: Sequence[SecondaryIndex]) -> None:
        for index in indexes:
            entry = index.entry(item)
            if entry is not None:
                entry_bytes = size if entry is item else item_size_bytes(entry)
                self.indexes.setdefault(index.name, Sizes()).add(_sizes(entry_bytes))

    def _add_expiry(self, item: AttributeMap, size: int, ttl: str, now_s: int) -> None:
        expiry, text = self.expiry, item.get(ttl, {}).get("N")
        if text is None:
            expiry.never += 1
        elif float(text) > now_s:
            expiry.later += 1
        elif float(text) <= now_s - EXPIRY_LOOKBACK_S:
            expiry.too_old += 1
        else:
            expiry.expired += 1
            expiry.expired_bytes += size

    def _bound_names(self) -> None:
        if len(self.attributes) > MOST_NAMES:
            ordered = sorted(self.attributes.items(), key=lambda each: (-each[1].items, each[0]))
            self.attributes = dict(ordered[:MOST_NAMES])
            self.rare += sum(attribute.items for _, attribute in ordered[MOST_NAMES:])


def _sizes(size: int) -> Sizes:
    return Sizes(1, size, write_units(size), (size + _GET_BYTES - 1) // _GET_BYTES / 2)


def _largest_first(each: tuple[int, str]) -> tuple[int, str]:
    return -each[0], each[1]


def _text(value: dict[str, Any]) -> str:
    """Of a key's value."""
    return str(next(iter(value.values())))


def _example(value: dict[str, Any]) -> str:
    ((letter, payload),) = value.items()
    text = payload if letter in ("S", "N", "B") else msgspec.json.encode(payload).decode()
    return text if len(text) <= _EXAMPLE_CHARACTERS else f"{text[: _EXAMPLE_CHARACTERS - 3]}..."


encode_profile = msgspec.json.Encoder().encode
decode_profile = msgspec.json.Decoder(Profile).decode
