"""A copy on the lane of imports and exports: it dies at any request, and whoever continues loses nothing."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from ddbio.dynamodb.wire import Response, WireError
from ddbio.flow.copy_job import CopyJob
from ddbio.flow.sleeping import ManualSleeper, StopRequested
from ddbio.messages import ExportCursor, SegmentUnit, Tally, UnitReport
from ddbio.sources.scan import TableScan
from ddbio.steps.transform import TransformSpec
from ddbio.system.clock import ManualClock
from ddbio.values.capacity import item_size_bytes
from tests.support.loops import run
from tests.support.service import FakeTable, cut, job_table, refusal, reply, worker_context
from tests.support.tables import table

UNIT = SegmentUnit(0, 0, 1)
SIZES = (30, 0, 7, 60, 1, 1, 40)  # of the pages of A


class Killed(BaseException):
    """The process died; what it would have said afterwards is not heard."""


def pages() -> list[list[dict[str, Any]]]:
    numbers = iter(range(sum(SIZES)))
    return [[{"id": {"S": str(next(numbers))}, "v": {"N": "1"}} for _ in range(size)] for size in SIZES]


ALL = {item["id"]["S"]: item for page in pages() for item in page}


@dataclass
class Copy:
    """A copy from A, a table of these pages, to B, over several lives of its worker.

    page_units: that each page cost. most_units: that one request should cost.
    scanned: the pages that were read, in order. requests: to either table.
    """

    target: FakeTable = field(default_factory=FakeTable)
    transform: TransformSpec | None = None
    pages: list[list[dict[str, Any]]] = field(default_factory=pages)
    page_units: float = 1.0
    most_units: float = math.inf
    heard: list[UnitReport] = field(default_factory=list)
    scanned: list[int] = field(default_factory=list)
    requests: int = 0

    def work(
        self, unit: SegmentUnit = UNIT, *, dies_before: int | None = None, stop_after: int | None = None
    ) -> None:
        dead: list[bool] = []

        def act(operation: str, request: dict[str, Any], body_bytes: int) -> Response | Exception:
            if self.requests == dies_before:
                dead.append(True)
                raise Killed
            self.requests += 1
            return self._scan(request) if operation == "Scan" else self.target.act(operation, request, body_bytes)

        def report(event: Any) -> None:
            if not dead and isinstance(event, UnitReport):
                self.heard.append(event)

        clock = ManualClock()
        context = worker_context(act, report, ManualSleeper(clock, stop_after), clock, most_units=self.most_units)
        orders = job_table(table({"id": "S"}))
        scan = TableScan("Orders", key_names=("id",))
        lane = CopyJob(orders, orders, scan, transform=self.transform).open(context).lane()

        async def story() -> None:
            try:
                await lane.work(unit)
            finally:
                await lane.close()

        run(story())

    def _scan(self, request: dict[str, Any]) -> Response:
        number = int(request.get("ExclusiveStartKey", {"id": {"S": "0"}})["id"]["S"])
        self.scanned.append(number)
        more = {"LastEvaluatedKey": {"id": {"S": str(number + 1)}}} if number + 1 < len(self.pages) else {}
        return reply(Items=self.pages[number], ConsumedCapacity={"CapacityUnits": self.page_units}, **more)

    def continued(self) -> SegmentUnit:
        """The unit as the parent hands it on: from the last cursor, with what was counted up to it."""
        cursors = [report.cursor for report in self.heard if isinstance(report.cursor, ExportCursor)]
        return replace(UNIT, cursor=cursors[-1] if cursors else None, before=self.tally)

    @property
    def tally(self) -> Tally:
        total = Tally()
        for report in self.heard:
            total.add(report.tally)
        return total

    def check(self) -> None:
        assert self.target.violations == []
        assert self.target.items == ALL
        tally = self.tally
        assert (tally.read, tally.written, tally.unsettled()) == (len(ALL), len(ALL), 0)
        assert all(report.tally.unsettled() == 0 for report in self.heard)
        assert [report.done for report in self.heard].count(True) == 1


def test_a_copy_has_every_item() -> None:
    copy = Copy()
    copy.work()
    copy.check()
    assert copy.heard[-1].cursor == ExportCursor(None, 0, None, 0, items=len(ALL))


@pytest.mark.parametrize("script", [[0b1011, 0, 0b1, 2**25 - 1], [refusal("ThrottlingException"), cut(sent=True)]])
def test_a_copy_has_every_item_whatever_the_table_does(script: list[int | Response | WireError]) -> None:
    copy = Copy(FakeTable(script=script))
    copy.work()
    copy.check()


def requests_of_a_copy() -> int:
    copy = Copy()
    copy.work()
    return copy.requests


@pytest.mark.parametrize("dies_before", range(requests_of_a_copy()))
def test_whoever_continues_repeats_at_most_a_page(dies_before: int) -> None:
    copy = Copy()
    with suppress(Killed):
        copy.work(dies_before=dies_before)
    seen = len(copy.scanned)
    copy.work(copy.continued())
    copy.check()
    assert len(copy.scanned) <= len(SIZES) + 1, "a page at most is read again"
    assert sorted({*copy.scanned[:seen], *copy.scanned[seen:]}) == [*range(len(SIZES))]


@pytest.mark.parametrize("stop_after", range(0, 12, 3))
def test_a_stop_loses_nothing(stop_after: int) -> None:
    copy = Copy(FakeTable(script=[0b11] * 4))
    with suppress(StopRequested):
        copy.work(stop_after=stop_after)
    assert not copy.heard[-1].done
    copy.work(copy.continued())
    copy.check()


def test_items_are_transformed_on_the_way_and_bad_ones_are_rejected() -> None:
    copy = Copy(transform=TransformSpec(f"{__file__}:twice", {}, frozenset(), {}))
    copy.work()
    tally = copy.tally
    assert (tally.read, tally.added, tally.dropped, tally.rejected) == (139, 1, 1, 1)
    assert (tally.written, len(copy.target.items), tally.unsettled()) == (138, 138, 0)
    (reject,) = [reject for report in copy.heard for reject in report.rejects]
    assert (reject.source, reject.segment, reject.key) == ("Orders", 0, {"id": {"S": "3"}})
    assert (reject.code, reject.record) == ("missing-key", b'{"id":{"S":"3"},"v":{"N":"1"}}')


def twice(item: dict[str, Any]) -> list[dict[str, Any]]:
    return {"1": [], "2": [item, {**item, "id": "2b"}], "3": [{"v": 1}]}.get(item["id"], [item])


def copy_of(page: list[dict[str, Any]], target: FakeTable, **more: Any) -> Copy:
    """A copy of a table of one page."""
    copy = Copy(target, pages=[page], page_units=math.ceil(sum(map(item_size_bytes, page)) / 8192), **more)
    copy.work()
    assert target.violations == []
    assert copy.tally.unsettled() == 0
    return copy


def test_a_batch_that_costs_more_than_expected_may_be_left_unprocessed() -> None:
    """The size of an item is expected from its text, by the share that the page had on average."""
    texts = [{"id": {"S": f"t{number:02}"}, "v": {"S": "x" * 10_000}} for number in range(25)]
    flags = [{"id": {"S": f"f{number:02}"}, "v": {"L": [{"BOOL": True}] * 10_000}} for number in range(25)]
    copy = copy_of([*texts, *flags], FakeTable(script=[0b1]), most_units=100.0)
    assert copy.target.batches[0] == 25
    assert copy.target.items == {item["id"]["S"]: item for item in [*texts, *flags]}


def test_a_batch_with_much_text_may_be_left_unprocessed() -> None:
    flags = [{"id": {"S": f"f{number:02}"}, "v": {"L": [{"BOOL": True}] * 20_000}} for number in range(25)]
    copy = copy_of(flags, FakeTable(script=[0b1]))
    assert (copy.target.batches, copy.target.body_bytes[0] > 4 * 1024 * 1024) == ([25, 1], True)
    assert copy.target.items == {item["id"]["S"]: item for item in flags}


def test_entries_of_an_index_with_the_same_item_are_put_once() -> None:
    """An item whose index key changes during the scan may be read twice."""
    twice_read = {"id": {"S": "a"}, "v": {"N": "1"}}
    copy = copy_of([twice_read] * 25, FakeTable(refuses_duplicates=True))
    assert (copy.target.items, copy.tally.written, copy.tally.replaced) == ({"a": twice_read}, 1, 24)


def test_items_without_a_key_of_the_table_are_rejected() -> None:
    """As `--attributes id.x` leaves them."""
    page = [{"id": {"S": str(number)}, "v": {"N": "1"}} for number in range(25)]
    del page[7]["id"]
    copy = copy_of(page, FakeTable())
    (reject,) = [reject for report in copy.heard for reject in report.rejects]
    assert (reject.code, reject.record, reject.key) == ("missing-key", b'{"v":{"N":"1"}}', {})
    assert sorted(copy.target.items) == sorted(str(number) for number in range(25) if number != 7)
