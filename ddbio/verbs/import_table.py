"""The import story, top to bottom: describe the table, list the sources, choose the cap, cut the sources into units,
let an engine work what is left of them, keep the books.

    files --planning--> slices --engine--> lanes (reader, format, writer) --BatchWriteItem--> table
                                     reports <-- counts, cursors, rejects --> journal
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ddbio.dynamodb.notices import table_notices
from ddbio.dynamodb.session import Session
from ddbio.engines.engine import Engine
from ddbio.errors import DdbioError, TransferError
from ddbio.flow.context import JobTable
from ddbio.flow.import_job import DEFAULT_IMPORT_LANES, ImportJob
from ddbio.formats import data_suffixes
from ddbio.formats.declaration import Known
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Journal, open_journal
from ddbio.job.progress import Progress
from ddbio.job.report import check_report_path, reported
from ddbio.job.state import known_state_root
from ddbio.job.transfer import Run, transfer, why_incomplete
from ddbio.layouts.own import ColumnTypes
from ddbio.messages import ChunkUnit, ImportCursor, SliceUnit, UnitReport
from ddbio.options import ImportOptions
from ddbio.rate.caps import Cap
from ddbio.sinks.multi_table import together
from ddbio.sinks.reject_kinds import Lines, RejectKind
from ddbio.sinks.reject_place import RejectsPlace, choose_rejects_place, discard, upload
from ddbio.sinks.rejects import RejectsFile, lines_before
from ddbio.sinks.table_writes import check_mode
from ddbio.sources.cutting import PLANNED_LANES, plan_phases, unit_bytes
from ddbio.sources.detect import Detected, detect
from ddbio.sources.find import Found, find_sources
from ddbio.sources.manifest_check import check_items, verify_checksums
from ddbio.sources.plan import Plan, Remainder
from ddbio.steps.reject_limit import ErrorLimit, TooManyRejectsError
from ddbio.steps.transform import name_changes, transform_of
from ddbio.storage import Storages, absolute
from ddbio.storage.output_paths import Protected
from ddbio.system.stop import StopFlag
from ddbio.values.table import TableInfo
from ddbio.verbs.create_table import Target, check_options, choose_target

_WORDS = {"delete": ("Deleting what is in", "from"), "insert": ("Inserting what is new of", "into")}


@dataclass(frozen=True, slots=True)
class ImportResult(Result):
    """cap: the one in force. rejects: where the rejected records are (path or uri), None when there are none.
    reject_kinds: of them, by code, most frequent first."""

    cap: Cap
    rejects: str | None
    reject_kinds: tuple[RejectKind, ...] = ()


def import_table(
    options: ImportOptions,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    stop: StopFlag | None = None,
    take_report: Callable[[bytes], object] | None = None,
) -> ImportResult:
    """Import files into a table, or finish what an earlier call of the same kind left unfinished.

    take_report: gets the report if `options.report` is `-`; None prints it.
    Returns when every record is settled, or as far as it came: `ImportResult.error` then says why.
    Raises UsageError before anything is moved, for what cannot work; TransferError where the service cannot be
    reached at all.
    """
    protected = Protected(options.sources, data_suffixes(options.format), state=known_state_root(options.state_dir))
    check_report_path(options, protected, options.rejects)
    with reported("import", options, take_report) as report:
        check_mode(options.mode)
        limit = ErrorLimit.parse(options.max_errors)
        check_options(options)
        transform_of(options)  # what is wrong with it is said before anything is moved
        session = Session(options.aws, (options.table, *options.more_tables))
        found = session.find(options.table) if options.create_table else session.describe(options.table)
        storages = Storages(session.aws, session.keys)
        sought = find_sources(
            options.sources,
            data_suffixes(options.format),
            storages,
            verify=options.verify,
            allow_unfinished=options.allow_unfinished,
        )
        options = replace(options, mode=sought.mode(options.mode), journal=options.journal and not sought.has_stdin)
        check_options(options)  # again, for the sources may have changed the mode
        files = sought.all_files()
        target = choose_target(options, found, sought.folders(), session)
        more = tuple(session.describe(name) for name in options.more_tables)
        asked = together((target.table, *more)) if more else target.table
        run = Run.begin(options, session, asked, "WCU", DEFAULT_IMPORT_LANES, progress, engine, stop)
        _verify(options, sought, storages, run.progress)
        detected = detect(sought.files, _known(options, target.table, storages), storages.read_range)
        options = replace(options, mode=detected.mode(options.mode))
        check_options(options)  # once more, for the files may have changed the mode
        place = choose_rejects_place(options.rejects, options.sources, files, storages, protected)
        if more:
            run = replace(run, tables=(target.table, *more))
        else:
            run = replace(run, table=make_table(target, session, run.progress))
        places = sorted(map(absolute, options.sources))
        with open_journal("import", run.table.name, [*run.identity(), *places], options) as journal:
            report.begin(run, journal.folder if options.journal else None)
            if options.fresh:
                journal.forget()
            result = _import(run, options, sought, detected, storages, place, limit, journal)
            return report.end(
                result,
                rejects=result.rejects,
                rejects_by_code={kind.code: kind.as_json() for kind in result.reject_kinds},
            )


def _known(options: ImportOptions, table: TableInfo, storages: Storages) -> Known:
    known = Known.of_table(table, options.format, options.csv, name_changes(options))
    return replace(known, types_of=ColumnTypes(storages.of).of)


def _import(
    run: Run,
    options: ImportOptions,
    sought: Found,
    detected: Detected,
    storages: Storages,
    place: RejectsPlace,
    limit: ErrorLimit,
    journal: Journal,
) -> ImportResult:
    plan = _plan(run, sought, detected, storages, journal)
    rejects = _open_rejects(place, options, journal)
    journal.before_commit = rejects.sync
    left = journal.left(plan)
    _announce(run, options, sought, detected, left, journal)
    accounts, error = _work(run, options, left, rejects, limit, journal)
    plan.close()
    error = error or why_incomplete(run, accounts, plan)
    before = _lines_before(rejects, plan, accounts)
    error = _finish_rejects(rejects, before, error)
    error = error or check_items(sought.own, lambda: _read_by_file(plan, journal))
    where, error = _publish(rejects, place, storages, error, keep=options.journal)
    if isinstance(error, TooManyRejectsError):
        error = limit.error(accounts.total, where or "")  # with all that was settled until the last worker stopped
    storages.close()
    if error is not None and sought.has_stdin:
        error = error.reworded(error.message, "standard input is not kept: run the same command again with all of it")
    journal.complete = error is None
    return ImportResult(
        **outcome(accounts, error, plan.units), cap=run.cap, rejects=where, reject_kinds=rejects.kinds(before)
    )


def _verify(options: ImportOptions, sought: Found, storages: Storages, progress: Progress) -> None:
    if not options.verify:
        progress.say("Exports among the sources are not verified (--no-verify)")
    elif options.verify_checksums:
        size_bytes = sum(file.size_bytes for export in sought.own for file, _ in export.files)
        progress.say(f"Verifying checksums first (--verify-checksums): {size_bytes:,} bytes are read twice")
        count = verify_checksums(sought.own, storages)
        progress.say(f"{count:,} file{'s have' if count != 1 else ' has'} the checksum of the manifest")


def _read_by_file(plan: Plan, journal: Journal) -> Counter[str]:
    """The records that were read of each file, by its uri."""
    read, counted = journal.read_by_unit(), Counter[str]()
    for unit in plan.units:
        if isinstance(unit, SliceUnit | ChunkUnit):
            counted[unit.file.uri] += read.get(unit.number, 0)
    return counted


def make_table(target: Target, session: Session, progress: Progress) -> TableInfo:
    """The table, made where it is not there, and ACTIVE."""
    if target.request is None and target.table.is_usable:
        return target.table
    target.table.check_usable(wait=True)
    began_s = time.monotonic()
    if target.request is not None:
        progress.say(target.describe())
        session.create(target.request)
    else:
        progress.say(f"Table {target.table.name} is {target.table.status}: waiting until it is ACTIVE")
    table = session.await_active(target.table.address)
    progress.say(f"Table {table.name} is ACTIVE after {time.monotonic() - began_s:.1f} s")
    return table


def _spoken(run: Run) -> str:
    if not run.tables:
        return f"table {run.table.name}"
    *names, last = [table.name for table in run.tables]
    return f"tables {', '.join(names)} and {last}"


def _open_rejects(place: RejectsPlace, options: ImportOptions, journal: Journal) -> RejectsFile:
    """The rejects file: where an unfinished job has one, that, as far as it counts. place: for a new job."""
    if journal.resumed and (state := journal.noted("rejects")):
        kept, *so_far = state
        return RejectsFile(Path(kept), *so_far)
    if place.uri and options.journal:
        return RejectsFile(journal.folder.rejects)
    return RejectsFile(place.path, ours=place.ours)


def _plan(run: Run, sought: Found, detected: Detected, storages: Storages, journal: Journal) -> Plan:
    """All units of the job, cut as the run that began it cut them."""
    size = unit_bytes(sought.total_bytes(), run.workers * min(run.lanes, PLANNED_LANES), run.cap.units_per_s)
    journal.begin(run.facts(), sought.all_files(), plan={"unit_bytes": size})
    return plan_phases(sought.phases(detected.sources), journal.plan["unit_bytes"], storages.read_range)


def _announce(
    run: Run, options: ImportOptions, sought: Found, detected: Detected, left: Remainder, journal: Journal
) -> None:
    total_bytes, done_bytes = sought.total_bytes(), journal.past.tally.bytes
    processes, (doing, way) = run.workers_for(left), _WORDS.get(options.mode, ("Importing", "into"))
    run.progress.say(
        f"{doing} {sought.describe()} {way} {_spoken(run)} in {run.session.region} with {processes} "
        f"process{'es' * (processes != 1)}"
    )
    if journal.resumed:
        files_left = len({unit.file.uri for unit in left.known() if isinstance(unit, SliceUnit)})
        more = f", {files_left:,} file{'s' * (files_left != 1)} left" if left.is_known else ""
        run.progress.say(f"Resuming: {done_bytes / max(1, total_bytes):.0%} done{more}")
    for remark in (*sought.remarks(), *detected.remarks):
        run.progress.say(remark)
    run.progress.say(f"Cap: {run.cap}")
    for notice in table_notices(run.table, run.cap):
        run.progress.say(notice)
    for index, units_per_s in run.table.index_write_units.items():
        run.progress.say(f"Cap of index {index}: {units_per_s:,.0f} WCU (its provisioned units)")
    run.progress.start(total_bytes, "B", run.cap.units_per_s, done_bytes)


def _work(
    run: Run,
    options: ImportOptions,
    left: Remainder,
    rejects: RejectsFile,
    limit: ErrorLimit,
    journal: Journal,
) -> tuple[Accounts, DdbioError | None]:
    table, *more = run.tables or (run.table,)
    data_plane = run.session.data_plane(table, options.give_up_after_s)
    transform = transform_of(options)
    journal.note(rejects=rejects.state())

    def on_report(report: UnitReport) -> float:
        if report.rejects:
            rejects.add(report.rejects)
            journal.note(rejects=rejects.state())
        return report.tally.bytes

    job = ImportJob(JobTable(table, data_plane), run.session.aws, run.lanes, options.mode, transform, tuple(more))
    return transfer(
        run,
        job,
        left,
        journal,
        index_caps=list(run.table.index_write_units.values()),
        on_report=on_report,
        limit=lambda total: limit.passed(total, str(rejects.path)),
        most_rejects=limit.most_left(journal.past.tally.rejected),
    )


def _lines_before(rejects: RejectsFile, plan: Plan, accounts: Accounts) -> Lines:
    """Lines of the sources before each unit, if there are rejects that need them."""
    if not rejects.count:
        return {}
    cursors = {number: cursor for number, cursor in accounts.settled.items() if isinstance(cursor, ImportCursor)}
    return lines_before((unit for unit in plan.units if isinstance(unit, SliceUnit | ChunkUnit)), cursors)


def _finish_rejects(rejects: RejectsFile, before: Lines, error: DdbioError | None) -> DdbioError | None:
    """Give the rejects of a job that is complete their line numbers."""
    try:
        if error is None:
            rejects.finish(before)
    except TransferError as unnumbered:
        return unnumbered
    finally:
        rejects.close()
    return error


def _publish(
    rejects: RejectsFile, place: RejectsPlace, storages: Storages, error: DdbioError | None, *, keep: bool
) -> tuple[str | None, DdbioError | None]:
    """Bring the rejects to where they were asked for: (where they are now, what the run ends with).

    keep: the file is there for the next run of a job that is unfinished.
    """
    if not rejects.count or not place.uri:
        return str(rejects.path) if rejects.count else None, error
    try:
        upload(rejects.path, place.uri, storages)
    except TransferError as stuck:
        return str(rejects.path), error or stuck
    if error is None or not keep:
        discard(rejects.path)
    return place.uri, error
