"""The page: a template filled with texts and charts. It has no script, and asks nothing of the network.

Every text is escaped by the template engine; only the charts are inserted as they are, and matplotlib escapes their
texts. A policy in the page forbids scripts and requests besides.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from ddbio.report_page.charts import Chart, charts
from ddbio.report_page.facts import Cap, JobFacts, Report
from ddbio.report_page.history import History
from ddbio.report_page.kind import BEGINNING
from ddbio.report_page.tables import tables
from ddbio.report_page.wording import UNKNOWN, duration, moment, number


@dataclass(frozen=True, slots=True)
class Drawn:
    chart: Chart
    svg: str


def render(job: JobFacts, report: Report, history: History | None) -> bytes:
    """history: None if there is none, as of a command that was refused."""
    import jinja2

    from ddbio.report_page import figures

    known = history or History()
    kinds = [cap.kind for cap in _caps_in_order(report, known)]
    drawn = [Drawn(chart, figures.svg(chart.drawing, at)) for at, chart in enumerate(charts(known, kinds))]
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        _resource("page.html")
    )
    text = template.render(
        style=_resource("page.css"),
        title=f"{job.verb} {job.table}",
        job=job,
        report=report,
        times=_times(report, known),
        tiles=list(_tiles(report, known)),
        steps=list(_steps(job, report)),
        charts=drawn,
        tables=list(tables(report, known)),
        resumed=len(known.runs) > 1,
    )
    return BEGINNING + text.encode("utf-8", "backslashreplace")


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _caps_in_order(report: Report, history: History) -> list[Cap]:
    """The caps of the sides; `-t` names the first."""
    return [cap for cap in (report.cap, report.other_cap) if cap is not None]


def _tiles(report: Report, history: History) -> Iterator[tuple[str, str]]:
    """The main figures: a name and a value each."""
    counts = history.counts or report.counts
    seconds = history.seconds or report.timing.seconds_of_all_runs
    yield "exit code", UNKNOWN if report.exit_code is None else str(report.exit_code)
    for name in ("read", "written", "counted", "rejected", "skipped"):
        if counts.get(name) or name == "read":
            yield name, number(counts.get(name, 0))
    if history.units_of_work:
        yield "units of work done", f"{history.units_done:,} of {history.units_of_work:,}"
    yield "capacity units", number(counts.get("units", 0.0))
    yield "throttled", number(counts.get("throttled", 0))
    yield "working time", duration(seconds)
    if seconds:
        yield "items per second", number(round(counts.get("read", 0) / seconds))


def _times(report: Report, history: History) -> str:
    began = moment(history.runs[0].began if history.runs else report.timing.began)
    runs = f", {len(history.runs)} runs" if len(history.runs) > 1 else ""
    return f"{began} to {moment(report.timing.ended)}{runs}"


def _steps(job: JobFacts, report: Report) -> Iterator[tuple[str, str]]:
    """How to resume or repair the job: a sentence, and the command for it, if there is one."""
    if report.error is not None and report.error.hint:
        yield f"{report.error.message}: {report.error.hint}.", ""
    if job.state in ("unfinished", "running") and job.id:
        yield "The job is unfinished. This resumes it:", f"ddbio jobs resume {job.id}"
    elif report.exit_code and report.exit_code > 1 and job.command:
        yield "Nothing is left to resume. To run the command again:", job.command
    if report.rejects and job.verb == "import":
        yield (
            "Fix the records in the file of rejects, where each has its reason, and import that file:",
            f"ddbio import -t {shlex.quote(job.table)} -s {shlex.quote(report.rejects)}",
        )
    elif report.rejects:
        yield f"Each rejected item is in {report.rejects} with its reason: fix it, and run the command again.", ""
    if job.verb == "export" and report.exit_code == 0 and (place := report.options.get("destination")):
        yield "This checks the files against the manifest:", f"ddbio verify {shlex.quote(str(place))}"
