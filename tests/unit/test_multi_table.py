"""Several tables in one stream of writes: which table an item is for, in the request and in what comes back of it."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from ddbio.errors import RecordError
from ddbio.sinks.multi_table import MultiTablePuts, combined
from ddbio.sinks.table_writes import new_put
from ddbio.values.items import Addressed, AttributeMap
from ddbio.values.table import TableInfo
from tests.support.tables import table

ORDERS = table({"id": "S"}, {"byDay": {"day": "S"}})
DAYS = replace(table({"n": "N", "id": "S"}), name="Days", address="arn:aws:dynamodb:us-east-1:1:table/Days")
ITEM: AttributeMap = {"id": {"S": "a"}, "n": {"N": "1.0"}, "day": {"S": "x"}}


def test_items_go_to_their_tables_and_come_back_from_them() -> None:
    mode = MultiTablePuts([ORDERS, DAYS])
    items = [ITEM, Addressed(ITEM, "Days"), Addressed({**ITEM, "id": {"S": "b"}}, DAYS.address)]
    keys = [mode.key_of(item) for item in items]
    assert [key[0] for key in keys] == ["Orders", DAYS.address, DAYS.address]
    assert len(set(keys)) == 3
    writes = [
        new_put(number, key, b"{}", item, mode.units_of(item, True))
        for number, (key, item) in enumerate(zip(keys, items, strict=True))
    ]
    body = json.loads(mode.body(writes))
    assert {name: len(requests) for name, requests in body["RequestItems"].items()} == {"Orders": 1, DAYS.address: 2}
    assert [write.units for write in writes] == [(2,), (1,), (1,)]  # with the entry of the index
    reply = mode.operation.decode(
        msgspec.json.encode(
            {
                "UnprocessedItems": body["RequestItems"],
                "ConsumedCapacity": [{"CapacityUnits": 2.0}, {"CapacityUnits": 1.5}],
            }
        )
    )
    assert [mode.key_of(item) for item in reply.unprocessed()] == keys
    assert mode.operation.consumed(reply) == (3.5,)


def test_a_table_that_nobody_named() -> None:
    with pytest.raises(RecordError, match="names table 'Nights', and -t names Orders") as refused:
        MultiTablePuts([ORDERS, DAYS]).key_of(Addressed(ITEM, "Nights"))
    assert refused.value.code == "unknown-table"


def test_each_table_checks_its_own_keys() -> None:
    mode = MultiTablePuts([ORDERS, DAYS])
    bad: AttributeMap = {"id": {"S": "a"}, "day": {"N": "5"}}
    with pytest.raises(RecordError, match="index key 'day'"):
        mode.key_of(bad)
    with pytest.raises(RecordError, match="key 'n' is missing"):
        mode.key_of(Addressed(bad, "Days"))


@pytest.mark.parametrize(
    ("units", "sum_of_them"), [([100.0, 20.0], 120.0), ([100.0, None], None), ([None, None], None)]
)
def test_together_they_have_what_all_have(units: list[float | None], sum_of_them: float | None) -> None:
    tables: list[TableInfo] = [
        replace(each, write_units=own) for each, own in zip([ORDERS, DAYS], units, strict=True)
    ]
    one = combined(tables)
    assert (one.name, one.key, one.write_units, one.write_budgets()) == ("Orders", ORDERS.key, sum_of_them, ("",))
