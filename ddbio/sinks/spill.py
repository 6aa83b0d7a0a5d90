"""The spill of a comparison as a sink: the digests of items go to disk, and for an export the items themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ddbio.errors import PermanentError, RecordError
from ddbio.layouts.spill import SpillWriter
from ddbio.messages import Tally
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records
from ddbio.values.digest import Scope, key_digest, key_text
from ddbio.values.items import AttributeMap
from ddbio.values.keys import key_checker
from ddbio.values.table import TableInfo

RAW_ITEMS: Any = list[msgspec.Raw]
"""The row type to decode a page to: items are decoded one after the other, so that a page takes little memory."""


@dataclass(frozen=True, slots=True)
class SpillSpec:
    """Describes a spill to the workers; picklable. keeps_items: whether they cannot be read again later."""

    folder: Path
    partitions: int
    scope: Scope
    keeps_items: bool = False


class Spilling:
    """A spill opened in a worker and shared by its lanes."""

    def __init__(self, spec: SpillSpec, table: TableInfo) -> None:
        self.writer = SpillWriter(spec.folder, spec.partitions)
        self.key_of = key_checker(table, index_keys=False)
        self.digest = spec.scope.digest
        self.encoded: Callable[[AttributeMap], bytes] = (
            msgspec.json.Encoder().encode if spec.keeps_items else lambda item: b""
        )
        self.decoded: Callable[[msgspec.Raw], AttributeMap] = msgspec.json.Decoder(AttributeMap).decode

    def add(self, item: AttributeMap) -> None:
        """Raises RecordError for an item without a valid key."""
        text = key_text(self.key_of(item))
        self.writer.add(key_digest(text), self.digest(item), text, self.encoded(item))


class Spill(SettlesAtOnce):
    """See `ddbio.sinks.sink.Sink`. The rows of pages are `RAW_ITEMS`. All lanes fill one buffer: what one of them
    flushes, settles the records of all."""

    def __init__(self, spilling: Spilling, tally: Tally) -> None:
        self._spilling = spilling
        self._writer = spilling.writer
        self._tally = tally
        self._last = 0  # the number of this lane's last record
        self._where = ""

    def begin(self, unit: Any) -> None:
        self._where = unit.describe()

    async def take(self, records: Records) -> None:
        rows = records.rows()
        try:
            if rows is not None:
                add, decoded = self._spilling.add, self._spilling.decoded
                for row in rows:
                    add(decoded(row))
                self._tally.counted += len(rows)
            else:
                self._take_each(records)
        except (RecordError, msgspec.MsgspecError) as error:
            raise self._damaged(str(error)) from None
        finally:
            self._last = self._writer.added

    def _take_each(self, records: Records) -> None:
        for record in records.each():
            if record.error is not None:
                raise record.error
            for item in record.items:
                self._spilling.add(item)
            self._tally.counted += 1

    def _damaged(self, problem: str) -> PermanentError:
        return PermanentError(f"{self._where}: a record cannot be compared: {problem}", "fix it, or export again")

    @property
    def settled(self) -> bool:  # type: ignore[override]
        return self._writer.flushed >= self._last

    async def drain(self) -> None:
        if not self.settled:
            self._writer.flush()

    async def finish(self) -> None:
        await self.drain()
