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
    terminal      the standard streams, and what to do if they fail
    redaction     keeps secrets out of what is written about faults

what the stories are made of
    planning      cuts a job into units
    transfer      what import and export have in common: the engine is run, the books are kept
    imports       what only an import needs: sources, records, batches, rejects
    exports       what only an export needs: pages, files, which part of a table
    engines       who does the work: the processes, the workers and their lanes
    books         what a run may claim, and the journal it is taken up again from
    output_paths  where a file beside the data may be written
    scratch       temporary folders that a killed run does not leave behind
    cap           one token bucket for all processes
    machine       what this process may use of the machine

what is moved
    units         all that crosses between parent and workers: units of work, cursors, reports
    items         plain values on one side, typed attribute values on the other
    shape         what the items of a table have in common, so that many are decoded as fast as one
    keys          what makes two items one, and what is no key
    policy        the IAM policy that a command needs
    equality      when two items are the same to DynamoDB
    transforms    what becomes of an item on its way
    user_function  the function of --transform: tried, then loaded
    names         what becomes of the names of attributes by `--rename` and its like
    capacity      sizes and capacity units
    formats       what a record looks like, one module a format
    layouts       how the files of an export lie, and the manifests beside them
    storage       where bytes come from and go to: disk, S3
    dynamodb      the service: signing, requests, retries, table descriptions
    credentials   AWS keys as plain data, and who owns them
    tls           which certificates servers are verified against
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
