"""The attributes of a table's items: a scan before the export, for formats whose files name their columns first.

It reads the same segments in the same way under the same cap, keeps only names and types, and costs as much as the
export itself. Attributes that appear between the two scans are not in the files; the export reports them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ddbio.errors import DdbioError
from ddbio.flow.context import JobTable, WorkerContext
from ddbio.flow.export_job import ExportJob, scan_source
from ddbio.flow.lane import Task
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.opening import open_journal
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb, tell_story
from ddbio.job.work import Assignment
from ddbio.messages import Unit, UnitReport
from ddbio.sinks.attributes_seen import NAMES_AND_TYPES, Attribute, AttributesSeen
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.scan import ATTRIBUTE_MAPS
from ddbio.sources.subset import expected_items
from ddbio.steps.transform import open_transform
from ddbio.verbs.options import ExportOptions


@dataclass(frozen=True, slots=True)
class Discovered(Result):
    """attributes: name and type of every attribute."""

    attributes: frozenset[Attribute]

    def names(self) -> set[str]:
        return {name for name, _ in self.attributes}

    def types_of(self, name: str) -> set[str]:
        return {letter for each, letter in self.attributes if each == name}


def discover(run: Run, options: ExportOptions, job: ExportJob, units: Iterable[Unit]) -> Discovered:
    """Runs within an export, before its job. Raises if it ends early: the next run begins it anew."""
    verb = Discovery(run, options, job, units)
    with open_journal(verb.name, run.table.name, run.identity(), verb.options) as journal:
        return tell_story(verb, run, journal)


class Discovery(Verb[ExportOptions, Discovered]):
    name = "discover"
    names_cap = False  # the export announces it

    def __init__(self, run: Run, options: ExportOptions, job: ExportJob, units: Iterable[Unit]) -> None:
        super().__init__(replace(options, journal=False, fresh=False))
        self._run = run
        self._job = job
        self._units = units
        self._found: set[Attribute] = set()

    def check(self, caller: Caller) -> Run:
        return self._run  # the export has checked it

    def cut(self, run: Run) -> dict[str, Any]:
        return {}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(list(self._units))

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        yield f"Table {run.table.name} is read twice, the first time to find its attributes; --columns avoids that"

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        return Assignment(DiscoveryJob(self._job), expected_items(self.options, run.table), "items", 0, self._take)

    def _take(self, report: UnitReport) -> float:
        self._found.update(report.attributes)
        return report.tally.read

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> Discovered:
        if error is not None:
            hint = "nothing is exported yet: this was the first pass, which --columns avoids"
            raise error.reworded(f"while looking for the attributes of the table: {error.message}", hint)
        return Discovered(**outcome(accounts, error, plan.units), attributes=frozenset(self._found))


@dataclass(frozen=True, slots=True)
class DiscoveryJob:
    """A job in the form of the export that follows."""

    export: ExportJob
    opens_together: bool = False

    @property
    def lanes(self) -> int:
        return self.export.lanes

    @property
    def tables(self) -> dict[str, JobTable]:
        return self.export.tables

    def open(self, context: WorkerContext) -> Task:
        transform = open_transform(self.export.transform)
        return Task(
            context,
            source=scan_source(context, self.export.scan, NAMES_AND_TYPES if transform is None else ATTRIBUTE_MAPS),
            sink=lambda desk: AttributesSeen(desk.tally, self.export.table),
            transform=transform,
        )
