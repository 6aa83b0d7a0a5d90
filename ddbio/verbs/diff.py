"""Diff: the differences between two tables, or a table and an export.

The output is a patch: a line for each item that differs, with the operation that makes the second side equal to the
first. `ddbio import --format changes` applies it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ddbio.engines.engine import Engine
from ddbio.errors import EXIT_OK, EXIT_REJECTED
from ddbio.forecast.preview import Preview
from ddbio.job.accounts import Result
from ddbio.job.progress import Progress
from ddbio.job.report import reported
from ddbio.job.report_place import check_report_path
from ddbio.job.run import Caller
from ddbio.job.stages import staged
from ddbio.job.state import known_state_root
from ddbio.rate.caps import Cap
from ddbio.storage.output_paths import Protected
from ddbio.system.stop import StopFlag
from ddbio.verbs.compared_sides import FIRST, SECOND
from ddbio.verbs.comparison import COMPARE, Compared, Comparison
from ddbio.verbs.comparison_forecast import announced, preview_of
from ddbio.verbs.difference_output import DifferenceOutput
from ddbio.verbs.options import DiffOptions

DIFF = "diff"


@dataclass(frozen=True, slots=True)
class DiffResult(Result):
    """cap: of the first table. items: read of each side. suspects: keys that were read again.
    output: where the differences are; None for nowhere, as long as the comparison is unfinished."""

    cap: Cap
    items: tuple[int, int]
    suspects: int
    output: str | None

    @property
    def differences(self) -> int:
        tally = self.tally
        return tally.only_first + tally.only_second + tally.changed

    @property
    def exit_code(self) -> int:
        """0 only if both sides are the same."""
        if self.error is not None:
            return self.error.exit_code
        return EXIT_REJECTED if self.differences else EXIT_OK


def diff_tables(
    options: DiffOptions,
    *,
    progress: Progress | None = None,
    engine: Engine | None = None,
    stop: StopFlag | None = None,
    take_report: Callable[[bytes], object] | None = None,
) -> DiffResult:
    """Compare two tables, or a table and an export, or resume an unfinished comparison with the same options.

    take_report: gets the report if `options.report` is `-`; None prints it.
    Returns when every item is compared, or when the comparison stops early: `DiffResult.error` then gives the reason.
    Raises UsageError for options that cannot work; TransferError if the service cannot be reached at all.
    """
    return Diff(options).perform(Caller(progress, engine, stop, take_report))


class Diff:
    """See `ddbio.job.spine.Story`."""

    name = DIFF

    def __init__(self, options: DiffOptions) -> None:
        self.options = options

    def _check_report(self) -> None:
        check_report_path(self.options, Protected(state=known_state_root(self.options.state_dir)))

    def perform(self, caller: Caller) -> DiffResult:
        self._check_report()
        with reported(self.name, self.options, caller.take_report) as report:
            comparison = Comparison(self.options, caller)
            output = DifferenceOutput(self.options, comparison.run.session)
            run, facts = comparison.run, comparison.facts()
            with staged(self.name, run.table.name, comparison.identity(), facts, self.options) as stages:
                report.begin(run, stages.journal)
                stages.note_forecast(announced(comparison))
                done = comparison.perform(stages)
                if done.error is None:
                    done.error = output.publish(done.lines)
                result = self._result(done, run.cap)
                result = report.end(result, **facts_of(result))
                if result.error is None:
                    comparison.clean(stages)
                    stages.complete()
                return result

    def _result(self, done: Compared, cap: Cap) -> DiffResult:
        return DiffResult(
            done.tally,
            done.seconds,
            done.error,
            failures=done.failures,
            cap=cap,
            items=(done.read.get(FIRST, 0), done.read.get(SECOND, 0)),
            suspects=done.read.get(COMPARE, 0),
            output=self.options.output if done.error is None else None,
        )

    def preview(self, caller: Caller) -> Preview:
        self._check_report()
        comparison = Comparison(self.options, caller)
        DifferenceOutput(self.options, comparison.run.session)  # refuses a place that cannot be written to
        return preview_of(comparison)


def facts_of(result: DiffResult) -> dict[str, Any]:
    """The facts of the report that only a comparison has."""
    return {
        "items": dict(zip((FIRST, SECOND), result.items, strict=True)),
        "suspects": result.suspects,
        "differences": result.differences,
        "output": result.output,
    }
