"""The fast path of an import: a whole batch of small records at once, all of them puts with distinct keys.

A batch with anything unusual (a blank line, an invalid record, a repeated key, a large item) takes the slow path,
record by record (`ddbio.sinks.table`). The fast path only decodes each record, checks its key and encodes it. The
native core, if it is there, does that without making objects (`ddbio.native`); it measures items, so that large ones
are fast, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ddbio import native
from ddbio.dynamodb.operations import encode_item, put_requests
from ddbio.errors import RecordError
from ddbio.formats import Format, Noted
from ddbio.formats.framing import JsonText
from ddbio.values.items import AttributeMap
from ddbio.values.keys import ItemKey
from ddbio.values.table import TableInfo

if TYPE_CHECKING:
    from ddbio._native import PutEncoder


class PreparedPuts(NamedTuple):
    """requests: as `batch_body` takes them.

    entries: units of the index entries that the items have, by index, in the order of `TableInfo.indexes`.
    units: of the table, that the puts consume, probably.
    """

    requests: bytes
    entries: tuple[int, ...]
    units: int


class FastBatches:
    """For records of one format into one table. Shared by the lanes of a worker.

    key_of: see `WriteMode`. core: of `put_encoder`.
    """

    def __init__(
        self,
        table: TableInfo,
        format: Format,
        key_of: Callable[[AttributeMap], ItemKey],
        core: PutEncoder | None = None,
    ) -> None:
        self._table = table
        self._format = format
        self._key_of = key_of
        self._core = core

    def prepare(self, records: list[bytes]) -> PreparedPuts | None:
        """The puts of a batch of records; None if it must take the slow path."""
        made = self._core.encode(records) if self._core is not None else None
        if made is not None:
            return PreparedPuts(*made)
        return self._decoded(records) if self._are_one_unit(records) else None

    def _are_one_unit(self, records: Sequence[bytes]) -> bool:
        longest_bytes = max(map(len, records))
        if longest_bytes <= self._format.one_unit_bytes:
            return True
        return isinstance(self._format, JsonText) and all(map(self._format.is_one_unit, records))

    def _decoded(self, records: Sequence[bytes]) -> PreparedPuts | None:
        if not all(records) or any(map(bytes.isspace, records)):
            return None
        try:
            parsed = list(map(self._format.parse, records))
            keys = list(map(self._key_of, parsed))
        except RecordError:
            return None
        if len(set(keys)) < len(keys):
            return None
        entries = [sum([index.entry(item) is not None for item in parsed]) for index in self._table.indexes]
        return PreparedPuts(put_requests(map(encode_item, parsed)), tuple(entries), len(parsed))


def put_encoder(table: TableInfo, format: Format) -> PutEncoder | None:
    """The native core's encoder, if there is one for this format."""
    if not isinstance(format, Noted) or format.notation is None:
        return None
    keys, index_keys = (
        [(part.name, part.type, part.max_bytes) for part in parts] for parts in (table.key, table.index_keys)
    )
    indexes = [(index.key_names, index.projected_names) for index in table.indexes]
    return native.put_encoder(format.notation, keys, index_keys, indexes)
