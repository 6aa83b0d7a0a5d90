"""One source into several tables: a transform names the table of each item.

The tables share the lanes, the requests and the cap: BatchWriteItem accepts items for several tables, and one budget
limits the total consumption of all tables and their indexes. Each table has its own keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import (
    BatchWriteReply,
    Operation,
    batch_write_operation,
    multi_table_body,
    write_decoder,
)
from ddbio.errors import RecordError
from ddbio.sinks.batch import Write
from ddbio.sinks.estimates import WriteEstimates
from ddbio.sinks.table_writes import Outcome, Puts, new_put
from ddbio.values.capacity import MAX_BATCH_WRITES
from ddbio.values.items import Addressed, AttributeMap
from ddbio.values.keys import ItemKey
from ddbio.values.table import TableInfo


def combined(tables: Sequence[TableInfo]) -> TableInfo:
    """One table with the combined capacity of all, and the name and keys of the first."""
    limits = [table.write_units for table in tables if table.write_units is not None]
    return replace(
        tables[0],
        indexes=(),
        index_write_units={},
        provisioned=all(table.provisioned for table in tables),
        write_units=sum(limits) if len(limits) == len(tables) else None,
    )


class MultiTableReply(BatchWriteReply):
    def unprocessed(self) -> list[AttributeMap]:
        return [
            Addressed(request.attributes(), table)
            for table, requests in self.UnprocessedItems.items()
            for request in requests
        ]


class MultiTablePuts:
    """Puts into several tables. An item without an address goes to the first."""

    most_writes = MAX_BATCH_WRITES
    body_of_puts: Callable[[bytes], bytes] | None = None
    new_write: Callable[..., Write]

    def __init__(self, tables: Sequence[TableInfo]) -> None:
        self._puts = {table.address: Puts(table) for table in tables}
        self._addresses = {name: table.address for table in tables for name in (table.name, table.address)}
        self._first = tables[0].address
        one = batch_write_operation(("",))
        self.operation = replace(one, decode=write_decoder(MultiTableReply))
        self.estimates = WriteEstimates(combined(tables))
        self.key_of: Callable[[AttributeMap], ItemKey] = self._key_of
        self.units_of: Callable[[AttributeMap, bool], tuple[int, ...]] = self._units_of
        self.new_write = new_put

    def _address_of(self, attributes: AttributeMap) -> str:
        table = attributes.table if isinstance(attributes, Addressed) else self._first
        if table not in self._addresses:
            raise unknown_table(table, self._puts)
        return self._addresses[table]

    def _key_of(self, attributes: AttributeMap) -> ItemKey:
        address = self._address_of(attributes)
        return (address, *self._puts[address].key_of(attributes))

    def _units_of(self, attributes: AttributeMap, small: bool) -> tuple[int, ...]:
        return (sum(self._puts[self._address_of(attributes)].units_of(attributes, small)),)

    def body(self, writes: Sequence[Write]) -> bytes:
        by_table: dict[str, list[bytes]] = defaultdict(list)
        for write in writes:
            by_table[write.key[0]].append(write.item)
        return multi_table_body(by_table)

    def condition_units(self, writes: Sequence[Write]) -> float:
        return 0.0

    def deletes(self, writes: Sequence[Write]) -> int:
        return 0

    def operation_of(self, writes: Sequence[Write]) -> Operation[BatchWriteReply]:
        return self.operation

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        raise AssertionError("a BatchWriteItem has no condition")


def unknown_table(table: str, known: Iterable[str]) -> RecordError:
    return RecordError("unknown-table", f"the transform names table {table!r}, and -t names {', '.join(known)}")


def spoken(tables: Sequence[TableInfo]) -> str:
    """`table A`, `tables A, B and C`."""
    *names, last = [table.name for table in tables]
    return f"tables {', '.join(names)} and {last}" if names else f"table {last}"
