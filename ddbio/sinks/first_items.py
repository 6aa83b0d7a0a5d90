"""A sink that keeps the first items of an order, or the items that a limit lets pass, and sends them to the parent.

A report has the items since the one before, except those that others have displaced; the parent sorts out the rest.
What one lane of a worker found makes it easier for the others: they share the threshold.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ddbio.messages import Tally
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records
from ddbio.values.ordering import Key, Top, as_page

UNDECODED_ITEMS: Any = list[msgspec.Raw]
"""The row type to decode a page to. It is valid until the next page arrives: the connection keeps its buffer."""


class FirstItems(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are pages of undecoded items. top: of the worker; None for all."""

    def __init__(self, tally: Tally, top: Top | None) -> None:
        self._tally = tally
        self._top = top
        self._new: list[tuple[Key, bytes]] = []

    def begin(self, unit: Any) -> None:
        self._new.clear()

    async def take(self, records: Records) -> None:
        items = records.rows()
        assert items is not None, "no step changes the items of a search"
        self._new += [((), bytes(item)) for item in items] if self._top is None else self._top.add(items)
        self._tally.written += len(items)

    def take_parts(self) -> dict[str, Any]:
        new, self._new = self._new, []
        top = self._top
        return {"page": as_page([item for key, item in new if top is None or top.is_kept(key)])}
