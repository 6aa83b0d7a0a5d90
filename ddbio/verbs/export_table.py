"""Export: a table into files.

table --Scan--> lanes (scanner, format, storage) --> <Table>-<segment>-<file>.json ... _manifest.json
                          reports <-- counts, cursors, finished files
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError, UsageError
from ddbio.flow.export_job import DEFAULT_EXPORT_LANES
from ddbio.formats.compression import get_compression
from ddbio.job.accounts import Accounts, Result, not_kept, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.report_place import check_report_path
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb
from ddbio.job.state import known_state_root
from ddbio.job.work import Assignment
from ddbio.layouts.native_out import new_export_id
from ddbio.messages import ExportedFile
from ddbio.options import STDOUT
from ddbio.rate.caps import Cap
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.segments import segment_count
from ddbio.sources.subset import WHOLE, notes, segments_of, units_of
from ddbio.steps.transform import transform_of
from ddbio.storage import absolute
from ddbio.storage.output_paths import Protected
from ddbio.verbs.columns import check_columns
from ddbio.verbs.export_assignment import TakePage, export_assignment
from ddbio.verbs.export_files import ExportFiles, manifest_path
from ddbio.verbs.options import ExportOptions
from ddbio.verbs.scan import describe_part, division, place_of, resuming

if TYPE_CHECKING:  # for a plan only
    from ddbio.forecast.alternatives import Task
    from ddbio.forecast.forecast import Forecast

NATIVE = ("dynamodb-json", "gzip")  # format and compression of the native layout


@dataclass(frozen=True, slots=True)
class ExportResult(Result):
    """cap: the one in force. files: the complete ones. manifest: its path or uri; None if the export is not complete
    or has no manifest."""

    cap: Cap
    destination: str
    files: tuple[ExportedFile, ...]
    manifest: str | None


class Export(Verb[ExportOptions, ExportResult]):
    name = "export"

    def __init__(self, options: ExportOptions, take_page: TakePage | None = None) -> None:
        """take_page: gets the pages of an export to standard output in place of that."""
        super().__init__(_as_native(options))
        self._take_page = take_page
        self._subset = WHOLE
        self._files: ExportFiles | None = None

    def check_report(self) -> None:
        options = self.options
        if options.report == options.destination == STDOUT:
            raise UsageError("-d - and --report - would be mixed in standard output", "write one of them to a file")
        folder = options.destination if not self._to_stdout and "://" not in options.destination else ""
        check_report_path(options, Protected(destination=folder, state=known_state_root(options.state_dir)))

    @property
    def _to_stdout(self) -> bool:
        return self.options.destination == STDOUT

    def check(self, caller: Caller) -> Run:
        check(self.options)
        if self._to_stdout:
            self.options = replace(self.options, journal=False)  # a pipe's data cannot be taken back
        session = Session(self.options.aws, (self.options.table,))
        table, self._subset = describe_part(session, self.options)
        return Run.begin(self.options, session, table, "RCU", DEFAULT_EXPORT_LANES, caller)

    def places(self) -> list[str]:
        return [absolute(self.options.destination)]

    def worker_places(self) -> list[str]:
        return [] if self.options.destination == STDOUT else [absolute(self.options.destination)]

    def cut(self, run: Run) -> dict[str, Any]:
        began = datetime.datetime.now(datetime.timezone.utc)
        segments = segments_of(self.options, segment_count(run.table, run.workers, run.lanes))
        export_id = new_export_id(began) if self.options.native_layout else ""
        return {"segments": segments, "export_id": export_id, "began": began.isoformat()}

    def plan(self, run: Run, cut: Facts) -> Plan:
        return Plan(units_of(self.options, cut["segments"]))

    def start_over(self, run: Run, journal: Journal) -> None:
        if not self._to_stdout:
            self._files = ExportFiles(run, self.options)
            self._files.drop(journal)

    def begin(self, run: Run, journal: Journal) -> None:
        if not self._to_stdout:
            self._files = self._files or ExportFiles(run, self.options)
            self._files.make_ready(journal)

    def check_destination(self, run: Run, journal: Journal, *, resumes: bool) -> None:
        if not self._to_stdout:
            with closing(ExportFiles(run, self.options)) as files:
                files.check(journal, resumes=resumes)

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        where = "standard output" if self._to_stdout else self.options.destination
        yield f"Exporting {place_of(run)} to {where} {division(run, plan, left)}"
        if journal.resumed:
            files = len(journal.files())
            yield f"{resuming(self.options, run, left, journal)}, {files:,} file{'s' * (files != 1)} written"
        yield from notes(self.options, run.table, plan.units)

    def forecast(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Forecast:
        from ddbio.verbs.export_forecast import export_forecast

        return export_forecast(run, self.options, self._subset, plan, left, journal)

    def task(self, run: Run) -> Task:
        from ddbio.verbs.other_ways import export_task

        return export_task(self.options, run)

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        if self._files is not None:
            self._files.prepare(journal.plan)
        return export_assignment(run, self.options, self._subset, plan, left, journal, self._take_page)

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> ExportResult:
        files, manifest = journal.files(), None
        if self._files is not None:
            error = error or self._files.complete(plan, journal, accounts, files)
            self._files.close()
            manifest = None if error else manifest_path(self.options, journal.plan)
        elif error is not None:
            again = "what was written is not kept: run the same command again for all of it"
            error = not_kept(error, again)
        return ExportResult(
            **outcome(accounts, error, plan.units),
            cap=run.cap,
            destination=self.options.destination,
            files=tuple(files),
            manifest=manifest,
        )

    def facts(self, result: ExportResult) -> dict[str, Any]:
        return {"files": len(result.files), "manifest": result.manifest}


def check(options: ExportOptions) -> None:
    """Raises UsageError for options that cannot work with any table."""
    if options.native_layout:
        if options.destination == STDOUT:
            raise UsageError("--native-layout is a layout of files", "name a folder or s3://bucket/prefix with -d")
        if (options.format, options.compress) != NATIVE:
            raise UsageError("--native-layout is dynamodb-json, compressed with gzip", "omit --format and --compress")
    get_compression(options.compress)
    transform_of(options)
    check_columns(options)


def _as_native(options: ExportOptions) -> ExportOptions:
    """The options with those that the layout implies, unless they contradict it."""
    if options.native_layout and options.format in ("json", NATIVE[0]) and options.compress in ("none", NATIVE[1]):
        return replace(options, format=NATIVE[0], compress=NATIVE[1])
    return options
