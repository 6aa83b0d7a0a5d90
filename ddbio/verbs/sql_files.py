"""Sql over files: exports by this program or by DynamoDB, Parquet, JSON and CSV, read as an import reads them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ddbio.engines.choice import engine_of
from ddbio.engines.environment import Needs
from ddbio.errors import DdbioError
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.flow.sql_job import SqlFilesJob
from ddbio.forecast.forecast import Amount, Forecast
from ddbio.forecast.needs import PAGE_LANE_BYTES, memory_of
from ddbio.forecast.preview import Preview
from ddbio.formats import data_suffixes
from ddbio.formats.declaration import Known
from ddbio.job.accounts import Accounts, outcome, verdict
from ddbio.job.progress import QuietProgress
from ddbio.job.report import reported
from ddbio.job.report_place import check_report_path
from ddbio.job.run import Caller, may_work_here
from ddbio.job.small_work import is_small
from ddbio.job.state import known_state_root
from ddbio.layouts.own import ColumnTypes
from ddbio.messages import Notice, UnitReport
from ddbio.rate.buckets import UNCAPPED
from ddbio.sources.cutting import PLANNED_LANES, plan_phases, unit_bytes
from ddbio.sources.detect import detect
from ddbio.sources.find import find_sources
from ddbio.sources.plan import Plan, Remainder
from ddbio.storage import Storages
from ddbio.storage.output_paths import Protected
from ddbio.system.machine import usable_cpus
from ddbio.system.stop import StopFlag
from ddbio.verbs.options import SqlOptions
from ddbio.verbs.sql import SqlResult, check_report
from ddbio.verbs.sql_query import Query


class SqlFiles:
    """See `ddbio.job.spine.Story`."""

    name = "sql"

    def __init__(self, options: SqlOptions) -> None:
        self.options = replace(options, journal=False)

    def perform(self, caller: Caller) -> SqlResult:
        check_report(self.options)
        check_report_path(self.options, Protected(state=known_state_root(self.options.state_dir)))
        with reported(self.name, self.options, caller.take_report) as report:
            result = self._run(caller, Query(self.options, "t"))
            return report.end(result, rows=result.rows)

    def preview(self, caller: Caller) -> Preview:
        Query(self.options, "t")
        plan, sentences, total_bytes = self._found()
        plan.close()
        workers, lanes = self.options.processes or usable_cpus(), self.options.lanes or DEFAULT_EXPORT_LANES
        return Preview.of(
            sentences,
            Forecast(
                read_bytes=Amount.exact(total_bytes),
                processes=workers + 1,
                memory_bytes=memory_of(workers, lanes, PAGE_LANE_BYTES),
            ),
        )

    def _found(self) -> tuple[Plan, list[str], int]:
        """The slices of all files, sentences on them, and their size in bytes. Raises UsageError."""
        options = self.options
        storages = Storages(options.aws)
        found = find_sources(options.sources, data_suffixes(), storages)
        known = Known(types_of=ColumnTypes(storages.of).of)
        detected = detect(found.files, known, storages.read_range)
        lanes = (options.processes or usable_cpus()) * min(options.lanes or DEFAULT_EXPORT_LANES, PLANNED_LANES)
        size = unit_bytes(found.total_bytes(), lanes, UNCAPPED)
        plan = plan_phases(found.phases(detected.sources), size, storages.read_range)
        sentences = [f"Reading {found.describe()}, then the query", *found.remarks(), *detected.remarks]
        return plan, sentences, found.total_bytes()

    def _run(self, caller: Caller, query: Query) -> SqlResult:
        plan, sentences, total_bytes = self._found()
        progress, stop = caller.progress or QuietProgress(), caller.stop or StopFlag()
        for sentence in sentences:
            progress.say(sentence)
        progress.start(total_bytes, "B", float("inf"))
        accounts, error, rows = Accounts(), None, 0
        query.open()
        try:
            self._load(query, plan, accounts, caller, stop)
            error = verdict(accounts, plan.units, stopped=stop.requests > 0, partly_planned=not plan.complete)
            progress.finish()
            if error is None:
                rows, _ = query.run((), caller, stop)
        except DdbioError as failure:
            error = failure
        finally:
            plan.close()
            query.close(failed=error is not None)
        if error is not None:
            error = error.reworded(error.message, error.hint or "what was read is not kept: run it again")
        made: dict[str, Any] = outcome(accounts, None, plan.units)
        return SqlResult(**{**made, "error": error}, rows=rows, output=self.options.output)

    def _load(self, query: Query, plan: Plan, accounts: Accounts, caller: Caller, stop: StopFlag) -> None:
        options, progress = self.options, caller.progress or QuietProgress()
        left = Remainder(plan, lambda unit: unit)
        here = may_work_here(options, caller) and is_small(left, 0)
        engine = caller.engine or engine_of(0 if here else options.processes or usable_cpus())
        left.watch(accounts.settled, accounts.failed)
        job = SqlFilesJob(options.aws, options.lanes or DEFAULT_EXPORT_LANES)
        stop.heeded = True
        with engine.open(job, Needs()) as running:
            events: Any = running.work(left, stop)
            try:
                self._take(events, query, accounts, progress)
            finally:
                events.close()
                stop.heeded = False

    def _take(self, events: Iterable[Any], query: Query, accounts: Accounts, progress: Any) -> None:
        for event in events:
            if isinstance(event, UnitReport):
                query.load(event.page)
                accounts.enter(event)
                progress.update(event.tally.bytes, accounts.tally)
            elif isinstance(event, Notice):
                progress.say(event.text)
