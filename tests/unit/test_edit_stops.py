"""A delete that is stopped at any instant: each item that is gone is counted, once, and none is read twice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ddbio.dynamodb.wire import Response, WireError
from ddbio.flow.edit_job import EditJob
from ddbio.flow.sleeping import ManualSleeper, StopRequested
from ddbio.messages import SegmentUnit, Tally, UnitReport
from ddbio.sources.scan import TableScan
from ddbio.sources.subset import Subset
from ddbio.system.clock import ManualClock
from tests.support.loops import run
from tests.support.service import FakeTable, job_table, reply, worker_context
from tests.support.tables import table

UNIT = SegmentUnit(0, 0, 1)
ITEMS = {f"{number:03}": {"id": {"S": f"{number:03}"}} for number in range(100)}
OMITTED = {name for name in ITEMS if int(name) % 3 == 0}
SCANNED = 20  # items of a page, before the filter
PARTIAL = [0b10101, 0b111 << 20, 0, 0b1, 2**25 - 1, 0b11]


@dataclass
class Delete:
    """A delete of the items that are not omitted, over several runs. request_s: the duration of a request."""

    script: list[int | Response | WireError]
    request_s: float = 0.0
    table: FakeTable = field(init=False)
    heard: list[UnitReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = FakeTable(script=[*self.script], items={**ITEMS})

    def work(self, stop_after: int | None = None) -> None:
        def act(operation: str, request: dict[str, Any], body_bytes: int) -> Response | WireError:
            clock.now_s += self.request_s
            return self._scan(request) if operation == "Scan" else self.table.act(operation, request, body_bytes)

        def report(event: Any) -> None:
            if isinstance(event, UnitReport):
                self.heard.append(event)

        clock = ManualClock()
        context = worker_context(act, report, ManualSleeper(clock, stop_after), clock)
        orders = job_table(table({"id": "S"}))
        scan = TableScan("Orders", subset=Subset({}, filters=True), key_names=("id",), edits=True)
        lane = EditJob(orders, orders, scan, "delete").open(context).lane()
        unit = replace(UNIT, cursor=self.heard[-1].cursor, before=self.tally) if self.heard else UNIT

        async def story() -> None:
            try:
                await lane.work(unit)
            finally:
                await lane.close()

        run(story())

    def _scan(self, request: dict[str, Any]) -> Response:
        start = request.get("ExclusiveStartKey", {"id": {"S": ""}})["id"]["S"]
        after = sorted(name for name in self.table.items if name > start)
        names = after[:SCANNED]
        more = {"LastEvaluatedKey": ITEMS[names[-1]]} if len(after) > SCANNED else {}
        found = [ITEMS[name] for name in names if name not in OMITTED]
        return reply(Items=found, ScannedCount=len(names), ConsumedCapacity={"CapacityUnits": 1.0}, **more)

    @property
    def tally(self) -> Tally:
        total = Tally()
        for each in self.heard:
            total.add(each.tally)
        return total

    @property
    def gone(self) -> int:
        return len(ITEMS) - len(self.table.items)


def test_a_delete_that_is_not_stopped_reads_every_item() -> None:
    delete = Delete(PARTIAL)
    delete.work()
    assert (delete.tally.read, delete.tally.left_out, delete.tally.deleted) == (100, 34, 66)
    assert delete.table.items.keys() == OMITTED


@pytest.mark.parametrize("script", [[], PARTIAL], ids=["", "unprocessed"])
@pytest.mark.parametrize("request_s", [0.0, 1.0], ids=["", "reported after each request"])
@pytest.mark.parametrize("stop_after", range(16))
def test_a_stop_counts_every_item_that_is_gone(
    stop_after: int, request_s: float, script: list[int | Response | WireError]
) -> None:
    delete = Delete(script, request_s)
    with suppress(StopRequested):
        delete.work(stop_after)
    assert delete.tally.deleted == delete.tally.written == delete.gone
    if not delete.heard[-1].done:
        delete.work()
    tally = delete.tally
    assert delete.table.items.keys() == OMITTED
    assert (tally.deleted, tally.unsettled()) == (66, 0)
    assert tally.left_out <= len(OMITTED), "none is counted twice"
