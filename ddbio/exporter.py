"""The export story, top to bottom, in the shape of the import's: describe the table, choose the cap, prepare the
destination, cut the table into segments, let an engine scan them, keep the books, write the manifest.

    table --Scan--> lanes (scanner, format, storage) --> <Table>-<segment>-<file>.json ... manifest.json
                              reports <-- counts, cursors, finished files
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ddbio.accounts import Result
from ddbio.caps import Cap, choose_cap
from ddbio.compression import get_compression
from ddbio.dynamodb.session import Session
from ddbio.dynamodb.table import TableInfo
from ddbio.engine import Engine, StopFlag
from ddbio.errors import DdbioError, UsageError
from ddbio.formats import FormatSpec
from ddbio.machine import usable_cpus
from ddbio.manifest import MANIFEST_NAME, manifest
from ddbio.options import MEGABYTE, ExportOptions
from ddbio.planning import Plan, segment_count, segment_units
from ddbio.pool import run_processes
from ddbio.progress import Progress, QuietProgress
from ddbio.scanner import DEFAULT_EXPORT_LANES, ExportJob
from ddbio.storage import Storage, open_storage
from ddbio.transfer import transfer
from ddbio.units import ExportedFile, UnitReport


@dataclass(frozen=True, slots=True)
class ExportResult(Result):
    """cap: the one in force. files: all that are complete. manifest: where it is; None when the export is not
    complete and there is none."""

    cap: Cap
    files: tuple[ExportedFile, ...]
    manifest: str | None


def export_table(
    options: ExportOptions,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    stop: StopFlag | None = None,
) -> ExportResult:
    """Export a table to files.

    Returns when every segment is scanned, or as far as it came: `ExportResult.error` then says why.
    Raises UsageError before anything is moved, for what cannot work; TransferError where the service cannot be
    reached at all.
    """
    progress, stop = progress or QuietProgress(), stop or StopFlag()
    workers, lanes = options.processes or usable_cpus(), options.lanes or DEFAULT_EXPORT_LANES
    get_compression(options.compress)  # said before anything is moved
    session = Session(options.aws)
    table = session.describe(options.table)
    cap = choose_cap(options.capacity, table, "RCU", over_provisioned=options.over_provisioned)
    storage = open_storage(options.destination, options.aws, session.keys)
    _prepare(storage, options.destination)
    segments = options.segments or segment_count(table, workers, lanes)
    workers = min(workers, segments)
    progress.say(
        f"Exporting table {table.name} in {session.region} to {options.destination} in {segments:,} "
        f"segment{'s' * (segments != 1)} with {workers} process{'es' * (workers != 1)}"
    )
    progress.say(f"Cap: {cap}")

    files: list[ExportedFile] = []

    def on_report(report: UnitReport) -> float:
        files.extend(report.files)
        return report.tally.read

    began = datetime.datetime.now(datetime.timezone.utc)
    progress.start(table.item_count, "items", cap.units_per_s)
    accounts, error = transfer(
        _job(options, table, session, cap, lanes),
        Plan(segment_units(segments)),
        engine=engine or run_processes(workers),
        session=session,
        cap=cap,
        stop=stop,
        progress=progress,
        on_report=on_report,
    )
    if error is None:
        error = _write_manifest(
            storage,
            options,
            manifest(
                table=table.description,
                format=options.format,
                compression=options.compress,
                consistent_read=options.consistent_read,
                segments=segments,
                began=began,
                tally=accounts.tally,
                files=files,
            ),
        )
    storage.close()
    if error is not None:
        error = _mind_the_files(error, options.destination)
    return ExportResult(
        accounts.tally,
        accounts.seconds(),
        error,
        cap=cap,
        files=tuple(files),
        manifest=f"{options.destination.rstrip('/')}/{MANIFEST_NAME}" if error is None else None,
    )


def _prepare(storage: Storage, destination: str) -> None:
    """Make sure that the destination is there, can be written to, and is empty: an export mixed with the files of
    another would look like one table."""
    storage.prepare_destination(destination)
    occupant = storage.occupant(destination)
    if occupant is not None:
        raise UsageError(f'"{destination}" is not empty: there is {occupant}', "name an empty place with -d")


def _write_manifest(storage: Storage, options: ExportOptions, content: bytes) -> DdbioError | None:
    try:
        storage.write_small(options.destination, MANIFEST_NAME, content)
    except DdbioError as error:
        return error
    return None


def _mind_the_files(error: DdbioError, destination: str) -> DdbioError:
    """An export starts in an empty place: the files that are complete are in the way of the next run."""
    place = f'it needs an empty place: empty "{destination}" or name another with -d'
    return type(error)(error.message, f"{error.hint}; {place}" if error.hint else place)


def _job(options: ExportOptions, table: TableInfo, session: Session, cap: Cap, lanes: int) -> ExportJob:
    return ExportJob(
        table=options.table,
        item_bytes=table.size_bytes / table.item_count if table.item_count else 0.0,
        data_plane=session.data_plane(options.give_up_after_s),
        format=FormatSpec(options.format),
        destination=options.destination,
        aws=options.aws,
        max_file_bytes=options.file_megabytes * MEGABYTE,
        consistent_read=options.consistent_read,
        lanes=lanes,
        compress=options.compress,
    )
