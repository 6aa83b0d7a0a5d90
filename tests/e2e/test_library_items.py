"""Items of a program into a table and back, by worker processes, against the simulator."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import boto3
import pytest

import ddbio
import ddbio.aio
from ddbio import RejectedError, Stopped, TransferError, UsageError
from ddbio.simulator import FaultPlan, Simulator
from ddbio.system.stop import StopFlag
from tests.support.commands import make_old, with_slack
from tests.support.environment import AWS_ENVIRONMENT
from tests.support.free_loop import WATCH, assert_loop_stays_free
from tests.support.items import contents

pytestmark = pytest.mark.fuller

Call = Any


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    for name, value in AWS_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with Simulator() as simulator:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", simulator.url)
        simulator.create_table("Orders", "id:S")
        yield simulator


put = partial(ddbio.put_items, "Orders", processes=2)


def plain(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"id": f"item-{number}", "n": number, "text": "x" * 100}


def test_items_of_a_generator_are_written_by_several_processes(table: Simulator) -> None:
    result = put(plain(5000))
    assert (result.tally.read, result.tally.written, result.rejected) == (5000, 5000, ())
    stored = {item["id"]["S"]: item["n"]["N"] for item in table.table("Orders").items()}
    assert stored == {f"item-{number}": str(number) for number in range(5000)}


def test_a_few_items_need_no_process(table: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.engines.process.WorkerProcess.start", None)
    assert put([{"id": "a", "tags": {"x"}, "at": Decimal("1.50"), "raw": b"\0"}]).tally.written == 1
    (stored,) = table.table("Orders").items()
    assert stored == {"id": {"S": "a"}, "tags": {"SS": ["x"]}, "at": {"N": "1.5"}, "raw": {"B": "AA=="}}


def test_rejected_items_have_their_positions(table: Simulator) -> None:
    items: list[Any] = [*plain(3000)]
    items[1] = {"no": "key"}
    items[2900] = {"id": "x", "n": float("nan")}
    result = put(items)
    assert (result.tally.read, result.tally.written, result.tally.rejected) == (3000, 2998, 2)
    first, second = result.rejected
    assert (first.position, first.item, first.code) == (1, {"no": "key"}, "missing-key")
    assert (second.position, second.item, second.code) == (2900, None, "not-finite")
    with pytest.raises(RejectedError) as raised:
        put(items, on_rejects="raise")
    assert len(raised.value.result.rejected) == 2


def test_an_exception_of_the_iterable_comes_after_the_items_before_it(table: Simulator) -> None:
    def items() -> Iterator[dict[str, Any]]:
        yield from plain(3000)
        raise KeyError("gone")

    with pytest.raises(KeyError):
        put(items())
    assert len(table.table("Orders").items()) == 3000


def test_inserts_and_deletes(table: Simulator) -> None:
    put(plain(10))
    assert put(plain(12), mode="insert").tally.skipped == 10
    assert ddbio.delete_items("Orders", plain(5)).tally.deleted == 5
    assert len(table.table("Orders").items()) == 7


def test_the_cap_holds(table: Simulator) -> None:
    began_s = time.monotonic()
    assert put(plain(300), capacity=100).tally.written == 300
    assert time.monotonic() - began_s > 1.9


def test_mistakes_are_named(table: Simulator) -> None:
    with pytest.raises(UsageError, match="items is one dict, and several items are meant"):
        put({"id": "a"})
    with pytest.raises(UsageError, match='table "Nothing"'):
        ddbio.put_items("Nothing", [])
    with pytest.raises(TypeError, match="capacty"):
        put([], capacty=5)


def test_frames(table: Simulator) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    columns = {"id": ["a", "b"], "n": [1, None], "f": [0.5, 1e100], "tags": [["x"], None]}
    assert put(pyarrow.table(columns)).tally.written == 2
    stored = {item["id"]["S"]: item for item in table.table("Orders").items()}
    assert stored["a"] == {"id": {"S": "a"}, "n": {"N": "1"}, "f": {"N": "0.5"}, "tags": {"L": [{"S": "x"}]}}
    assert set(stored["b"]) == {"id", "f"}


def test_a_scan_gives_the_items_back(table: Simulator) -> None:
    items = [{"id": f"{number}", "n": Decimal(number), "tags": {"a", "b"}, "raw": b"\0\1"} for number in range(3000)]
    put(items)
    scan = partial(ddbio.scan, "Orders", processes=2)
    assert sorted(scan(), key=lambda item: item["n"]) == items
    assert sorted(item["id"] for item in scan(filter="n < :m", values={"m": 3}, attributes=["id"])) == ["0", "1", "2"]
    assert len(list(scan(limit=7))) == 7


def test_a_scan_that_is_left_ends(table: Simulator) -> None:
    put(plain(3000))
    table.faults = FaultPlan(latency_s=0.05)
    for item in ddbio.scan("Orders", segments=50, processes=1):
        assert set(item) == {"id", "n", "text"}
        break
    before = table.requests()["Scan"]
    time.sleep(0.3)
    assert table.requests()["Scan"] == before < 50


def test_a_scan_that_fails_raises(table: Simulator) -> None:
    with pytest.raises(UsageError, match='table "Nothing"'):
        list(ddbio.scan("Nothing"))
    put(plain(3000))
    make_old(table, "Orders")
    scan = ddbio.scan("Orders", segments=50, processes=1, lanes=1)
    next(scan)
    boto3.client("dynamodb").delete_table(TableName="Orders")
    with pytest.raises(TransferError):
        list(scan)


# The call is the first one of its process, which loads the modules. A full garbage collection of these alone takes
# longer than a loop may wait.
WATCHED = (
    WATCH
    + """
import asyncio, gc
import ddbio.aio

async def items():
    for number in range(3000):
        yield {"id": f"item-{number}", "n": number}

async def main():
    spent, full = [], []
    gc.callbacks.append(lambda phase, info: full.append(phase) if info["generation"] == 2 else None)
    watching = asyncio.create_task(watch(spent))
    await asyncio.sleep(0.01)
    spent.clear()
    put = await ddbio.aio.put_items("Orders", items(), processes=1)
    found = [item async for item in ddbio.aio.scan("Orders", processes=1)]
    watching.cancel()
    assert len(spent) > 100 and not full, full
    print(put.tally.written, len(found), *map(max, zip(*spent)))
asyncio.run(main())
"""
)


def test_a_loop_stays_free(table: Simulator) -> None:
    def longest_waits() -> list[float]:
        done = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, timeout=with_slack(60))
        assert done.returncode == 0, done.stderr
        written, found, *spent = done.stdout.split()
        assert (written, found) == ("3000", "3000")
        return [float(each) for each in spent]

    assert_loop_stays_free(longest_waits)


def test_a_cancelled_call_settles_first(table: Simulator) -> None:
    table.faults = FaultPlan(latency_s=0.02)

    async def main() -> None:
        work = asyncio.create_task(ddbio.aio.put_items("Orders", plain(5000), processes=1, lanes=1))
        while not table.table("Orders").items():
            await asyncio.sleep(0.02)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(main())
    written = contents(table.table("Orders").items())
    time.sleep(0.2)
    assert contents(table.table("Orders").items()) == written and 0 < len(written) < 5000


def test_a_stop_that_comes_too_late_to_stop_a_scan_loses_no_item(table: Simulator) -> None:
    """The flag is the caller's, and may be raised at any moment: then the scan raises, or gives all items."""
    put(plain(2000))
    for asked_at in (1, 1000, 1999):
        stop, found = StopFlag(), 0
        try:
            for _ in ddbio.scan("Orders", processes=1, stop=stop):
                found += 1
                if found == asked_at:
                    stop.ask()
        except Stopped:
            continue
        assert found == 2000


def test_a_flag_of_the_caller_is_not_raised_by_a_scan_that_ends(table: Simulator) -> None:
    stop = StopFlag()
    assert list(ddbio.scan("Orders", processes=1, stop=stop)) == []
    assert stop.requests == 0


def test_a_stopped_put_does_not_promise_to_resume(table: Simulator) -> None:
    stop = StopFlag()

    def items() -> Iterator[dict[str, Any]]:
        for number, item in enumerate(plain(5000)):
            if number == 3000:
                stop.ask()
            yield item

    with pytest.raises(Stopped) as raised:
        put(items(), stop=stop)
    assert "to resume" not in str(raised.value)
    assert "its items are not kept: make the same call again with all of them" in str(raised.value)
    assert raised.value.result.tally.written == len(table.table("Orders").items())


def test_a_stopped_scan_does_not_promise_to_resume(table: Simulator) -> None:
    put(plain(2000))
    stop = StopFlag()
    with pytest.raises(Stopped) as raised:
        for _ in ddbio.scan("Orders", processes=1, segments=20, lanes=1, capacity=2, stop=stop):
            stop.ask()
    assert "to resume" not in str(raised.value)
    assert str(raised.value).endswith("complete; make the same call again: it reads all of the items")


def test_a_cancelled_call_does_not_wait_for_an_iterable_that_gives_nothing(table: Simulator) -> None:
    async def items() -> AsyncIterator[dict[str, Any]]:
        for item in plain(5000):
            yield item
        await asyncio.Event().wait()

    async def main() -> None:
        work = asyncio.create_task(ddbio.aio.put_items("Orders", items(), processes=1))
        while not table.table("Orders").items():
            await asyncio.sleep(0.02)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(asyncio.gather(work)), 20)

    asyncio.run(main())


def test_an_async_iterable_may_time_out(table: Simulator) -> None:
    async def items() -> AsyncIterator[dict[str, Any]]:
        yield {"id": "a"}
        raise TimeoutError("of the source")

    with pytest.raises(TimeoutError, match="of the source"):
        asyncio.run(ddbio.aio.put_items("Orders", items(), processes=1))
    assert len(table.table("Orders").items()) <= 1
