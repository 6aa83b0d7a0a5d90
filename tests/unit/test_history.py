"""The course of a job: sampled, thinned without loss, and there again for the next run and for the report."""

from __future__ import annotations

import math
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.flow.context import SOURCE, TARGET
from ddbio.job.accounts import Accounts, Past, Result
from ddbio.job.course import Course
from ddbio.job.history import extents, kept_history, read_history
from ddbio.job.journal import Journal
from ddbio.job.listing import list_jobs
from ddbio.job.opening import open_journal
from ddbio.job.page import page_of_job
from ddbio.job.samples import Sampler
from ddbio.messages import ImportCursor, Reject, SegmentUnit, SliceUnit, Tally, UnitReport
from ddbio.messages.files import SourceFile
from ddbio.options import TransferOptions
from ddbio.rate.buckets import BudgetRates
from ddbio.report_page.history import MOST_ROWS, RunOfJob, Sample, SideSample
from ddbio.report_page.thinning import MOST, thinned
from ddbio.sinks.rejects import RejectsFile
from ddbio.sources.plan import Plan

A, B = SourceFile("/a.json", 10, "1"), SourceFile("/b.json", 20, "2")
SLICES = [SliceUnit(0, A, 0, 10), SliceUnit(1, B, 0, 10), SliceUnit(2, B, 10, 20)]


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Sampled:
    """A run of a job whose samples are kept in a list."""

    def __init__(self, *before: Sample, roles: tuple[str, ...] = (TARGET,), runs: int = 0) -> None:
        self.clock = Clock()
        self.accounts = Accounts(Past(runs=runs))
        self.kept: list[Sample] = []
        self.answered: tuple[int, ...] = (0, 0)
        self.consumed = {SOURCE: [0.0], TARGET: [0.0, 0.0]}
        self.sampler = Sampler(
            before,
            self.accounts,
            {role: ["byDate"] * (role == TARGET) for role in roles},
            self._budgets,
            lambda: self.answered,
            self._keep,
            self.clock,
            lambda: 1e9,
        )

    def _budgets(self, role: str) -> list[BudgetRates]:
        limits = (math.inf, math.inf) if role == SOURCE else (500.0, 400.0)
        return [BudgetRates(*limits, 1.0, total) for total in self.consumed[role]]

    def _keep(self, samples: Any, was_thinned: bool) -> None:
        self.kept = [*samples] if was_thinned else [*self.kept, samples[-1]]
        assert len(samples) <= MOST

    def after(self, seconds: float, **counts: Any) -> None:
        self.clock.now_s += seconds
        self.consumed[TARGET][0] += counts.get("units", 0.0)
        self.accounts.enter(UnitReport(0, None, Tally(**counts)))
        self.sampler.look()


def test_a_sample_is_taken_once_a_second_and_has_the_counts_since_the_last_one() -> None:
    run = Sampled()
    run.after(0.6, read=3, units=3.0)
    assert run.kept == []
    run.answered = (3, 1)
    run.after(0.6, read=4, units=4.0, throttled=2, reasons={"why": 2})
    run.answered = (3, 5)
    run.after(0.9, read=100)
    run.after(0.2, written=5)
    first, second = run.kept
    assert first == Sample(
        1,
        1e9 - first.seconds,
        first.seconds,
        7,
        0,
        0,
        2,
        0,
        [SideSample(7.0, 500.0, 400.0)],
        {"why": 2},
        [3, 1],
        {"byDate": 0.0},
    )
    assert (first.seconds, second.seconds) == (pytest.approx(1.2), pytest.approx(1.1))
    assert (second.read, second.written, second.throttled, second.reasons) == (100, 5, 0, {})
    assert second.latencies == [0, 4]


def test_the_units_of_two_tables_are_told_apart_and_no_cap_is_none() -> None:
    run = Sampled(roles=(SOURCE, TARGET))
    run.consumed = {SOURCE: [10.0], TARGET: [20.0, 7.0]}
    run.after(1)
    run.consumed = {SOURCE: [11.0], TARGET: [20.0, 9.0]}
    run.after(1)
    assert run.kept[0].sides == [SideSample(10.0, None, None), SideSample(20.0, 500.0, 400.0)]
    assert run.kept[1].sides == [SideSample(1.0, None, None), SideSample(0.0, 500.0, 400.0)]
    assert [each.indexes for each in run.kept] == [{"byDate": 7.0}, {"byDate": 2.0}]


def test_a_run_of_days_has_a_bounded_number_of_samples_and_all_its_counts() -> None:
    run = Sampled(runs=2)
    for _ in range(MOST * 40):
        run.after(1, read=1, units=0.5, reasons={"a": 1})
    run.sampler.take()
    assert MOST // 4 < len(run.sampler.samples) <= MOST
    assert len(run.kept) <= MOST
    assert sum(each.read for each in run.kept) == MOST * 40
    assert sum(each.seconds for each in run.kept) == pytest.approx(MOST * 40)
    lengths = {round(each.seconds) for each in run.kept[:-1]}
    assert max(lengths) <= 8 * min(lengths)
    assert {each.run for each in run.kept} == {3}


SAMPLES = st.builds(
    Sample,
    st.integers(1, 4),
    st.just(0.0),
    st.floats(0, 1000),
    *[st.integers(0, 100)] * 5,
    st.just([SideSample(2.0, 10.0, 5.0)]),
    st.dictionaries(st.sampled_from("ab"), st.integers(1, 9)),
    st.just([1, 2]),
    st.just({"byDate": 0.5}),
)


@given(st.lists(SAMPLES, min_size=1, max_size=60), st.integers(1, 20))
def test_thinning_keeps_every_sum_and_the_order(samples: list[Sample], most: int) -> None:
    samples.sort(key=lambda each: each.run)
    left = thinned(samples, most)
    assert 1 <= len(left) <= max(most, 1)
    for name in ("read", "written", "rejected", "throttled", "retries"):
        assert sum(getattr(each, name) for each in left) == sum(getattr(each, name) for each in samples)
    assert sum(each.units for each in left) == pytest.approx(sum(each.units for each in samples))
    assert sum(each.indexes["byDate"] for each in left) == pytest.approx(0.5 * len(samples))
    assert sum(each.seconds for each in left) == pytest.approx(sum(each.seconds for each in samples))
    for reason in "ab":
        counts = [sum(each.reasons.get(reason, 0) for each in some) for some in (left, samples)]
        assert counts[0] == counts[1]
    assert [sum(each.latencies[at] for each in left) for at in (0, 1)] == [len(samples), 2 * len(samples)]
    assert [each.run for each in left] == sorted(each.run for each in left)


def test_a_cap_of_joined_samples_is_an_average_over_time_and_runs_stay_apart() -> None:
    def sample(run: int, seconds: float, cap: float | None) -> Sample:
        return Sample(run, 0.0, seconds, 1, 1, 0, 0, 0, [SideSample(1.0, cap, cap)])

    first, second = thinned([sample(1, 1, 100.0), sample(1, 3, 500.0), sample(2, 1, None)], 2)
    assert (first.sides, first.run, second.run) == ([SideSample(2.0, 400.0, 400.0)], 1, 2)
    (one,) = thinned([first, second], 1)
    assert (one.sides[0].cap, one.read) == (None, 3)


# ----------------------------------------------------------------------------- in the journal


def opened(root: Path) -> Any:
    return open_journal("import", "Orders", ["here"], TransferOptions(table="Orders", state_dir=str(root)))


def begin(journal: Journal, now: float) -> Course:
    journal.begin({"format": "json"}, [A, B], {})
    course = Course(journal)
    journal.left(Plan(SLICES))
    course.begin_run([TARGET], Plan(SLICES), lambda: now)
    return course


def test_all_runs_of_a_job_are_in_its_history_and_that_outlives_the_journal(tmp_path: Path) -> None:
    sample = Sample(1, 5.0, 1.0, 7, 0, 0, 0, 0, [SideSample(7.0, None, None)])
    with opened(tmp_path) as journal:
        course = begin(journal, 5.0)
        sizes = {7: 4, 9: 3}
        tally = Tally(read=7, written=7, units=7.0)
        journal.enter(UnitReport(0, ImportCursor(10, 7), tally, done=True, item_sizes=sizes))
        course.keep([sample], thinned=False)
        journal.commit(2.5)  # and killed
    assert kept_history(journal.folder.path) is None
    with opened(tmp_path) as journal:
        course = begin(journal, 60.0)
        assert course.samples() == [sample]
        other = Sample(2, 60.0, 1.0, 3, 0, 0, 0, 0, [SideSample(3.0, None, None)])
        course.keep([sample, other], thinned=False)
        tally = Tally(read=3, reasons={"slow": 1})
        journal.enter(UnitReport(2, ImportCursor(20, 3), tally, done=True, item_sizes={7: 10}))
        journal.commit(1.0)
        course.end_run(Result(Tally(), 3.5, None, past=journal.past), Plan(SLICES))
        journal.complete = True
    kept = kept_history(journal.folder.path)
    assert kept is not None
    assert kept.samples == [sample, other]
    assert kept.runs == [RunOfJob(1, 5.0, 2.5), RunOfJob(2, 60.0, 1.0, 0, "")]
    assert [(part.name, part.size_bytes, part.done, part.read, part.units) for part in kept.parts] == [
        ("/a.json", 10, True, 7, 7.0),
        ("/b.json", 20, False, 3, 0.0),
    ]
    assert (kept.counts["read"], kept.reasons, kept.sides, kept.parts_are) == (10, {"slow": 1}, [TARGET], "file")
    assert kept.item_sizes == [(128, 14), (256, 0), (512, 3)]
    assert not journal.folder.journal.exists()
    with opened(tmp_path) as journal:
        begin(journal, 70.0)
        assert kept_history(journal.folder.path) is None  # of another job


def test_the_page_of_a_killed_job_has_the_rejects_so_far(tmp_path: Path) -> None:
    file = RejectsFile(tmp_path / "bad.jsonl")
    with opened(tmp_path / "state") as journal:
        begin(journal, 5.0)
        rejects = [
            Reject("/a.json", at, 0, at + 1, code, "why", b"{") for at, code in enumerate(("bad", "worse", "bad"))
        ]
        file.add(rejects)
        journal.note(rejects=file.state())
        file.add(rejects)  # they are not in the journal yet: the next run writes them anew
        journal.enter(UnitReport(0, ImportCursor(3, 3), Tally(read=3, rejected=3)))
        journal.commit(1.0)
    file.close()
    (job,) = list_jobs(tmp_path / "state")
    page = page_of_job(job).decode()
    counted = r"<td>{}</td>\s*<td[^>]*>(\d+)</td>"
    assert [re.findall(counted.format(code), page) for code in ("bad", "worse")] == [["2"], ["1"]]
    assert str(tmp_path / "bad.jsonl") in page
    file.path.write_text("{}\n" * 20)
    assert "Rejects, by code" not in page_of_job(job).decode()


def test_samples_that_were_thinned_replace_those_before(tmp_path: Path) -> None:
    samples = [Sample(1, float(at), 1.0, at, 0, 0, 0, 0, []) for at in range(4)]
    with opened(tmp_path) as journal:
        course = begin(journal, 5.0)
        for at in range(4):
            course.keep(samples[: at + 1], thinned=False)
        assert course.samples() == samples
        course.keep(samples[2:], thinned=True)
        assert course.samples() == samples[2:]
        journal.commit(1.0)
        database = sqlite3.connect(":memory:")
        journal.read(lambda source: source.backup(database))
        assert read_history(database).samples == samples[2:]
        database.close()


def test_the_parts_of_many_files_are_bounded() -> None:
    files = [SourceFile(f"/{number}.json", 2, "") for number in range(MOST_ROWS * 2 + 1)]
    units = [SliceUnit(number, file, 0, 2) for number, file in enumerate(files)]
    found = extents(units)
    assert len(found) <= MOST_ROWS
    assert (found[0].name, found[0].size_bytes, found[0].first, found[0].last) == ("/0.json to /2.json", 6, 0, 2)
    assert [each.first for each in found[1:]] == [each.last + 1 for each in found[:-1]]
    assert found[-1].last == len(units) - 1
    assert [each.name for each in extents([SegmentUnit(1, 1, 2), SegmentUnit(0, 0, 2)])] == ["0", "1"]
