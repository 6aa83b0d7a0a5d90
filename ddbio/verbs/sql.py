"""Sql: one SELECT over the items of a table, by DuckDB.

    table --Scan--> lanes --Arrow batches--> a DuckDB file in a scratch folder --SELECT--> standard output or a file

Only the attributes that the query names are sent, if it names them. It keeps no journal: a stopped one begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ddbio.dynamodb.session import Session
from ddbio.engines.engine import Engine
from ddbio.errors import DdbioError, UsageError
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.flow.sql_job import SqlTableJob
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.progress import Progress
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb, perform
from ddbio.job.work import Assignment
from ddbio.messages import UnitReport
from ddbio.options import STDOUT
from ddbio.rate.caps import Cap
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.segments import segment_count
from ddbio.sources.subset import Subset, expected_items, notes, segments_of, units_of
from ddbio.system.stop import StopFlag
from ddbio.verbs.options import SqlOptions
from ddbio.verbs.scan import describe_part, division, place_of, scan_of, source_of
from ddbio.verbs.sql_query import Query, TakeRows

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.alternatives import Task
    from ddbio.forecast.forecast import Forecast


@dataclass(frozen=True, slots=True)
class SqlResult(Result):
    """rows: of the result. cap: the one in force; None for files. output: None for a text table."""

    rows: int
    cap: Cap | None = None
    output: str | None = None


def sql(
    options: SqlOptions,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    stop: StopFlag | None = None,
    take_report: Callable[[bytes], object] | None = None,
) -> SqlResult:
    """Run a query over the items of a table. Returns and raises as `ddbio.export_table` does."""
    return perform(SqlTable(options), Caller(progress, engine, stop, take_report))


class SqlTable(Verb[SqlOptions, SqlResult]):
    name = "sql"

    def __init__(self, options: SqlOptions, take_rows: TakeRows | None = None) -> None:
        """take_rows: gets the rows in place of an output."""
        super().__init__(replace(options, journal=False))
        self._take_rows = take_rows

    def check_report(self) -> None:
        check_report(self.options)
        super().check_report()

    def check(self, caller: Caller) -> Run:
        self._caller, self._query = caller, Query(self.options, self.options.table.rpartition("/")[2])
        session = Session(self.options.aws, (self.options.table,))
        table, subset = describe_part(session, self.options)
        self._subset = projected(subset, self._query.attributes, table.key[0].name)
        return Run.begin(self.options, session, table, "RCU", DEFAULT_EXPORT_LANES, caller)

    def cut(self, run: Run) -> dict[str, Any]:
        return {"segments": segments_of(self.options, segment_count(run.table, run.workers, run.lanes))}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(units_of(self.options, cut["segments"]))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        yield f"Reading {place_of(run)} {division(run, plan, left)}, then the query"
        names = self._query.attributes
        if names is not None:
            listed = ", ".join(names) or "none"
            yield f"Only the attributes that the query names are sent (it still reads every item): {listed}"
        yield from notes(self.options, run.table, plan.units)

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        from ddbio.verbs.forecasts import scan_forecast

        found = scan_forecast(run, self.options, self._subset, plan, left, journal)
        return replace(found, disk_bytes=None)  # how large DuckDB's file becomes is known only then

    def task(self, run: Run) -> Task:
        from ddbio.verbs.other_ways import scan_task

        return scan_task(self.name, self.options, run)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        options, table = self.options, run.table
        self._query.open()
        scan = scan_of(table, options, self._subset)

        def take(report: UnitReport) -> float:
            self._query.load(report.page)
            return report.tally.read

        job = SqlTableJob(source=source_of(run, options), scan=scan, lanes=run.lanes)
        return Assignment(job, expected_items(options, table), "items", 0, take)

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> SqlResult:
        rows = 0
        try:
            if error is None:
                keys = (*run.table.key, *run.table.index_keys)
                rows, _ = self._query.run(keys, self._caller, run.stop, self._take_rows)
        except DdbioError as failure:
            error = failure
        finally:
            self._query.close(failed=error is not None)
        if error is not None:
            error = error.reworded(error.message, error.hint or "what was read is not kept: run it again")
        made = outcome(accounts, None, plan.units)
        return SqlResult(**{**made, "error": error}, rows=rows, cap=run.cap, output=self.options.output)

    def facts(self, result: SqlResult) -> dict[str, Any]:
        return {"rows": result.rows}


def check_report(options: SqlOptions) -> None:
    if options.report == STDOUT and options.output in (None, STDOUT):
        raise UsageError(
            "the rows go to standard output, too",
            "write the rows to a file with --output, or the report with --report",
        )


def projected(subset: Subset, names: list[str] | None, key: str) -> Subset:
    """The subset with only these attributes. key: read if there are none, as a projection is never empty."""
    if names is None:
        return subset
    placeholders = {f"#{number}": name for number, name in enumerate(names or [key])}
    members = {
        **subset.members,
        "ProjectionExpression": ", ".join(placeholders),
        "ExpressionAttributeNames": {**subset.members.get("ExpressionAttributeNames", {}), **placeholders},
    }
    return replace(subset, members=members)
