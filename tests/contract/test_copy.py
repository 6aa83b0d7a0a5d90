"""A copy of one table into another, by the inline engine, on every server: the verb, and its job that is killed."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.session import Session
from ddbio.engines.environment import Needs, TableNeeds
from ddbio.engines.inline import InlineEngine
from ddbio.flow.context import SOURCE, TARGET, JobTable
from ddbio.flow.copy_job import CopyJob
from ddbio.job.accounts import Accounts
from ddbio.job.run import Caller
from ddbio.messages import SegmentUnit, Tally, UnitReport
from ddbio.rate.buckets import UNCAPPED
from ddbio.sources.page_size import most_page_units
from ddbio.sources.scan import TableScan
from ddbio.system.stop import StopFlag
from ddbio.verbs.copy_table import Copy as CopyVerb
from ddbio.verbs.copy_table import CopyResult
from ddbio.verbs.options import CopyOptions
from tests.contract.test_transfer import Tables, aws, counts, do_import, tables
from tests.support.items import contents, rich_items, write_items

__all__ = ["aws", "tables"]  # fixtures
SEGMENTS = 3
PADDING = 20_000  # characters of an item: a segment has several pages


class Copy:
    """From a table of these items to an empty one. heard: what the lanes reported."""

    def __init__(self, tables: Tables, aws: AwsSettings, folder: Path) -> None:
        self.items = [{**item, "padding": {"S": "x" * PADDING}} for item in rich_items(200)]
        self.first, self.second = tables.create(), tables.create()
        write_items(folder / "in.json", self.items)
        assert counts(do_import(aws, self.first, folder / "in.json", folder / "rejects.jsonl"))[0] == 0
        self._session = Session(aws, (self.first, self.second))
        source = self._table(self.first, most_page_units(False))
        self._job = CopyJob(source, self._table(self.second), TableScan(self.first), lanes=2)
        self.heard: list[UnitReport] = []

    def _table(self, name: str, most_page_units: float | None = None) -> JobTable:
        info = self._session.describe(name)
        return JobTable(info, self._session.data_plane(info), most_page_units)

    def run(self, units: Sequence[SegmentUnit], *, reports: int | None = None, stop_after: int | None = None) -> None:
        """reports: after which nothing is heard of it. stop_after: the report on which it is asked to stop."""
        needs, stop, heard = TableNeeds((UNCAPPED,), self._session.keys), StopFlag(), 0
        with (
            InlineEngine().open(self._job, Needs({SOURCE: needs, TARGET: needs})) as running,
            closing(running.work(units, stop)) as events,
        ):
            for event in events:
                if isinstance(event, UnitReport):
                    self.heard.append(event)
                    heard += 1
                if heard == reports:
                    return
                if heard == stop_after:
                    stop.ask()

    def left(self) -> list[SegmentUnit]:
        """The units that are not done, as a parent hands them on."""
        accounts = {number: Accounts() for number in range(SEGMENTS)}
        cursors, done = {}, set()
        for report in self.heard:
            accounts[report.unit].enter(report)
            cursors[report.unit] = report.cursor
            if report.done:
                done.add(report.unit)
        return [
            SegmentUnit(number, number, SEGMENTS, cursors.get(number), accounts[number].tally)  # type: ignore[arg-type]
            for number in range(SEGMENTS)
            if number not in done
        ]

    @property
    def tally(self) -> Tally:
        total = Tally()
        for report in self.heard:
            assert report.error is None
            total.add(report.tally)
        return total

    def check(self, tables: Tables) -> None:
        assert contents(tables.items(self.second)) == contents(self.items)
        assert self.left() == []
        tally = self.tally
        assert (tally.read, tally.written, tally.unsettled()) == (len(self.items), len(self.items), 0)


@pytest.fixture
def copy(tables: Tables, aws: AwsSettings, tmp_path: Path) -> Copy:
    return Copy(tables, aws, tmp_path)


def test_a_copy_is_equal(copy: Copy, tables: Tables) -> None:
    copy.run(copy.left())
    copy.check(tables)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.fuller
def test_a_copy_that_was_killed_is_continued_from_its_cursors(copy: Copy, tables: Tables) -> None:
    for _ in range(3):
        copy.run(copy.left(), reports=2)
    gc.collect()  # a connection that was being opened leaves its socket to the collector
    copy.run(copy.left())
    copy.check(tables)


@pytest.mark.fuller
def test_a_copy_that_was_stopped_is_continued(copy: Copy, tables: Tables) -> None:
    copy.run(copy.left(), stop_after=1)  # a fast endpoint may be done by then; tests/unit/test_copy.py stops anywhere
    copy.run(copy.left())
    copy.check(tables)


# --------------------------------------------------------------------------- the verb

INDEX = {
    "IndexName": "byDay",
    "KeySchema": [{"AttributeName": "day", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


def copy_table(aws: AwsSettings, source: str, target: str, folder: Path, **others: Any) -> CopyResult:
    options = CopyOptions(
        table=source, to=target, aws=aws, to_aws=aws, processes=1, lanes=4, rejects=str(folder / "r.jsonl"), **others
    )
    return CopyVerb(options).perform(Caller(engine=InlineEngine()))


def test_a_table_is_created_and_has_every_item(tables: Tables, aws: AwsSettings, tmp_path: Path) -> None:
    items, source, target = rich_items(150), tables.create(), f"{tables.create()}-2"
    write_items(tmp_path / "in.json", items)
    assert counts(do_import(aws, source, tmp_path / "in.json", tmp_path / "rejects.jsonl"))[0] == 0
    tables.made.append(target)
    result = copy_table(aws, source, target, tmp_path, create_table=True, segments=5)
    assert (result.exit_code, result.tally.read, result.tally.written) == (0, 150, 150), result.error
    assert contents(tables.items(target)) == contents(items) == contents(tables.items(source))
    again = copy_table(aws, source, target, tmp_path, create_table=True, mode="insert")
    assert (again.exit_code, again.tally.written, again.tally.skipped) == (0, 0, 150), again.error


def test_an_item_that_an_index_does_not_take_is_rejected_alone(
    tables: Tables, aws: AwsSettings, tmp_path: Path
) -> None:
    source, target = tables.create(), tables.create(INDEX)
    good = [{"id": {"S": str(number)}, "day": {"S": "monday"}} for number in range(60)]
    bad = {"id": {"S": "bad"}, "day": {"N": "1"}}
    write_items(tmp_path / "in.json", [*good, bad])
    assert counts(do_import(aws, source, tmp_path / "in.json", tmp_path / "rejects.jsonl"))[0] == 0
    result = copy_table(aws, source, target, tmp_path, segments=1)
    assert (result.exit_code, result.tally.written, result.tally.rejected) == (1, 60, 1), result.error
    assert contents(tables.items(target)) == contents(good)
    assert json.loads((tmp_path / "r.jsonl").read_text())["key"] == {"id": {"S": "bad"}}
