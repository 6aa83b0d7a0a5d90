"""The story of every verb, once:

    check     find all possible errors before anything is moved; a UsageError ends the run here
    plan      determine the work, and how much of it an earlier run of the job has done
    announce  describe it to the user
    run       let the engine do the remaining work, and enter its reports
    settle    complete the output, once no worker is running
    report    the result, including that of a failed run

A verb is a class with these steps (`Verb`), and options. The spine knows no verb.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from ddbio.dynamodb.notices import table_notices
from ddbio.engines.engine import check_reachable
from ddbio.errors import DdbioError
from ddbio.job.accounts import Accounts, Result
from ddbio.job.course import Course
from ddbio.job.journal import Facts, Journal
from ddbio.job.opening import look_at_journal, open_journal
from ddbio.job.report import reported
from ddbio.job.report_place import check_report_path, is_page
from ddbio.job.run import Caller, Run
from ddbio.job.state import known_state_root
from ddbio.job.work import Assignment, why_incomplete, work
from ddbio.messages import Tally
from ddbio.messages.files import SourceFile
from ddbio.options import TransferOptions
from ddbio.sources.plan import Plan, Remainder
from ddbio.storage.output_paths import Protected

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.alternatives import Task
    from ddbio.forecast.forecast import Forecast
    from ddbio.forecast.preview import Preview

SomeOptions = TypeVar("SomeOptions", bound=TransferOptions)
SomeResult = TypeVar("SomeResult", bound=Result)
SomeResult_co = TypeVar("SomeResult_co", bound=Result, covariant=True)


class Story(Protocol[SomeResult_co]):
    """One call of a verb, for its caller: a `Verb`, or several jobs in a row."""

    def perform(self, caller: Caller) -> SomeResult_co:
        """Do the job, or resume an unfinished one; see `perform`."""

    def preview(self, caller: Caller) -> Preview:
        """What `perform` would do, need and cost. Moves and makes nothing. Raises UsageError, TransferError."""


class Verb(ABC, Generic[SomeOptions, SomeResult]):
    """One call of a verb. The spine calls the methods once each, in the order in which they are defined here.

    name: of the command, its jobs and its report. names_cap: whether the cap is announced.
    options: as they were given; `check` may complete them.
    sources: the files that the job reads, after `check`.
    """

    name: ClassVar[str]
    names_cap: ClassVar[bool] = True
    sources: Sequence[SourceFile] = ()

    def __init__(self, options: SomeOptions) -> None:
        self.options = options

    def check_report(self) -> None:
        """Raises UsageError if the report must not be written to the given path."""
        check_report_path(self.options, Protected(state=known_state_root(self.options.state_dir)))

    @abstractmethod
    def check(self, caller: Caller) -> Run:
        """Look at everything the job needs, and move nothing. Raises UsageError for options that cannot work;
        TransferError if the service cannot be reached at all."""

    def worker_places(self) -> list[str]:
        """Files and folders, or places in S3, that workers read or write themselves. Called after `check`."""
        return [each.uri for each in self.sources if not each.is_stream]

    def make_ready(self, run: Run) -> Run:
        """Create what must exist before the job has a name."""
        return run

    def places(self) -> list[str]:
        """Sources or destination: with the verb and the table, they identify a job."""
        return []

    @abstractmethod
    def cut(self, run: Run) -> dict[str, Any]:
        """The values by which the units of a new job are cut, as JSON values. An unfinished job keeps its own."""

    @abstractmethod
    def plan(self, run: Run, cut: Facts) -> Plan:
        """The units of the job."""

    def start_over(self, run: Run, journal: Journal) -> None:
        """Remove the output of an unfinished job, which its journal still lists."""

    def begin(self, run: Run, journal: Journal) -> None:
        """Prepare the destination, for a new job or a resumed one."""

    def check_destination(self, run: Run, journal: Journal, *, resumes: bool) -> None:
        """For a plan: refuse what `begin` would refuse, and make nothing. resumes: the unfinished job of the journal.

        Raises UsageError.
        """

    @abstractmethod
    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        """The planned reading and writing, and the work already done, in sentences."""

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        """The figures of the remaining work, from samples that cost little. Raises DdbioError."""
        from ddbio.forecast.forecast import UNKNOWN

        return UNKNOWN

    def task(self, run: Run) -> Task | None:
        """The facts that decide which other ways there are to do the job; None if there are none."""
        return None

    @abstractmethod
    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        """The work for the engine."""

    @abstractmethod
    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> SomeResult:
        """Complete the output. error: the reason if the job is not complete."""

    def facts(self, result: SomeResult) -> dict[str, Any]:
        """The report's facts that only this verb has, as JSON values."""
        return {}

    # -- as a `Story`

    def perform(self, caller: Caller) -> SomeResult:
        return perform(self, caller)

    def preview(self, caller: Caller) -> Preview:
        return preview(self, caller)


def perform(verb: Verb[Any, SomeResult], caller: Caller) -> SomeResult:
    """Do the job, or resume one that an earlier call with the same options left unfinished.

    Returns when all is settled, or when the run stops early: `Result.error` then gives the reason. Raises UsageError
    before anything is moved; TransferError if the service cannot be reached at all.
    """
    verb.check_report()
    with reported(verb.name, verb.options, caller.take_report) as report:
        run = verb.check(caller)
        check_reachable(run.engine, verb.worker_places())
        run = verb.make_ready(run)
        with _journal(verb, run) as journal:
            report.begin(run, journal)
            result = tell_story(verb, run, journal)
            return report.end(result, **verb.facts(result))


def preview(verb: Verb[Any, Any], caller: Caller) -> Preview:
    """What `perform` would announce, and the figures. Moves and makes nothing. Raises UsageError, TransferError."""
    from ddbio.forecast.preview import Preview

    verb.check_report()
    run = verb.check(caller)
    check_reachable(run.engine, verb.worker_places())
    with look_at_journal(verb.name, run.table.name, _identity(verb, run), verb.options) as journal:
        resumes = _resumes(verb, run, journal)
        plan = verb.plan(run, journal.plan if resumes else verb.cut(run))
        verb.check_destination(run, journal, resumes=resumes)
        left = journal.left(plan) if resumes else Remainder(plan, lambda unit: unit)
        try:
            sentences = list(_announcement(verb, run, plan, left, journal))
            return Preview.of(sentences, verb.forecast(run, plan, left, journal), task=verb.task(run))
        finally:
            plan.close()


def tell_story(verb: Verb[Any, SomeResult], run: Run, journal: Journal) -> SomeResult:
    """From the plan to the result."""
    run = replace(run, desk=run.desk or journal.folder.path)  # a first scan within the job uses it, too
    resumes = _resumes(verb, run, journal)
    cut = journal.plan if resumes else verb.cut(run)
    plan = verb.plan(run, cut)
    if verb.options.fresh or (journal.resumed and not resumes):
        verb.start_over(run, journal)
        journal.forget()
    verb.begin(run, journal)
    journal.begin(run.facts(), verb.sources, cut)
    left = journal.left(plan)
    for sentence in _announcement(verb, run, plan, left, journal):
        run.progress.say(sentence)
    course = Course(journal)
    planned = _planned(verb, run, plan, left, journal, course)
    task = verb.assignment(run, plan, left, journal)
    task.spent.add(planned)
    run.progress.start(task.total, task.unit, run.cap.units_per_s, task.done)
    course.begin_run([side.role for side in run.sides], plan)
    accounts, error = work(run, task, left, journal)
    plan.close()
    result = verb.settle(run, plan, journal, accounts, error or why_incomplete(run, accounts, plan))
    if run.cap_changes:
        result = replace(result, caps_changed=tuple(sorted({each.kind for each in run.cap_changes})))
    if indexes := tuple(index for side in run.sides for index in side.index_caps):
        result = replace(result, indexes_apart=indexes)
    course.end_run(result, plan)
    journal.complete = result.error is None
    return result


def _planned(verb: Verb[Any, Any], run: Run, plan: Plan, left: Remainder, journal: Journal, course: Course) -> Tally:
    """Make the plan of a new job, if its report will compare the job with it. Returns the requests that this took, of
    a sample of the table: they count as the job's own."""
    report = verb.options.report
    if report is None or not is_page(Path(report)) or journal.resumed:
        return Tally()
    forecast = course.note_forecast(lambda: verb.forecast(run, plan, left, journal))
    if forecast.planning_units:
        run.progress.say(f"A sample of the table was read for {report}: {forecast.planning_units:,.10g} RCU")
    return Tally(units=forecast.planning_units, requests=forecast.planning_requests)


def _journal(verb: Verb[Any, Any], run: Run) -> AbstractContextManager[Journal]:
    return open_journal(verb.name, run.table.name, _identity(verb, run), verb.options)


def _identity(verb: Verb[Any, Any], run: Run) -> list[str]:
    return [*run.identity(), *verb.places()]


def _resumes(verb: Verb[Any, Any], run: Run, journal: Journal) -> bool:
    """Whether an unfinished job is resumed. Raises UsageError if another command began it and moved something."""
    return journal.resumed and not verb.options.fresh and journal.verify(run.facts(), verb.sources)


def _announcement(verb: Verb[Any, Any], run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
    yield from verb.announcement(run, plan, left, journal)
    if not verb.names_cap:
        return
    for side in run.sides:
        of_which = run.of_which(side)
        yield f"Cap of {of_which}: {side.cap}" if of_which else f"Cap: {side.cap}"
        yield from table_notices(side.table, side.cap)
        for index, units_per_s in side.index_caps.items():
            yield f"Cap of index {index}: {units_per_s:,.0f} {side.cap.kind} (its provisioned units)"
