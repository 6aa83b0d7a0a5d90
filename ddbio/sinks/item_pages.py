"""A sink that passes the items of a scan on to the parent as the service sent them, in JSON lists of some items.

The lists are short, because an event loop in the parent cannot go on while one is decoded.
"""

from __future__ import annotations

from typing import Any

from ddbio.messages import Tally
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records

LIST_ITEMS = 1000
_BETWEEN = b"\x1e"  # lists: a control character that JSON never has, not even as a blank


def lists_of(page: bytes) -> list[bytes]:
    """The JSON lists of a report."""
    return page.split(_BETWEEN)


class ItemPages(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are pages of `ddbio.sinks.first_items.UNDECODED_ITEMS`."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._lists: list[bytes] = []
        self.urgent = False

    def begin(self, unit: Any) -> None:
        self._lists.clear()

    async def take(self, records: Records) -> None:
        items = records.rows()
        assert items is not None, "no step changes the items"
        for start in range(0, len(items), LIST_ITEMS):
            self._lists.append(b"[%b]" % b",".join(items[start : start + LIST_ITEMS]))
        self._tally.written += len(items)
        self.urgent = True

    def take_parts(self) -> dict[str, Any]:
        page = _BETWEEN.join(self._lists)
        self._lists.clear()
        self.urgent = False
        return {"page": page} if page else {}
