"""ddbio moves DynamoDB tables: fast parallel import and export under a capacity cap that holds.

    from ddbio import ImportOptions, import_table, scan

    result = import_table(ImportOptions(table="Orders", sources=["orders.json"], capacity=500))
    print(result.tally.written, "written,", result.tally.rejected, "rejected")
    for item in scan("Orders", filter="price > :p", values={"p": 10}):
        print(item)

Items of a program, with options as keywords:

    put_items(table, items)         write dicts, a DataFrame or Arrow data; mode="insert" never overwrites
    delete_items(table, keys)       delete the items that have these keys
    scan(table)                     iterate over the items, as dicts
    scan_arrow(table)               a pyarrow.RecordBatchReader of the items
    find_items(table)               a list of the items that match a filter, or of the first ones in an order
    query_table(table, query)       a SELECT of DuckDB over the items, as a pyarrow.Table

Whole tables, files and exports, with options as one object, by the names of the commands' options:

    import_table(ImportOptions)     files into a table
    export_table(ExportOptions)     a table into files
    copy_table(CopyOptions)         a table into another one
    count_items(CountOptions)       the number of items
    inspect_table(InspectOptions)   sizes, attributes, keys and indexes
    diff_tables(DiffOptions)        the differences of two tables, or of a table and an export
    sync_tables(SyncOptions)        make a table equal to another one, or to an export
    verify_export(VerifyOptions)    an export against its manifest, a table against it
    update_table(UpdateOptions)     change the items that match a filter
    delete_from_table(DeleteOptions)  delete them
    revert_changes(RevertOptions)   undo the changes in incremental exports

Each of them returns a result when its job is complete, and raises otherwise: UsageError if nothing was moved,
TransferError if the job failed, Stopped if it was asked to stop. The same call again resumes the job; put_items and
the scans begin again. Rejected records are no error, unless on_rejects="raise" is given. An error has the counts so
far as its `result`.

Each accepts progress=True, and stop=StopFlag(), whose `ask()` stops the job in order, as Ctrl-C does. The settings of
AWS are `aws=AwsSettings(region=..., profile=..., endpoint_url=...)` of the options, or `region=`, `profile=` and
`endpoint_url=` as keywords. `ddbio.aio` has the same functions for programs with an event loop, and `ddbio.loaders`
the interface of the local bulk loaders. docs/library.md has recipes and all rules.

The names in `__all__` are the public API. They are loaded on first use, so that `import ddbio` costs nothing. The
packages, each of which imports only those below it (docs/architecture.md):

loaders       the interface of the local bulk loaders of CSV
cli           argv to options, results to text, errors to one line and an exit code
library       the verbs as functions that return a result or raise
aio           the same for programs with an event loop
spark         tables as DataFrames of Spark
verbs         the verbs, with their options
job           a run from its beginning to its end: caps, counts, journal, report, progress
report_page   the report of a job for people, in HTML
forecast      the figures of a plan, estimated before anything is moved
cluster       workers on many machines, which join a hub of the driver
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
native        the native core, if it was built: some functions that are faster than those in Python
errors        every error, and its exit code
version       the version

simulator     a DynamoDB on a loopback port, with exact capacity, throttling and faults on demand
demo          `python -m ddbio.demo`: the main job without AWS
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ddbio.version import __version__ as __version__

if TYPE_CHECKING:  # for type checkers, what `_NAMES` says to the interpreter
    from ddbio.aws.settings import AwsSettings as AwsSettings
    from ddbio.errors import DdbioError as DdbioError
    from ddbio.errors import RejectedError as RejectedError
    from ddbio.errors import Stopped as Stopped
    from ddbio.errors import TransferError as TransferError
    from ddbio.errors import UsageError as UsageError
    from ddbio.library.arrow import query_table as query_table
    from ddbio.library.arrow import scan_arrow as scan_arrow
    from ddbio.library.calls import copy_table as copy_table
    from ddbio.library.calls import count_items as count_items
    from ddbio.library.calls import delete_from_table as delete_from_table
    from ddbio.library.calls import diff_tables as diff_tables
    from ddbio.library.calls import export_table as export_table
    from ddbio.library.calls import import_table as import_table
    from ddbio.library.calls import inspect_table as inspect_table
    from ddbio.library.calls import revert_changes as revert_changes
    from ddbio.library.calls import sync_tables as sync_tables
    from ddbio.library.calls import update_table as update_table
    from ddbio.library.calls import verify_export as verify_export
    from ddbio.library.items import delete_items as delete_items
    from ddbio.library.items import find_items as find_items
    from ddbio.library.items import put_items as put_items
    from ddbio.library.items import scan as scan
    from ddbio.options import CsvOptions as CsvOptions
    from ddbio.system.stop import StopFlag as StopFlag
    from ddbio.verbs.options import CopyOptions as CopyOptions
    from ddbio.verbs.options import CountOptions as CountOptions
    from ddbio.verbs.options import DeleteOptions as DeleteOptions
    from ddbio.verbs.options import DiffOptions as DiffOptions
    from ddbio.verbs.options import ExportOptions as ExportOptions
    from ddbio.verbs.options import ImportOptions as ImportOptions
    from ddbio.verbs.options import InspectOptions as InspectOptions
    from ddbio.verbs.options import RevertOptions as RevertOptions
    from ddbio.verbs.options import SyncOptions as SyncOptions
    from ddbio.verbs.options import UpdateOptions as UpdateOptions
    from ddbio.verbs.options import VerifyOptions as VerifyOptions

_NAMES = {
    "ddbio.aws.settings": "AwsSettings",
    "ddbio.errors": "DdbioError RejectedError Stopped TransferError UsageError",
    "ddbio.library.arrow": "query_table scan_arrow",
    "ddbio.library.calls": (
        "copy_table count_items delete_from_table diff_tables export_table import_table inspect_table "
        "revert_changes sync_tables update_table verify_export"
    ),
    "ddbio.library.items": "delete_items find_items put_items scan",
    "ddbio.options": "CsvOptions",
    "ddbio.system.stop": "StopFlag",
    "ddbio.verbs.options": (
        "CopyOptions CountOptions DeleteOptions DiffOptions ExportOptions ImportOptions InspectOptions "
        "RevertOptions SyncOptions UpdateOptions VerifyOptions"
    ),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
