"""A job that reads one table and writes another, in two accounts: each has its endpoint, its keys and its cap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from ddbio.aws.credentials import Keys
from ddbio.dynamodb.data_plane import DataPlane
from ddbio.dynamodb.operations import batch_write_body, batch_write_operation, encode_item
from ddbio.dynamodb.scan import scan_body, scan_operation
from ddbio.dynamodb.wire import Endpoint
from ddbio.engines.engine import Engine
from ddbio.engines.environment import Needs, TableNeeds
from ddbio.engines.inline import InlineEngine
from ddbio.engines.pool import ProcessEngine
from ddbio.flow.context import SOURCE, TARGET, JobTable, WorkerContext
from ddbio.messages import ExportCursor, SegmentUnit, Tally, Unit, UnitReport
from ddbio.simulator import Simulator
from ddbio.system.stop import StopFlag
from ddbio.values.items import AttributeMap
from tests.support.front import Forwarder, forwarding
from tests.support.tables import table

ITEMS = [{"id": {"S": str(number)}, "text": {"S": "x" * 900}} for number in range(200)]  # of one unit each
SOURCE_CAP, TARGET_CAP = 20.0, 75.0
PAGE_ITEMS, PAGE_UNITS = 20, 3.0
ENGINES = {"inline": InlineEngine(), "processes": ProcessEngine(2)}


@dataclass(frozen=True, slots=True)
class CopyJob:
    """Writes every page that it reads."""

    source: JobTable
    target: JobTable
    lanes: int = 3
    opens_together: bool = False

    @property
    def tables(self) -> dict[str, JobTable]:
        return {SOURCE: self.source, TARGET: self.target}

    def open(self, context: WorkerContext) -> CopyWork:
        return CopyWork(self, context)


@dataclass
class CopyWork:
    job: CopyJob
    context: WorkerContext

    def lane(self) -> CopyLane:
        return CopyLane(self)


class CopyLane:
    def __init__(self, work: CopyWork) -> None:
        self._tables = work.job.tables
        self._report = work.context.report
        self._source = work.context.client(SOURCE, Tally())
        self._target = work.context.client(TARGET, Tally())
        self._scan = scan_operation(list[AttributeMap])
        self._put = batch_write_operation(("",))

    async def work(self, unit: Unit) -> None:
        assert isinstance(unit, SegmentUnit)
        key: str | None = None
        while True:
            reply = await self._source.call(self._scan, self._page(unit, key), (PAGE_UNITS,))
            if reply.Items:
                body = batch_write_body(self._tables[TARGET].info.address, list(map(encode_item, reply.Items)))
                await self._target.call(self._put, body, (float(len(reply.Items)),))
            key = reply.next_key()
            cursor = ExportCursor(key, 0, None, 0)
            count = len(reply.Items)
            self._report(UnitReport(unit.number, cursor, Tally(read=count, written=count), done=key is None))
            if key is None:
                return

    def _page(self, unit: SegmentUnit, key: str | None) -> bytes:
        return scan_body(
            self._tables[SOURCE].info.address,
            segment=unit.segment,
            total_segments=unit.total_segments,
            consistent=False,
            start_key=key,
            limit=PAGE_ITEMS,
        )

    async def close(self) -> None:
        self._source.close()
        self._target.close()


@dataclass
class Account:
    """A simulated service, and the access keys of the requests that it was sent."""

    simulator: Simulator
    front: Forwarder
    access_keys: set[bytes]

    def table(self, name: str) -> JobTable:
        info = replace(table({"id": "S"}), name=name, address=name)
        return JobTable(info, DataPlane(Endpoint(f"http://127.0.0.1:{self.front.port}", "eu-west-1")))


@contextmanager
def account(table_name: str) -> Iterator[Account]:
    with Simulator() as simulator, forwarding(int(simulator.url.rpartition(":")[2])) as front:
        simulator.create_table(table_name, "id:S")
        made = Account(simulator, front, set())
        front.hear = lambda data: made.access_keys.update(re.findall(rb"Credential=(\w+)/", data))
        yield made


@pytest.fixture
def accounts() -> Iterator[tuple[Account, Account]]:
    with account("Orders") as first, account("Copies") as second:
        first.simulator.table("Orders").put_items(ITEMS)
        yield first, second


def job_of(accounts: tuple[Account, Account]) -> tuple[CopyJob, Needs]:
    first, second = accounts
    job = CopyJob(replace(first.table("Orders"), most_page_units=129.0), second.table("Copies"))
    caps = {SOURCE: (SOURCE_CAP,), TARGET: (TARGET_CAP,)}
    return job, Needs(
        {role: TableNeeds(caps[role], Rotating(role, each)) for role, each in zip(caps, accounts, strict=True)}
    )


@dataclass
class Rotating:
    """A provider of keys for an account, which has newer ones once the account has seen the first."""

    role: str
    account: Account

    def __call__(self) -> Keys:
        newer = "two" if self.account.access_keys else "one"
        return Keys(f"{self.role}{newer}", f"secret of {self.role}")


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
def test_each_table_has_its_account_its_keys_and_its_cap(engine: Engine, accounts: tuple[Account, Account]) -> None:
    job, needs = job_of(accounts)
    segments = [SegmentUnit(number, number, 4) for number in range(4)]
    with engine.open(job, needs) as running:
        assert [each.in_force for role in (SOURCE, TARGET) for each in running.budgets(role)] == [
            SOURCE_CAP,
            TARGET_CAP,
        ]
        reports = [event for event in running.work(segments, StopFlag()) if isinstance(event, UnitReport)]
    assert [report.error for report in reports if report.error] == []
    assert sum(report.tally.written for report in reports) == len(ITEMS)
    first, second = accounts
    copies = second.simulator.table("Copies")
    assert sorted(item["id"]["S"] for item in copies.items()) == sorted(item["id"]["S"] for item in ITEMS)
    assert first.access_keys == {b"sourceone", b"sourcetwo"}
    assert second.access_keys == {b"targetone", b"targettwo"}
    assert most_in_a_second(first.simulator.table("Orders").consumption("read")) <= SOURCE_CAP * 1.01 + PAGE_UNITS
    assert most_in_a_second(copies.consumption("write")) <= TARGET_CAP * 1.02 + PAGE_ITEMS


def most_in_a_second(log: list[tuple[float, float]]) -> float:
    return max(sum(units for at_s, units in log if start_s <= at_s < start_s + 0.95) for start_s, _ in log)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
def test_the_cap_of_one_table_is_changed_without_the_other(engine: Engine, accounts: tuple[Account, Account]) -> None:
    job, needs = job_of(accounts)
    with engine.open(job, needs) as running:
        running.set_cap(TARGET, 7.0)
        assert [each.in_force for role in (SOURCE, TARGET) for each in running.budgets(role)] == [SOURCE_CAP, 7.0]
