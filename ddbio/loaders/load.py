"""One load: the import that it is, and its outcome as a `LoadResult`.

An error of the file itself is raised, as `open` would raise it. Whatever happens afterwards is in the result, as the
loaders' users expect: a missing table fails all records of the file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ddbio.aws.settings import AwsSettings
from ddbio.errors import DdbioError, Stopped
from ddbio.formats.rejected import read_rejected
from ddbio.job.database import FRESH
from ddbio.job.progress import Progress
from ddbio.library.calling import call
from ddbio.library.wording import NameOf, parameters
from ddbio.loaders.config import LoaderConfig, LoadResult
from ddbio.loaders.csv_file import records
from ddbio.loaders.wording import of_loader
from ddbio.options import CsvOptions
from ddbio.system.machine import usable_cpus
from ddbio.system.stop import StopFlag
from ddbio.verbs.import_table import Import, ImportResult
from ddbio.verbs.options import ImportOptions

MOST_ERRORS = 1_000  # sentences about rows, to keep memory flat
_AS_TEXT = CsvOptions(empty="string", keep_blanks=True)  # as csv.DictReader reads; keys have their types in the table

logger = logging.getLogger("ddbio.loaders")


@dataclass(frozen=True)
class Outcome:
    """stopped: whether the load ended because it was asked to stop."""

    result: LoadResult
    stopped: bool = False


def load(
    config: LoaderConfig,
    path: str,
    stop: StopFlag,
    progress: Progress | None = None,
    name_of: NameOf = of_loader,
) -> Outcome:
    """Load a file, or resume a load of it that did not finish. path: see `csv_file.readable`. name_of: in messages.

    In the main thread Ctrl-C stops it in order, too, unless the program has a handler of its own.
    """
    began_s = time.monotonic()
    done, error = _performed(options_of(config, path), stop, progress, name_of)
    if done is None:
        total = max(1, records(path))  # a load that failed is seen by programs that look at `failed_writes` alone
        result = LoadResult(total, 0, total, time.monotonic() - began_s, [str(error)])
        return Outcome(result, isinstance(error, Stopped))
    for warning in done.warnings:
        logger.warning(warning)
    written = done.tally.written + done.tally.replaced
    total = done.tally.read if error is None else max(done.tally.read, records(path))
    errors = [*_rejected(done), *([] if error is None else [str(error)])]
    result = LoadResult(total, written, total - written, time.monotonic() - began_s, errors, done.rejects)
    return Outcome(result, isinstance(error, Stopped))


def options_of(config: LoaderConfig, path: str) -> ImportOptions:
    processes, lanes = config.shared_out(usable_cpus())
    return ImportOptions(
        table=config.table_name,
        sources=(path,),
        format="csv",
        csv=_AS_TEXT,
        processes=processes,
        lanes=lanes,
        give_up_after_s=config.patience_s,
        aws=AwsSettings(region=config.region, longest_wait_s=config.patience_s),
    )


def _performed(
    options: ImportOptions, stop: StopFlag, progress: Progress | None, name_of: NameOf
) -> tuple[ImportResult | None, DdbioError | None]:
    """The result, None if nothing was moved; and the error if the load is not complete."""
    try:
        return call(Import(options), stop=stop, progress=progress or False, name_of=name_of), None
    except DdbioError as error:
        if not options.fresh and parameters(FRESH, name_of) in error.hint:
            # The file is not the one of the load that did not finish, or its journal is damaged. Every record is
            # put, so it is safe to load all of it once more.
            return _performed(replace(options, fresh=True), stop, progress, name_of)
        return (error.result if isinstance(error.result, ImportResult) else None), error


def _rejected(done: ImportResult) -> Iterator[str]:
    """A sentence for each rejected row; after the first thousand one for all others."""
    if done.rejects is None:
        return
    with Path(done.rejects).open("rb") as lines:
        for line in islice(lines, MOST_ERRORS):
            if (rejected := read_rejected(line)) is not None:
                where = f"line {rejected.line}" if rejected.line else f"offset {rejected.offset}"
                yield f"{rejected.source}, {where}: {rejected.message} ({rejected.code})"
    if (more := done.tally.rejected - MOST_ERRORS) > 0:
        yield f"and {more:,} more rejected rows: all are in {done.rejects}"
