"""The fast path of a copy: a whole batch of items as the other table sent them, not decoded.

Only for a table with the same key: then the keys are valid, and no two are the same. What the table may still refuse
is an index key of the wrong type, so index keys alone are decoded. A batch with such an item takes the slow path.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from ddbio.dynamodb.operations import put_requests
from ddbio.formats.scanned import ScannedItems
from ddbio.sinks.fast_batch import PreparedPuts
from ddbio.values.capacity import WRITE_UNIT_BYTES, write_units
from ddbio.values.table import KeyAttribute, TableInfo

_BYTES_PER_CHARACTER = 4  # at most, in UTF-8


class ItemBatches:
    """For the items of one table into another one. Shared by the lanes of a worker."""

    def __init__(self, table: TableInfo, format: ScannedItems) -> None:
        self._format = format
        self._decode = _decoder(table.index_keys)
        place = {part.name: _field(number) for number, part in enumerate(table.index_keys)}
        self._indexes = [[place[name] for name in index.key_names if name in place] for index in table.indexes]

    def prepare(self, records: Sequence[bytes]) -> PreparedPuts | None:
        """The puts of a batch of items; None if it must take the slow path."""
        units = self._units(records)
        requests = put_requests(records)
        if not self._indexes:
            return PreparedPuts(requests, (), units)
        if units > len(records):  # then so may entries be of more than one unit
            return None
        try:
            keys = self._decode(b"[%b]" % b",".join(records))
        except msgspec.ValidationError:
            return None
        return PreparedPuts(requests, tuple([_entries(keys, fields) for fields in self._indexes]), units)

    def _units(self, records: Sequence[bytes]) -> int:
        """Write units, probably. Exact if no text is longer than a unit: an item is smaller than its text."""
        lengths = list(map(len, records))
        if max(lengths) <= WRITE_UNIT_BYTES:
            return len(lengths)
        share = self._format.stored_share
        return sum([write_units(math.ceil(length * share)) for length in lengths])


def _entries(keys: list[msgspec.Struct], fields: list[str]) -> int:
    """The number of entries that the items have in an index with these keys."""
    return sum([UNSET not in [getattr(key, field) for field in fields] for key in keys])


def _decoder(parts: Sequence[KeyAttribute]) -> Callable[[bytes], list[msgspec.Struct]]:
    """Decodes items to structs with these attributes alone. A key that may be invalid is a ValidationError."""
    fields: list[Any] = [(_field(number), UnsetType | _value_type(part), UNSET) for number, part in enumerate(parts)]
    names = {_field(number): part.name for number, part in enumerate(parts)}
    keys = msgspec.defstruct("IndexKeys", fields, rename=names, gc=False)
    return msgspec.json.Decoder(list[keys]).decode  # type: ignore[valid-type]


def _field(number: int) -> str:
    """Of a struct, for a name of any characters."""
    return f"field_{number}"


def _value_type(part: KeyAttribute) -> type[msgspec.Struct]:
    text = Annotated[str, msgspec.Meta(min_length=1, max_length=part.max_bytes // _BYTES_PER_CHARACTER)]
    return msgspec.defstruct(f"Key{part.type}", [(part.type, text)], gc=False)
