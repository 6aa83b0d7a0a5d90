"""ddbio moves DynamoDB tables: fast parallel import and export under a capacity cap that holds.

    from ddbio import ImportOptions, import_table
    result = import_table(ImportOptions(table="Orders", sources=("orders.json",), capacity="500"))

The names in `__all__` are the public API. They are loaded when they are first used, so that `import ddbio` costs
nothing. Behind them are the packages, each of which imports only those below it (docs/architecture.md):

cli           argv to options, results to text, errors to one line and an exit code
verbs         what a user can ask for, one module a verb
job           a run from its beginning to its end: caps, counts, journal, report, progress
engines       who works: one process, or a pool of them
flow          what a lane does with one unit of work
sources       where records and items come from, and how they are cut into units
steps         what happens to items on their way: transforms, limits
sinks         where they go: writes to a table, files, standard output, the rejects file
dynamodb      the service: signing, requests, retries
layouts       how the files of an export lie, and the manifests beside them
formats       what a record looks like, one package or module a format
storage       where bytes come from and go to: disk, S3
rate          the cap: token buckets in shared memory, and who waits for them
options       what can be asked for, as plain data
messages      all that crosses between processes
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
    from ddbio.errors import DdbioError, Stopped, TransferError, UsageError
    from ddbio.verbs.export_table import export_table
    from ddbio.verbs.import_table import import_table
    from ddbio.verbs.options import ExportOptions, ImportOptions

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
    "AwsSettings": "ddbio.aws.settings",
    **dict.fromkeys(("ExportOptions", "ImportOptions"), "ddbio.verbs.options"),
    **dict.fromkeys(("DdbioError", "Stopped", "TransferError", "UsageError"), "ddbio.errors"),
    "export_table": "ddbio.verbs.export_table",
    "import_table": "ddbio.verbs.import_table",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
