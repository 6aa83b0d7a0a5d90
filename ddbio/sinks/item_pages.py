"""A sink that passes the pages of a scan on to the parent as the service sent them, one JSON list a report."""

from __future__ import annotations

from typing import Any

from ddbio.messages import Tally
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records


class ItemPages(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are pages of `ddbio.sinks.first_items.UNDECODED_ITEMS`."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._pages: list[bytes] = []
        self.urgent = False

    def begin(self, unit: Any) -> None:
        self._pages.clear()

    async def take(self, records: Records) -> None:
        items = records.rows()
        assert items is not None, "no step changes the items"
        if items:
            self._pages.append(b",".join(items))
        self._tally.written += len(items)
        self.urgent = True

    def take_parts(self) -> dict[str, Any]:
        page = b",".join(self._pages)
        self._pages.clear()
        self.urgent = False
        return {"page": b"[%b]" % page} if page else {}
