"""ddbio moves DynamoDB tables: fast parallel import and export under a capacity cap that holds.

    from ddbio import ImportOptions, import_table
    result = import_table(ImportOptions(table="Orders", sources=("orders.json",), capacity="500"))

The names in `__all__` are the public API. They are loaded when they are first used, so that `import ddbio` costs
nothing. Behind them, a line for every module and package:

the stories, each to be read from top to bottom
    importer      files into a table
    exporter      a table into files
    generator     test data, as fast as a disk takes it
    demo          `python -m ddbio.demo`: the main job without AWS

for people
    cli           argv to options, results to text, errors to one line and an exit code
    options       what can be asked for
    errors        every error, and its exit code
    progress      what is shown while it works

the parent
    columns       which columns the files of an export have
    survey        what attributes a table has
    recognition   which format each file has, and what its head says
    planning      cuts a job into units
    sources       what is imported, and in which order
    native        DynamoDB's own exports as sources
    feed          what the parent reads for the workers: large compressed files, standard input
    ahead         makes what an iterable gives in a thread of its own
    transfer      what import and export have in common: the engine is run, the books are kept
    engine        the seam between a job and what runs it; the engine of one process
    pool          the engine of many processes: starts, feeds, watches and ends them
    accounts      the books: what a run may claim
    subset        which part of a table an export takes
    expressions   what a user writes for it, as DynamoDB expressions
    blueprint     the table that an import makes where there is none
    journal       the books on disk: what the same command goes on from
    state         where they are kept: a folder for each job
    report        what a run came to, for programs
    rejects       the rejects file
    reject_place  where it goes
    destination   what may be in the place of an export, before and after
    manifest      the manifest of an export
    caps          what the cap is, and where it comes from
    credentials   AWS keys as plain data, and who owns them
    machine       what this process may use of the machine

the workers
    pool_worker   what runs in a worker process around its event loop
    worker        the event loop and its lanes
    recorder      what each lane has settled, in memory that outlives its process
    reader        reads the slices of files
    blocks        where the records end in what was read
    writer        records become batches, batches are sent
    modes         what a record does to the table: put, insert, delete
    spread        one source into several tables
    batch         what waits to be written by a lane
    small_puts    the usual case of an import, a batch in one go
    scanner       pages of a segment become lines of files

the cap
    governor      one token bucket for all processes, in shared memory
    buckets       its arithmetic
    pacer         a worker's side of it: asks, sleeps, asks again
    estimates     what a batch will consume
    quota         a number of items for all lanes of all processes

what is moved
    units         all that crosses between parent and workers: units of work, cursors, reports
    items         plain values on one side, typed attribute values on the other
    keys          what makes two items one, and what is no key
    transforms    what becomes of an item on its way
    capacity      sizes and capacity units
    native_out    an export in the layout of DynamoDB's own
    page_stream   exports to standard output
    compression   on the way out: gzip and zstd
    unpacking     on the way in: the same, and what a manifest says of a file
    formats       what a record looks like, one module a format
    storage       where bytes come from and go to: disk, S3
    dynamodb      the service: signing, requests, retries, table descriptions
    testdata      the columns that test data is made of

without AWS
    simulator     a DynamoDB on a loopback port, with exact capacity, throttling and faults on demand
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbio.errors import DdbioError, Stopped, TransferError, UsageError
    from ddbio.exporter import export_table
    from ddbio.importer import import_table
    from ddbio.options import AwsSettings, ExportOptions, ImportOptions

__version__ = "0.1.0"

__all__ = [
    "AwsSettings",
    "DdbioError",
    "ExportOptions",
    "ImportOptions",
    "Stopped",
    "TransferError",
    "UsageError",
    "export_table",
    "import_table",
]

_HOMES = {
    **dict.fromkeys(("AwsSettings", "ExportOptions", "ImportOptions"), "ddbio.options"),
    **dict.fromkeys(("DdbioError", "Stopped", "TransferError", "UsageError"), "ddbio.errors"),
    "export_table": "ddbio.exporter",
    "import_table": "ddbio.importer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
