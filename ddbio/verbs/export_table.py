"""The export story, top to bottom, in the shape of the import's: describe the table, choose the cap, prepare the
destination, cut the table into segments, let an engine scan them, keep the books, write the manifest.

    table --Scan--> lanes (scanner, format, storage) --> <Table>-<segment>-<file>.json ... _manifest.json
                              reports <-- counts, cursors, finished files
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ddbio.dynamodb.notices import table_notices
from ddbio.dynamodb.session import Session
from ddbio.engines.engine import Engine
from ddbio.errors import DdbioError, UsageError
from ddbio.flow.context import JobTable
from ddbio.flow.export_lane import DEFAULT_EXPORT_LANES, ExportJob, most_page_units
from ddbio.formats import get_format
from ddbio.formats.compression import get_compression
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Journal, open_journal
from ddbio.job.progress import Progress
from ddbio.job.report import check_report_path, reported
from ddbio.job.state import known_state_root
from ddbio.job.transfer import Run, transfer, why_incomplete
from ddbio.layouts.native_out import as_native, data_folder_of, folder_of, manifests, new_export_id
from ddbio.layouts.own import MANIFEST_NAME, Description, manifest
from ddbio.messages import ExportedFile, UnitReport
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import MEGABYTE, STDOUT, ExportOptions
from ddbio.rate.caps import Cap
from ddbio.sinks.destination import Destination
from ddbio.sinks.segment_files import short_name
from ddbio.sinks.stdout import StandardOutput, packed_by_itself
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.segments import segment_count
from ddbio.sources.subset import (
    Subset,
    choose_subset,
    described,
    expected_items,
    limit_of,
    notes,
    segments_of,
    units_of,
)
from ddbio.steps.transform import transform_of
from ddbio.storage import absolute, join, open_storage
from ddbio.storage.output_paths import Protected
from ddbio.system.stop import StopFlag
from ddbio.values.table import TableInfo
from ddbio.verbs.columns import announcement, check_columns, choose_format
from ddbio.verbs.discover_columns import survey

_EXPRESSION_HINT = """write it as DynamoDB does: --filter 'total > :min' --values '{":min": 5}'"""


@dataclass(frozen=True, slots=True)
class ExportResult(Result):
    """cap: the one in force. files: all that are complete. manifest: where it is; None when the export is not
    complete and there is none."""

    cap: Cap
    destination: str
    files: tuple[ExportedFile, ...]
    manifest: str | None


def export_table(
    options: ExportOptions,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    stop: StopFlag | None = None,
    take_report: Callable[[bytes], object] | None = None,
) -> ExportResult:
    """Export a table to files, or finish what an earlier call of the same kind left unfinished.

    take_report: gets the report if `options.report` is `-`; None prints it.
    Returns when every segment is scanned, or as far as it came: `ExportResult.error` then says why.
    Raises UsageError before anything is moved, for what cannot work; TransferError where the service cannot be
    reached at all.
    """
    options = as_native(options)
    _check_report(options)
    with reported("export", options, take_report) as report:
        get_compression(options.compress)  # said before anything is moved
        transform_of(options)
        check_columns(options)
        session = Session(options.aws, (options.table,))
        table, subset = _describe(session, options)
        run = Run.begin(options, session, table, "RCU", DEFAULT_EXPORT_LANES, progress, engine, stop)
        place = absolute(options.destination)
        kept = options.journal and options.destination != STDOUT  # what a pipe took is gone
        with open_journal(
            "export", run.table.name, [*run.identity(), place], replace(options, journal=kept)
        ) as journal:
            report.begin(run, journal.folder if kept else None)
            result = _export(run, options, subset, journal)
            return report.end(result, files=len(result.files), manifest=result.manifest)


def _check_report(options: ExportOptions) -> None:
    if options.report == options.destination == STDOUT:
        raise UsageError("-d - and --report - would be mixed in standard output", "write one of them to a file")
    folder = options.destination if options.destination != STDOUT and "://" not in options.destination else ""
    check_report_path(options, Protected(destination=folder, state=known_state_root(options.state_dir)))


def _export(run: Run, options: ExportOptions, subset: Subset, journal: Journal) -> ExportResult:
    to_stdout = options.destination == STDOUT
    destination = None if to_stdout else _prepare(run, options, journal)
    plan = _plan(run, options, journal)
    left = journal.left(plan)
    _announce(run, options, plan, left, journal)
    if destination is not None and options.native_layout:
        destination = destination.below(data_folder_of(options.destination, journal.plan["export_id"]))
    job = _with_columns(run, options, _job(run, options, subset, journal), plan, journal)
    done = journal.past.tally.read
    run.progress.start(expected_items(options, run.table), "items", run.cap.units_per_s, done)
    accounts, error = _work(run, options, job, left, journal)
    error = error or why_incomplete(run, accounts, plan)
    files = journal.files()
    if destination is not None:
        error = error or _complete(destination, options, run, plan, journal, accounts, files)
        destination.storage.close()
    journal.complete = error is None
    return ExportResult(
        **outcome(accounts, error and _with_hint(error, options.destination), plan.units),
        cap=run.cap,
        destination=options.destination,
        files=tuple(files),
        manifest=None if error or to_stdout else join(_manifest_folder(options, journal), MANIFEST_NAME),
    )


def _describe(session: Session, options: ExportOptions) -> tuple[TableInfo, Subset]:
    """The table, or the index of it that is scanned, and what of it is exported.

    The service is asked whether it takes the request: an expression that it refuses should not end a run that has
    begun.
    """
    table = session.describe(options.table)
    subset, placeholders = choose_subset(options, table)
    if subset.members:
        try:
            session.try_scan(options.table, subset.members)
        except UsageError as error:
            raise UsageError(placeholders.spoken(error.message), error.hint or _EXPRESSION_HINT) from None
    return table.through(options.index) if options.index is not None else table, subset


def _plan(run: Run, options: ExportOptions, journal: Journal) -> Plan:
    began = datetime.datetime.now(datetime.timezone.utc)
    segments = segments_of(options, segment_count(run.table, run.workers, run.lanes))
    export_id = new_export_id(began) if options.native_layout else ""
    journal.begin(run.facts(), (), {"segments": segments, "export_id": export_id, "began": began.isoformat()})
    return Plan(units_of(options, journal.plan["segments"]))


def _announce(run: Run, options: ExportOptions, plan: Plan, left: Remainder, journal: Journal) -> None:
    segments, processes = len(plan.units), run.workers_for(left)
    run.progress.say(
        f"Exporting table {run.table.name} in {run.session.region} to {_spoken(options.destination)} in {segments:,} "
        f"segment{'s' * (segments != 1)} with {processes} process{'es' * (processes != 1)}"
    )
    if journal.resumed:
        run.progress.say(_so_far(options, run.table, len(left.known()), journal))
    for note in notes(options, run.table, plan.units):
        run.progress.say(note)
    run.progress.say(f"Cap: {run.cap}")
    for notice in table_notices(run.table, run.cap):
        run.progress.say(notice)


def _so_far(options: ExportOptions, table: TableInfo, segments_left: int, journal: Journal) -> str:
    done, files, expected = journal.past.tally.read, len(journal.files()), expected_items(options, table)
    share = f"about {done / max(done, expected):.0%} done, " if expected else ""  # the service counts now and then
    return (
        f"Resuming: {share}{done:,} items read; {segments_left:,} segment{'s' * (segments_left != 1)} left, "
        f"{files:,} file{'s' * (files != 1)} written"
    )


def _spoken(destination: str) -> str:
    return "standard output" if destination == STDOUT else destination


def _with_columns(run: Run, options: ExportOptions, job: ExportJob, plan: Plan, journal: Journal) -> ExportJob:
    """The job, once it is known what columns its files have."""
    first = announcement(options, run.table, journal)
    if first is not None:
        run.progress.say(first)
        run.progress.start(expected_items(options, run.table), "items", run.cap.units_per_s)
    format, remarks = choose_format(options, run.table, journal, lambda: survey(run, job, plan.units))
    for remark in remarks:
        run.progress.say(remark)
    return replace(job, format=format)


def _job(run: Run, options: ExportOptions, subset: Subset, journal: Journal) -> ExportJob:
    table, destination = run.table, options.destination
    if options.native_layout:
        destination = data_folder_of(destination, journal.plan["export_id"])
    return ExportJob(
        source=JobTable(
            table,
            run.session.data_plane(table, options.give_up_after_s),
            most_page_units(options.consistent_read),
        ),
        item_bytes=table.size_bytes / table.item_count if table.item_count else 0.0,
        format=FormatSpec(options.format),
        destination=destination,
        aws=run.session.aws,
        max_file_bytes=options.file_megabytes * MEGABYTE,
        consistent_read=options.consistent_read,
        lanes=run.lanes,
        compress=options.compress,
        md5=options.native_layout,
        subset=subset,
        transform=transform_of(options),
    )


def _work(
    run: Run, options: ExportOptions, job: ExportJob, left: Remainder, journal: Journal
) -> tuple[Accounts, DdbioError | None]:
    limit = limit_of(options.limit, left, journal.settled())
    return transfer(run, job, left, journal, on_report=_on_report(run, job), item_limit=limit)


def _on_report(run: Run, job: ExportJob) -> Callable[[UnitReport], float]:
    if job.destination != STDOUT:
        return lambda report: report.tally.read
    output = StandardOutput(run.stop)
    output.write(packed_by_itself(get_compression(job.compress), get_format(job.format).head))

    def write(report: UnitReport) -> float:
        output.write(report.page)
        return report.tally.read

    return write


def _prepare(run: Run, options: ExportOptions, journal: Journal) -> Destination:
    """The destination, in a state in which the export may begin or go on."""
    storage = open_storage(options.destination, run.session.aws, run.session.keys)
    destination = Destination(storage, options.destination, short_name(options.table))
    storage.prepare_destination(options.destination)
    begun = destination
    if journal.resumed and options.native_layout:
        begun = destination.below(data_folder_of(options.destination, journal.plan["export_id"]))
    if options.fresh or not journal.verify(run.facts(), ()):
        _start_over(begun, journal)
    if journal.resumed:
        begun.check(journal.files(), journal.cursors())
        begun.clear(journal.files(), journal.cursors())
    else:
        destination.make_room(options.if_exists)
    return destination


def _start_over(begun: Destination, journal: Journal) -> None:
    """Drop what an unfinished export of this command left in its place, as its journal or, else, their names tell."""
    if journal.resumed or (journal.damaged and not begun.has_manifest()):
        begun.drop(journal.files() if journal.resumed else (), journal.cursors())
    journal.forget()


def _manifest_folder(options: ExportOptions, journal: Journal) -> str:
    return folder_of(options.destination, journal.plan["export_id"]) if options.native_layout else options.destination


def _complete(
    destination: Destination,
    options: ExportOptions,
    run: Run,
    plan: Plan,
    journal: Journal,
    accounts: Accounts,
    files: Sequence[ExportedFile],
) -> DdbioError | None:
    folder, began = _manifest_folder(options, journal), datetime.datetime.fromisoformat(journal.plan["began"])
    export = Description(
        table=run.table.description,
        format=options.format,
        compression=options.compress,
        consistent_read=options.consistent_read,
        segments=len(plan.units),
        began=began,
        columns=[(name, letter) for name, letter in journal.noted("columns", ())],
        subset=described(options, plan.units),
    )
    try:
        destination.clear(files)
        destination.confirm(files)
        if options.native_layout:
            export_id = journal.plan["export_id"]
            for name, text in manifests(options.destination, export_id, run.table, began, files):
                destination.storage.write_small(folder, name, text)
        destination.storage.write_small(folder, MANIFEST_NAME, manifest(export, accounts.total, files))
    except DdbioError as error:
        return error
    return None


def _with_hint(error: DdbioError, destination: str) -> DdbioError:
    if destination != STDOUT:
        return error
    return error.reworded(error.message, "what was written is not kept: run the same command again for all of it")
