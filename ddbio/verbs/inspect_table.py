"""Inspect: sizes, attributes, heavy keys, indexes and expired items of a table, or of a sample of its segments.

table --Scan--> lanes --> a profile of each page's items --> merged by the parent, and kept in the journal
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ddbio.dynamodb.session import Session
from ddbio.engines.engine import Engine
from ddbio.errors import DdbioError
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.flow.inspect_job import InspectJob
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.progress import Progress
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb, perform
from ddbio.job.work import Assignment
from ddbio.messages import UnitReport
from ddbio.rate.caps import Cap
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.segments import segment_count
from ddbio.sources.subset import expected_items, notes, segments_of, units_of
from ddbio.system.stop import StopFlag
from ddbio.values.capacity import SecondaryIndex
from ddbio.values.distribution import Distribution
from ddbio.values.profile import Profile, Subject, decode_profile
from ddbio.values.sampling import Estimate, estimate_total
from ddbio.verbs.options import InspectOptions
from ddbio.verbs.scan import describe_part, division, items_by_segment, place_of, resuming, scan_of, source_of

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.forecast import Forecast


@dataclass(frozen=True, slots=True)
class InspectResult(Result):
    """profile: of the items that were read. read_segments, segments: read to their end, and in all.

    distribution: of the items over the segments read; None if there is none. estimate: of the number of items in the
    whole table, if it was sampled. indexes: of the table. ttl: its attribute; empty if TTL is off, None if unknown.
    """

    cap: Cap
    profile: Profile
    read_segments: int
    segments: int
    distribution: Distribution | None
    estimate: Estimate | None
    indexes: tuple[SecondaryIndex, ...]
    ttl: str | None


def inspect_table(
    options: InspectOptions,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    stop: StopFlag | None = None,
    take_report: Callable[[bytes], object] | None = None,
) -> InspectResult:
    """Inspect a table, or resume an unfinished inspection. Returns and raises as `ddbio.export_table` does."""
    return perform(Inspect(options), Caller(progress, engine, stop, take_report))


class Inspect(Verb[InspectOptions, InspectResult]):
    name = "inspect"

    def check(self, caller: Caller) -> Run:
        session = Session(self.options.aws, (self.options.table,))
        table, self._subset = describe_part(session, self.options)
        self._ttl = session.time_to_live(self.options.table)
        return Run.begin(self.options, session, table, "RCU", DEFAULT_EXPORT_LANES, caller)

    def places(self) -> list[str]:
        """Another sample is another inspection."""
        return [] if self.options.sample is None else [f"sample {self.options.sample} {self.options.seed}"]

    def cut(self, run: Run) -> dict[str, Any]:
        segments = segments_of(self.options, segment_count(run.table, run.workers, run.lanes))
        return {"segments": segments, "ttl": self._ttl, "now_s": int(time.time())}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(units_of(self.options, cut["segments"]))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        yield f"Inspecting {place_of(run)} {division(run, plan, left)}"
        if journal.resumed:
            yield resuming(self.options, run, left, journal)
        yield from notes(self.options, run.table, plan.units)

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        from ddbio.verbs.forecasts import scan_forecast

        return scan_forecast(run, self.options, self._subset, plan, left, journal)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        options, table, cut = self.options, run.table, journal.plan
        self._profile = profile = journal.noted("profile", Profile(), Profile)
        # In the transaction of the positions that it counts on: what a crash loses of one, it loses of the other.
        journal.before_commit = lambda: journal.note(profile=profile)

        def take(report: UnitReport) -> float:
            if report.page:
                profile.merge(decode_profile(report.page))
            return report.tally.read

        subject = Subject(tuple(part.name for part in table.key), table.indexes, cut["ttl"] or None, cut["now_s"])
        scan = scan_of(table, options, self._subset)
        job = InspectJob(source=source_of(run, options), scan=scan, subject=subject, lanes=run.lanes)
        return Assignment(job, expected_items(options, table), "items", journal.past.tally.read, take)

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> InspectResult:
        by_segment, segments = items_by_segment(plan, accounts), journal.plan["segments"]
        sampled = self.options.sample is not None and error is None
        return InspectResult(
            **outcome(accounts, error, plan.units),
            cap=run.cap,
            profile=self._profile,
            read_segments=len(by_segment),
            segments=segments,
            distribution=Distribution.of(by_segment) if by_segment else None,
            estimate=estimate_total([*by_segment.values()], segments) if sampled else None,
            indexes=run.table.indexes,
            ttl=journal.plan["ttl"],
        )

    def facts(self, result: InspectResult) -> dict[str, Any]:
        profile = result.profile
        return {
            "profile": {**msgspec.to_builtins(profile, str_keys=True), "total": msgspec.to_builtins(profile.total)},
            "segments": {"read": result.read_segments, "all": result.segments},
            "by_segment": result.distribution.as_json() if result.distribution is not None else None,
            "estimate": asdict(result.estimate) if result.estimate is not None else None,
            "ttl": result.ttl,
        }
