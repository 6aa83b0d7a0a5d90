"""Sync: the second table becomes equal to the first side, a table or an export, with the fewest writes.

first, second --comparison--> lines, one a difference --conditional writes--> second

Each write is conditioned on the item that was compared, so a newer one is left and counted. The writes are a stage of
their own, in which a run that was killed there resumes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ddbio.errors import EXIT_OK, EXIT_REJECTED, UsageError
from ddbio.flow.context import TARGET
from ddbio.flow.import_job import DEFAULT_IMPORT_LANES
from ddbio.forecast.demands import demand_of, time_of
from ddbio.forecast.forecast import ZERO, Forecast
from ddbio.forecast.needs import SOURCE_LANE_BYTES, memory_of
from ddbio.forecast.preview import Preview
from ddbio.formats.changes import DELETE
from ddbio.formats.changes import NAME as CHANGES
from ddbio.job.accounts import Result
from ddbio.job.journal import Journal
from ddbio.job.rejects import RejectingResult
from ddbio.job.report import reported
from ddbio.job.report_place import check_report_path
from ddbio.job.run import Caller, Run
from ddbio.job.stages import Stages, staged
from ddbio.job.state import known_state_root
from ddbio.messages import Tally
from ddbio.options import TransferOptions, is_place
from ddbio.rate.caps import Cap, choose_cap
from ddbio.sinks.conditional_changes import ConditionalChanges
from ddbio.sinks.table_writes import OpenMode
from ddbio.sources.plan import Plan, Remainder
from ddbio.storage.output_paths import Protected
from ddbio.verbs.compared_sides import FIRST, SECOND, TableSide
from ddbio.verbs.comparison import COMPARE, JOBS, Compared, Comparison
from ddbio.verbs.comparison_forecast import announced, preview_of
from ddbio.verbs.import_table import Import, ImportResult
from ddbio.verbs.intent import Intent, place, way_back
from ddbio.verbs.options import ImportOptions, SyncOptions
from ddbio.verbs.sync_source import all_deleted, check_whole, doubts, is_empty

APPLY = "apply"


@dataclass(frozen=True, slots=True)
class SyncResult(RejectingResult):
    """cap: of the writes. items: compared, of each side. compared: the counts of the comparison; applied: of the
    writes. is_compared: whether the comparison is finished."""

    items: tuple[int, int] = field(kw_only=True)
    suspects: int = field(kw_only=True)
    compared: Tally = field(kw_only=True)
    applied: Tally = field(kw_only=True)
    is_compared: bool = field(kw_only=True)

    @property
    def exit_code(self) -> int:
        """0 only if every difference that was found is gone."""
        if self.error is not None:
            return self.error.exit_code
        return EXIT_REJECTED if self.applied.rejected or self.applied.skipped else EXIT_OK


class ApplyDifferences(Import):
    """The last stage."""

    name = APPLY
    capacity_option = "--write-capacity"

    def __init__(self, options: SyncOptions, lines: str, state_dir: str | None) -> None:
        common = {each.name: getattr(options, each.name) for each in fields(TransferOptions)}
        own = {"table": options.to, "aws": options.to_aws, "capacity": options.write_capacity}
        own |= {"state_dir": state_dir, "report": None, "fresh": False, "lanes": None}
        super().__init__(
            ImportOptions(
                **{**common, **own},
                sources=(lines,),
                format=CHANGES,
                rejects=options.rejects,
                max_errors=options.max_errors,
            )
        )
        self._overwrite = options.overwrite

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        newer = "" if self._overwrite else "; items that changed meanwhile are left"
        yield f"Applying the differences to table {run.table.name} in {run.session.region}{newer}"
        if journal.resumed:
            yield self._sources.resuming(left, journal)

    @property
    def mode(self) -> str | OpenMode:
        return super().mode if self._overwrite else ConditionalChanges


class Sync:
    """See `ddbio.job.spine.Story`."""

    name = "sync"

    def __init__(self, options: SyncOptions) -> None:
        self.options = options
        if is_place(options.to):
            raise UsageError(
                f'"{options.to}" is the place of an export', "name a table with --to: an export is not changed"
            )
        self._omitted = frozenset({DELETE} if options.no_delete else ())

    def _check_report(self) -> None:
        options = self.options
        check_report_path(options, Protected(state=known_state_root(options.state_dir)), options.rejects)

    def perform(self, caller: Caller) -> SyncResult:
        options = self.options
        self._check_report()
        with reported(self.name, options, caller.take_report) as report:
            comparison = self._comparison(caller)
            cap, facts = self._write_cap(comparison), comparison.facts()
            with staged(self.name, comparison.run.table.name, comparison.identity(), facts, options) as stages:
                report.begin(comparison.run, stages.journal)
                stages.note_forecast(announced(comparison).then(self._write_forecast(comparison, cap)))
                compared = comparison.perform(stages)
                applied = None
                if compared.error is None:
                    self._announce_deletes(comparison, compared)
                    noted = stages.finished(APPLY)
                    applied = self._apply(stages, compared, caller) if noted is None else _as_noted(noted, cap)
                result = _result(compared, applied, cap)
                result = report.end(result, **_facts(result))
                if result.error is None:
                    comparison.clean(stages)
                    stages.complete()
                return result

    def _apply(self, stages: Stages, compared: Compared, caller: Caller) -> ImportResult:
        verb = ApplyDifferences(self.options, str(compared.lines), str(stages.folder / JOBS))
        return stages.perform(APPLY, verb, caller, _noted)

    def _announce_deletes(self, comparison: Comparison, compared: Compared) -> None:
        first, second = comparison.sides
        deleted = compared.read.get(SECOND, 0)
        if deleted and not compared.read.get(FIRST, 0) and not self.options.no_delete:
            comparison.run.progress.say(all_deleted(first, second, f"{deleted:,}"))

    def _write_cap(self, comparison: Comparison) -> Cap:
        """Raises UsageError for an impossible one, before anything is read."""
        options, second = self.options, comparison.sides[1]
        over, option = options.over_provisioned, ApplyDifferences.capacity_option
        return choose_cap(options.write_capacity, second.table, "WCU", over_provisioned=over, option=option)

    def preview(self, caller: Caller) -> Preview:
        self._check_report()
        comparison = self._comparison(caller)
        cap = self._write_cap(comparison)
        compared = preview_of(comparison)
        sentences = self._sentences(comparison, comparison.sides[0].items == 0)
        written = self._write_forecast(comparison, cap)
        plan = Preview.of((*sentences, *compared.sentences), compared.forecast, self._way_back(comparison))
        return plan.followed([f"Cap of the writes: {cap}"], written)

    def _write_forecast(self, comparison: Comparison, cap: Cap) -> Forecast:
        """Of the writes, whose number only the comparison finds."""
        second = comparison.sides[1]
        assert isinstance(second, TableSide)
        demand = demand_of(second.table, second.session.region, TARGET, cap, second.table.index_write_units)
        seconds, held_by = time_of([(demand, cap)])
        run = comparison.run
        return Forecast(
            (demand,),
            read_bytes=ZERO,
            written_bytes=ZERO,
            seconds=seconds,
            held_by=held_by,
            processes=run.workers + 1,
            memory_bytes=memory_of(run.workers, DEFAULT_IMPORT_LANES, SOURCE_LANE_BYTES),
            disk_bytes=ZERO,
        )

    def _way_back(self, comparison: Comparison) -> list[str]:
        second = comparison.sides[1]
        assert isinstance(second, TableSide)
        return way_back(second.session, second.table, "changed", "")

    def intent(self, caller: Caller, *, asks: bool = True) -> Intent:
        """What is about to happen. Raises UsageError, TransferError."""
        comparison = self._comparison(caller)
        empty = is_empty(comparison.sides[0])
        sentences, warnings = self._sentences(comparison, empty), self._way_back(comparison)
        return Intent(comparison.sides[1].table.name, tuple(sentences), tuple(warnings))

    def _comparison(self, caller: Caller) -> Comparison:
        comparison = Comparison(self.options, caller, self._omitted)
        check_whole(comparison.sides[0], self.options)
        return comparison

    def _sentences(self, comparison: Comparison, empty: bool) -> Iterator[str]:
        """empty: whether the first side has no items."""
        first, second = comparison.sides
        assert isinstance(second, TableSide)
        yield place(second.session, second.table)
        deletes = "" if self.options.no_delete else ", and those that it lacks will be deleted"
        yield f"Its items will be made equal to those of {first.name}{deletes}"
        yield from doubts(first, self.options)
        if empty and not self.options.no_delete:
            yield all_deleted(first, second, f"about {second.items:,}")


def _noted(result: ImportResult) -> dict[str, Any]:
    return {"tally": asdict(result.tally), "seconds": result.seconds, "rejects": result.rejects}


def _as_noted(noted: dict[str, Any], cap: Cap) -> ImportResult:
    return ImportResult(Tally(**noted["tally"]), noted["seconds"], None, cap=cap, rejects=noted["rejects"])


def _result(compared: Compared, applied: ImportResult | None, cap: Cap) -> SyncResult:
    last: Result | Compared = applied or compared
    tally = compared.tally.copy()
    writes = applied.tally if applied is not None else Tally()
    tally.add(writes)
    return SyncResult(
        tally,
        compared.seconds + (applied.seconds if applied is not None else 0.0),
        last.error,
        failures=last.failures,
        cap=applied.cap if applied is not None else cap,
        rejects=applied.rejects if applied is not None else None,
        reject_kinds=applied.reject_kinds if applied is not None else (),
        items=(compared.read.get(FIRST, 0), compared.read.get(SECOND, 0)),
        suspects=compared.read.get(COMPARE, 0),
        compared=compared.tally,
        applied=writes,
        is_compared=compared.error is None,
    )


def _facts(result: SyncResult) -> dict[str, Any]:
    return {
        **result.reject_facts(),
        "items": dict(zip((FIRST, SECOND), result.items, strict=True)),
        "suspects": result.suspects,
        "read_units": result.compared.units,
        "write_units": result.applied.units,
    }
