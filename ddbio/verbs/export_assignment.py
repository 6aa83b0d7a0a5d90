"""The job that an export gives to its engine, once the columns of its files are known, and the output of pages that
the parent writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ddbio.flow.export_job import ExportJob
from ddbio.formats import line_format
from ddbio.formats.compression import get_compression
from ddbio.job.journal import Journal
from ddbio.job.run import Run
from ddbio.job.work import Assignment
from ddbio.messages import Tally, UnitReport
from ddbio.messages.format_spec import FormatSpec
from ddbio.options import MEGABYTE, STDOUT
from ddbio.sinks.stdout import StandardOutput, packed_by_itself
from ddbio.sources.plan import Plan, Remainder
from ddbio.sources.subset import Subset, expected_items, limit_of
from ddbio.steps.transform import transform_of
from ddbio.verbs.columns import choose_format
from ddbio.verbs.discover_columns import Discovered, discover
from ddbio.verbs.export_files import data_folder
from ddbio.verbs.options import ExportOptions
from ddbio.verbs.scan import mean_item_bytes, source_of

TakePage = Callable[[bytes], object]


def export_assignment(
    run: Run,
    options: ExportOptions,
    subset: Subset,
    plan: Plan,
    left: Remainder,
    journal: Journal,
    take_page: TakePage | None = None,
) -> Assignment:
    """Scans the table first, if its columns have to be discovered. take_page: gets the pages in place of standard
    output."""
    job, spent = _with_columns(run, options, _job(run, options, subset, journal), plan, journal)
    return Assignment(
        job,
        expected_items(options, run.table),
        "items",
        journal.past.tally.read,
        _progress_of(run, job, take_page),
        item_limit=limit_of(options.limit, left, journal.settled()),
        spent=spent,
    )


def _job(run: Run, options: ExportOptions, subset: Subset, journal: Journal) -> ExportJob:
    return ExportJob(
        source=source_of(run, options),
        item_bytes=mean_item_bytes(run.table),
        format=FormatSpec(options.format),
        destination=data_folder(options, journal.plan),
        aws=run.session.aws,
        max_file_bytes=options.file_megabytes * MEGABYTE,
        consistent_read=options.consistent_read,
        lanes=run.lanes,
        compress=options.compress,
        md5=options.native_layout,
        subset=subset,
        transform=transform_of(options),
    )


def _with_columns(
    run: Run, options: ExportOptions, job: ExportJob, plan: Plan, journal: Journal
) -> tuple[ExportJob, Tally]:
    """The job with the columns of its files, and the counts of the scan that found them, if one was needed."""
    spent = Tally()

    def look() -> Discovered:
        found = discover(run, options, job, plan.units)
        spent.add(found.tally.spent())
        return found

    format, remarks = choose_format(options, run.table, journal, look)
    for remark in remarks:
        run.progress.say(remark)
    return replace(job, format=format), spent


def _progress_of(run: Run, job: ExportJob, take_page: TakePage | None) -> Callable[[UnitReport], float]:
    """The progress of a report; for an export to standard output, writes its pages there."""
    if job.destination != STDOUT:
        return lambda report: report.tally.read
    put = take_page or StandardOutput(run.stop).write
    put(packed_by_itself(get_compression(job.compress), line_format(job.format).head))

    def write(report: UnitReport) -> float:
        put(report.page)
        return report.tally.read

    return write
