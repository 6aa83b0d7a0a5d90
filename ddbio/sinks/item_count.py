"""A sink that only counts."""

from __future__ import annotations

from ddbio.messages import Tally
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records


class ItemCount(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are pages; the rows of a page need a length and nothing else."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    async def take(self, records: Records) -> None:
        items = records.rows()
        assert items is not None
        self._tally.counted += len(items)
