"""A page of a scan whose items are not decoded: lines for the fast path of a sink, and single items if it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ddbio.formats.scanned import ScannedItems
from ddbio.steps.records import Record


class RawPage:
    """See `ddbio.steps.records.Records` and, for its `lines`, `LineRun`."""

    more = False
    usual = True

    def __init__(self, items: list[msgspec.Raw], format: ScannedItems) -> None:
        self._items: list[Any] = items  # as good as bytes: they have a length, and can be joined and parsed
        self._at = 0
        self.format = format

    @property
    def taken(self) -> bool:
        return self._at == len(self._items)

    @property
    def lines(self) -> RawPage:
        return self

    def rows(self) -> None:
        return None

    @property
    def left(self) -> int:
        return len(self._items) - self._at

    def run(self, most: int) -> list[bytes]:
        return self._items[self._at : self._at + most]

    def take(self, run: list[bytes]) -> None:
        self._at += len(run)

    def each(self, most: int | None = None) -> Iterator[Record]:
        for item in self._items[self._at : None if most is None else self._at + most]:
            yield Record(None, bytes(item), [self.format.parse(item)])
            self._at += 1
