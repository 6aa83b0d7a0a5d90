"""Every counter keeps its identity and its value: from the lane through shared memory and the journal, through the
death of a worker and a resume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.dynamodb.wire import Response, WireError
from ddbio.flow.checkpoint import Checkpoint
from ddbio.flow.import_job import ImportJob, import_task
from ddbio.flow.lane import FlowLane
from ddbio.flow.sleeping import ManualSleeper
from ddbio.job.accounts import Accounts
from ddbio.job.opening import open_journal
from ddbio.messages import ImportCursor, SliceUnit, Tally, UnitReport
from ddbio.messages.counts import NAMES, RECORDED
from ddbio.options import TransferOptions
from ddbio.sources.plan import Plan
from ddbio.sources.reader import RecordReader
from ddbio.steps.transform import TransformSpec
from ddbio.system.clock import ManualClock
from tests.support.loops import run
from tests.support.service import FakeTable, cut, job_table, refusal, worker_context
from tests.support.tables import table
from tests.unit.test_writer import Killed, Source, records

# What is the same however often a job was interrupted. Requests and units are not: a batch may be sent again.
OF_RECORDS = ("read", "written", "rejected", "skipped", "added", "dropped", "deleted", "replaced", "blank", "bytes")


def twice_or_not_at_all(item: dict[str, Any]) -> list[dict[str, Any]]:
    number = int(item["v"])
    return [] if number % 7 == 3 else [{**item, "id": f"{number}-{copy}"} for copy in range(1 + number % 2)]


SHAPED = TransformSpec(f"{__file__}:twice_or_not_at_all", {}, frozenset(), {})
BAD, BLANK = b"{bad\n" * 3, b"\n" * 5

# name: (mode, transform, content, keys that are there, script, counters that must not be zero at the end)
JOBS: dict[str, tuple[str, TransformSpec | None, bytes, Sequence[int], list[Any], str]] = {
    "put": (
        "put",
        None,
        records(*range(30), 29, 29, 28) + BAD + BLANK + records(*range(40, 95)),
        (),
        [0b1011, refusal("ThrottlingException"), cut(sent=False), 0b1],
        "read written rejected replaced blank bytes units requests throttled retries",
    ),
    "insert": (
        "insert",
        None,
        records(*range(9)) + BAD + BLANK + records(*range(20, 26)),
        (2, 3, 21, 22),
        [0, refusal("ThrottlingException")],
        "read written rejected skipped blank",
    ),
    "delete": ("delete", None, records(*range(60), 59) + BAD, range(60), [0b110], "read written deleted rejected"),
    "shaped": ("put", SHAPED, records(*range(40)) + BAD + BLANK, (), [0b101], "read written added dropped rejected"),
}


class Life:
    """One worker's life on one unit: what the parent hears of it, and what its lane leaves in shared memory.

    dies_before: the request, counted from 0, that is never sent because the process dies.
    """

    def __init__(self, name: str, checkpoint: Checkpoint, target: FakeTable, script: list[Any]) -> None:
        self.mode, self.transform, content, *_ = JOBS[name]
        self.source = Source(content)
        self.checkpoint = checkpoint
        self.target = target
        self.target.script = script
        self.heard: list[UnitReport] = []
        self.requests = 0
        self.spent: Tally | None = None

    def work(self, unit: SliceUnit, dies_before: int | None = None) -> None:
        dead: list[bool] = []

        def act(operation: str, request: dict[str, Any], body_bytes: int) -> Response | WireError:
            if self.requests == dies_before:
                dead.append(True)
                raise Killed
            self.requests += 1
            return self.target.act(operation, request, body_bytes)

        def report(event: Any) -> None:
            if not dead and isinstance(event, UnitReport):
                self.heard.append(event)

        clock = ManualClock()
        slots = iter([self.checkpoint.slot(0, 0)])
        context = worker_context(act, report, ManualSleeper(clock), clock, slots=slots)
        target = job_table(table({"id": "S"}))
        job = ImportJob(target, AwsSettings(), lanes=1, mode=self.mode, transform=self.transform)
        reader = RecordReader(self.source)  # type: ignore[arg-type]
        run(_worked(import_task(job, context, reader).lane(), unit))


async def _worked(lane: FlowLane, unit: SliceUnit) -> None:
    try:
        await lane.work(unit)
    except Killed:
        pass
    finally:
        await lane.close()


def table_of(name: str) -> FakeTable:
    there = {str(number): {"id": {"S": str(number)}, "v": {"N": "-1"}} for number in JOBS[name][3]}
    return FakeTable(items=there)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    made = Checkpoint.create(tmp_path / "places", 1, 1)
    yield made
    made.close()
    made.unlink()


def total(reports: Sequence[UnitReport]) -> Tally:
    accounts = Accounts()
    for report in reports:
        accounts.enter(report)
    return accounts.total


def undisturbed(name: str, checkpoint: Checkpoint) -> tuple[Tally, int]:
    """What the job comes to when nothing happens, and how many requests it takes."""
    life = Life(name, checkpoint, table_of(name), list(JOBS[name][4]))
    life.work(life.source.unit())
    return total(life.heard), life.requests


@pytest.mark.parametrize("name", JOBS)
def test_shared_memory_holds_what_the_reports_say_counter_by_counter(name: str, checkpoint: Checkpoint) -> None:
    reported, _ = undisturbed(name, checkpoint)
    last = checkpoint.states()[-1]
    assert last.done
    assert {each: getattr(last.tally, each) for each in RECORDED} == {
        each: getattr(reported, each) for each in RECORDED
    }
    for each in JOBS[name][5].split():
        assert getattr(reported, each), f"this job should count something as {each}"
    assert reported.unsettled() == 0


@pytest.mark.parametrize("name", JOBS)
def test_no_counter_changes_through_a_death_at_any_request_and_a_resume(
    name: str, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    expected, requests = undisturbed(name, checkpoint)
    for dies_before in range(requests):
        memory = Checkpoint.create(tmp_path / f"places-{dies_before}", 1, 1)
        target, script = table_of(name), list(JOBS[name][4])
        options = TransferOptions(table="Orders", state_dir=str(tmp_path / f"state-{dies_before}"))
        first = Life(name, memory, target, script)
        with open_journal("import", "Orders", ["here"], options) as journal:
            journal.begin({}, (), {})
            journal.left(Plan([first.source.unit()]))
            first.work(first.source.unit(), dies_before)
            for report in first.heard:
                journal.enter(report)
            journal.recover(memory.states())
            journal.commit(1.0)
        with open_journal("import", "Orders", ["here"], options) as journal:
            past = journal.past.tally
            (unit,) = [each for each in journal.left(Plan([first.source.unit()])) if each is not None]
            second = Life(name, memory, target, script)
            assert isinstance(unit, SliceUnit)
            second.work(unit)
        past.add(total(second.heard))
        memory.close()
        assert {each: getattr(past, each) for each in OF_RECORDS} == {
            each: getattr(expected, each) for each in OF_RECORDS
        }, f"after a death before request {dies_before}"
        assert past.unsettled() == 0


def test_a_unit_that_was_begun_counts_on_from_what_was_counted_of_it() -> None:
    before = Tally(**{each: 100 + number for number, each in enumerate(NAMES)})
    source, clock, heard = Source(records(1)), ManualClock(), list[Any]()
    context = worker_context(FakeTable().act, heard.append, ManualSleeper(clock), clock)
    job = ImportJob(job_table(table({"id": "S"})), AwsSettings(), lanes=1)
    lane = import_task(job, context, RecordReader(source)).lane()  # type: ignore[arg-type]
    end = len(source.content)
    run(_worked(lane, replace(source.unit(), cursor=ImportCursor(end, 1), before=before)))
    counted = {each: getattr(lane.tally, each) for each in NAMES}
    assert counted == {**{each: getattr(before, each) for each in NAMES}, "bytes": end}  # as the cursor says
    (report,) = heard
    assert report.tally == Tally()
