"""Import: files into a table.

files --planning--> slices --engine--> lanes (reader, format, writer) --BatchWriteItem--> table
                                 reports <-- counts, cursors, rejects --> journal
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError
from ddbio.flow.context import JobTable
from ddbio.flow.import_job import DEFAULT_IMPORT_LANES, ImportJob
from ddbio.formats import data_suffixes
from ddbio.job.accounts import Accounts, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.rejects import RejectingResult, Rejects
from ddbio.job.report_place import check_report_path
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb
from ddbio.job.state import known_state_root
from ddbio.job.work import Assignment
from ddbio.sinks.multi_table import combined, spoken
from ddbio.sinks.reject_place import choose_rejects_place
from ddbio.sinks.table_writes import OpenMode, check_mode
from ddbio.sources.cutting import PLANNED_LANES, unit_bytes
from ddbio.sources.plan import Plan, Remainder
from ddbio.steps.reject_limit import ErrorLimit
from ddbio.steps.transform import transform_of
from ddbio.storage import absolute
from ddbio.storage.output_paths import Protected
from ddbio.verbs import create_table
from ddbio.verbs.import_sources import ImportSources
from ddbio.verbs.options import ImportOptions

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.alternatives import Task
    from ddbio.forecast.forecast import Forecast

_LOST = {"put": "replaced", "delete": "deleted", "changes": "replaced or deleted"}
_WORDS = {"delete": ("Deleting what is in", "from"), "insert": ("Inserting what is new of", "into")}


@dataclass(frozen=True, slots=True)
class ImportResult(RejectingResult):
    """The outcome of an import."""


class Import(Verb[ImportOptions, ImportResult]):
    """capacity_option: of the user, for the cap. warns: whether its plan says that items cannot be restored; else the
    question does that the command asks first."""

    name = "import"
    capacity_option: ClassVar[str] = "-c"
    warns: ClassVar[bool] = True

    def check_report(self) -> None:
        check_report_path(self.options, self._protected(), self.options.rejects)

    def _protected(self) -> Protected:
        state = known_state_root(self.options.state_dir)
        return Protected(self.options.sources, data_suffixes(self.options.format), state=state)

    def check(self, caller: Caller) -> Run:
        self._limit = check(self.options)
        session = Session(self.options.aws, (self.options.table, *self.options.more_tables))
        table = (session.find if self.options.create_table else session.describe)(self.options.table)
        self._sources = sources = self.sources_of(session)
        self.sources = sources.files
        self._in_mode(sources.found.mode)
        self._target = create_table.choose_target(self.options, table, sources.found.folders(), session)
        more = tuple(session.describe(name) for name in self.options.more_tables)
        asked = combined((self._target.table, *more)) if more else self._target.table
        option = self.capacity_option
        run = Run.begin(self.options, session, asked, "WCU", DEFAULT_IMPORT_LANES, caller, option=option)
        sources.verify(run.progress)
        self._in_mode(sources.detect(self._target.table))
        self._place = choose_rejects_place(
            self.options.rejects, self.options.sources, sources.files, sources.storages, self._protected()
        )
        kept = self.options.journal and not sources.found.has_stdin
        self.options = replace(self.options, journal=kept)
        return replace(run, options=self.options, tables=(self._target.table, *more) if more else ())

    def sources_of(self, session: Session) -> ImportSources:
        """Raises UsageError for sources that cannot be imported."""
        return ImportSources(self.options, session)

    def _in_mode(self, mode_of: Callable[[str], str]) -> None:
        """The sources may require another mode, with which the other options must be compatible too."""
        self.options = replace(self.options, mode=mode_of(self.options.mode))
        create_table.check_options(self.options)

    def make_ready(self, run: Run) -> Run:
        if run.tables:
            return run
        made = create_table.make(self._target, run.session, run.progress)
        self._target = create_table.Target(made)
        return replace(run, table=made)

    def places(self) -> list[str]:
        return sorted(map(absolute, self.options.sources))

    def cut(self, run: Run) -> dict[str, Any]:
        lanes = run.workers * min(run.lanes, PLANNED_LANES)
        return {"unit_bytes": unit_bytes(self._sources.total_bytes, lanes, run.cap.units_per_s)}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return self._sources.plan(cut["unit_bytes"])

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        doing, way = self.words()
        if self._target.request is not None:
            yield self._target.describe()
        tables = spoken(run.tables or (run.table,))
        yield (
            f"{doing} {self._sources.found.describe()} {way} {tables} in {run.session.region} {run.staffing(left)}"
        )
        if journal.resumed:
            yield self._sources.resuming(left, journal)
        yield from self._sources.remarks()

    @property
    def mode(self) -> str | OpenMode:
        """How a record is written."""
        return self.options.mode

    def words(self) -> tuple[str, str]:
        """Before the sources, and before the table."""
        return _WORDS.get(self.options.mode, ("Importing", "into"))

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        from ddbio.verbs.import_forecast import import_forecast

        transform, lost = transform_of(self.options), _LOST.get(self.options.mode, "") if self.warns else ""
        return import_forecast(run, self._sources, self.mode, transform, plan, left, journal, lost)

    def task(self, run: Run) -> Task | None:
        from ddbio.verbs.other_ways import import_task

        if self.name != Import.name:
            return None
        return import_task(self.options, run, self._sources, creates_table=self._target.request is not None)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        self._rejects = rejects = Rejects(
            self._place, journal, keep=self.options.journal, limit=self._limit, storages=self._sources.storages
        )
        total, done = self._sources.total_bytes, journal.past.tally.bytes
        return Assignment(self._job(run), total, "B", done, **rejects.watching(lambda report: report.tally.bytes))

    def _job(self, run: Run) -> ImportJob:
        table, *more = run.tables or (run.table,)
        target = JobTable(table, run.session.data_plane(table, self.options.give_up_after_s))
        transform = transform_of(self.options)
        return ImportJob(target, run.session.aws, run.lanes, self.mode, transform, tuple(more))

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> ImportResult:
        rejects, sources = self._rejects, self._sources
        error = rejects.settle(plan, accounts, error, lambda: sources.check_items(plan, journal))
        sources.storages.close()
        return ImportResult(
            **outcome(accounts, sources.with_hint(error), plan.units),
            cap=run.cap,
            **rejects.outcome(),
        )

    def facts(self, result: ImportResult) -> dict[str, Any]:
        return result.reject_facts()


def check(options: ImportOptions) -> ErrorLimit:
    """Raises UsageError for options that cannot work with any table and sources."""
    check_mode(options.mode)
    limit = ErrorLimit.parse(options.max_errors)
    create_table.check_options(options)
    transform_of(options)
    return limit
