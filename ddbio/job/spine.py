"""The story of every verb, once:

    check     find out all that can be wrong, before anything is moved; a UsageError ends the run here
    plan      what will be read and written, and what an earlier run of the job left of it
    announce  say so
    run       let the engine work what is left, and enter its reports
    settle    complete what was written, once nobody works any more
    report    the result, also of a run that failed

A verb is a class with these steps (`Verb`), and options. The spine knows no verb.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Generic, TypeVar

from ddbio.dynamodb.notices import table_notices
from ddbio.errors import DdbioError
from ddbio.job.accounts import Accounts, Result
from ddbio.job.journal import Facts, Journal
from ddbio.job.opening import open_journal
from ddbio.job.report import check_report_path, reported
from ddbio.job.run import Caller, Run
from ddbio.job.state import known_state_root
from ddbio.job.work import Assignment, why_incomplete, work
from ddbio.messages.files import SourceFile
from ddbio.options import TransferOptions
from ddbio.sources.plan import Plan, Remainder
from ddbio.storage.output_paths import Protected

SomeOptions = TypeVar("SomeOptions", bound=TransferOptions)
SomeResult = TypeVar("SomeResult", bound=Result)


class Verb(ABC, Generic[SomeOptions, SomeResult]):
    """One call of a verb. The spine calls the methods once each, in the order in which they stand here.

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
        """Raises UsageError if the report must not be written where it was asked for."""
        check_report_path(self.options, Protected(state=known_state_root(self.options.state_dir)))

    @abstractmethod
    def check(self, caller: Caller) -> Run:
        """Look at everything the job needs, and move nothing. Raises UsageError for what cannot work; TransferError
        if the service cannot be reached at all."""

    def make_ready(self, run: Run) -> Run:
        """Make what must be there before the job has a name."""
        return run

    def places(self) -> list[str]:
        """What makes two jobs one, beside the verb and the table: sources, or a destination."""
        return []

    @abstractmethod
    def cut(self, run: Run) -> dict[str, Any]:
        """What the units of a new job are cut by, as JSON values. An unfinished job keeps its own."""

    @abstractmethod
    def plan(self, run: Run, cut: Facts) -> Plan:
        """The units of the job."""

    def start_over(self, run: Run, journal: Journal) -> None:
        """Remove what an unfinished job left, which its journal still knows."""

    def begin(self, run: Run, journal: Journal) -> None:
        """Make the destination ready, for a new job or for one that is resumed."""

    @abstractmethod
    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        """What will be read and written, and what is done already, in sentences."""

    @abstractmethod
    def task(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        """What the engine is to work."""

    @abstractmethod
    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> SomeResult:
        """Complete what was written. error: why the job is not complete."""

    def facts(self, result: SomeResult) -> dict[str, Any]:
        """What only this verb has to report, as JSON values."""
        return {}


def perform(verb: Verb[Any, SomeResult], caller: Caller) -> SomeResult:
    """Do it, or finish what an earlier call with the same options left unfinished.

    Returns when all is settled, or as far as it came: `Result.error` then says why. Raises UsageError before anything
    is moved; TransferError if the service cannot be reached at all.
    """
    verb.check_report()
    with reported(verb.name, verb.options, caller.take_report) as report:
        run = verb.make_ready(verb.check(caller))
        with _journal(verb, run) as journal:
            report.begin(run, journal.folder if verb.options.journal else None)
            result = tell_story(verb, run, journal)
            return report.end(result, **verb.facts(result))


def preview(verb: Verb[Any, Any], caller: Caller) -> list[str]:
    """What `perform` would announce, in sentences. Moves and makes nothing. Raises UsageError, TransferError."""
    run = verb.check(caller)
    with _journal(verb, run) as journal:
        resumes = _resumes(verb, run, journal)
        plan = verb.plan(run, journal.plan if resumes else verb.cut(run))
        left = journal.left(plan) if resumes else Remainder(plan, lambda unit: unit)
        try:
            return list(_announcement(verb, run, plan, left, journal))
        finally:
            plan.close()


def tell_story(verb: Verb[Any, SomeResult], run: Run, journal: Journal) -> SomeResult:
    """From the plan to the result."""
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
    task = verb.task(run, plan, left, journal)
    run.progress.start(task.total, task.unit, run.cap.units_per_s, task.done)
    accounts, error = work(run, task, left, journal)
    plan.close()
    result = verb.settle(run, plan, journal, accounts, error or why_incomplete(run, accounts, plan))
    journal.complete = result.error is None
    return result


def _journal(verb: Verb[Any, Any], run: Run) -> AbstractContextManager[Journal]:
    return open_journal(verb.name, run.table.name, [*run.identity(), *verb.places()], verb.options)


def _resumes(verb: Verb[Any, Any], run: Run, journal: Journal) -> bool:
    """Whether an unfinished job is resumed. Raises UsageError if it was another command's and has moved something."""
    return journal.resumed and not verb.options.fresh and journal.verify(run.facts(), verb.sources)


def _announcement(verb: Verb[Any, Any], run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
    yield from verb.announcement(run, plan, left, journal)
    if not verb.names_cap:
        return
    yield f"Cap: {run.cap}"
    yield from table_notices(run.table, run.cap)
    for index, units_per_s in run.index_caps.items():
        yield f"Cap of index {index}: {units_per_s:,.0f} {run.cap.kind} (its provisioned units)"
