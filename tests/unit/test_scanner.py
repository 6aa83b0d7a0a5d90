"""The export lane: pages become files of the right size, the cursor never runs ahead of what is durable, and whoever
goes on from it writes the same files."""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.wire import Response, WireError
from ddbio.errors import AbortError, PermanentError, TransferError
from ddbio.flow.export_job import ExportJob, export_task
from ddbio.flow.sleeping import ManualSleeper, StopRequested
from ddbio.formats.json_lines import JsonLines
from ddbio.messages import ExportCursor, ExportedFile, SegmentUnit, Tally, UnitReport
from ddbio.messages.files import WrittenFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.sinks.segment_files import LineFiles
from ddbio.sources.page_size import FIRST_LIMIT, KeyCircle, PageSize
from ddbio.sources.subset import WHOLE, Subset
from ddbio.steps.limit import Limit, LimitNeeds
from ddbio.steps.transform import TransformSpec
from ddbio.storage.local import LocalStorage
from ddbio.system.clock import ManualClock
from tests.support.effort import examples
from tests.support.loops import run
from tests.support.memory import unpacked
from tests.support.service import cut, job_table, refusal, reply, worker_context
from tests.support.tables import table as table_info

MIB = 1024 * 1024

# --------------------------------------------------------------------------- a storage that lags


class MemoryOutput:
    """Durable in whole parts only, like a multipart upload; part_bytes 1 is like a disk."""

    def __init__(self, storage: MemoryStorage, name: str, data: bytes = b"") -> None:
        self._storage = storage
        self._name = name
        self._data = data
        self._ended = False

    @property
    def written_bytes(self) -> int:
        return len(self._data)

    @property
    def durable_bytes(self) -> int:
        return len(self._data) // self._storage.part_bytes * self._storage.part_bytes

    def write(self, data: bytes) -> None:
        assert data
        assert not self._ended
        if self._storage.full:
            raise TransferError("the disk is full")
        self._data += data

    def state(self) -> dict[str, Any]:
        return {"name": self._name, "durable": self._data[: self.durable_bytes].decode("latin-1")}

    def finish(self) -> WrittenFile:
        assert not self._ended
        self._ended = True
        self._storage.files[self._name] = self._data
        return WrittenFile(self._name, len(self._data), "sha256:x")

    def abort(self) -> None:
        self._ended = True
        self._storage.aborted.append(self._name)


@dataclass
class MemoryStorage:
    """files: those that are finished."""

    part_bytes: int = 1
    remote: bool = False
    full: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    aborted: list[str] = field(default_factory=list)

    def create(self, uri: str, name: str, max_bytes: int) -> MemoryOutput:
        return MemoryOutput(self, name)

    def reopen(self, state: dict[str, Any]) -> MemoryOutput:
        """What was finished after the state was taken is begun again with its durable bytes."""
        json.dumps(state)
        return MemoryOutput(self, state["name"], state["durable"].encode("latin-1"))


ORDERS = table_info({"id": "S"})


def export_job(
    max_file_bytes: int = 100,
    *,
    table: str = "Orders",
    folder: str = "out",
    compress: str = "none",
    subset: Subset = WHOLE,
    transform: TransformSpec | None = None,
) -> ExportJob:
    return ExportJob(
        source=job_table(replace(ORDERS, name=table, address=table)),
        item_bytes=0.0,
        format=FormatSpec("json"),
        destination=folder,
        aws=AwsSettings(),
        max_file_bytes=max_file_bytes,
        consistent_read=False,
        lanes=1,
        compress=compress,
        subset=subset,
        transform=transform,
    )


# --------------------------------------------------------------------------- files of a segment


UNIT = SegmentUnit(7, 7, 8)
Page = list[bytes]


def name_of(number: int) -> str:
    return f"Orders-0007-{number:05}.json"


class Files:
    """The files of a segment, and what a lane would report of them: `cursor` moves where all is settled."""

    def __init__(self, storage: MemoryStorage, job: ExportJob, unit: SegmentUnit) -> None:
        self.tally = Tally()
        self.files = LineFiles(storage, job, JsonLines(), self.tally)  # type: ignore[arg-type]
        self.files.begin(unit)
        self.cursor = unit.cursor or ExportCursor(None, 0, None, 0)
        self._items = self._told = self.cursor.items
        self.open = self.files.open

    async def write(self, lines: bytes, items: int) -> None:
        await self.files.write(lines, items)
        self._items += items

    def ended_page(self, key: str | None) -> None:
        if self.files.settled:
            self.cursor = ExportCursor(key, *self.files.state(), items=self._items)

    async def finish(self) -> None:
        await self.files.finish()
        self.ended_page(None)

    def take_settled(self) -> tuple[ExportCursor, tuple[ExportedFile, ...], int]:
        """The cursor; files and items since the last call."""
        told, self._told = self._told, self.cursor.items
        return self.cursor, self.files.take_parts()["files"], self._told - told


@dataclass
class Segment:
    """The files of one segment, written by one worker after the other. told: what they reported."""

    storage: MemoryStorage
    max_file_bytes: int
    compress: str = "none"
    cursor: ExportCursor | None = None
    told: list[ExportedFile] = field(default_factory=list)
    items: int = 0
    finished: bool = False

    async def write(
        self, pages: list[Page], *, until: int | None = None, report_at: AbstractSet[int] = frozenset()
    ) -> None:
        """Write the pages from where the cursor is; die before page `until`."""
        if self.finished:
            return
        unit = SegmentUnit(UNIT.number, UNIT.segment, UNIT.total_segments, self.cursor)
        files = Files(self.storage, export_job(self.max_file_bytes, compress=self.compress), unit)
        await files.open()
        first = int(self.cursor.last_key) if self.cursor is not None and self.cursor.last_key is not None else 0
        for number in range(first, len(pages)):
            if until is not None and number >= until:
                return
            if pages[number]:
                await files.write(b"".join(pages[number]), len(pages[number]))
            if number + 1 < len(pages):
                files.ended_page(str(number + 1))
            if number in report_at:
                self.hear(files)
        await files.finish()
        self.hear(files)
        self.finished = True

    def hear(self, files: Files) -> None:
        cursor, exported, items = files.take_settled()
        json.dumps([cursor.last_key, cursor.output, cursor.packer])
        self.cursor = cursor
        self.told += exported
        self.items += items


def expected_files(lines: list[bytes], max_file_bytes: int) -> list[bytes]:
    """The oracle: a line goes to the next file where it does not fit, and into an empty one in any case."""
    files: list[bytes] = []
    for line in lines:
        if files and len(files[-1]) + len(line) <= max_file_bytes:
            files[-1] += line
        else:
            files.append(line)
    return files


LINES = st.lists(st.integers(0, 40).map(lambda size: b"x" * size + b"\n"), max_size=6)
PAGES = st.lists(LINES, min_size=1, max_size=8)


@given(PAGES, st.integers(1, 100), st.integers(1, 30), st.booleans())
@example([[b"1234\n", b"1234\n"], [b"1234\n"]], 10, 1, False)  # fits to the byte
@example([[b"12345\n"]], 5, 1, False)  # a line longer than a file may be
def test_files_are_rolled_at_their_size(
    pages: list[Page], max_file_bytes: int, part_bytes: int, remote: bool
) -> None:
    segment = Segment(MemoryStorage(part_bytes, remote), max_file_bytes)
    run(segment.write(pages))
    lines = [line for page in pages for line in page]
    files = expected_files(lines, max_file_bytes)
    assert segment.storage.files == {name_of(number): data for number, data in enumerate(files)}
    assert segment.told == [
        ExportedFile(7, WrittenFile(name_of(number), len(data), "sha256:x"), data.count(b"\n"))
        for number, data in enumerate(files)
    ]
    assert segment.items == len(lines)
    assert segment.cursor == ExportCursor(None, len(files), None, 0, items=len(lines))


def test_an_empty_segment_makes_no_file() -> None:
    segment = Segment(MemoryStorage(), 100)
    run(segment.write([[], [], []]))
    assert (segment.storage.files, segment.told, segment.items) == ({}, [], 0)


def test_the_cursor_waits_until_a_page_is_durable() -> None:
    files = Files(MemoryStorage(part_bytes=10), export_job(1000), UNIT)

    async def story() -> list[tuple[Any, ...]]:
        seen = []
        await files.open()
        for number, line in enumerate([b"12345678\n", b"1\n", b"12345678\n", b"12345678\n"], 1):
            await files.write(line, 1)
            files.ended_page(f"after {number}")
            cursor, _, items = files.take_settled()
            seen.append((cursor.last_key, cursor.output_items, items))
        await files.finish()
        cursor, exported, items = files.take_settled()
        return [*seen, (cursor, len(exported), items)]

    # 9, 11, 20 and 29 bytes are written; 0, 10, 20 and 20 of them durable
    assert run(story()) == [
        (None, 0, 0),
        (None, 0, 0),
        ("after 3", 3, 3),
        ("after 3", 3, 0),
        (ExportCursor(None, 1, None, 0, items=4), 1, 1),
    ]


def test_files_finished_behind_the_cursor_are_told_with_it() -> None:
    """Whoever goes on from the cursor writes them again: told before, they would be told twice."""
    files = Files(MemoryStorage(part_bytes=100), export_job(10), UNIT)

    async def story() -> list[tuple[Any, int, int]]:
        await files.open()
        await files.write(b"12345678\n12\n", 2)  # the first file is finished, the second is not durable
        files.ended_page("k")
        before = files.take_settled()
        await files.finish()
        after = files.take_settled()
        return [(before[0], len(before[1]), before[2]), (after[0], len(after[1]), after[2])]

    assert run(story()) == [(ExportCursor(None, 0, None, 0), 0, 0), (ExportCursor(None, 2, None, 0, items=2), 2, 2)]


@given(
    PAGES,
    st.integers(1, 100),
    st.integers(1, 30),
    st.lists(st.tuples(st.integers(0, 8), st.sets(st.integers(0, 8))), max_size=3),
)
@settings(max_examples=examples(200))
def test_whoever_goes_on_from_the_cursor_writes_the_same_files(
    pages: list[Page], max_file_bytes: int, part_bytes: int, deaths: list[tuple[int, set[int]]]
) -> None:
    segment = Segment(MemoryStorage(part_bytes), max_file_bytes)
    for until, report_at in deaths:
        run(segment.write(pages, until=until, report_at=report_at))
    run(segment.write(pages, report_at={0, 3}))
    lines = [line for page in pages for line in page]
    files = expected_files(lines, max_file_bytes)
    assert segment.storage.files == {name_of(number): data for number, data in enumerate(files)}
    assert [(each.file.name, each.items) for each in segment.told] == [
        (name_of(number), data.count(b"\n")) for number, data in enumerate(files)
    ]
    assert segment.items == len(lines)


@pytest.mark.parametrize(("compress", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
@given(
    pages=PAGES,
    max_file_bytes=st.integers(40, 200),
    part_bytes=st.integers(1, 60),
    deaths=st.lists(st.tuples(st.integers(0, 8), st.sets(st.integers(0, 8))), max_size=3),
)
@settings(max_examples=examples(50))
def test_compressed_files_hold_every_line_once_whoever_wrote_them(
    compress: str,
    suffix: str,
    pages: list[Page],
    max_file_bytes: int,
    part_bytes: int,
    deaths: list[tuple[int, set[int]]],
) -> None:
    segment = Segment(MemoryStorage(part_bytes), max_file_bytes, compress)
    for until, report_at in deaths:
        run(segment.write(pages, until=until, report_at=report_at))
    run(segment.write(pages, report_at={0, 3}))
    written = segment.storage.files
    lines = [line for page in pages for line in page]
    assert list(written) == [f"{name_of(number)}{suffix}" for number in range(len(written))]
    texts = {name: unpacked(compress, data) for name, data in written.items()}
    assert b"".join(texts.values()) == b"".join(lines)
    assert [(each.file.name, each.items) for each in segment.told] == [
        (name, text.count(b"\n")) for name, text in texts.items()
    ]
    assert segment.items == len(lines)
    for name, text in texts.items():
        assert len(written[name]) <= max_file_bytes or text.count(b"\n") == 1


def test_an_arn_names_its_table_in_the_file_names() -> None:
    storage = MemoryStorage()
    job = export_job(table="arn:aws:dynamodb:eu-west-1:123456789012:table/Orders")
    files = Files(storage, job, UNIT)

    async def story() -> None:
        await files.write(b"{}\n", 1)
        await files.finish()

    run(story())
    assert list(storage.files) == ["Orders-0007-00000.json"]


# --------------------------------------------------------------------------- how large a page


@pytest.mark.parametrize(
    ("most_units", "item_bytes", "consistent", "limit", "estimate"),
    [
        (float("inf"), 100.0, False, None, 128.5),  # 1 MB and the item that crosses it
        (float("inf"), 100.0, True, None, 257.0),
        (128.5, 100.0, False, None, 128.5),
        (128.25, 0.0, False, FIRST_LIMIT, 0.5),  # nothing is known of the items: one, and its cost is settled after
        (100.0, 1024.0, False, 800, 100.0),
        (100.0, 1024.0, True, 400, 100.0),
        (1.0, 1024.0, False, 8, 1.0),
        (0.125, 100.0, False, 40, 0.5),  # never less than the service charges
        (1.0, 400_000.0, False, 1, 400_000 / 8192),
    ],
)
def test_pages_cost_no_more_than_a_request_may(
    most_units: float, item_bytes: float, consistent: bool, limit: int | None, estimate: float
) -> None:
    page_size = PageSize(lambda: most_units, item_bytes, consistent=consistent)
    assert page_size.limit == limit
    assert page_size.estimate == pytest.approx(estimate, rel=0.01)


def test_the_size_of_items_is_learned() -> None:
    page_size = PageSize(lambda: 10.0, 0.0, consistent=False)
    assert page_size.limit == FIRST_LIMIT
    page_size.learn(10, 5.0)  # 4 KB each; half of it more, for all that is known
    assert page_size.limit == 13
    for _ in range(30):
        page_size.learn(20, 5.0)  # 2 KB each
    assert page_size.limit in (39, 40)
    assert page_size.estimate == pytest.approx(10, rel=0.03)


def test_pages_that_vary_are_asked_for_in_smaller_steps() -> None:
    """Of items of 1 KB and of 3 KB in turn, no page costs much more than a request may: by the mean, half more."""
    page_size = PageSize(lambda: 10.0, 0.0, consistent=False)
    for turn in range(40):
        limit = page_size.limit
        assert limit is not None
        item_bytes = (1024, 3 * 1024)[turn % 2]
        assert turn < 4 or limit * item_bytes / 8192 <= 12.0  # once it has seen both
        page_size.learn(limit, limit * item_bytes / 8192)
    assert limit is not None and limit > 15  # and they are not cut to nothing


def test_small_pages_are_not_reserved_as_full_ones() -> None:
    page_size = PageSize(lambda: float("inf"), 100.0, consistent=False)
    for _ in range(20):
        page_size.learn(0, 0.5)
    assert page_size.estimate < 1.0
    for _ in range(20):
        page_size.learn(4000, 128.5)
    assert page_size.estimate == pytest.approx(128.5, rel=0.01)


@given(
    st.floats(0.1, 1e6),
    st.one_of(st.just(0.0), st.floats(1, 409_600)),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, 5000), st.floats(0.5, 257)), max_size=10),
)
def test_there_is_always_a_page_to_ask_for(
    most_units: float, item_bytes: float, consistent: bool, pages: list[tuple[int, float]]
) -> None:
    page_size = PageSize(lambda: most_units, item_bytes, consistent=consistent)
    for items, units in pages:
        page_size.learn(items, units)
    assert page_size.limit is None or page_size.limit >= 1
    assert 0.5 <= page_size.estimate <= (257 if consistent else 128.5)


# --------------------------------------------------------------------------- the lane


@dataclass
class Table:
    """Pages of items by segment: what a Scan gives. script: what to answer instead, one a request."""

    pages: list[list[dict[str, Any]]]
    script: list[Response | Exception | None] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    filtered: int = 0  # items of each page that a filter leaves out

    def act(self, operation: str, request: dict[str, Any], _: int) -> Response | Exception:
        assert operation == "Scan"
        self.requests.append(request)
        if self.script and (answer := self.script.pop(0)) is not None:
            return answer
        number = int(request.get("ExclusiveStartKey", {"id": {"N": "0"}})["id"]["N"])
        more = {"LastEvaluatedKey": {"id": {"N": str(number + 1)}}} if number + 1 < len(self.pages) else {}
        scanned = {"ScannedCount": len(self.pages[number]) + self.filtered}
        return reply(Items=self.pages[number], ConsumedCapacity={"CapacityUnits": 2.5}, **scanned, **more)


def item(number: int) -> dict[str, Any]:
    return {"id": {"N": str(number)}}


@dataclass
class Export:
    """One segment of a table through a lane; every request takes so many seconds."""

    table: Table
    storage: Any = field(default_factory=MemoryStorage)
    folder: str = "out"
    max_file_bytes: int = 20
    reports: list[UnitReport] = field(default_factory=list)
    seconds_a_request: float = 0.0
    stop_after: int | None = None
    most_units: float = float("inf")
    subset: Subset = WHOLE
    limit: Limit | None = None
    transform: TransformSpec | None = None

    def work(self, unit: SegmentUnit = UNIT) -> None:
        clock = ManualClock()

        def act(*request: Any) -> Response | Exception:
            clock.now_s += self.seconds_a_request
            return self.table.act(*request)

        context = worker_context(
            act,
            self.reports.append,  # type: ignore[arg-type]
            ManualSleeper(clock, self.stop_after),
            clock,
            most_units=self.most_units,
            limit=self.limit,
        )
        job = export_job(self.max_file_bytes, folder=self.folder, subset=self.subset, transform=self.transform)
        lane = export_task(job, context, self.storage).lane()

        async def story() -> None:
            try:
                await lane.work(unit)
            finally:
                await lane.close()

        run(story())


@pytest.mark.parametrize("again", ['{"id":{"N":"1"}}', '{ "id": {"N": "1"} }'])
def test_a_scan_that_is_sent_in_a_circle_ends_with_an_error(again: str) -> None:
    page = b'{"Items":[{"id":{"N":"9"}}],"Count":1,"LastEvaluatedKey":%b}' % again.encode()
    export = Export(Table([[item(1)], [item(2)], [item(3)]], script=[None, *[Response(200, page)] * 5]))
    with pytest.raises(TransferError, match=r"segment 7 of .*would never end"):
        export.work()
    assert len(export.table.requests) == 2
    assert sum(report.tally.read for report in export.reports) == 1, "the items of that page do not count"


@pytest.mark.parametrize("length", [2, 3, 5, 8])
def test_a_scan_that_is_sent_in_a_longer_circle_ends_too(length: int) -> None:
    pages = [
        Response(
            200, b'{"Items":[{"id":{"N":"9"}}],"Count":1,"LastEvaluatedKey":{"id":{"N":"%d"}}}' % (number % length)
        )
        for number in range(10 * length)
    ]
    export = Export(Table([[item(1)]], script=list(pages)))
    with pytest.raises(TransferError, match=r"segment 7 of .*would never end"):
        export.work()
    assert len(export.table.requests) <= 3 * length


@given(st.lists(st.integers(), unique=True, max_size=200))
def test_keys_that_do_not_repeat_are_no_circle(keys: list[int]) -> None:
    circle = KeyCircle()
    assert not any(circle.closes(str(key)) for key in keys)


def test_a_value_of_an_unknown_type_is_the_services_fault() -> None:
    page = b'{"Items":[{"id":{"Q":"a"}}],"Count":1}'
    with pytest.raises(PermanentError, match="the service sent an attribute value without a known type"):
        Export(Table([[item(1)]], script=[Response(200, page)])).work()


def test_a_segment_is_scanned_to_its_end() -> None:
    export = Export(Table([[item(1), item(2)], [], [item(3)]]))
    export.work()
    assert export.storage.files == {name_of(0): b'{"id":1}\n{"id":2}\n', name_of(1): b'{"id":3}\n'}
    (report,) = export.reports
    assert (report.done, report.cursor) == (True, ExportCursor(None, 2, None, 0, items=3))
    assert report.tally == Tally(read=3, written=3, bytes=27, units=7.5, requests=3)
    assert [each.items for each in report.files] == [2, 1]
    assert [request.get("ExclusiveStartKey") for request in export.table.requests] == [None, item(1), item(2)]
    assert {
        (request["Segment"], request["TotalSegments"], request.get("Limit")) for request in export.table.requests
    } == {(7, 8, None)}


def test_a_page_is_transformed() -> None:
    """The first item is dropped, the second becomes two, the third stays; all of it is in the books."""
    export = Export(Table([[item(1), item(2)], [item(3)]]), max_file_bytes=100)
    export.transform = TransformSpec(f"{__file__}:shape", {}, frozenset(), {"new": {"BOOL": True}})
    export.work()
    lines = [b'{"id":20,"new":true}', b'{"id":21,"new":true}', b'{"id":3,"new":true}']
    assert b"".join(export.storage.files.values()).splitlines() == lines
    tally = export.reports[-1].tally
    assert (tally.read, tally.written, tally.added, tally.dropped, tally.unsettled()) == (3, 3, 1, 1, 0)


def test_a_transform_that_fails_fails_the_segment_by_name() -> None:
    export = Export(Table([[item(1), item(4)]]), max_file_bytes=100)
    export.transform = TransformSpec(f"{__file__}:shape", {}, frozenset(), {})
    with pytest.raises(TransferError, match=r'segment 7 of 8 .*\{"id":\{"N":"4"\}\} failed: KeyError: 4 \(line'):
        export.work()
    assert (export.storage.files, export.reports[-1].tally.read) == ({}, 0)


def shape(item: dict[str, Any]) -> list[dict[str, Any]]:
    number = int(item["id"])
    return [{**item, "id": made} for made in {1: [], 2: [20, 21], 3: [3]}[number]]


def test_what_a_filter_leaves_out_is_counted() -> None:
    members = {"FilterExpression": "#n0 = :v"}
    export = Export(Table([[item(1), item(2)], [], [item(3)]], filtered=5), subset=Subset(members, filters=True))
    export.work()
    assert export.reports[-1].tally == Tally(read=18, written=3, left_out=15, bytes=27, units=7.5, requests=3)
    assert {request["FilterExpression"] for request in export.table.requests} == {"#n0 = :v"}


@pytest.mark.parametrize(
    ("limit", "lines", "requests"),
    [(0, 0, 0), (1, 1, 1), (2, 2, 1), (3, 3, 2), (4, 4, 2), (9, 5, 3)],
)
def test_a_limit_ends_a_segment(limit: int, lines: int, requests: int) -> None:
    table = Table([[item(1), item(2)], [item(3), item(4)], [item(5)]])
    export = Export(table, max_file_bytes=1000, limit=Limit.of(LimitNeeds(limit, UNIT.number + 1)))
    export.work()
    assert b"".join(export.storage.files.values()).count(b"\n") == lines
    tally = export.reports[-1].tally
    assert (tally.written, tally.read - tally.left_out, len(table.requests)) == (lines, lines, requests)
    assert [request["Limit"] for request in table.requests] == [limit - 2 * number for number in range(requests)]
    assert export.reports[-1].done


def test_a_segment_that_is_begun_again_takes_its_part_of_the_limit_again() -> None:
    """What a worker that died had taken and not brought home is there for who goes on."""
    limit = Limit.of(LimitNeeds(4, UNIT.number + 1))
    limit.take(UNIT.number, 4)
    cursor = ExportCursor('{"id":{"N":"1"}}', 1, None, 0, items=2)  # of which two are safe
    export = Export(Table([[item(1), item(2)], [item(3), item(4)], [item(5)]]), limit=limit)
    export.work(replace(UNIT, cursor=cursor))
    assert export.reports[-1].tally.written == 2
    assert limit.left() == 0


def test_an_empty_page_does_not_end_a_segment_and_an_empty_segment_makes_no_file() -> None:
    export = Export(Table([[], [], []]))
    export.work()
    assert (export.storage.files, len(export.table.requests)) == ({}, 3)
    assert export.reports[-1].tally == Tally(units=7.5, requests=3)


def test_under_a_small_cap_pages_are_limited() -> None:
    export = Export(Table([[item(1)], [item(2)]]), most_units=1.0)
    export.work()
    limits = [request["Limit"] for request in export.table.requests]
    assert limits[0] == FIRST_LIMIT
    assert limits[1] == 1  # an item of 2.5 units against a page of 1


@pytest.mark.parametrize(
    "fault", [cut(), cut(sent=False), refusal("ThrottlingException"), refusal("InternalServerError", status=500)]
)
def test_a_page_that_did_not_come_is_asked_for_again(fault: Response | WireError) -> None:
    export = Export(Table([[item(1)], [item(2)]], [None, fault, fault]))
    export.work()
    assert export.storage.files == {name_of(0): b'{"id":1}\n{"id":2}\n'}
    assert export.table.requests[1] == export.table.requests[3]


def test_the_first_page_is_reported_at_once_and_later_ones_twice_a_second() -> None:
    export = Export(Table([[item(number)] for number in range(10)]), seconds_a_request=0.3)
    export.work()
    assert [report.tally.read for report in export.reports] == [1, 2, 2, 2, 2, 1]


def test_reports_come_while_a_segment_is_scanned() -> None:
    export = Export(Table([[item(number)] for number in range(10)]), seconds_a_request=0.6)
    export.work()
    assert [report.done for report in export.reports] == [False] * 9 + [True]
    assert sum(report.tally.read for report in export.reports) == 10
    assert sum(report.tally.written for report in export.reports) == 10
    cursors = [report.cursor for report in export.reports if isinstance(report.cursor, ExportCursor)]
    assert [cursor.last_key for cursor in cursors] == [
        *(f'{{"id":{{"N":"{number}"}}}}' for number in range(1, 10)),
        None,
    ]


class Fault(Exception):
    """Something nobody thought of, in this lane or in another one of the same worker."""


def test_a_segment_goes_on_from_its_cursor_after_a_fault_of_ours(tmp_path: Path) -> None:
    pages = [[item(number)] for number in range(10)]
    export = Export(Table(pages, [None] * 5 + [Fault()]), LocalStorage(), str(tmp_path), max_file_bytes=1000)
    export.seconds_a_request = 0.3
    with pytest.raises(Fault):
        export.work()
    cursors = [report.cursor for report in export.reports if isinstance(report.cursor, ExportCursor)]
    assert cursors[-1].last_key is not None
    export.work(SegmentUnit(7, 7, 8, cursors[-1]))  # as the parent hands it on
    written = b"".join(path.read_bytes() for path in sorted(tmp_path.glob("*.json")))
    assert written == b"".join(b'{"id":%d}\n' % number for number in range(10))
    assert sum(report.tally.read for report in export.reports) == 10
    assert sum(report.tally.written for report in export.reports) == 10


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            refusal("ValidationException", "bad key"),
            TransferError,
            "segment 7 of 8 of table Orders: ValidationException",
        ),
        (refusal("AccessDeniedException"), AbortError, 'Scan on table "Orders" was refused: AccessDeniedException'),
    ],
)
def test_a_scan_that_is_refused_says_so_and_leaves_its_file_to_whoever_goes_on(
    answer: Response, error: type[TransferError], message: str
) -> None:
    export = Export(Table([[item(1)], [item(2)]], [None, answer]))
    with pytest.raises(error, match=message):
        export.work()
    (report,) = export.reports
    assert isinstance(report.cursor, ExportCursor)
    assert (report.done, report.cursor.output_items, report.tally.read, export.storage.files) == (False, 1, 1, {})
    assert export.storage.aborted == []


def test_a_full_disk_claims_nothing() -> None:
    export = Export(Table([[item(1)]]), MemoryStorage(full=True))
    with pytest.raises(TransferError, match="the disk is full"):
        export.work()
    last = export.reports[-1]
    assert (last.done, last.tally.read, last.tally.written, export.storage.files) == (False, 0, 0, {})


def test_a_stop_ends_a_segment_between_two_pages() -> None:
    export = Export(Table([[item(number)] for number in range(10)]), stop_after=3)
    with pytest.raises(StopRequested):
        export.work()
    assert len(export.table.requests) == 4
    assert not export.reports[-1].done


@given(st.lists(st.lists(st.integers(0, 10**9), max_size=5), min_size=1, max_size=6), st.integers(1, 60))
def test_every_item_of_every_page_is_in_a_file(pages: list[list[int]], part_bytes: int) -> None:
    export = Export(Table([[item(number) for number in page] for page in pages]), MemoryStorage(part_bytes))
    export.work()
    text = b"".join(data for _, data in sorted(export.storage.files.items()))
    assert [orjson.loads(line)["id"] for line in text.splitlines()] == [number for page in pages for number in page]
    tally = export.reports[-1].tally
    assert (tally.read, tally.written, tally.bytes) == (sum(map(len, pages)), sum(map(len, pages)), len(text))
