"""Count: the number of items in a table or an index, or of those that match a filter.

    table --Scan with Select=COUNT--> lanes --> counts

The service reads, and charges for, every item, but sends none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError, UsageError
from ddbio.flow.count_job import CountJob
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb
from ddbio.job.work import Assignment
from ddbio.rate.caps import Cap
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.segments import segment_count
from ddbio.sources.subset import expected_items, notes, segments_of, units_of
from ddbio.values.distribution import Distribution
from ddbio.values.sampling import Estimate, estimate_total
from ddbio.verbs.options import CountOptions
from ddbio.verbs.scan import (
    describe_part,
    division,
    items_by_segment,
    place_of,
    resuming,
    scan_of,
    source_of,
    why_none,
)

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.alternatives import Task
    from ddbio.forecast.forecast import Forecast

NOT_COUNTED = ("attributes", "limit")  # options whose count would not be the table's


@dataclass(frozen=True, slots=True)
class CountResult(Result):
    """cap: the one in force. The count is `tally.counted`, of `tally.read` items that were scanned.

    segments: of the whole scan. by_segment: the number in each that was read to its end.
    distribution: if it was asked for. estimate: of the whole table, if the count is that of a complete sample.
    """

    cap: Cap
    segments: int
    by_segment: dict[int, int]
    distribution: Distribution | None = None
    estimate: Estimate | None = None


class Count(Verb[CountOptions, CountResult]):
    name = "count"

    def check(self, caller: Caller) -> Run:
        check(self.options)
        session = Session(self.options.aws, (self.options.table,))
        table, subset = describe_part(session, self.options)
        self._subset = replace(subset, members={**subset.members, "Select": "COUNT"})
        return Run.begin(self.options, session, table, "RCU", DEFAULT_EXPORT_LANES, caller)

    def places(self) -> list[str]:
        """A count with other options is another job."""
        options = self.options
        sample = [] if options.sample is None else [f"sample {options.sample} {options.seed}"]
        return [each or "" for each in (options.index, options.filter, options.values, options.names)] + sample

    def cut(self, run: Run) -> dict[str, Any]:
        return {"segments": segments_of(self.options, segment_count(run.table, run.workers, run.lanes))}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(units_of(self.options, cut["segments"]))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        yield f"Counting the items of {place_of(run)} {division(run, plan, left)}"
        if journal.resumed:
            yield resuming(self.options, run, left, journal)
        yield from notes(self.options, run.table, plan.units)

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        from ddbio.verbs.forecasts import scan_forecast

        return scan_forecast(run, self.options, self._subset, plan, left, journal)

    def task(self, run: Run) -> Task:
        from ddbio.verbs.other_ways import scan_task

        return scan_task(self.name, self.options, run)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        options, table = self.options, run.table
        scan = scan_of(table, options, self._subset)
        job = CountJob(source=source_of(run, options), scan=scan, lanes=run.lanes)
        return Assignment(job, expected_items(options, table), "items", journal.past.tally.read)

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> CountResult:
        by_segment, asked = items_by_segment(plan, accounts), self.options
        segments = journal.plan["segments"]
        sampled = asked.sample is not None and error is None
        return CountResult(
            **outcome(accounts, error, plan.units),
            warnings=why_none(asked, accounts.total.counted) if error is None else (),
            cap=run.cap,
            segments=segments,
            by_segment=by_segment,
            distribution=Distribution.of(by_segment) if asked.by_segment and by_segment else None,
            estimate=estimate_total([*by_segment.values()], segments) if sampled else None,
        )

    def facts(self, result: CountResult) -> dict[str, Any]:
        return {
            "estimate": asdict(result.estimate) if result.estimate is not None else None,
            "by_segment": result.distribution.as_json() if result.distribution is not None else None,
        }


def check(options: CountOptions) -> None:
    """Raises UsageError for options that cannot work with any table."""
    for name in NOT_COUNTED:
        if getattr(options, name) is not None:
            raise UsageError(f"a count takes no {name}: it counts all items", "leave it out, or use filter")
