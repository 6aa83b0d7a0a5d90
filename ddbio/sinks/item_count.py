"""A sink that only counts."""

from __future__ import annotations

from ddbio.messages import Tally
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records


class ItemCount(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are pages; of a page's rows it needs only the length."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def take(self, records: Records) -> None:
        items = records.rows()
        assert items is not None
        self._tally.counted += len(items)
