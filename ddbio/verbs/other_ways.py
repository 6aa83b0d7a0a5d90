"""What decides which other ways a job has (`ddbio.forecast.alternatives`): its options and its tables."""

from __future__ import annotations

from collections.abc import Iterable

from ddbio.forecast.alternatives import NATIVE, Task
from ddbio.forecast.forecast import Amount
from ddbio.job.run import Run
from ddbio.job.side import Side
from ddbio.options import ScanOptions, TransformOptions
from ddbio.sources.cutting import Source
from ddbio.verbs.import_sources import ImportSources
from ddbio.verbs.options import CopyOptions, ExportOptions, ImportOptions

_S3 = "s3://"


def export_task(options: ExportOptions, run: Run) -> Task:
    whole = _takes_all(options) and _keeps_items(options) and options.columns is None
    return Task(
        "export",
        run.session.region,
        whole=whole,
        to_s3=options.destination.startswith(_S3),
        history=_history(run),
    )


def import_task(options: ImportOptions, run: Run, sources: ImportSources, *, creates_table: bool) -> Task | None:
    """None for an import that deletes, which no other way does."""
    if options.mode != "put" or run.tables:
        return None
    found = sources.all_sources()
    is_unknown = sources.found.has_stdin or any(each.packed for each in found)
    return Task(
        "import",
        run.session.region,
        whole=_keeps_items(options) and not (options.csv.types or options.csv.infer_types),  # it makes no types
        file_bytes=None if is_unknown else Amount.exact(sources.total_bytes),
        file_format=NATIVE if sources.found.exports and not sources.found.files else _format_of(found),
        from_s3=all(source.startswith(_S3) for source in options.sources),
        creates_table=creates_table,
    )


def copy_task(options: CopyOptions, run: Run, *, creates_table: bool) -> Task:
    assert run.other is not None
    return Task(
        "copy",
        run.session.region,
        whole=_takes_all(options) and _keeps_items(options) and options.mode == "put",
        creates_table=creates_table,
        same_place=_is_same_place(options, run.main, run.other),
        history=_history(run),
    )


def scan_task(verb: str, options: ScanOptions, run: Run) -> Task:
    """Of a verb that reads a table, or that reads it and deletes items of it."""
    reads_exports = verb in ("find", "sql")
    return Task(verb, run.session.region, whole=_takes_all(options), history=_history(run) if reads_exports else None)


def _takes_all(options: ScanOptions) -> bool:
    """Whether it reads all items of a table, whole."""
    parts = (options.attributes, options.filter, options.index, options.limit, options.sample)
    return all(part is None for part in parts)


def _keeps_items(options: TransformOptions) -> bool:
    return not (options.transform or options.rename or options.drop or options.assign)


def _history(run: Run) -> bool | None:
    return run.session.keeps_history(run.table.address)


def _format_of(sources: Iterable[Source]) -> str | None:
    """The format of all; None if they differ, or if there are none."""
    names = {each.format.name for each in sources}
    return names.pop() if len(names) == 1 else None


def _is_same_place(options: CopyOptions, source: Side, target: Side) -> bool:
    """Whether both tables are in one region and account. A table to be created has no ARN: then by the profile."""
    accounts = {_account(side) for side in (source, target)}
    same_account = len(accounts) == 1 if None not in accounts else options.aws.profile == options.to_aws.profile
    return source.session.region == target.session.region and same_account


def _account(side: Side) -> str | None:
    """From the table's ARN; None if it has none yet."""
    return next(iter(str(side.table.description.get("TableArn") or "").split(":")[4:5]), None)
