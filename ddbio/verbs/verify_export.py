"""Verify: an export against its manifest, and a table against an export."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.errors import EXIT_OK, EXIT_REJECTED
from ddbio.job.accounts import Result
from ddbio.job.progress import QuietProgress
from ddbio.job.report import check_report_path, reported
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
            if self.options.to:
                Comparison(_diff_options(self.options), caller)  # what cannot work is refused before files are read
            result = self._with_table(self._checked(caller), caller)
            return report.end(result, **_facts(result))

    def preview(self, caller: Caller) -> list[str]:
        export = self._export()
        files = f"{len(export.checks):,} files, {export.total_bytes:,} bytes"
        first = f"Verifying {export.uri}: {files}, which are read twice"
        return [first, *(Diff(_diff_options(self.options)).preview(caller) if self.options.to else ())]

    def _export(self) -> ExportToCheck:
        options = self.options
        keys = Session(options.to_aws, (options.to,)).keys if options.to else None
        return export_at(options.table, Storages(options.aws, keys))

    def _checked(self, caller: Caller) -> VerifyResult:
        progress, began_s = caller.progress or QuietProgress(), time.monotonic()
        export = self._export()
        progress.say(f"Verifying {export.uri}: {len(export.checks):,} files, {export.total_bytes:,} bytes")
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

    def _with_table(self, checked: VerifyResult, caller: Caller) -> VerifyResult:
        if not self.options.to or checked.problems:
            return checked
        inner = Caller(caller.progress, caller.engine, caller.stop, lambda report: None)
        diff = Diff(_diff_options(self.options)).perform(inner)
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


def _diff_options(options: VerifyOptions) -> DiffOptions:
    shared = {each.name: getattr(options, each.name) for each in fields(ComparisonOptions)}
    return DiffOptions(**{**shared, "report": None})


def _facts(result: VerifyResult) -> dict[str, Any]:
    return {
        "export": result.export,
        "files": result.files,
        "export_items": result.items,
        "problems": list(result.problems),
        **(facts_of(result.diff) if result.diff is not None else {}),
    }
