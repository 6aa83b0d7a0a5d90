"""The last stage of a comparison: partition by partition, the keys whose digests differ are read again from both
sides, and the differences that remain become lines of a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddbio.errors import DdbioError
from ddbio.flow.compare_job import COMPARE_LANES, CompareJob
from ddbio.flow.context import SOURCE, TARGET, JobTable
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.run import Caller, Run
from ddbio.job.side import Side as JobSide
from ddbio.job.spine import Verb
from ddbio.job.work import Assignment
from ddbio.messages import PartitionUnit, UnitReport
from ddbio.options import ComparisonOptions
from ddbio.sinks.page_file import PageFile
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.suspects import SpilledSides
from ddbio.verbs.compared_sides import Side, tables_of


def begin_run(options: ComparisonOptions, sides: tuple[Side, Side], lanes: int, caller: Caller) -> Run:
    """A run with the tables among the sides: one, or two. Raises UsageError for an impossible cap."""
    main, *others = tables_of(sides)
    other = None
    for each in others:
        over = options.over_provisioned
        other = JobSide.choose(
            each.session,
            each.table,
            "RCU",
            each.asked,
            each.capacity,
            over_provisioned=over,
            role=TARGET,
            option=each.capacity_option,
        )
    option = main.capacity_option
    return Run.begin(options, main.session, main.table, "RCU", lanes, caller, other, option)


class CompareSpills(Verb[ComparisonOptions, Result]):
    """output: the file of the differences."""

    name = "compare"

    def __init__(
        self,
        options: ComparisonOptions,
        sides: tuple[Side, Side],
        spilled: SpilledSides,
        partitions: int,
        output: Path,
    ) -> None:
        super().__init__(options)
        self._sides = sides
        self._spilled = spilled
        self._partitions = partitions
        self._output = output

    def check(self, caller: Caller) -> Run:
        return begin_run(self.options, self._sides, COMPARE_LANES, caller)

    def cut(self, run: Run) -> dict[str, Any]:
        return {"partitions": self._partitions}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan([PartitionUnit(number, cut["partitions"]) for number in range(cut["partitions"])])

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        yield f"Comparing {len(plan.units):,} partitions; items that seem to differ are read again"
        if journal.resumed:
            yield f"Resuming: {len(left.known()):,} partitions left"

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        self._file = file = PageFile(self._output, journal.noted("output bytes", 0) if journal.resumed else 0)
        journal.before_commit = file.sync

        def progress_of(report: UnitReport) -> float:
            if report.page:
                file.add(report.page)
                journal.note(**{"output bytes": file.size_bytes})
            return float(report.done)

        done = len(plan.units) - len(left.known())
        return Assignment(self._job(run), len(plan.units), "partitions", done, progress_of)

    def _job(self, run: Run) -> CompareJob:
        give_up_after_s = self.options.give_up_after_s
        tables = {
            side.role: JobTable(side.table, side.session.data_plane(side.table, give_up_after_s))
            for side in run.sides
        }
        roles = dict(zip([each.which for each in tables_of(self._sides)], (SOURCE, TARGET), strict=False))
        first, second = (roles.get(side.which) for side in self._sides)
        return CompareJob(self._spilled, tables, first, second, run.lanes)

    def settle(self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None) -> Result:
        self._file.close()
        return Result(**outcome(accounts, error, plan.units))
