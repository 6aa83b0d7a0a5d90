"""Items of a table as Arrow data, and as lists, from Python."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

import ddbio
import ddbio.aio
from ddbio import StopFlag, Stopped, TransferError, UsageError
from ddbio.simulator import FaultPlan, Simulator
from tests.support.environment import AWS_ENVIRONMENT

pyarrow = pytest.importorskip("pyarrow")
duckdb = pytest.importorskip("duckdb")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with Simulator() as simulator:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", simulator.url)
        simulator.create_table("Orders", "id:S")
        yield simulator


def fill(count: int, **more: Any) -> list[dict[str, Any]]:
    items = [{"id": f"{n}", "price": Decimal(n) / 4, "even": n % 2 == 0, **more} for n in range(count)]
    assert ddbio.put_items("Orders", items, processes=1).tally.written == count
    return items


def test_a_stream_of_batches_for_duckdb_and_pandas(table: Simulator) -> None:
    items = fill(3000)
    reader = ddbio.scan_arrow("Orders", processes=2, capacity=100_000)
    assert isinstance(reader, pyarrow.RecordBatchReader)
    assert reader.schema.names == ["id", "even", "price"]
    assert reader.schema.field("price").type == pyarrow.decimal128(38, 4)
    assert duckdb.sql("SELECT even, sum(price) FROM reader GROUP BY even ORDER BY even").fetchall() == [
        (even, sum(item["price"] for item in items if item["even"] == even)) for even in (False, True)
    ]
    rows = ddbio.scan_arrow("Orders", processes=1).read_all().to_pylist()
    assert sorted(rows, key=lambda row: row["price"]) == items


@pytest.mark.fuller
def test_a_given_schema_reads_only_its_attributes(table: Simulator) -> None:
    fill(20, note="x" * 1000)
    schema = pyarrow.schema([("price", pyarrow.float64()), ("other", pyarrow.string())])
    read = ddbio.scan_arrow("Orders", schema=schema, processes=1).read_all()
    assert read.schema == schema and sorted(read["price"].to_pylist()) == [n / 4 for n in range(20)]
    assert len(ddbio.scan_arrow("Orders", schema=schema, limit=3, processes=1).read_all()) == 3


@pytest.mark.fuller
def test_a_surprise_after_the_sample_raises_in_the_consumer(table: Simulator) -> None:
    fill(100)
    ddbio.put_items("Orders", [{"id": "odd", "price": "much"}], processes=1)
    schema = pyarrow.schema([("price", pyarrow.int64())])
    reader = ddbio.scan_arrow("Orders", schema=schema, processes=1)
    with pytest.raises(TransferError, match="'price' has a value of type"):
        reader.read_all()
    with pytest.raises(StopIteration):  # no batch after the one that is missing
        reader.read_next_batch()


@pytest.mark.fuller
def test_a_reader_that_is_deleted_ends_its_scan(table: Simulator) -> None:
    fill(3000)
    table.faults = FaultPlan(latency_s=0.05)
    reader = ddbio.scan_arrow("Orders", schema=pyarrow.schema([("id", pyarrow.string())]), segments=60, processes=1)
    assert reader.read_next_batch().num_rows
    del reader
    before = table.requests()["Scan"]
    time.sleep(0.3)
    assert table.requests()["Scan"] == before < 60


@pytest.mark.fuller
def test_a_stop_raises_in_the_consumer(table: Simulator) -> None:
    fill(3000)
    table.faults = FaultPlan(latency_s=0.05)
    stop, schema = StopFlag(), pyarrow.schema([("id", pyarrow.string())])
    reader = ddbio.scan_arrow("Orders", schema=schema, segments=60, processes=1, lanes=1, stop=stop)
    reader.read_next_batch()
    stop.ask()
    with pytest.raises(Stopped):
        reader.read_all()


def test_mistakes_are_raised_at_once(table: Simulator) -> None:
    with pytest.raises(UsageError, match='table "Nothing"'):
        ddbio.scan_arrow("Nothing")
    assert ddbio.scan_arrow("Orders", processes=1).read_all().schema.names == ["id"]
    for schema in (["id"], {"id": "no type"}, pyarrow.schema([]), [("id", "string")] * 2):
        with pytest.raises(UsageError, match="schema "):
            ddbio.scan_arrow("Orders", schema=schema)
    with pytest.raises(UsageError, match="leave output out"):
        ddbio.query_table("Orders", "SELECT 1", output="rows.csv")


def test_items_are_found_in_order_and_by_a_filter(table: Simulator) -> None:
    items = fill(50)
    dearest = ddbio.find_items("Orders", order_by="price", descending=True, limit=3, processes=1)
    assert dearest == items[:-4:-1]
    cheap = ddbio.find_items("Orders", filter="price < :p", values={"p": 1}, attributes=["id"], processes=1)
    assert sorted(item["id"] for item in cheap) == ["0", "1", "2", "3"]
    with pytest.raises(UsageError, match="order_by keeps the first items in memory; say how many with limit"):
        ddbio.find_items("Orders", order_by="price")


@pytest.mark.fuller
def test_a_query_is_a_table(table: Simulator) -> None:
    fill(50)
    query = "SELECT even, count(*) AS n FROM t GROUP BY even ORDER BY even"
    assert ddbio.query_table("Orders", query, processes=1).to_pylist() == [
        {"even": e, "n": 25} for e in (False, True)
    ]
    with pytest.raises(UsageError, match="only a single SELECT"):
        ddbio.query_table("Orders", "DROP TABLE t")


@pytest.mark.fuller
def test_the_same_in_an_event_loop(table: Simulator) -> None:
    fill(300)

    async def main() -> None:
        read = [batch.num_rows async for batch in ddbio.aio.scan_arrow("Orders", processes=1)]
        assert sum(read) == 300
        assert len(await ddbio.aio.find_items("Orders", limit=5, processes=1)) == 5
        assert (await ddbio.aio.query_table("Orders", "SELECT id FROM t", processes=1)).num_rows == 300

    asyncio.run(main())
