"""The verbs as functions.

how: the parameters that all of them share, and the errors: `ddbio.library.calling.call`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddbio.library.calling import How, call, checked
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

if TYPE_CHECKING:  # Python 3.10 has no Unpack
    from ddbio.library.calling import Unpack


def import_table(options: ImportOptions, **how: Unpack[How]) -> ImportResult:
    """Import files into a table, or resume an unfinished import with the same options.

    Returns when every record is settled. Rejected records are in `ImportResult.rejects`, a file; with
    `on_rejects="raise"` they raise RejectedError at the end. See `call` for the other parameters and errors.
    """
    return call(Import(checked(options, ImportOptions)), **how)


def export_table(options: ExportOptions, **how: Unpack[How]) -> ExportResult:
    """Export a table to files, or resume an unfinished export with the same options.

    Returns when the export is complete. See `call` for the parameters and errors.
    """
    return call(Export(checked(options, ExportOptions)), **how)


def copy_table(options: CopyOptions, **how: Unpack[How]) -> CopyResult:
    """Copy the items of a table into another one, or resume an unfinished copy with the same options.

    Returns when every item is settled. Rejected items are in `CopyResult.rejects`, a file; with `on_rejects="raise"`
    they raise RejectedError at the end. See `call` for the other parameters and errors.
    """
    return call(Copy(checked(options, CopyOptions)), **how)


def count_items(options: CountOptions, **how: Unpack[How]) -> CountResult:
    """Count the items of a table, or resume an unfinished count with the same options.

    See `call` for the parameters and errors.
    """
    return call(Count(checked(options, CountOptions)), **how)


def delete_from_table(options: DeleteOptions, **how: Unpack[How]) -> EditResult:
    """Delete items of a table, or resume an unfinished delete with the same options. Nobody is asked.

    See `call` for the parameters and errors.
    """
    return call(Delete(checked(options, DeleteOptions)), **how)


def update_table(options: UpdateOptions, **how: Unpack[How]) -> EditResult:
    """Update items of a table, or resume an unfinished update with the same options. Nobody is asked.

    See `call` for the parameters and errors.
    """
    return call(Update(checked(options, UpdateOptions)), **how)


def diff_tables(options: DiffOptions, **how: Unpack[How]) -> DiffResult:
    """Compare two tables, or a table and an export, or resume an unfinished comparison with the same options.

    See `call` for the parameters and errors.
    """
    return call(Diff(checked(options, DiffOptions)), **how)


def sync_tables(options: SyncOptions, **how: Unpack[How]) -> SyncResult:
    """Make a table equal to another one, or to an export, or resume that. Nobody is asked.

    See `call` for the parameters and errors.
    """
    return call(Sync(checked(options, SyncOptions)), **how)


def verify_export(options: VerifyOptions, **how: Unpack[How]) -> VerifyResult:
    """Verify an export against its manifest, and a table against the export if the options name one.

    See `call` for the parameters and errors.
    """
    return call(Verify(checked(options, VerifyOptions)), **how)


def revert_changes(options: RevertOptions, **how: Unpack[How]) -> ImportResult:
    """Undo the changes in incremental exports by DynamoDB, or resume that. Nobody is asked.

    See `call` for the parameters and errors.
    """
    return call(Revert(checked(options, RevertOptions)), **how)


def inspect_table(options: InspectOptions, **how: Unpack[How]) -> InspectResult:
    """Profile the items of a table or a sample, or resume that.

    See `call` for the parameters and errors.
    """
    return call(Inspect(checked(options, InspectOptions)), **how)
