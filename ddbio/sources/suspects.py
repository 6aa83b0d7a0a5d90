"""The differences between two sides as a source: units are partitions of their spills (`ddbio.layouts.spill`).

Digests only raise a suspicion: the sides were read at different times. So each suspect is read again from both, and
counts only if it differs now. A table is read consistently by key; an export does not change, and its items are in
its spill. A mark is the number of suspects of the unit that are settled.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import orjson

from ddbio.dynamodb.batch_get import MAX_KEYS
from ddbio.formats.changes import CHANGE, DELETE, PUT
from ddbio.layouts.spill import Spilled, Suspect, read, suspects
from ddbio.messages import ImportCursor, PartitionUnit, Reject, Tally
from ddbio.sources.table_items import TableItems
from ddbio.steps.records import Record
from ddbio.values.digest import Scope
from ddbio.values.items import AttributeMap
from ddbio.values.keys import ItemKey


class Difference(NamedTuple):
    """A line of the format `changes`. op: makes the second side equal to the first.

    old, new: the items of the second and of the first side.
    """

    op: str
    key: AttributeMap
    old: AttributeMap | None
    new: AttributeMap | None

    def line(self) -> bytes:
        return orjson.dumps(self._asdict(), None, orjson.OPT_APPEND_NEWLINE)


class Differences:
    """The differences among some suspects; see `ddbio.steps.records.Records`."""

    lines = None

    def __init__(self, found: list[Difference]) -> None:
        self._found = found
        self.taken = not found

    def rows(self) -> list[Any]:
        self.taken = True
        return self._found

    def each(self) -> Iterator[Record]:
        for each in self._found:
            yield Record(None, each.line(), [each.key])
        self.taken = True


@dataclass(frozen=True, slots=True)
class SpilledSides:
    """Describes the comparison to the workers; picklable. key: names of the key's attributes.

    omitted: operations that are counted but not passed on.
    """

    first: Path
    second: Path
    scope: Scope
    key: tuple[str, ...]
    omitted: frozenset[str] = frozenset()


class SuspectSource:
    """See `ddbio.sources.source.Source`. first, second: the tables; None for an export."""

    marks_are_numbers = False
    deleted_are_gone = False

    def __init__(
        self, sides: SpilledSides, first: TableItems | None, second: TableItems | None, tally: Tally
    ) -> None:
        self._sides = sides
        self._first = first
        self._second = second
        self._tally = tally
        self._unit: PartitionUnit
        self._settled = 0
        self._batch = Differences([])

    def begin(self, unit: PartitionUnit) -> None:
        self._unit, self._batch = unit, Differences([])
        self._settled = unit.cursor.offset if unit.cursor is not None else 0

    async def batches(self) -> AsyncGenerator[Differences, None]:
        found = suspects(self._sides.first, self._sides.second, self._unit.number)
        while self._settled < len(found):
            some = found[self._settled : self._settled + MAX_KEYS]
            self._batch = Differences(await self._confirmed(some))
            self._settled += len(some)
            yield self._batch

    def mark(self) -> tuple[int] | None:
        return (self._settled,) if self._batch.taken else None

    def end(self) -> tuple[int]:
        return (self._settled,)

    def stopped(self, mark: tuple[Any, ...]) -> None: ...

    def cursor(self, mark: tuple[Any, ...], output: Any) -> ImportCursor:
        return ImportCursor(mark[0], 0)

    def reject(self, place: None, text: bytes, code: str, message: str, text_bytes: int | None = None) -> Reject:
        raise NotImplementedError("a difference is never rejected")

    def close(self) -> None:
        for each in (self._first, self._second):
            if each is not None:
                each.close()

    async def _confirmed(self, some: Sequence[Suspect]) -> list[Difference]:
        """Those of the suspects that differ now."""
        keys = [_key_of(each) for each in some]
        first = await _items(self._first, keys, [each.first for each in some])
        second = await _items(self._second, keys, [each.second for each in some])
        self._tally.read += len(some)
        self._tally.counted += len(some)
        found = (self._difference(first.get(key), second.get(key)) for key in keys)
        return [each for each in found if each is not None and each.op not in self._sides.omitted]

    def _difference(self, new: AttributeMap | None, old: AttributeMap | None) -> Difference | None:
        tally, digest = self._tally, self._sides.scope.digest
        item = new or old
        if item is None:
            return None
        typed = {name: item[name] for name in self._sides.key}
        if old is None:
            tally.only_first += 1
            return Difference(PUT, typed, None, new)
        if new is None:
            tally.only_second += 1
            return Difference(DELETE, typed, old, None)
        if digest(old) == digest(new):
            return None
        tally.changed += 1
        return Difference(CHANGE, typed, old, new)


def _key_of(suspect: Suspect) -> ItemKey:
    spilled = suspect.first or suspect.second
    assert spilled is not None
    return tuple(orjson.loads(read(spilled).key))


async def _items(
    table: TableItems | None, keys: Sequence[ItemKey], spilled: Sequence[Spilled | None]
) -> dict[ItemKey, AttributeMap]:
    """The items of one side, by their keys."""
    if table is not None:
        return await table.read(keys)
    return {
        key: msgspec.json.decode(read(each).item) for key, each in zip(keys, spilled, strict=True) if each is not None
    }
