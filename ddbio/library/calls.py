"""The verbs as functions. `ddbio.library.calling.call` documents what they share."""

from __future__ import annotations

from ddbio.engines.engine import Engine
from ddbio.job.progress import Progress
from ddbio.library.calling import call
from ddbio.system.stop import StopFlag
from ddbio.verbs.copy_table import Copy, CopyResult
from ddbio.verbs.count_items import Count, CountResult
from ddbio.verbs.delete_items import Delete
from ddbio.verbs.diff import Diff, DiffResult
from ddbio.verbs.edits import EditResult
from ddbio.verbs.export_table import Export, ExportResult
from ddbio.verbs.import_table import Import, ImportResult
from ddbio.verbs.inspect_table import Inspect, InspectResult
from ddbio.verbs.options import (
    CopyOptions,
    CountOptions,
    DeleteOptions,
    DiffOptions,
    ExportOptions,
    ImportOptions,
    InspectOptions,
    RevertOptions,
    SyncOptions,
    UpdateOptions,
    VerifyOptions,
)
from ddbio.verbs.revert import Revert
from ddbio.verbs.sync import Sync, SyncResult
from ddbio.verbs.update_items import Update
from ddbio.verbs.verify_export import Verify, VerifyResult


def import_table(
    options: ImportOptions,
    *,
    progress: Progress | bool = False,
    on_rejects: str = "keep",
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> ImportResult:
    """Import files into a table, or resume an unfinished import with the same options.

    Returns when every record is settled. Rejected records are in `ImportResult.rejects`, a file; with
    `on_rejects="raise"` they raise RejectedError at the end. See `call` for the other parameters and errors.
    """
    return call(Import(options), progress=progress, on_rejects=on_rejects, stop=stop, engine=engine)


def export_table(
    options: ExportOptions,
    *,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> ExportResult:
    """Export a table to files, or resume an unfinished export with the same options.

    Returns when the export is complete. See `call` for the parameters and errors.
    """
    return call(Export(options), progress=progress, stop=stop, engine=engine)


def copy_table(
    options: CopyOptions,
    *,
    progress: Progress | bool = False,
    on_rejects: str = "keep",
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> CopyResult:
    """Copy the items of a table into another one, or resume an unfinished copy with the same options.

    Returns when every item is settled. Rejected items are in `CopyResult.rejects`, a file; with `on_rejects="raise"`
    they raise RejectedError at the end. See `call` for the other parameters and errors.
    """
    return call(Copy(options), progress=progress, on_rejects=on_rejects, stop=stop, engine=engine)


def count_items(
    options: CountOptions,
    *,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> CountResult:
    """Count the items of a table, or resume an unfinished count with the same options.

    See `call` for the parameters and errors.
    """
    return call(Count(options), progress=progress, stop=stop, engine=engine)


def delete_from_table(
    options: DeleteOptions,
    *,
    progress: Progress | bool = False,
    on_rejects: str = "keep",
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> EditResult:
    """Delete items of a table, or resume an unfinished delete with the same options. Nobody is asked.

    See `call` for the parameters and errors.
    """
    return call(Delete(options), progress=progress, on_rejects=on_rejects, stop=stop, engine=engine)


def update_table(
    options: UpdateOptions,
    *,
    progress: Progress | bool = False,
    on_rejects: str = "keep",
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> EditResult:
    """Update items of a table, or resume an unfinished update with the same options. Nobody is asked.

    See `call` for the parameters and errors.
    """
    return call(Update(options), progress=progress, on_rejects=on_rejects, stop=stop, engine=engine)


def diff_tables(
    options: DiffOptions,
    *,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> DiffResult:
    """Compare two tables, or a table and an export, or resume an unfinished comparison with the same options.

    See `call` for the parameters and errors.
    """
    return call(Diff(options), progress=progress, stop=stop, engine=engine)


def sync_tables(
    options: SyncOptions,
    *,
    progress: Progress | bool = False,
    on_rejects: str = "keep",
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> SyncResult:
    """Make a table equal to another one, or to an export, or resume that. Nobody is asked.

    See `call` for the parameters and errors.
    """
    return call(Sync(options), progress=progress, on_rejects=on_rejects, stop=stop, engine=engine)


def verify_export(
    options: VerifyOptions,
    *,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> VerifyResult:
    """Verify an export against its manifest, and a table against the export if the options name one.

    See `call` for the parameters and errors.
    """
    return call(Verify(options), progress=progress, stop=stop, engine=engine)


def revert_changes(
    options: RevertOptions,
    *,
    progress: Progress | bool = False,
    on_rejects: str = "keep",
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> ImportResult:
    """Undo the changes in incremental exports by DynamoDB, or resume that. Nobody is asked.

    See `call` for the parameters and errors.
    """
    return call(Revert(options), progress=progress, on_rejects=on_rejects, stop=stop, engine=engine)


def inspect_table(
    options: InspectOptions,
    *,
    progress: Progress | bool = False,
    stop: StopFlag | None = None,
    engine: Engine | None = None,
) -> InspectResult:
    """Profile the items of a table or a sample, or resume that.

    See `call` for the parameters and errors.
    """
    return call(Inspect(options), progress=progress, stop=stop, engine=engine)
