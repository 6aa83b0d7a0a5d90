"""The tables of the page: rows of texts, from a report and a history. The template escapes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from ddbio.messages.counts import COUNTS
from ddbio.report_page.facts import Report
from ddbio.report_page.history import History
from ddbio.report_page.outcome import compared
from ddbio.report_page.wording import UNKNOWN, duration, moment, number

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Table:
    """head: empty for a table of names and values. numbers: the columns that are right-aligned. folded: whether it is
    shown only on demand."""

    title: str
    head: Sequence[str]
    rows: Rows
    note: str = ""
    numbers: frozenset[int] = field(default=frozenset())
    folded: bool = False


def tables(report: Report, history: History) -> Iterator[Table]:
    """Those of the page that have any rows, in their order."""
    found = [
        _outcome(report, history),
        _counts(report, history),
        _reasons(report, history),
        _rejects(report),
        Table("Failures", (), [("", failure) for failure in report.failures]),
        _runs(history),
        _caps(report),
        _parts(history),
        _files(history),
        Table("Options", (), [*_flat("", report.options)], folded=True),
        Table("Environment", (), [(name, str(value)) for name, value in report.versions.items() if value]),
    ]
    return (each for each in found if each.rows)


# -- one by one


def _counts(report: Report, history: History) -> Table:
    counts = history.counts or report.counts
    rows = [(each.name, number(counts[each.name]), each.meaning) for each in COUNTS if counts.get(each.name)]
    return Table("Counts, of all runs", ("count", "number", "meaning"), rows, numbers=frozenset({1}))


def _reasons(report: Report, history: History) -> Table:
    reasons = history.reasons or report.reasons
    rows = [(reason, number(count)) for reason, count in sorted(reasons.items(), key=lambda each: -each[1])]
    return Table("Throttles and retries, by reason", ("reason", "number"), rows, numbers=frozenset({1}))


def _rejects(report: Report) -> Table:
    rows = [
        (code, number(each.count), _place(each.first), str(each.first.get("message", "")))
        for code, each in report.rejects_by_code.items()
    ]
    note = f"All of them, each with its reason: {report.rejects}" if report.rejects else ""
    head = ("code", "number", "the first one", "its reason")
    return Table("Rejects, by code", head, rows, note, frozenset({1}))


def _place(first: Mapping[str, Any]) -> str:
    key, line, offset = first.get("key"), first.get("line"), first.get("offset")
    place = f"line {line}" if line is not None else f"byte {offset}"
    if key is not None:
        place = msgspec.json.encode(key).decode()
    return f"{first.get('source', '')} {place}"


def _runs(history: History) -> Table:
    rows = []
    for run in history.runs:
        of_run = [each for each in history.samples if each.run == run.number]
        ending = run.why or ("finished" if run.exit_code is not None else "killed, or still running")
        code = "" if run.exit_code is None else str(run.exit_code)
        read = number(sum(each.read for each in of_run))
        rows.append((str(run.number), moment(run.began), duration(run.seconds), read, code, ending))
    head = ("run", "began", "lasted", "read", "exit code", "end")
    return Table("Runs", head, rows, numbers=frozenset({0, 2, 3, 4}))


def _caps(report: Report) -> Table:
    rows = []
    for table, cap in ((report.table, report.cap), (report.other_table, report.other_cap)):
        if table is not None and cap is not None:
            limit = "none" if cap.units_per_s is None else f"{number(cap.units_per_s)} {cap.kind}/s"
            rows.append((table.name, table.region, table.endpoint, limit, cap.origin))
    return Table("Tables", ("table", "region", "endpoint", "cap", "its origin"), rows)


def _parts(history: History) -> Table:
    if history.parts_are != "file":
        return Table("", (), ())
    rows = [
        (
            part.name,
            UNKNOWN if part.size_bytes is None else number(part.size_bytes),
            number(part.read),
            number(part.rejected),
            "yes" if part.done else "no",
        )
        for part in history.parts
    ]
    head = ("source", "bytes", "read", "rejected", "all done")
    return Table("Source files", head, rows, numbers=frozenset({1, 2, 3}), folded=len(rows) > 20)


def _files(history: History) -> Table:
    rows = [(file.name, number(file.items), number(file.size_bytes), file.checksum) for file in history.files]
    more = history.all_files - len(rows)
    note = f"And {more:,} more: the manifest has all of them." if more else ""
    head = ("file", "items", "bytes", "checksum")
    return Table("Files written", head, rows, note, frozenset({1, 2}), folded=len(rows) > 20)


def _flat(prefix: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The options that were given a value, those inside others by their path."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value)
        elif value not in (None, "", False, [], ()):
            yield f"{prefix}{name}", value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _outcome(report: Report, history: History) -> Table:
    """The plan of the job's begin, and the outcome; nothing of a job that was refused."""
    if not history.counts and history.forecast is None:
        return Table("", (), ())
    rows, note = compared(report, history)
    return Table("Plan and outcome", ("", "plan", "outcome"), rows, note, frozenset({1, 2}))
