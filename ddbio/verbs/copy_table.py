"""Copy: the items of one table into another, in any region and account.

table --Scan--> lanes --BatchWriteItem--> other table
                reports <-- counts, cursors, rejects --> journal
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError
from ddbio.flow.context import JobTable
from ddbio.flow.copy_job import DEFAULT_COPY_LANES, CopyJob
from ddbio.job.accounts import Accounts, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.rejects import RejectingResult, Rejects
from ddbio.job.report_place import check_report_path
from ddbio.job.run import Caller, Run
from ddbio.job.side import Side
from ddbio.job.spine import Verb
from ddbio.job.state import known_state_root
from ddbio.job.work import Assignment
from ddbio.rate.caps import Cap
from ddbio.sinks.reject_place import choose_rejects_path
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.scan import TableScan
from ddbio.sources.subset import expected_items, limit_of, notes, segments_of, units_of
from ddbio.steps.reject_limit import ErrorLimit
from ddbio.steps.transform import transform_of
from ddbio.storage.output_paths import Protected
from ddbio.values.table import TableInfo
from ddbio.verbs import create_table
from ddbio.verbs.copy_plan import check_keys, copy_segments, expected_cost
from ddbio.verbs.options import CopyOptions
from ddbio.verbs.scan import describe_part, division, mean_item_bytes, place_of, resuming, source_of
from ddbio.verbs.two_tables import check_different, describe_other, other_session, other_side

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.alternatives import Task
    from ddbio.forecast.forecast import Forecast
    from ddbio.forecast.preview import Preview

_DOING = {"put": "Copying", "insert": "Copying what is new of"}


@dataclass(frozen=True, slots=True)
class CopyResult(RejectingResult):
    """target: the name of the table that was written. target_cap: its cap."""

    target: str = field(kw_only=True)
    target_cap: Cap = field(kw_only=True)


class Copy(Verb[CopyOptions, CopyResult]):
    name = "copy"
    _costs: Sequence[str] = ()  # sentences of the announcement

    def check_report(self) -> None:
        check_report_path(self.options, self._protected(), self.options.rejects)

    def _protected(self) -> Protected:
        return Protected(state=known_state_root(self.options.state_dir))

    def check(self, caller: Caller) -> Run:
        options = self.options
        self._limit = check(options)
        session = Session(options.aws, (options.table,))
        table, self._subset = describe_part(session, options)
        self._target, other = self._choose_target(session, table)
        self._remarks = [*check_keys(options, table, other.table)]
        self._place = choose_rejects_path(options.rejects, table.name, self._protected())
        return Run.begin(options, session, table, "RCU", DEFAULT_COPY_LANES, caller, other=other)

    def _choose_target(self, session: Session, table: TableInfo) -> tuple[create_table.Target, Side]:
        options, other = self.options, other_session(self.options)
        found = other.find(options.to) if options.create_table else describe_other(options, other)
        if found is not None:
            target = create_table.Target(found)
        else:
            target = create_table.copy_of(table, options.to, session, indexes=options.with_indexes)
        side = other_side(options, "WCU", session=other, table=target.table)
        if found is not None:
            check_different(session, table, side)
        return target, side

    def make_ready(self, run: Run) -> Run:
        assert run.other is not None
        made = create_table.make(self._target, run.other.session, run.progress)
        self._target = create_table.Target(made)
        return replace(run, other=replace(run.other, table=made))

    def cut(self, run: Run) -> dict[str, Any]:
        return {"segments": segments_of(self.options, copy_segments(run))}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(units_of(self.options, cut["segments"]))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        other = run.other
        assert other is not None
        if self._target.request is not None:
            yield self._target.describe()
        to = f"table {other.table.name} in {other.session.region}"
        yield f"{_DOING[self.options.mode]} {place_of(run)} to {to} {division(run, plan, left)}"
        if journal.resumed:
            yield resuming(self.options, run, left, journal)
        else:
            self._costs = [*expected_cost(self.options, run.table, other.table)]
            yield from self._costs
        yield from notes(self.options, run.table, plan.units)
        yield from self._remarks

    def preview(self, caller: Caller) -> Preview:
        """Without the figures by the service's count, as it has better ones."""
        plan = super().preview(caller)
        return replace(plan, sentences=tuple(each for each in plan.sentences if each not in self._costs))

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        from ddbio.verbs.copy_forecast import copy_forecast

        return copy_forecast(run, self.options, self._subset, plan, left, journal)

    def task(self, run: Run) -> Task:
        from ddbio.verbs.other_ways import copy_task

        return copy_task(self.options, run, creates_table=self._target.request is not None)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        self._rejects = rejects = Rejects(self._place, journal, keep=self.options.journal, limit=self._limit)
        return Assignment(
            self._job(run),
            expected_items(self.options, run.table),
            "items",
            journal.past.tally.read,
            item_limit=limit_of(self.options.limit, left, journal.settled()),
            **rejects.watching(lambda report: report.tally.read),
        )

    def _job(self, run: Run) -> CopyJob:
        options, table, other = self.options, run.table, run.other
        assert other is not None
        names = tuple(part.name for part in table.key)
        scan = TableScan(table.address, mean_item_bytes(table), options.consistent_read, self._subset, names)
        target = JobTable(other.table, other.session.data_plane(other.table, options.give_up_after_s))
        return CopyJob(source_of(run, options), target, scan, run.lanes, options.mode, transform_of(options))

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> CopyResult:
        assert run.other is not None
        error = self._rejects.settle(plan, accounts, error)
        return CopyResult(
            **outcome(accounts, error, plan.units),
            cap=run.cap,
            **self._rejects.outcome(),
            target=run.other.table.name,
            target_cap=run.other.cap,
        )

    def facts(self, result: CopyResult) -> dict[str, Any]:
        return result.reject_facts()


def check(options: CopyOptions) -> ErrorLimit:
    """Raises UsageError for options that cannot work with any tables."""
    create_table.check_copy_options(options)
    transform_of(options)
    return ErrorLimit.parse(options.max_errors)
