"""A sink that collects only the names and types of attributes."""

from __future__ import annotations

from typing import Any

import msgspec

from ddbio.messages import Tally
from ddbio.sinks.rows import made_rows
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records

Attribute = tuple[str, str]  # a name, and one of the types that its values have

NAMES_AND_TYPES: Any = list[dict[str, dict[str, msgspec.Raw]]]
"""The row type to decode a page to: values stay undecoded."""


class AttributesSeen(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. Its records are pages with `NAMES_AND_TYPES` for rows, or items of a transform.

    table: its name, for messages.
    """

    def __init__(self, tally: Tally, table: str) -> None:
        self._tally = tally
        self._table = table
        self._where = ""
        self._seen: set[Attribute] = set()
        self._new: set[Attribute] = set()

    def begin(self, unit: Any) -> None:
        self._seen, self._new = set(), set()
        self._where = f"{unit.describe()} of table {self._table}"

    async def take(self, records: Records) -> None:
        items = records.rows()
        if items is None:
            items = made_rows(records, NAMES_AND_TYPES, self._tally, self._where)
        seen = {(name, letter) for item in items for name, value in item.items() for letter in value}
        self._new |= seen - self._seen
        self._seen |= seen
        self._tally.written += len(items)

    def take_parts(self) -> dict[str, Any]:
        """The attributes seen for the first time since the last call."""
        new, self._new = tuple(sorted(self._new)), set()
        return {"attributes": new}
