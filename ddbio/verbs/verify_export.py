"""Verify: an export against its manifest, and a table against an export."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.errors import EXIT_OK, EXIT_REJECTED, UsageError
from ddbio.forecast.forecast import ZERO, Amount, Forecast
from ddbio.forecast.needs import memory_of
from ddbio.forecast.preview import Preview
from ddbio.job.accounts import Result
from ddbio.job.progress import QuietProgress
from ddbio.job.report import reported
from ddbio.job.report_place import check_report_path
from ddbio.job.run import Caller
from ddbio.job.state import known_state_root
from ddbio.messages import Tally
from ddbio.options import ComparisonOptions
from ddbio.sources.export_check import ExportToCheck, export_at
from ddbio.storage import Storages
from ddbio.storage.output_paths import Protected
from ddbio.verbs.comparison import Comparison
from ddbio.verbs.diff import Diff, DiffResult, facts_of
from ddbio.verbs.options import DiffOptions, VerifyOptions

_COMPARABLE = ("filter", "values", "names", "attributes")  # options of an export that a comparison can have, too


@dataclass(frozen=True, slots=True)
class VerifyResult(Result):
    """problems: of the export, a sentence each. files, items, bytes: that were read. diff: with the table, if one was
    named and the export is as its manifest says."""

    export: str
    problems: tuple[str, ...]
    files: int
    items: int
    bytes: int
    diff: DiffResult | None = None

    @property
    def exit_code(self) -> int:
        if self.error is not None:
            return self.error.exit_code
        if self.problems:
            return EXIT_REJECTED
        return EXIT_OK if self.diff is None else self.diff.exit_code


class Verify:
    """See `ddbio.job.spine.Story`."""

    name = "verify"

    def __init__(self, options: VerifyOptions) -> None:
        self.options = options

    def perform(self, caller: Caller) -> VerifyResult:
        check_report_path(self.options, Protected(state=known_state_root(self.options.state_dir)))
        with reported(self.name, self.options, caller.take_report) as report:
            asked = self._diff_options()
            if asked is not None:
                Comparison(asked, caller)  # what cannot work is refused before files are read
            result = self._with_table(self._checked(caller), asked, caller)
            return report.end(result, **_facts(result))

    def preview(self, caller: Caller) -> Preview:
        export = self._export()
        files = Forecast(
            read_bytes=Amount.exact(2 * export.total_bytes),
            written_bytes=ZERO,
            processes=1,
            memory_bytes=memory_of(workers=0, lanes=0, lane_bytes=0),
            disk_bytes=ZERO,
        )
        plan = Preview.of([f"{_verifying(export)}; every file is read twice"], files)
        asked = self._diff_options()
        if asked is None:
            return plan
        compared = Diff(asked).preview(caller)
        return plan.followed(compared.sentences, compared.forecast)

    def _export(self) -> ExportToCheck:
        options = self.options
        keys = Session(options.to_aws, (options.to,)).keys if options.to else None
        return export_at(options.table, Storages(options.aws, keys))

    def _diff_options(self) -> DiffOptions | None:
        """Of the comparison with the table; None without one. Raises UsageError."""
        if not self.options.to:
            return None
        shared = {each.name: getattr(self.options, each.name) for each in fields(ComparisonOptions)}
        return _TableDiffOptions(**{**shared, "report": None, **_part_of(self._export())})

    def _checked(self, caller: Caller) -> VerifyResult:
        progress, began_s = caller.progress or QuietProgress(), time.monotonic()
        export = self._export()
        progress.say(_verifying(export))
        progress.start(export.total_bytes, "B", float("inf"))
        tally, problems, size_bytes = Tally(), [*export.problems], 0
        for checked in export.results():
            tally.read += checked.items
            tally.counted += checked.items
            size_bytes += checked.bytes
            problems += [checked.problem] * bool(checked.problem)
            progress.update(checked.bytes, tally)
        progress.finish()
        return VerifyResult(
            tally,
            time.monotonic() - began_s,
            None,
            export=export.uri,
            problems=tuple(problems),
            files=len(export.checks),
            items=tally.read,
            bytes=size_bytes,
        )

    def _with_table(self, checked: VerifyResult, asked: DiffOptions | None, caller: Caller) -> VerifyResult:
        if asked is None or checked.problems:
            return checked
        inner = Caller(caller.progress, caller.engine, caller.stop, lambda report: None)
        diff = Diff(asked).perform(inner)
        tally = checked.tally.copy()
        tally.add(diff.tally)
        return VerifyResult(
            tally,
            checked.seconds + diff.seconds,
            diff.error,
            failures=diff.failures,
            export=checked.export,
            problems=(),
            files=checked.files,
            items=checked.items,
            bytes=checked.bytes,
            diff=diff,
        )


def _verifying(export: ExportToCheck) -> str:
    files = len(export.checks)
    return f"Verifying {export.uri}: {files:,} file{'s' * (files != 1)}, {export.total_bytes:,} bytes"


@dataclass(frozen=True, kw_only=True)
class _TableDiffOptions(DiffOptions):
    """Of the only table of the command."""

    to_capacity_option = "-c"


def _part_of(export: ExportToCheck) -> dict[str, Any]:
    """The options of a comparison with the part of the table that the export claims to have. Raises UsageError."""
    part = export.part
    unfit = [f"--{name}" for name in part if name not in _COMPARABLE]
    if unfit:
        raise UsageError(
            f'"{export.uri}" says that the export was made with {" and ".join(unfit)}: it is not the table as it was',
            "verify it without -t; ddbio diff -s compares it nevertheless",
        )
    return {name: value for name, value in part.items() if name in _COMPARABLE}


def _facts(result: VerifyResult) -> dict[str, Any]:
    return {
        "export": result.export,
        "files": result.files,
        "export_items": result.items,
        "problems": list(result.problems),
        **(facts_of(result.diff) if result.diff is not None else {}),
    }
