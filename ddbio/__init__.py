"""ddbio moves DynamoDB tables: fast parallel import and export under a capacity cap that holds.

    from ddbio import ImportOptions, import_table
    result = import_table(ImportOptions(table="Orders", sources=["orders.json"], capacity=500))
    print(result.tally.written)

docs/library.md has more examples.

The names in `__all__` are the public API. They are loaded on first use, so that `import ddbio` costs nothing. The
packages, each of which imports only those below it (docs/architecture.md):

loaders       the interface of the local bulk loaders of CSV
cli           argv to options, results to text, errors to one line and an exit code
library       the verbs as functions that return a result or raise
aio           the same for programs with an event loop
verbs         the verbs, with their options
job           a run from its beginning to its end: caps, counts, journal, report, progress
forecast      the figures of a plan, estimated before anything is moved
engines       one process, or a pool of them
flow          how a lane processes one unit of work
sources       where records and items are read, and how they are cut into units
steps         transforms and limits of items on their way
sinks         their destinations: writes to a table, files, standard output, the rejects file
dynamodb      the service: signing, requests, retries
layouts       the layout of an export's files, and their manifests
formats       the formats of records, one package or module a format
storage       files on disk and S3
rate          the cap: token buckets in shared memory, and the order of waiting requests
options       the shared options, as plain data
natural       option values as a Python programmer writes them
messages      the messages between processes
values        items, keys, tables, capacity units
system        the machine and the process
aws           settings and credentials of AWS
errors        every error, and its exit code
version       the version

simulator     a DynamoDB on a loopback port, with exact capacity, throttling and faults on demand
demo          `python -m ddbio.demo`: the main job without AWS
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ddbio.version import __version__ as __version__

if TYPE_CHECKING:
    from ddbio.aws.settings import AwsSettings
    from ddbio.errors import DdbioError, RejectedError, Stopped, TransferError, UsageError
    from ddbio.library.calls import (
        copy_table,
        count_items,
        delete_from_table,
        diff_tables,
        export_table,
        import_table,
        inspect_table,
        revert_changes,
        sync_tables,
        update_table,
        verify_export,
    )
    from ddbio.library.items import delete_items, put_items, scan
    from ddbio.options import CsvOptions
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

__all__ = [
    "AwsSettings",
    "CopyOptions",
    "CountOptions",
    "CsvOptions",
    "DdbioError",
    "DeleteOptions",
    "DiffOptions",
    "ExportOptions",
    "ImportOptions",
    "InspectOptions",
    "RejectedError",
    "RevertOptions",
    "Stopped",
    "SyncOptions",
    "TransferError",
    "UpdateOptions",
    "UsageError",
    "VerifyOptions",
    "copy_table",
    "count_items",
    "delete_from_table",
    "delete_items",
    "diff_tables",
    "export_table",
    "import_table",
    "inspect_table",
    "put_items",
    "revert_changes",
    "scan",
    "sync_tables",
    "update_table",
    "verify_export",
]

_HOMES = {
    "AwsSettings": "ddbio.aws.settings",
    "CsvOptions": "ddbio.options",
    **dict.fromkeys(
        (
            "DdbioError",
            "RejectedError",
            "Stopped",
            "TransferError",
            "UsageError",
        ),
        "ddbio.errors",
    ),
    **dict.fromkeys(
        (
            "copy_table",
            "count_items",
            "delete_from_table",
            "diff_tables",
            "export_table",
            "import_table",
            "inspect_table",
            "revert_changes",
            "sync_tables",
            "update_table",
            "verify_export",
        ),
        "ddbio.library.calls",
    ),
    **dict.fromkeys(
        (
            "delete_items",
            "put_items",
            "scan",
        ),
        "ddbio.library.items",
    ),
    **dict.fromkeys(
        (
            "CopyOptions",
            "CountOptions",
            "DeleteOptions",
            "DiffOptions",
            "ExportOptions",
            "ImportOptions",
            "InspectOptions",
            "RevertOptions",
            "SyncOptions",
            "UpdateOptions",
            "VerifyOptions",
        ),
        "ddbio.verbs.options",
    ),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
