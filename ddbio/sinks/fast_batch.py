"""The fast path of an import: a whole batch of small records at once, all of them puts with distinct keys.

A batch with anything unusual (a blank line, an invalid record, a repeated key, a large item) takes the slow path,
record by record (`ddbio.sinks.table`). The fast path only decodes each record, checks its key and encodes it; if all
records have the same schema, it does even that for the whole batch at once (`ddbio.values.row_schema`). The native
core, if it is there, does it without making objects (`ddbio.native`); it measures items, so that large ones are fast,
too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import UNSET

from ddbio import native
from ddbio.dynamodb.operations import encode_item, put_requests
from ddbio.errors import RecordError
from ddbio.formats import Format, Noted, Tabular
from ddbio.formats.framing import JsonText
from ddbio.values.capacity import MAX_SORT_KEY_BYTES
from ddbio.values.items import AttributeMap, normal_number
from ddbio.values.keys import ItemKey
from ddbio.values.row_schema import ANY, INTEGER, RowBatch, RowSchema
from ddbio.values.table import TableInfo

if TYPE_CHECKING:
    from ddbio._native import PutEncoder

_encode_lines = msgspec.json.Encoder().encode_lines
_SCHEMAS = 64  # schemas in the cache
_LETTERS = {"S": "S", "N": "N", INTEGER: "N", ANY: ""}  # the DynamoDB type of each kind
_PLACES = {"S": b'{"S":%b}', "N": b'{"N":%b}', INTEGER: b'{"N":"%b"}', ANY: b"%b"}  # of the JSON of a value
_TYPED: dict[str, Callable[[Any], Any]] = {
    "S": lambda text: {"S": text},
    "N": lambda text: {"N": text},
    INTEGER: lambda number: {"N": str(number)},
}


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
        keys = (*table.key, *table.index_keys)
        # A binary key has several encodings. And sizes are not checked: no key of a record this small is too long.
        plain = all(part.type != "B" for part in keys) and format.one_unit_bytes <= MAX_SORT_KEY_BYTES
        self._tabular = format if plain and isinstance(format, Tabular) else None
        self._core = core
        self._plan_of = lru_cache(_SCHEMAS)(lambda schema: _Plan(schema, table))

    def prepare(self, records: list[bytes]) -> PreparedPuts | None:
        """The puts of a batch of records; None if it must take the slow path."""
        made = self._core.encode(records) if self._core is not None else None
        if made is not None:
            return PreparedPuts(*made)
        if not self._are_one_unit(records):
            return None
        puts = self._alike(records) if self._tabular is not None else None
        return puts if puts is not None else self._any(records)

    def _alike(self, records: Sequence[bytes]) -> PreparedPuts | None:
        assert self._tabular is not None
        values = self._tabular.values(records)
        if values is None:
            return None
        plan = self._plan_of(values.schema)
        return plan.puts(values, len(records)) if plan.possible else None

    def _are_one_unit(self, records: Sequence[bytes]) -> bool:
        longest_bytes = max(map(len, records))
        if longest_bytes <= self._format.one_unit_bytes:
            return True
        return isinstance(self._format, JsonText) and all(map(self._format.is_one_unit, records))

    def _any(self, records: Sequence[bytes]) -> PreparedPuts | None:
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


class _Plan:
    """Makes puts of values of one schema. possible: whether that schema can be put this way."""

    def __init__(self, schema: RowSchema, table: TableInfo) -> None:
        self._schema = schema
        place_of = {name: place for place, name in enumerate(schema.names)}
        self._keys = [place_of[part.name] for part in table.key if part.name in place_of]
        self._entry_keys = [[place_of.get(name) for name in index.key_names] for index in table.indexes]
        parts = {part.name: part for part in (*table.index_keys, *table.key) if part.name in place_of}
        self._texts = [place_of[name] for name, part in parts.items() if part.type == "S"]
        self.possible = len(self._keys) == len(table.key) and all(
            _LETTERS[schema.kinds[place_of[part.name]]] == part.type for part in parts.values()
        )
        self._template = lru_cache(2)(partial(_template, schema))

    def puts(self, values: RowBatch, count: int) -> PreparedPuts | None:
        """None if a key is empty, missing or repeated."""
        if any("" in values.of(place) for place in self._texts):
            return None
        keys = [values.of(place) for place in self._keys]
        if values.missing and any(UNSET in key for key in keys):
            return None
        if len(set(zip(*map(self._identities, self._keys, keys), strict=True))) < count:
            return None
        entries = tuple([self._entries(places, values, count) for places in self._entry_keys])
        if values.missing:
            return PreparedPuts(put_requests(map(encode_item, self._items(values))), entries, count)
        cells = _encode_lines(values.cells).split(b"\n")
        cells.pop()
        return PreparedPuts(self._template(count) % tuple(cells), entries, count)

    def _identities(self, place: int, values: list[Any]) -> Iterable[Any]:
        """Values that compare as the keys do: a number may be written in several ways."""
        if self._schema.kinds[place] != "N":
            return values
        return map(int if "".join(values).isdigit() else normal_number, values)

    def _entries(self, places: Sequence[int | None], values: RowBatch, count: int) -> int:
        """The number of entries that the items have in an index."""
        there = [values.of(place) for place in places if place is not None]
        if len(there) < len(places):
            return 0
        return sum([UNSET not in parts for parts in zip(*there, strict=True)]) if values.missing else count

    def _items(self, values: RowBatch) -> Iterator[AttributeMap]:
        """The single items, if values are missing."""
        for place, kind in enumerate(self._schema.kinds):
            if kind in _TYPED:
                values.convert(place, _TYPED[kind])
        names, cells = self._schema.names, values.cells
        for at in range(0, len(cells), len(names)):
            named = zip(names, cells[at : at + len(names)], strict=True)
            yield {name: value for name, value in named if value is not UNSET}


def _template(schema: RowSchema, count: int) -> bytes:
    """A template of `count` puts with a placeholder for the JSON of each value."""
    members = [
        b"%b:%b" % (msgspec.json.encode(name).replace(b"%", b"%%"), _PLACES[kind])
        for name, kind in zip(schema.names, schema.kinds, strict=True)
    ]
    return put_requests([b"{%b}" % b",".join(members)] * count)
