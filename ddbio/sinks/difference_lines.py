"""The differences between two sides as lines, which the parent writes."""

from __future__ import annotations

from typing import Any

from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records


class DifferenceLines(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are `ddbio.sources.suspects.Differences`."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self.urgent = False

    def begin(self, unit: Any) -> None:
        self._lines.clear()

    async def take(self, records: Records) -> None:
        self._lines += [each.line() for each in records.rows() or ()]
        self.urgent = bool(self._lines)

    def take_parts(self) -> dict[str, Any]:
        page = b"".join(self._lines)
        self._lines.clear()
        self.urgent = False
        return {"page": page}
