"""The import story, top to bottom: describe the table, choose the cap, list the sources, cut them into units, let an
engine work them, keep the books.

    files --planning--> slices --engine--> lanes (reader, format, writer) --BatchWriteItem--> table
                                     reports <-- counts, cursors, rejects
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from ddbio.accounts import Result
from ddbio.blueprint import Target, check_options, choose_target
from ddbio.caps import Cap, choose_cap
from ddbio.dynamodb.session import Session
from ddbio.dynamodb.table import TableInfo
from ddbio.engine import Engine, StopFlag
from ddbio.errors import TransferError
from ddbio.formats import FormatSpec, get_format, of_rejects
from ddbio.machine import usable_cpus
from ddbio.modes import check_mode
from ddbio.options import ImportOptions
from ddbio.planning import Source, plan_slices, unit_bytes
from ddbio.pool import run_processes
from ddbio.progress import Progress, QuietProgress
from ddbio.rejects import RejectsFile, choose_rejects_path
from ddbio.storage import SourceFile, Storages
from ddbio.storage.names import REJECTS_SUFFIX
from ddbio.transfer import transfer
from ddbio.units import ChunkUnit, ImportCursor, SliceUnit, UnitReport
from ddbio.unpacking import is_packed
from ddbio.writer import ImportJob, default_lanes

_WORDS = {"delete": ("Deleting what is in", "from"), "insert": ("Inserting what is new of", "into")}


@dataclass(frozen=True, slots=True)
class ImportResult(Result):
    """cap: the one in force. rejects: the file with the rejected records, None when there are none."""

    cap: Cap
    rejects: Path | None


def import_table(
    options: ImportOptions,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    stop: StopFlag | None = None,
) -> ImportResult:
    """Import files into a table.

    Returns when every record is settled, or as far as it came: `ImportResult.error` then says why.
    Raises UsageError before anything is moved, for what cannot work; TransferError where the service cannot be
    reached at all.
    """
    progress, stop = progress or QuietProgress(), stop or StopFlag()
    workers, lanes = options.processes or usable_cpus(), options.lanes or default_lanes(check_mode(options.mode))
    check_options(options)
    session = Session(options.aws)
    found = session.find(options.table) if options.create_table else session.describe(options.table)
    storages = Storages(options.aws, session.keys)
    files = list_files(options, storages)
    target = choose_target(options, found, files, session)
    table = target.table
    cap = choose_cap(options.capacity, table, "WCU", over_provisioned=options.over_provisioned)
    rejects = RejectsFile(choose_rejects_path(options.rejects, options.sources, files))
    total_bytes = sum(file.size_bytes for file in files)
    size = unit_bytes(total_bytes, workers * lanes, cap.units_per_s)
    sources = [
        Source(file, _format_of(file, FormatSpec(options.format)), packed=is_packed(file, storages.read_range, size))
        for file in files
    ]
    plan = plan_slices(sources, size, storages.read_range)
    if plan.complete:
        workers = max(1, min(workers, len(plan.units)))
    if target.request is not None or not table.is_usable:
        table = make_table(target, session, progress)
    doing, way = _WORDS.get(options.mode, ("Importing", "into"))
    progress.say(
        f"{doing} {len(files):,} file{'s' * (len(files) != 1)} ({total_bytes:,} bytes) {way} table {table.name} in "
        f"{session.region} with {workers} process{'es' * (workers != 1)}"
    )
    progress.say(f"Cap: {cap}")
    for index, units_per_s in table.index_write_units.items():
        progress.say(f"Cap of index {index}: {units_per_s:,.0f} WCU (its provisioned units)")

    job = ImportJob(table, session.data_plane(options.give_up_after_s), options.aws, lanes, options.mode)

    def on_report(report: UnitReport) -> float:
        rejects.add(report.rejects)
        return report.tally.bytes

    progress.start(total_bytes, "B", cap.units_per_s)
    accounts, error = transfer(
        job,
        plan,
        engine=engine or run_processes(workers),
        session=session,
        cap=cap,
        index_caps=list(table.index_write_units.values()),
        stop=stop,
        progress=progress,
        on_report=on_report,
    )
    plan.close()
    storages.close()
    cursors = {number: cursor for number, cursor in accounts.settled.items() if isinstance(cursor, ImportCursor)}
    try:
        rejects.finish((unit for unit in plan.units if isinstance(unit, SliceUnit | ChunkUnit)), cursors)
    except TransferError as unnumbered:
        error = error or unnumbered
    return ImportResult(
        accounts.tally, accounts.seconds(), error, cap=cap, rejects=rejects.path if rejects.count else None
    )


def _format_of(file: SourceFile, asked: FormatSpec) -> FormatSpec:
    return of_rejects(asked) if file.uri.endswith(REJECTS_SUFFIX) else asked


def make_table(target: Target, session: Session, progress: Progress) -> TableInfo:
    """The table, made where it is not there, and ACTIVE."""
    began_s = time.monotonic()
    if target.request is not None:
        progress.say(target.describe())
        session.create(target.request)
    else:
        progress.say(f"Table {target.table.name} is {target.table.status}: waiting until it is ACTIVE")
    table = session.await_active(target.table.address)
    progress.say(f"Table {table.name} is ACTIVE after {time.monotonic() - began_s:.1f} s")
    return table


def list_files(options: ImportOptions, storages: Storages) -> list[SourceFile]:
    """The files of all sources, each once. Raises UsageError where a source is missing or nothing matches."""
    suffixes = get_format(options.format).source_suffixes
    found = (file for source in options.sources for file in storages.of(source).list_files(source, suffixes))
    return list({file.uri: file for file in found}.values())
