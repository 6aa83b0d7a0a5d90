"""The first stages of a comparison: each side is read once, and its digests are spilled to disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddbio.errors import DdbioError, TransferError
from ddbio.flow.context import JobTable
from ddbio.flow.spill_job import DEFAULT_SPILL_LANES, SpillFilesJob, SpillTableJob
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb
from ddbio.job.work import Assignment
from ddbio.layouts import spill
from ddbio.options import ComparisonOptions
from ddbio.rate.buckets import UNCAPPED
from ddbio.sinks.spill import SpillSpec
from ddbio.sources.cutting import PLANNED_LANES, unit_bytes
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.segments import segment_count
from ddbio.sources.subset import expected_items, segments_of, units_of
from ddbio.verbs.compared_sides import ExportSide, TableSide
from ddbio.verbs.scan import resuming, scan_of, source_of

SPILL = "spill"


class SpillTable(Verb[ComparisonOptions, Result]):
    """segments: of the scan; None for a number that suits the table."""

    name = SPILL

    def __init__(self, options: ComparisonOptions, side: TableSide, spec: SpillSpec, segments: int | None) -> None:
        super().__init__(options)
        self._side = side
        self._spec = spec
        self._segments = segments

    def check(self, caller: Caller) -> Run:
        side = self._side
        option = side.capacity_option
        return Run.begin(self.options, side.session, side.table, "RCU", DEFAULT_SPILL_LANES, caller, option=option)

    def places(self) -> list[str]:
        return [self._side.which]

    def cut(self, run: Run) -> dict[str, Any]:
        return {"segments": self._segments or suitable_segments(self.options, run)}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(units_of(self.options, cut["segments"]))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        side, segments = self._side, len(plan.units)
        yield f"Reading the {side.which} side, {side.name}, in {segments:,} segment{'s' * (segments != 1)}"
        if journal.resumed:
            yield resuming(self.options, run, left, journal)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        options, table = self.options, run.table
        scan = scan_of(table, options, self._side.subset)
        job = SpillTableJob(source=source_of(run, options), scan=scan, spill=self._spec, lanes=run.lanes)
        return Assignment(job, expected_items(options, table), "items", journal.past.tally.read)

    def settle(self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None) -> Result:
        return Result(**outcome(accounts, error or made_durable(self._spec.folder), plan.units))


class SpillFiles(Verb[ComparisonOptions, Result]):
    """The same of an export."""

    name = SPILL
    names_cap = False

    def __init__(self, options: ComparisonOptions, side: ExportSide, spec: SpillSpec) -> None:
        super().__init__(options)
        self._side = side
        self._spec = spec
        self.sources = side.sources.files

    def check(self, caller: Caller) -> Run:
        side = self._side
        return Run.begin(self.options, side.session, side.table, "RCU", DEFAULT_SPILL_LANES, caller)

    def places(self) -> list[str]:
        return [self._side.which]

    def cut(self, run: Run) -> dict[str, Any]:
        lanes = run.workers * min(run.lanes, PLANNED_LANES)
        return {"unit_bytes": unit_bytes(self._side.sources.total_bytes, lanes, UNCAPPED)}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return self._side.sources.plan(cut["unit_bytes"])

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        yield f"Reading the {self._side.which} side, {self._side.name}: {self._side.sources.found.describe()}"
        if journal.resumed:
            yield self._side.sources.resuming(left, journal)
        yield from self._side.sources.remarks()

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        table = JobTable(run.table, run.session.data_plane(run.table, self.options.give_up_after_s))
        job = SpillFilesJob(table, run.session.aws, self._spec, run.lanes)
        total, done = self._side.sources.total_bytes, journal.past.tally.bytes
        return Assignment(job, total, "B", done, lambda report: report.tally.bytes)

    def settle(self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None) -> Result:
        wrong = None if error is not None else self._side.sources.check_items(plan, journal)
        if wrong is not None:
            error = wrong.reworded(wrong.message.partition(";")[0], "the export is not whole: copy it again")
        return Result(**outcome(accounts, error or made_durable(self._spec.folder), plan.units))


def suitable_segments(options: ComparisonOptions, run: Run) -> int:
    return segments_of(options, segment_count(run.table, run.workers, run.lanes))


def made_durable(folder: Path) -> TransferError | None:
    """An error if the spill may not survive a failure of power."""
    try:
        spill.sync(folder)
    except OSError as error:
        return TransferError(f'cannot write to the spill of this comparison in "{folder}": {error.strerror}')
    return None
