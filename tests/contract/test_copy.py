"""A copy of one table into another, by the inline engine, on every server: a job with two tables and no lane of its
own."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.session import Session
from ddbio.engines.environment import Needs, TableNeeds
from ddbio.engines.inline import InlineEngine
from ddbio.flow.context import SOURCE, TARGET, JobTable
from ddbio.flow.copy_job import CopyJob
from ddbio.job.accounts import Accounts
from ddbio.messages import SegmentUnit, Tally, UnitReport
from ddbio.rate.buckets import UNCAPPED
from ddbio.sources.page_size import most_page_units
from ddbio.sources.scan import TableScan
from ddbio.system.stop import StopFlag
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
def test_a_copy_that_was_killed_is_continued_from_its_cursors(copy: Copy, tables: Tables) -> None:
    for _ in range(3):
        copy.run(copy.left(), reports=2)
    gc.collect()  # a connection that was being opened leaves its socket to the collector
    copy.run(copy.left())
    copy.check(tables)


def test_a_copy_that_was_stopped_is_continued(copy: Copy, tables: Tables) -> None:
    copy.run(copy.left(), stop_after=1)  # a fast endpoint may be done by then; tests/unit/test_copy.py stops anywhere
    copy.run(copy.left())
    copy.check(tables)
