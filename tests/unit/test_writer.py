"""The import lane: batches, what comes back of them, bad items found alone, and books that are right at every moment
a lane could end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.wire import Response, WireError
from ddbio.errors import AbortError, TransferError
from ddbio.flow.import_job import ImportJob, import_task
from ddbio.flow.lane import FlowLane
from ddbio.flow.sleeping import ManualSleeper, StopRequested
from ddbio.formats import Format, get_format
from ddbio.formats.json_lines import JsonLines
from ddbio.messages import ImportCursor, Reject, SliceUnit, Tally, UnitReport
from ddbio.messages.files import SourceFile
from ddbio.sinks.fast_batch import FastBatches
from ddbio.sources.reader import RecordReader
from ddbio.steps.transform import TransformSpec
from ddbio.system.clock import ManualClock
from ddbio.values.items import AttributeMap, Deletion
from ddbio.values.table import TableInfo
from tests.support.effort import examples
from tests.support.loops import run
from tests.support.service import FakeTable, cut, job_table, refusal, reply, worker_context
from tests.support.tables import table

URI = "orders.json"


class Killed(BaseException):
    """The process died; what it would have said afterwards is not heard."""


@dataclass
class Source:
    """A file in memory, as a storage."""

    content: bytes
    remote: bool = False
    fails_at: int | None = None
    read_up_to: int = 0

    def of(self, _uri: str) -> Any:
        return self

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        if self.fails_at is not None and start <= self.fails_at < stop:
            raise TransferError(f"{file.uri} cannot be read any more")
        self.read_up_to = max(self.read_up_to, stop)
        return self.content[start:stop]

    def unit(self, number: int = 0, start: int = 0, stop: int | None = None) -> SliceUnit:
        size = len(self.content)
        return SliceUnit(number, SourceFile(URI, size, "1"), start, size if stop is None else stop)


@dataclass
class Import:
    """One worker's imports into a fake table, over several lives of the worker. reports: of all of them."""

    source: Source
    target: FakeTable = field(default_factory=FakeTable)
    info: TableInfo = field(default_factory=lambda: table({"id": "S"}))
    reports: list[UnitReport] = field(default_factory=list)
    clock: ManualClock = field(default_factory=ManualClock)
    seconds_a_request: float = 0.0
    kill_at: int | None = None  # the request during which the process dies
    mode: str = "put"
    transform: TransformSpec | None = None
    format: Format | None = None
    sleep: ManualSleeper = field(init=False)

    def __post_init__(self) -> None:
        self.live_on()

    def live_on(self, stop_after: int | None = None) -> None:
        """A new worker; one that is asked to stop after so many pauses and checks."""
        self.sleep = ManualSleeper(self.clock, stop_after)
        self.kill_at = None

    def work(self, *units: SliceUnit) -> None:
        """Work units with one lane, as long as it lives."""
        dead: list[bool] = []

        def act(operation: str, request: dict[str, Any], body_bytes: int) -> Response | WireError:
            self.clock.now_s += self.seconds_a_request
            answer = self.target.act(operation, request, body_bytes)
            if self.kill_at is not None and len(self.target.batches) > self.kill_at:
                dead.append(True)
                raise Killed
            return answer

        def report(event: Any) -> None:
            if not dead and isinstance(event, UnitReport):
                self.reports.append(event)

        context = worker_context(act, report, self.sleep, self.clock)
        job = ImportJob(job_table(self.info), AwsSettings(), lanes=1, mode=self.mode, transform=self.transform)
        reader = RecordReader(self.source)  # type: ignore[arg-type]
        task = import_task(job, context, reader, lambda spec: self.format or get_format(spec))
        run(self._work(task.lane(), units))

    async def _work(self, lane: FlowLane, units: Sequence[SliceUnit]) -> None:
        try:
            for unit in units:
                await lane.work(unit)
        finally:
            await lane.close()

    @property
    def tally(self) -> Tally:
        total = Tally()
        for report in self.reports:
            total.add(report.tally)
        return total

    @property
    def rejects(self) -> list[Reject]:
        return [reject for report in self.reports for reject in report.rejects]

    @property
    def values(self) -> dict[str, str]:
        """What the table holds: by id, the value of attribute v."""
        return {key: item["v"]["N"] for key, item in self.target.items.items()}

    def cursors_of(self, number: int) -> list[ImportCursor]:
        cursors = [report.cursor for report in self.reports if report.unit == number]
        return [cursor for cursor in cursors if isinstance(cursor, ImportCursor)]

    def cursor_of(self, number: int) -> ImportCursor | None:
        return next(reversed(self.cursors_of(number)), None)


def records(*numbers: int) -> bytes:
    """A line for each, its number as id and value."""
    return b"".join(b'{"id":"%d","v":%d}\n' % (number, number) for number in numbers)


def imported(content: bytes, *script: int | Response | WireError, poison: set[str] | None = None) -> Import:
    job = Import(Source(content), FakeTable(script=list(script), poison=poison or set()))
    job.work(job.source.unit())
    assert job.target.violations == []
    assert job.tally.unsettled() == 0
    return job


def values(*numbers: int) -> dict[str, str]:
    return {str(number): str(number) for number in numbers}


# --------------------------------------------------------------------------- batches


@pytest.mark.parametrize(("count", "batches"), [(0, []), (1, [1]), (25, [25]), (26, [25, 1]), (60, [25, 25, 10])])
def test_puts_go_out_in_batches_of_25(count: int, batches: list[int]) -> None:
    job = imported(records(*range(count)))
    assert (job.target.batches, job.values) == (batches, values(*range(count)))
    tally = job.tally
    assert (tally.read, tally.written, tally.requests, tally.units) == (count, count, len(batches), count)


def test_what_is_left_unprocessed_fills_the_next_batch() -> None:
    job = imported(records(*range(60)), 0b11111)
    assert job.target.batches == [25, 25, 15]  # 5 of the first again, with 20 new ones
    assert job.values == values(*range(60))
    assert (job.tally.written, job.tally.throttled) == (60, 5)


def test_no_batch_has_more_than_25_when_nothing_at_all_is_processed() -> None:
    nothing = 2**25 - 1
    job = imported(records(*range(60)), nothing, nothing, nothing)
    assert max(job.target.batches) == 25
    assert job.values == values(*range(60))


def test_after_unprocessed_items_there_is_a_pause() -> None:
    job = imported(records(*range(3)), 0b111, 0b1)
    assert len(job.sleep.waits) == 2


def test_pauses_grow_while_nothing_is_processed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.dynamodb.client.backoff_s", lambda attempt: float(attempt))
    job = imported(records(1, 2), *[0b11] * 4)
    assert job.sleep.waits == [0, 1, 2, 3]


def test_a_later_record_of_the_same_key_wins_within_a_batch() -> None:
    job = imported(b'{"id":"a","v":1}\n{"id":"b","v":2}\n{"id":"a","v":3}\n')
    assert (job.values, job.target.batches) == ({"a": "3", "b": "2"}, [2])
    assert (job.tally.read, job.tally.written, job.tally.replaced) == (3, 2, 1)


def test_a_later_record_replaces_one_that_was_left_unprocessed() -> None:
    content = records(*range(25)) + b'{"id":"3","v":333}\n' + records(*range(25, 40))
    job = imported(content, 1 << 3)
    assert job.values == {**values(*range(40)), "3": "333"}
    assert (job.tally.read, job.tally.written, job.tally.replaced) == (41, 40, 1)


@pytest.mark.parametrize("item", [{}, {"id": {"N": "1"}}, {"id": {"S": "another"}}, {"id": {"S": 1}}, {"id": {}}])
def test_unprocessed_items_that_were_not_sent_end_the_run(item: dict[str, Any]) -> None:
    """Whatever answers there, it is not the table: nothing it says about the batch can be believed."""
    answer = reply(UnprocessedItems={"Orders": [{"PutRequest": {"Item": item}}]})
    job = Import(Source(records(1, 2)), FakeTable(script=[answer]))
    with pytest.raises(AbortError, match="unprocessed items that were not sent"):
        job.work(job.source.unit())
    assert job.tally.written == 0


def test_numeric_keys_are_found_again_however_they_are_spelled() -> None:
    """The service gives unprocessed items back with their numbers in its own spelling."""
    job = Import(Source(b'{"id":1.50,"v":1}\n{"id":2e1,"v":2}\n'), FakeTable(script=[0b11]), table({"id": "N"}))
    job.work(job.source.unit())
    assert (set(job.target.items), job.tally.written) == ({"1.5", "20"}, 2)


def test_bodies_over_the_limit_are_sent_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddbio.sinks.table.MAX_REQUEST_BYTES", 400)
    monkeypatch.setattr("ddbio.sinks.sender.MAX_REQUEST_BYTES", 400)
    job = imported(records(*range(25)))
    assert max(job.target.body_bytes) <= 400
    assert job.values == values(*range(25))


def test_large_records_do_not_wait_for_a_batch_of_25() -> None:
    lines = [b'{"id":"%d","v":1,"text":"%b"}\n' % (number, b"x" * 300_000) for number in range(30)]
    job = imported(b"".join(lines))
    assert max(job.target.body_bytes) < 5_000_000
    assert job.tally.written == 30
    assert job.tally.units == 30  # as the fake counts


def test_the_last_records_of_a_block_go_with_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    in_one_go: list[int] = []
    prepare = FastBatches.prepare
    monkeypatch.setattr("ddbio.sources.reader.LOCAL_BLOCK_BYTES", 200)  # about ten records
    monkeypatch.setattr(FastBatches, "prepare", lambda self, run: (in_one_go.append(len(run)), prepare(self, run))[1])
    job = imported(records(*range(60)))
    assert in_one_go == [25, 25]  # and not record by record
    assert (job.target.batches, job.values) == ([25, 25, 10], values(*range(60)))


def test_large_records_do_not_wait_for_the_next_block() -> None:
    """Each lane would hold two dozen of them, beside the batch that it fills."""
    lines = b"".join(b'{"id":"%d","v":1,"text":"%b"}\n' % (number, b"x" * 300_000) for number in range(30))
    read_at_requests: list[int] = []

    class Watched(FakeTable):
        def act(self, operation: str, request: dict[str, Any], body_bytes: int) -> Response | WireError:
            read_at_requests.append(job.source.read_up_to)
            return super().act(operation, request, body_bytes)

    job = Import(Source(lines), Watched())
    job.work(job.source.unit())
    assert job.tally.written == 30
    assert read_at_requests[0] < 5_000_000


# --------------------------------------------------------------------------- modes


def in_mode(mode: str, content: bytes, there: Sequence[int] = (), *script: int | Response | WireError) -> Import:
    """An import into a table in which these numbers are already."""
    items: dict[str, AttributeMap] = {str(number): {"id": {"S": str(number)}, "v": {"N": "-1"}} for number in there}
    job = Import(Source(content), FakeTable(script=list(script), items=items), mode=mode)
    job.work(job.source.unit())
    assert job.target.violations == []
    assert job.tally.unsettled() == 0
    return job


def test_deletes_name_items_by_their_key_or_whole() -> None:
    content = records(*range(30)) + b'{"id":"40"}\n{"id":"99"}\n'
    job = in_mode("delete", content, [*range(25), 40, 50], 0b101)
    assert set(job.values) == {"50"}
    assert job.target.batches == [25, 9]
    tally = job.tally
    assert (tally.read, tally.written, tally.deleted, tally.throttled) == (32, 32, 32, 2)


def test_a_delete_minds_no_index_keys_but_its_own() -> None:
    info = table({"id": "S"}, {"by_v": {"v": "S"}})
    job = Import(Source(b'{"id":"a","v":1}\n{"v":"x"}\n'), info=info, mode="delete")
    job.work(job.source.unit())
    assert (job.tally.deleted, [reject.code for reject in job.rejects]) == (1, ["missing-key"])


def test_inserts_never_overwrite() -> None:
    job = in_mode("insert", records(*range(6), 3, 7), [1, 2])
    assert job.values == {**values(*range(6), 7), "1": "-1", "2": "-1"}
    tally = job.tally
    assert (tally.read, tally.written, tally.skipped, tally.replaced) == (8, 5, 3, 0)
    assert (tally.units, tally.requests, job.rejects) == (8, 8, [])  # a refused one costs what it would have


def test_an_own_insert_whose_answer_was_lost_is_not_skipped() -> None:
    """The retry of it fails its condition: the item that is there is the one that was sent."""
    job = in_mode("insert", records(*range(4)), [2], cut(sent=True), cut(sent=True))
    assert job.values == {**values(0, 1, 3), "2": "-1"}
    assert (job.tally.written, job.tally.skipped, job.tally.unsettled()) == (3, 1, 0)


def test_an_item_of_somebody_else_is_skipped_after_a_lost_answer_too() -> None:
    job = in_mode("insert", records(0), [0], cut(sent=True))
    assert job.values == {"0": "-1"}
    assert (job.tally.written, job.tally.skipped) == (0, 1)


def test_what_a_skipped_item_costs_is_its_size_without_the_indexes() -> None:
    big = b'{"id":"1","v":1,"text":"%b"}\n' % (b"x" * 5000)
    job = Import(Source(big), info=table({"id": "S"}, {"by_v": {"v": "N"}}), mode="insert")
    job.target.items["1"] = {"id": {"S": "1"}}
    job.work(job.source.unit())
    assert (job.tally.skipped, job.tally.units) == (1, 5)


def test_inserts_that_are_refused_or_throttled() -> None:
    content = records(*range(5))
    script = (0, refusal("ValidationException"), WORDS["throttled"], WORDS["fault"], 0)
    job = in_mode("insert", content, [4], *script)
    assert job.values == {**values(0, 2, 3), "4": "-1"}
    tally = job.tally
    assert (tally.written, tally.rejected, tally.skipped, tally.throttled, tally.retries) == (3, 1, 1, 1, 1)


@pytest.mark.parametrize("script", [[], [0b1011, 0b1, 0, 0b111], [refusal("ThrottlingException"), 2**25 - 1]])
def test_a_record_becomes_any_number_of_items(script: list[int | Response | WireError]) -> None:
    """Dropped, one, or many: more than a batch holds, with keys in common with other records."""
    job = Import(Source(records(*range(70)) + b"{bad\n"), FakeTable(script=list(script)), transform=MULTIPLY)
    job.seconds_a_request = 0.2  # reports on the way
    job.work(job.source.unit())
    assert job.target.violations == []
    expected = {f"{number}-{copy}": str(number) for number in range(70) for copy in range(number % 4)}
    expected |= {f"60-{copy}": "60" for copy in range(100)}
    assert job.values == expected
    tally = job.tally
    assert (tally.read, tally.rejected, tally.written) == (71, 1, len(expected))
    assert (tally.dropped, tally.added) == (17, len(expected) - (70 - 17))
    assert tally.unsettled() == 0
    for report in job.reports:  # a position is told only between two records
        assert isinstance(report.cursor, ImportCursor)
        assert report.cursor.offset in line_ends(job.source.content)


def test_a_record_of_which_one_item_is_bad_is_rejected_whole() -> None:
    spec = TransformSpec(f"{__file__}:with_a_bad_one", {}, frozenset(), {})
    job = Import(Source(records(1, 2)), transform=spec)
    job.work(job.source.unit())
    assert (set(job.values), job.tally.rejected, job.tally.unsettled()) == ({"2"}, 1, 0)
    assert [(reject.code, reject.record) for reject in job.rejects] == [("missing-key", records(1)[:-1])]


def multiply(item: dict[str, Any]) -> list[dict[str, Any]]:
    number = int(item["v"])
    return [{**item, "id": f"{number}-{copy}"} for copy in range(100 if number == 60 else number % 4)]


def with_a_bad_one(item: dict[str, Any]) -> list[dict[str, Any]]:
    return [item, {"v": 5}] if item["id"] == "1" else [item]


MULTIPLY = TransformSpec(f"{__file__}:multiply", {}, frozenset(), {})


def line_ends(content: bytes) -> set[int]:
    return {0, *(at + 1 for at, byte in enumerate(content) if byte == 10)}


class ChangeLines(JsonLines):
    """A format whose records put and delete: `-` before a number deletes it."""

    def parse(self, record: bytes) -> AttributeMap:
        if record.startswith(b"-"):
            return Deletion({"id": {"S": record[1:].decode()}})
        return super().parse(record)


def test_a_record_may_say_that_it_deletes() -> None:
    content = records(1, 2, 3) + b"-2\n-9\n-8\n" + records(8)
    items: dict[str, AttributeMap] = {"9": {"id": {"S": "9"}, "v": {"N": "9"}}}
    job = Import(Source(content), FakeTable(items=items, script=[0b11000]), mode="changes", format=ChangeLines())
    job.work(job.source.unit())
    assert job.values == values(1, 3, 8)  # a later record of the same key wins, whichever it is
    tally = job.tally
    assert (tally.read, tally.written, tally.deleted, tally.replaced) == (7, 5, 2, 2)
    assert job.target.batches == [5, 2]


# --------------------------------------------------------------------------- rejects


def test_a_bad_line_costs_its_neighbours_nothing() -> None:
    content = b'{"id":"a","v":1}\n{"id"}\n\r\n{"id":5,"v":2}\n{"id":"b","v":3}'
    job = imported(content)
    assert job.values == {"a": "1", "b": "3"}
    tally = job.tally
    assert (tally.read, tally.written, tally.rejected, tally.blank) == (4, 2, 2, 1)
    assert [(reject.line, reject.offset, reject.code, reject.record) for reject in job.rejects] == [
        (2, 17, "bad-json", b'{"id"}'),
        (4, 26, "wrong-key-type", b'{"id":5,"v":2}'),
    ]
    assert {(reject.source, reject.unit) for reject in job.rejects} == {(URI, 0)}


SPANNING = [
    b'{"id":"o","lines":[\n{"id":"inner"}\n]}',
    b'{"id":"o","lines":[\n{"id":"x"},\n \n{"id":"inner"}\n]}',
    b'{"id":"o","line":\n\n{"id":"inner"}\n}',
    b'{\n"id":"o"\n,\n"m":{"x":[ \r\n%b\r\n{"id":"inner"}\r\n]\r\n}\r\n}' % (b" " * 200),
]


@pytest.mark.parametrize("spanning", SPANNING)
@pytest.mark.parametrize("transform", [None, TransformSpec(None, {"x": "y"}, frozenset(), {})])
def test_a_part_of_a_record_that_spans_lines_is_no_record_wherever_the_file_is_cut(
    spanning: bytes, transform: TransformSpec | None
) -> None:
    """Such a file is not read as one object a line if it is like that from the beginning; here it is only later."""
    content = records(1, 2) + spanning + b"\n" + records(3, 4)
    for at in range(content.index(spanning), content.index(spanning) + len(spanning) + 2):
        job = Import(Source(content), transform=transform)
        job.work(job.source.unit(0, 0, at), job.source.unit(1, at))
        assert set(job.target.items) == {"1", "2", "3", "4"}
        tally = job.tally
        assert (tally.written, tally.read) == (4, 4 + tally.rejected)
        assert "part-of-record" in {reject.code for reject in job.rejects}


@pytest.mark.parametrize("spanning", SPANNING)
def test_nor_is_it_after_the_place_where_another_worker_goes_on(spanning: bytes) -> None:
    content = records(1, 2) + spanning + b"\n" + records(3)
    for end in (at + 1 for at, byte in enumerate(content[:-1]) if byte == 10):
        cursor = ImportCursor(end, content.count(b"\n", 0, end))
        before = Tally(bytes=end)
        for unit in (Source(content).unit(), Source(content).unit(0, 5)):
            job = Import(Source(content))
            job.work(replace(unit, cursor=cursor, before=before))
            assert "inner" not in job.target.items
            assert "3" in job.target.items


@pytest.mark.parametrize("bad", [0, 11, 24])
def test_a_batch_that_is_refused_loses_only_the_item_that_is_bad(bad: int) -> None:
    job = imported(records(*range(25)), poison={str(bad)})
    assert job.values == values(*(number for number in range(25) if number != bad))
    assert (job.tally.written, job.tally.rejected) == (24, 1)
    (reject,) = job.rejects
    assert (reject.line, reject.record) == (bad + 1, records(bad)[:-1])
    assert (reject.code, reject.message) == ("ValidationException", "One or more parameter values were invalid")
    assert len(job.target.batches) <= 1 + 2 * 5  # bisection, not one by one


def test_what_is_not_usual_is_found_between_whole_batches() -> None:
    """Two batches as usual, then a blank line, a key twice, a bad record, items sent back, one refused."""
    odd = {60: b"   \n", 90: records(80), 110: b"{\n", 130: b'{"id":"130"}\n'}
    content = b"".join(odd.get(number, records(number)) for number in range(175))
    job = imported(content, 0, 0, 0, 0, 0, 0b101, poison={"152"})
    expected = values(*(number for number in range(175) if number not in {*odd, 152}))
    assert {key: item.get("v", {}).get("N") for key, item in job.target.items.items()} == expected | {"130": None}
    tally = job.tally
    assert (tally.read, tally.written, tally.blank, tally.replaced, tally.rejected) == (174, 171, 1, 1, 2)
    assert [(reject.line, reject.code) for reject in job.rejects] == [(111, "bad-json"), (153, "ValidationException")]
    assert [reject.offset for reject in job.rejects] == [len(content.split(b"{\n")[0]), content.index(records(152))]
    assert job.target.batches[:2] == [25, 25]


def test_several_bad_items_are_found_as_well() -> None:
    poison = {"0", "1", "12", "24", "30"}
    job = imported(records(*range(40)), poison=poison)
    assert job.values == values(*(number for number in range(40) if str(number) not in poison))
    assert sorted(reject.line for reject in job.rejects) == [1, 2, 13, 25, 31]


def test_a_bad_item_is_found_among_unprocessed_ones() -> None:
    job = imported(records(*range(25)), 0b1010101, 0b11, poison={"7"})
    assert job.values == values(*(number for number in range(25) if number != 7))
    assert [reject.line for reject in job.rejects] == [8]


def test_an_item_over_400_kb_is_rejected_before_it_is_sent() -> None:
    largest = b'{"id":"a","v":1,"t":"%b"}\n'
    room = 400 * 1024 - len("id") - len("a") - len("v") - 2 - len("t")
    job = imported(largest % (b"x" * room) + (largest % (b"x" * (room + 1))).replace(b'"a"', b'"b"'))
    assert job.target.batches == [1]
    (reject,) = job.rejects
    assert (reject.code, reject.line) == ("item-too-large", 2)
    assert reject.message == "the item has 409,601 bytes; DynamoDB takes 409,600"


def test_many_rejects_are_reported_before_they_pile_up() -> None:
    job = imported(b"x\n" * 250 + records(1))
    assert [len(report.rejects) for report in job.reports] == [100, 100, 50]
    assert [reject.line for reject in job.rejects] == list(range(1, 251))


# --------------------------------------------------------------------------- reports


def test_a_finished_unit_is_settled_to_its_end() -> None:
    content = records(1, 2, 3)
    job = imported(content)
    (report,) = job.reports
    assert (report.done, report.cursor) == (True, ImportCursor(len(content), 3))
    assert report.tally.bytes == len(content)


def test_reports_come_while_a_unit_is_worked() -> None:
    job = Import(Source(records(*range(500))), seconds_a_request=0.2)
    job.work(job.source.unit())
    cursors = [report.cursor.offset for report in job.reports if isinstance(report.cursor, ImportCursor)]
    assert 5 < len(cursors) < 12  # every half a second of four
    assert cursors == sorted(cursors)
    assert [report.done for report in job.reports] == [False] * (len(cursors) - 1) + [True]


def test_a_unit_in_which_no_line_begins_is_done() -> None:
    job = Import(Source(records(1) + b"x" * 100))
    job.work(job.source.unit(1, 40, 80))
    (report,) = job.reports
    assert (report.done, report.cursor, report.tally) == (True, ImportCursor(80, 0), Tally(bytes=40))


@pytest.mark.parametrize("name", ["ResourceNotFoundException", "AccessDeniedException"])
def test_what_ends_the_run_leaves_a_cursor(name: str) -> None:
    job = Import(Source(records(*range(60))), FakeTable(script=[0, refusal(name)]))
    with pytest.raises(AbortError, match=name):
        job.work(job.source.unit())
    (report,) = job.reports
    assert report.cursor == ImportCursor(len(records(*range(25))), 25)
    assert (report.tally.read, report.tally.written, report.tally.requests, report.done) == (25, 25, 2, False)


def test_a_file_that_cannot_be_read_on_leaves_a_cursor() -> None:
    content = records(*range(20_000))
    job = Import(Source(content, fails_at=200_000))
    with pytest.raises(TransferError, match="cannot be read any more"):
        job.work(job.source.unit())
    job.source.fails_at = None
    job.work(replace(job.source.unit(), cursor=job.cursor_of(0)))
    assert job.values == values(*range(20_000))
    assert (job.tally.read, job.tally.written, job.tally.bytes) == (20_000, 20_000, len(content))


def test_a_lane_forgets_a_unit_that_failed() -> None:
    """What was pending of it must not be written with the next one, nor its rejects be told as the next one's."""
    first, second = b"{first\n" + records(*range(30)), b"{second\n" + records(*range(30, 60))
    job = Import(Source(first + second), FakeTable(script=[refusal("ResourceNotFoundException")]))
    context = worker_context(job.target.act, job.reports.append, job.sleep, job.clock)  # type: ignore[arg-type]
    reader = RecordReader(job.source)  # type: ignore[arg-type]
    lane = import_task(ImportJob(job_table(job.info), AwsSettings(), lanes=1), context, reader).lane()

    async def story() -> None:
        with pytest.raises(AbortError):
            await lane.work(job.source.unit(0, 0, len(first)))
        await lane.work(job.source.unit(1, len(first)))
        await lane.close()

    run(story())
    assert job.values == values(*range(30, 60))
    assert [(report.unit, report.tally.written) for report in job.reports] == [(0, 0), (1, 30)]
    assert [(reject.unit, reject.record) for reject in job.rejects] == [(1, b"{second")]


# --------------------------------------------------------------------------- whatever the service does

# A fault for the lane, in a word; WORDS says what it is.
WORDS: dict[str, Response | WireError] = {
    "throttled": refusal("ProvisionedThroughputExceededException"),
    "fault": refusal("InternalServerError", status=500),
    "lost": cut(sent=False),
    "unheard": cut(sent=True),
}
SCRIPTS = st.lists(
    st.one_of(
        st.just(0),
        st.integers(1, 2**25 - 1),
        st.just(2**25 - 1),
        st.sampled_from(sorted(WORDS)).map(WORDS.__getitem__),
    ),
    max_size=25,
)
KINDS = st.one_of(
    st.integers(0, 30).map(str),  # good ones, with keys that come again
    st.integers(0, 30).map(str),
    st.sampled_from(["bad", "blank", "poison", "keyless"]),
)
# By themselves, lists have five elements on average: not a batch.
LINES = st.sampled_from([0, 1, 5, 30, 90]).flatmap(lambda size: st.lists(KINDS, min_size=size // 2, max_size=size))


def text_of(number: int, line: str) -> bytes:
    """Each good record has a value of its own, each poisoned one a key of its own."""
    if line == "poison":
        return b'{"id":"poison-%d","v":0}' % number
    bad = {"bad": b"{%d" % number, "blank": b"\r", "keyless": b'{"v":%d}' % number}
    return bad.get(line) or b'{"id":"%b","v":%d}' % (line.encode(), number)


@dataclass
class Case:
    """A file of these lines in these slices, and what the books must say of it in the end."""

    lines: list[str]
    end: bytes
    cuts: list[int]

    @property
    def texts(self) -> list[bytes]:
        return [text_of(number, line) for number, line in enumerate(self.lines)]

    @property
    def content(self) -> bytes:
        return b"\n".join(self.texts) + (self.end if self.lines else b"")

    def begin(self, script: list[Any], seconds_a_request: float) -> tuple[Import, list[SliceUnit]]:
        source = Source(self.content)
        poison = {f"poison-{number}" for number in range(len(self.lines))}
        edges = sorted({at for at in self.cuts if 0 < at < len(source.content)} | {0, len(source.content)})
        units = [source.unit(number, *pair) for number, pair in enumerate(pairwise(edges))]
        return Import(source, FakeTable(script=script, poison=poison), seconds_a_request=seconds_a_request), units

    def check(self, job: Import, units: list[SliceUnit]) -> None:
        assert job.target.violations == []
        assert job.values == {line: str(number) for number, line in enumerate(self.lines) if line.isdigit()}
        for report in job.reports:
            assert report.tally.unsettled() == 0
            assert len(report.rejects) == report.tally.rejected
        refused = [number for number, line in enumerate(self.lines) if line in ("bad", "keyless", "poison")]
        blank = self.lines.count("blank")
        tally = job.tally
        assert (tally.read, tally.blank, tally.rejected) == (len(self.lines) - blank, blank, len(refused))
        assert tally.bytes == len(self.content)
        assert [report.unit for report in job.reports if report.done] == [unit.number for unit in units]
        starts = {unit.number: self._line_at(unit.start) for unit in units}
        told = sorted((starts[reject.unit] + reject.line - 1, reject.record) for reject in job.rejects)
        assert told == [(number, self.texts[number]) for number in refused]
        for unit in units:
            offsets = [cursor.offset for cursor in job.cursors_of(unit.number)]
            assert offsets == sorted(offsets)

    def _line_at(self, start: int) -> int:
        """The number of the first line that begins at or after this byte."""
        return self.content.count(b"\n", 0, start) + (start > 0 and self.content[start - 1 : start] != b"\n")


CASES = st.builds(Case, LINES, st.sampled_from([b"", b"\n"]), st.lists(st.integers(1, 2000), max_size=4))
PACES = st.sampled_from([0.0, 0.3])  # seconds a request: whether reports fall due on the way
ENDS = st.lists(st.tuples(st.sampled_from(["stop", "kill"]), st.integers(0, 12)), min_size=1, max_size=3)


@given(CASES, SCRIPTS, PACES)
@settings(max_examples=examples(150))
def test_the_books_are_right_whatever_the_service_does(case: Case, script: list[Any], pace: float) -> None:
    job, units = case.begin(script, pace)
    job.work(*units)
    case.check(job, units)


@given(CASES, SCRIPTS, PACES, ENDS)
@settings(max_examples=examples(200))
def test_whoever_goes_on_from_the_cursors_completes_the_books(
    case: Case, script: list[Any], pace: float, ends: list[tuple[str, int]]
) -> None:
    """A worker is stopped or killed, again and again; the last one finishes: nothing is lost or counted twice."""
    job, units = case.begin(script, pace)
    for how, after in [*ends, ("finish", 0)]:
        job.live_on(stop_after=after if how == "stop" else None)
        job.kill_at = len(job.target.batches) + after if how == "kill" else None
        finished = {report.unit for report in job.reports if report.done}
        left = [unit for unit in units if unit.number not in finished]
        with suppress(StopRequested, Killed):
            job.work(*[replace(unit, cursor=job.cursor_of(unit.number)) for unit in left])
    case.check(job, units)


def test_a_record_comes_back_when_the_one_that_replaced_it_is_refused() -> None:
    """Otherwise it would be counted as replaced by a record that never got into the table."""
    job = imported(b'{"id":"a","v":1}\n{"id":"b","v":2}\n{"id":"a","v":3,"poison":1}\n')
    assert job.values == {"a": "1", "b": "2"}
    assert (job.tally.read, job.tally.written, job.tally.rejected, job.tally.replaced) == (3, 2, 1, 0)
