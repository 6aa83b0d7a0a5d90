"""What attributes the items of a table have: a scan before the scan, for formats whose files must say so in front.

It reads the same segments in the same way under the same cap, keeps only names and types, and costs what the export
itself costs. An attribute that appears between the two is not in the files, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from ddbio.errors import DdbioError
from ddbio.flow.context import JobTable, WorkerContext
from ddbio.flow.export_lane import ExportJob, ExportLane, ExportWork
from ddbio.formats import Format
from ddbio.formats.json_lines import JsonLines
from ddbio.job.journal import open_journal
from ddbio.job.run import Run
from ddbio.job.work import Assignment, why_incomplete, work
from ddbio.messages import SegmentUnit, Tally, Unit, UnitReport
from ddbio.sinks.segment_files import SegmentFiles
from ddbio.sinks.stdout import PageStream
from ddbio.sources.plan import Plan

Attribute = tuple[str, str]  # a name, and a type that some item has it in


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

    def open(self, context: WorkerContext) -> SurveyWork:
        return SurveyWork(self.export, context)


class NamesAndTypes(JsonLines):
    """Of a page, no more is decoded than is asked for."""

    page_items: Any = list[dict[str, dict[str, msgspec.Raw]]]

    def __init__(self) -> None:
        super().__init__()
        self.alike = None


class SurveyWork(ExportWork):
    def lane(self) -> SurveyLane:
        return SurveyLane(self)

    def open_format(self) -> Format:
        return NamesAndTypes()

    def new_files(self, unit: SegmentUnit) -> SegmentFiles:
        return AttributesSeen(self.storage, self.job, self.format, unit)


class SurveyLane(ExportLane):
    def _report(self, unit: SegmentUnit, files: SegmentFiles | PageStream, *, done: bool = False) -> None:
        assert isinstance(files, AttributesSeen)
        cursor, _, items = files.take_settled()
        tally, self._client.tally = self._client.tally, Tally()
        tally.read = tally.written = items
        self._context.report(UnitReport(unit.number, cursor, tally, done=done, attributes=files.take_new()))


class AttributesSeen(SegmentFiles):
    """In the place of files: keeps what it sees of a page, and is always as far as it was told."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._seen: set[Attribute] = set()
        self._new: set[Attribute] = set()

    async def write_page(self, items: list[Any]) -> None:
        seen = {(name, letter) for item in items for name, value in item.items() for letter in value}
        self._new |= seen - self._seen
        self._seen |= seen
        self._items += len(items)

    def take_new(self) -> tuple[Attribute, ...]:
        """What was seen for the first time since the last call."""
        new, self._new = tuple(sorted(self._new)), set()
        return new
