"""What a log shows of a run: how far it is, how fast, how long it will take; not too often."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.cli.summaries import consumption
from ddbio.flow.context import SOURCE, TARGET
from ddbio.job.accounts import Result
from ddbio.job.live import Budget, LiveRun, UnitAtWork
from ddbio.job.meter import WINDOW_S
from ddbio.job.progress import LINE_EVERY_S, BarProgress, LogProgress, new_progress
from ddbio.job.progress_text import Consumption, Snapshot, block_of, line_of, parts_of
from ddbio.messages import Tally
from ddbio.rate.buckets import BudgetRates
from ddbio.rate.caps import Cap
from ddbio.rate.latency import Histogram, LocalLatencies
from ddbio.system.clock import ManualClock


class Shown:
    """A `LiveRun` of these budgets."""

    workers, connections = 2, 5

    def __init__(self, *budgets: Budget, units: Sequence[UnitAtWork] = ()) -> None:
        self._budgets, self._units = budgets, units

    def budgets(self) -> tuple[Budget, ...]:
        return self._budgets

    def latencies(self) -> dict[str, Histogram]:
        latencies = LocalLatencies()
        for _ in range(100):
            latencies.of_worker(0).add(0.0047)
        return {SOURCE: Histogram(), TARGET: latencies.histogram()}

    def slowest(self) -> UnitAtWork | None:
        return next(iter(self._units), None)


def shown(*budgets: Budget, units: Sequence[UnitAtWork] = ()) -> LiveRun:
    return cast("LiveRun", Shown(*budgets, units=units))


def budget(table: str, rates: BudgetRates, role: str = SOURCE, kind: str = "RCU", index: str = "") -> Budget:
    return Budget(role, table, index, kind, rates)


class Log(LogProgress):
    def __init__(self) -> None:
        self.clock = ManualClock()
        super().__init__(self.clock)
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def after(self, seconds: float, amount: float, tally: Tally) -> None:
        self.clock.now_s += seconds
        self.update(amount, tally)


def test_a_line_once_in_a_while() -> None:
    log = Log()
    log.start(100_000, "B", 500.0)
    for second in range(1, 61):
        log.after(1.0, 1000, Tally(read=10 * second, units=400.0 * second))
    assert LINE_EVERY_S == 20.0
    assert log.lines == [
        "20% done: 200 items, 10 items/s, 400 of 500 units/s, 0:01:20 left",
        "40% done: 400 items, 10 items/s, 400 of 500 units/s, 0:01:00 left",
        "60% done: 600 items, 10 items/s, 400 of 500 units/s, 0:00:40 left",
    ]


def test_a_short_run_says_nothing_of_the_kind() -> None:
    log = Log()
    log.start(100, "items", 500.0)
    log.after(19.9, 100, Tally(read=100))
    assert log.lines == []


def test_what_earlier_runs_did_counts_as_done_and_not_as_fast() -> None:
    log = Log()
    log.start(1000, "items", float("inf"), 500)
    log.after(20.0, 100, Tally(read=100, rejected=2, throttled=1234, units=50.0))
    assert log.lines == ["60% done: 100 items, 5 items/s, 2 units/s, 2 rejected, 1,234 throttled, 0:01:20 left"]


@pytest.mark.parametrize(("total", "amount"), [(0, 50), (40, 50), (40, 0)])
def test_without_a_total_that_can_be_believed_there_is_no_share(total: float, amount: float) -> None:
    """The service counts a table's items every six hours."""
    log = Log()
    log.start(total, "items", 10.0)
    log.after(25.0, amount, Tally(read=50, units=25.0))
    assert log.lines == ["50 items, 2 items/s, 1 of 10 units/s"]


def test_units_that_the_service_did_not_report_are_called_estimated() -> None:
    log = Log()
    log.start(0, "items", 10.0)
    log.after(20.0, 50, Tally(read=40, units=40.0, estimated=10.0))
    assert log.lines == ["40 items, 2 items/s, about 2 of 10 units/s"]
    cap = Cap(10.0, "-c", "WCU")
    said = consumption(Result(Tally(units=40.0, estimated=10.0), 20.0, None), cap)
    assert said == (
        "20.0 s, about 40.0 WCU consumed (10.0 of them estimated, not reported by the service), "
        "about 2.0 WCU/s (cap 10)"
    )
    assert "about" not in consumption(Result(Tally(units=40.0), 20.0, None), cap)


def test_units_with_those_of_indexes_are_not_held_by_the_cap_of_the_table() -> None:
    result = Result(Tally(units=40.0), 20.0, None, indexes_apart=("byDate",))
    said = consumption(result, Cap(1.5, "-c", "WCU"))
    assert said == "20.0 s, 40.0 WCU consumed with indexes, 2.0 WCU/s (cap 1.5, of the table alone)"
    assert "alone" not in consumption(result, Cap(1.5, "-c", "RCU"))


def test_the_rates_are_those_of_the_last_seconds() -> None:
    """A run that was fast for an hour and is slow now is slow; so is the time that it says is left."""
    log = Log()
    log.start(1_000_000, "items", float("inf"))
    tally = Tally()
    for speed, seconds in ((1000, 100), (10, 40)):
        for _ in range(seconds):
            tally.read += speed
            tally.units += speed / 2
            log.after(1.0, speed, tally)
    assert WINDOW_S == 10.0
    assert log.lines[4] == "10% done: 100,000 items, 1,000 items/s, 500 units/s, 0:15:00 left"
    assert log.lines[-1] == "10% done: 100,400 items, 10 items/s, 5 units/s, 1 day, 0:59:20 left"


def test_the_cap_is_the_one_in_force() -> None:
    log = Log()
    log.start(0, "items", 500.0)
    log.watch(shown(budget("Orders", BudgetRates(500.0, 320.0, 300.0))))
    log.after(20.0, 100, Tally(read=100, units=6000.0))
    assert log.lines == ["100 items, 5 items/s, 300 of 320 units/s"]


def test_a_job_with_two_tables_shows_the_units_of_both() -> None:
    log = Log()
    log.start(0, "items", 50.0)
    source, target = BudgetRates(50.0, 50.0, 0.0), BudgetRates(500.0, 250.0, 0.0)
    log.watch(shown(budget("Orders", source, SOURCE, "RCU"), budget("Copy", target, TARGET, "WCU")))
    log.after(20.0, 100, Tally(read=100, units=5200.0, target_units=5000.0))
    assert log.lines == ["100 items, 5 items/s, 10 of 50 RCU/s, 250 of 250 WCU/s"]


@pytest.mark.parametrize("two", [False, True])
def test_the_units_beside_the_cap_of_a_table_are_without_those_of_its_indexes(two: bool) -> None:
    log = Log()
    log.start(0, "items", 500.0)
    source = [budget("Orders", BudgetRates(50.0, 50.0, 0.0, 200.0))] * two
    target = budget("Copy", BudgetRates(500.0, 250.0, 0.0, 4800.0), TARGET, "WCU")
    index = budget("Copy", BudgetRates(900.0, 900.0, 9.0, 9600.0), TARGET, "WCU", "byDate")
    log.watch(shown(*source, target, index))
    written = 4800.0 + 9600.0
    log.after(20.0, 100, Tally(read=100, units=written + 200.0 * two, target_units=written * two))
    assert log.lines == [
        f"100 items, 5 items/s, {'10 of 50 RCU/s, 240 of 250 WCU/s' if two else '240 of 250 units/s'}"
    ]


def test_a_run_that_hears_nothing_for_a_while_gets_slow_and_says_so() -> None:
    log = Log()
    log.start(1000, "items", 500.0)
    log.after(1.0, 500, Tally(read=500, units=500.0))
    for _ in range(76):
        log.after(0.25, 0, Tally(read=500, units=500.0))  # as the parent does without reports
    assert log.lines == ["50% done: 500 items, 0 items/s, 0 of 500 units/s"]


# --------------------------------------------------------------------------- the line of a terminal

SHOWN = Snapshot(
    done=1_234_500_000,
    total=2_939_300_000,
    unit="B",
    items=5_000_000,
    amount_per_s=2_261_000,
    items_per_s=12_345,
    consumption=[Consumption(9_876, 10_000)],
    throttled=345,
    rejected=12,
)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (
            200,
            "42%, 1,234.5 of 2,939.3 MB, 12,345 items/s, 9,876 of 10,000 units/s, 12 rejected, 345 throttled, "
            "0:12:34 left",
        ),
        (100, "42%, 1.2/2.9GB, 12,345 items/s, 9,876 of 10,000 units/s, 12 rejected, 345 throttled, 0:12:34 left"),
        (60, "42% 1.2/2.9GB 12.3k/s 9.9k/10k u/s 12 rej 345 thr 12m34s"),
        (40, "42% 9.9k/10k u/s 12 rej 345 thr 12m34s"),
        (20, "42% 12m34s"),
        (2, ""),
    ],
)
def test_a_line_is_shortened_and_then_loses_what_matters_least(columns: int, line: str) -> None:
    assert line_of(SHOWN, columns) == line


@given(
    shown=st.builds(
        Snapshot,
        done=st.floats(0, 1e15),
        total=st.floats(0, 1e15),
        unit=st.sampled_from(["B", "items", "partitions", ""]),
        items=st.integers(0, 10**12),
        amount_per_s=st.floats(0, 1e12),
        items_per_s=st.floats(0, 1e9),
        consumption=st.lists(
            st.builds(Consumption, st.floats(0, 1e9), st.floats(1, math.inf), st.sampled_from(["RCU", "units"])),
            min_size=1,
            max_size=2,
        ),
        throttled=st.integers(0, 10**9),
        rejected=st.integers(0, 10**9),
        estimated=st.booleans(),
    ),
    columns=st.integers(1, 250),
)
def test_a_line_fits_and_has_whole_parts(shown: Snapshot, columns: int) -> None:
    line = line_of(shown, columns)
    assert len(line) <= columns
    forms = {form for part in parts_of(shown) for form in (part.long, part.short)}
    rest = line
    while rest:
        form = max((form for form in forms if rest.startswith(form)), key=len)
        rest = rest[len(form) :].removeprefix(",").removeprefix(" ")


def test_a_typical_line_has_all_its_parts_at_60_columns() -> None:
    parts = parts_of(SHOWN)
    assert [part.name for part in parts] == [
        *("share", "amount", "item rate", "unit rate", "rejected", "throttled", "left"),
    ]
    assert line_of(SHOWN, 59).split(" ") == " ".join(part.short for part in parts).split(" ")


def test_without_a_total_the_amount_stays_longest() -> None:
    shown = replace(SHOWN, total=0.0)
    assert line_of(shown, 10) == "1.2GB"
    assert line_of(replace(shown, unit="items", done=12_345_678), 10) == "12.3M"


# --------------------------------------------------------------------------- details


def test_the_details_of_a_run() -> None:
    live = shown(
        budget("Orders", BudgetRates(1000.0, 480.0, 470.4), TARGET, "WCU"),
        budget("Orders", BudgetRates(math.inf, math.inf, 12.0), TARGET, "WCU", "byDate"),
        units=[UnitAtWork("segment 3 of 8", 1200, 10.0)],
    )
    assert list(block_of(live)) == [
        "2 workers, 5 connections at work",
        "Orders: 470 of 480 WCU/s (cap 1,000), answers in 4 ms (99%: 5 ms)",
        "index byDate: 12 WCU/s",
        "slowest: segment 3 of 8, 120 items/s for 0:00:10",
    ]


def test_a_notebook_has_a_bar_without_colours(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Though its output is no terminal."""
    assert not isinstance(new_progress(), BarProgress)
    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    shown = new_progress()
    assert isinstance(shown, BarProgress)
    shown.start(10, "items", 5.0)
    shown.update(10, Tally(read=10))
    shown.finish()
    assert "\x1b[3" not in capfd.readouterr().err
