"""How options such as `--rename` change the names of attributes between a source and the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class NameChanges:
    """rename: new names by old ones. made: attributes that every item gets. unknown: whether a function of the user
    may add any others."""

    rename: Mapping[str, str] = field(default_factory=dict)
    made: Collection[str] = ()
    unknown: bool = False

    def attribute(self, name: str) -> str:
        """The name in the table of an attribute of the source."""
        return self.rename.get(name, name)

    def missing(self, wanted: Sequence[str], names: Collection[str]) -> list[str]:
        """The wanted attributes that no item can have if the source's attributes are `names`."""
        if self.unknown:
            return []
        there = {*map(self.attribute, names), *self.made}
        return [name for name in wanted if name not in there]

    def of_source(self, types: Mapping[str, str]) -> dict[str, str]:
        """`types` of the table's attributes, by their names in the source."""
        moved = {old: types[new] for old, new in self.rename.items() if new in types}
        return {**{name: kind for name, kind in types.items() if name not in self.rename}, **moved}


NO_CHANGES = NameChanges()
