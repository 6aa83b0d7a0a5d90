"""What attributes the items of a table have: a scan before the scan, for formats whose files must say so in front.

It reads the same segments in the same way under the same cap, keeps only names and types, and costs what the export
itself costs. An attribute that appears between the two is not in the files, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ddbio.errors import DdbioError
from ddbio.flow.context import JobTable, WorkerContext
from ddbio.flow.export_job import PAGE_INTERVAL_S, ExportJob, scan_source
from ddbio.flow.lane import Task
from ddbio.job.opening import open_journal
from ddbio.job.run import Run
from ddbio.job.work import Assignment, why_incomplete, work
from ddbio.messages import Tally, Unit, UnitReport
from ddbio.sinks.attributes_seen import NAMES_AND_TYPES, Attribute, AttributesSeen
from ddbio.sources.plan import Plan


@dataclass(frozen=True, slots=True)
class Survey:
    """attributes: name and type of all there are. tally: what it took to find them."""

    attributes: frozenset[Attribute]
    tally: Tally

    def names(self) -> set[str]:
        return {name for name, _ in self.attributes}

    def types_of(self, name: str) -> set[str]:
        return {letter for each, letter in self.attributes if each == name}


def survey(run: Run, job: ExportJob, units: Iterable[Unit]) -> Survey:
    """Raises what ends it early: there is nothing to go on with, it begins anew."""
    found: set[Attribute] = set()

    def on_report(report: UnitReport) -> float:
        found.update(report.attributes)
        return report.tally.read

    unkept = replace(run.options, journal=False, fresh=False)
    plan = Plan(list(units))
    with open_journal("survey", run.table.name, run.identity(), unkept) as journal:
        journal.begin(run.facts(), (), plan={})
        task = Assignment(SurveyJob(job), 0, "items", 0, on_report)
        accounts, error = work(run, task, journal.left(plan), journal)
    error = error or why_incomplete(run, accounts, plan)
    if error is not None:
        raise _of_survey(error)
    return Survey(frozenset(found), accounts.tally)


def _of_survey(error: DdbioError) -> DdbioError:
    hint = "nothing is exported yet: this was the first pass, which --columns spares"
    return error.reworded(f"while looking for the attributes of the table: {error.message}", hint)


@dataclass(frozen=True, slots=True)
class SurveyJob:
    """A job of its own, in the shape of the export that follows."""

    export: ExportJob

    @property
    def lanes(self) -> int:
        return self.export.lanes

    @property
    def tables(self) -> dict[str, JobTable]:
        return self.export.tables

    def open(self, context: WorkerContext) -> Task:
        return Task(
            context,
            source=scan_source(context, self.export.scan, NAMES_AND_TYPES),
            sink=lambda desk: AttributesSeen(desk.tally),
            report_every_s=PAGE_INTERVAL_S,
        )
