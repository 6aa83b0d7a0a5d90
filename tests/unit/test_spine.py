"""The spine: the steps of a verb come in one order, whatever fails nothing after it happens, and a preview moves
nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ddbio.engines.inline import InlineEngine
from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.job.accounts import Accounts, Result, outcome
from ddbio.job.journal import Facts, Journal
from ddbio.job.progress import QuietProgress
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Verb, perform, preview
from ddbio.job.work import Assignment
from ddbio.messages import ExportCursor, Flushed, SegmentUnit, Tally, Tick, UnitReport
from ddbio.options import TransferOptions
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.latency import Histogram
from ddbio.sources.plan import Plan, Remainder
from ddbio.system.stop import StopFlag
from tests.support.tables import table

STEPS = ["check_report", "check", "make_ready", "cut", "plan", "begin", "announcement", "task", "work", "settle"]


class Toy(Verb[TransferOptions, Result]):
    """Reads two segments of nothing. steps: what was called, in order. fails: the step that does."""

    name = "toy"

    def __init__(self, options: TransferOptions, steps: list[str], fails: str = "", works: int = 2) -> None:
        super().__init__(options)
        self.steps = steps
        self._fails = fails
        self.stop: StopFlag | None = None  # as it was during the work
        self._works = works

    def _step(self, name: str) -> None:
        self.steps.append(name)
        if name == self._fails:
            raise UsageError(f"{name} fails")

    def check_report(self) -> None:
        super().check_report()
        self._step("check_report")

    def check(self, caller: Caller) -> Run:
        self._step("check")
        session = SimpleNamespace(keys=lambda: None, region="r", endpoint_url="u")
        return Run.begin(self.options, session, table({"id": "S"}), "RCU", 1, caller)  # type: ignore[arg-type]

    def make_ready(self, run: Run) -> Run:
        self._step("make_ready")
        return replace(run, engine=ToyEngine(self))

    def cut(self, run: Run) -> dict[str, Any]:
        self._step("cut")
        return {"segments": 2}

    def plan(self, run: Run, cut: Facts) -> Plan:
        self._step("plan")
        return Plan([SegmentUnit(number, number, cut["segments"]) for number in range(cut["segments"])])

    def start_over(self, run: Run, journal: Journal) -> None:
        self._step("start_over")

    def begin(self, run: Run, journal: Journal) -> None:
        self._step("begin")

    def check_destination(self, run: Run, journal: Journal, *, resumes: bool) -> None:
        self._step("check_destination")

    def announcement(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Iterator[str]:
        self._step("announcement")
        yield f"{len(left.known())} of {len(plan.units)} segments"

    def assignment(self, run: Run, plan: Plan, left: Remainder, journal: Journal) -> Assignment:
        self._step("task")
        return Assignment(None, 0, "items", 0)  # type: ignore[arg-type]

    def settle(self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None) -> Result:
        self._step("settle")
        return Result(**outcome(accounts, error, plan.units))

    def facts(self, result: Result) -> dict[str, Any]:
        return {"toys": result.tally.read}


@dataclass
class ToyEngine(InlineEngine):
    """Does as many units as the verb says, and fails at the next one."""

    verb: Toy

    @contextmanager
    def open(self, job: Any, needs: Any) -> Iterator[Any]:
        nothing: Any = lambda *_: None  # noqa: E731
        yield SimpleNamespace(
            work=self._events,
            budgets=lambda role: (BudgetRates(1.0, 1.0, 0.0),),
            latencies=lambda role: Histogram(),
            settled=list,
            forget_settled=nothing,
            set_cap=nothing,
        )

    def _events(self, left: Any, stop: Any) -> Iterator[Any]:
        self.verb._step("work")
        yield Tick()
        self.verb.stop = replace(stop)
        for number, unit in enumerate(left):
            if number == self.verb._works:
                yield UnitReport(unit.number, None, Tally(), error=TransferError("the toy broke"))
                return
            tally = Tally(read=10, counted=10)
            yield UnitReport(unit.number, ExportCursor(None, 0, None, 0, (), 10), tally, done=True)
            yield Flushed()


@pytest.fixture
def options(tmp_path: Path) -> TransferOptions:
    state, report = str(tmp_path / "state"), str(tmp_path / "report.json")
    return TransferOptions(table="Orders", capacity="9", state_dir=state, report=report)


def report_of(options: TransferOptions) -> dict[str, Any]:
    assert options.report is not None
    report: dict[str, Any] = json.loads(Path(options.report).read_text())
    return report


def jobs(options: TransferOptions) -> list[str]:
    return [path.name for path in Path(options.state_dir or "").glob("*/journal.sqlite")]


def test_the_steps_of_a_verb_in_their_order(options: TransferOptions) -> None:
    verb = Toy(options, [])
    result = perform(verb, Caller())
    assert verb.steps == STEPS
    assert (result.error, result.tally.counted, result.exit_code) == (None, 20, 0)
    report = report_of(options)
    assert (report["command"], report["exit_code"], report["toys"]) == ("toy", 0, 20)
    assert jobs(options) == [], "a finished job has no journal"


@pytest.mark.parametrize("step", [each for each in STEPS if each != "check_report"])
def test_nothing_happens_after_a_step_that_failed_and_the_report_has_it(options: TransferOptions, step: str) -> None:
    verb = Toy(options, [], step)
    if step == "work":  # settled all the same: what was done counts
        assert str(perform(verb, Caller()).error).startswith("work fails")
        assert verb.steps == STEPS
    else:
        with pytest.raises(UsageError, match=f"{step} fails"):
            perform(verb, Caller())
        assert verb.steps == STEPS[: STEPS.index(step) + 1]
    report = report_of(options)
    assert (report["exit_code"], report["error"]["message"]) == (2, f"{step} fails")


def test_a_report_that_must_not_be_written_ends_the_run_before_anything(options: TransferOptions) -> None:
    Path(options.report or "").write_text("mine")
    verb = Toy(options, [])
    with pytest.raises(UsageError, match="is not a report"):
        perform(verb, Caller())
    assert verb.steps == []


def test_the_same_call_resumes_as_the_job_was_cut(options: TransferOptions) -> None:
    first = perform(Toy(options, [], works=1), Caller())
    assert isinstance(first.error, TransferError)
    assert jobs(options)
    again = Toy(options, [])
    result = perform(again, Caller())
    assert again.steps == [each for each in STEPS if each != "cut"]
    assert (result.error, result.tally.counted, result.past.tally.counted) == (None, 20, 10)


def test_a_progress_hears_of_a_run_without_reports_too(options: TransferOptions) -> None:
    """Else it would show the speed of a run that has come to a standstill."""
    progress = QuietProgress()
    updates: list[float] = []
    progress.update = lambda amount, tally: updates.append(amount)  # type: ignore[method-assign]
    perform(Toy(options, []), Caller(progress))
    assert updates == [0.0, 10, 10]


def test_each_job_of_a_story_can_be_stopped(options: TransferOptions) -> None:
    caller = Caller(stop=StopFlag())
    for _ in range(2):
        verb = Toy(options, [])
        perform(verb, caller)
        assert verb.stop == StopFlag(heeded=True, finishing=False)
    assert caller.stop == StopFlag(heeded=False, finishing=True)


def test_fresh_starts_over(options: TransferOptions) -> None:
    perform(Toy(options, [], works=1), Caller())
    again = Toy(replace(options, fresh=True), [])
    result = perform(again, Caller())
    before = STEPS.index("begin")
    assert again.steps == [*STEPS[:before], "start_over", *STEPS[before:]]
    assert (result.past.runs, result.tally.counted) == (0, 20)


def test_a_preview_stops_after_the_plan_and_leaves_nothing(options: TransferOptions) -> None:
    verb = Toy(options, [])
    assert preview(verb, Caller()).sentences[0] == "2 of 2 segments"
    assert verb.steps == ["check_report", "check", "cut", "plan", "check_destination", "announcement"]
    assert not Path(options.state_dir or "").exists(), "no folder either"
    assert not Path(options.report or "").exists()


def test_a_preview_of_an_unfinished_job_says_what_is_left_and_leaves_it_so(options: TransferOptions) -> None:
    perform(Toy(options, [], works=1), Caller())
    for _ in range(2):
        verb = Toy(options, [])
        assert preview(verb, Caller()).sentences[0] == "1 of 2 segments"
        assert verb.steps == ["check_report", "check", "plan", "check_destination", "announcement"]
    assert perform(Toy(options, []), Caller()).tally.counted == 20
