"""The books: sums of reports, what became of every unit, and the exit code that says so."""

from __future__ import annotations

import pytest

from ddbio.errors import (
    AbortError,
    DdbioError,
    InternalError,
    PermanentAbortError,
    PermanentError,
    Stopped,
    TransferError,
    UsageError,
)
from ddbio.job.accounts import Accounts, Past, Result, not_kept, outcome, verdict
from ddbio.messages import ChunkUnit, ExportCursor, ImportCursor, SegmentUnit, SliceUnit, Tally, Unit, UnitReport
from ddbio.messages.block import Block
from ddbio.messages.files import SourceFile
from ddbio.system.clock import ManualClock

AT_END = ImportCursor(100, 10)
FAILURE = TransferError("orders.json cannot be read", "look at the disk")
ABORT = AbortError("the table is gone", "make it again")


def books(*reports: UnitReport) -> Accounts:
    accounts = Accounts()
    for report in reports:
        accounts.enter(report)
    return accounts


def done(unit: int, **counts: float) -> UnitReport:
    return UnitReport(unit, AT_END, Tally(**counts), done=True)  # type: ignore[arg-type]


def failed(unit: int, error: DdbioError) -> UnitReport:
    return UnitReport(unit, None, Tally(), error=error)


def test_reports_add_up() -> None:
    accounts = books(
        UnitReport(0, ImportCursor(50, 5), Tally(read=5, written=4, rejected=1, units=4.5, bytes=50)),
        done(1, read=3, written=2, replaced=1, units=2, requests=7, throttled=3, retries=1, blank=2),
        done(0, read=1, written=1, units=0.5),
    )
    assert accounts.tally == Tally(
        read=9, written=7, rejected=1, replaced=1, blank=2, bytes=50, units=7.0, requests=7, throttled=3, retries=1
    )
    assert accounts.tally.unsettled() == 0
    assert accounts.settled == {0: AT_END, 1: AT_END}


def test_a_unit_is_settled_when_it_is_done_and_not_before() -> None:
    accounts = books(UnitReport(0, ImportCursor(50, 5), Tally()), done(1), failed(2, FAILURE))
    assert (set(accounts.settled), accounts.failed) == ({1}, {2: FAILURE})


def test_a_segment_without_items_is_settled() -> None:
    accounts = books(UnitReport(0, ExportCursor(None, 0, None, 0), Tally(), done=True))
    assert verdict(accounts, slices(1), stopped=False) is None


def test_time_is_counted_from_the_beginning() -> None:
    clock = ManualClock()
    accounts = Accounts(clock=clock)
    clock.now_s += 12.5
    assert accounts.seconds() == 12.5


def test_the_total_is_of_all_runs_and_the_tally_of_this_one() -> None:
    accounts = Accounts(Past(Tally(read=5, written=5), seconds=2.0, runs=1), clock=(clock := ManualClock()))
    accounts.enter(done(0, read=3, written=2, rejected=1))
    clock.now_s += 1.5
    assert (accounts.tally.read, accounts.tally.rejected) == (3, 1)
    assert (accounts.total.read, accounts.total.written, accounts.past.tally.read) == (8, 7, 5)
    assert outcome(accounts, None, [])["seconds"] == 3.5


def test_the_first_run_has_no_past() -> None:
    assert Accounts().past == Result(Tally(), 1.0, None).past == Past(Tally(), seconds=0.0, runs=0)


def test_a_unit_that_failed_and_was_then_done_did_not_fail() -> None:
    accounts = books(failed(0, FAILURE), done(0))
    assert (accounts.failed, set(accounts.settled)) == ({}, {0})


def test_failures_are_named_with_the_units_they_happened_to() -> None:
    units = slices(3)
    assert outcome(books(done(0), done(2)), None, units)["failures"] == ()
    assert outcome(books(failed(1, FAILURE)), None, units)["failures"] == (f"{units[1].describe()}: {FAILURE}",)


# --------------------------------------------------------------------------- the verdict


def slices(number: int) -> list[Unit]:
    """Units of 100 bytes each."""
    return [SliceUnit(n, SourceFile("orders.json", 100 * number, ""), 100 * n, 100 * n + 100) for n in range(number)]


def test_a_fault_of_ours_decides_on_the_exit_code() -> None:
    fault = InternalError("ValueError: odd", "", "the trace", "a line")
    error = verdict(books(failed(1, FAILURE), failed(0, fault)), slices(3), stopped=False)
    assert isinstance(error, InternalError)
    assert (error.exit_code, error.trace) == (70, "the trace")


@pytest.mark.parametrize("stopped", [False, True])
def test_a_run_of_which_every_unit_is_done_is_complete(stopped: bool) -> None:
    assert verdict(books(done(0), done(1)), slices(2), stopped=stopped) is None
    assert verdict(books(), [], stopped=stopped) is None


def test_a_run_that_was_stopped_says_how_far_it_came() -> None:
    assert verdict(books(done(0)), slices(1), stopped=False) is None
    assert verdict(books(done(0)), slices(1), stopped=False, partly_planned=True) is not None
    error = verdict(books(done(0)), slices(3), stopped=True)
    assert isinstance(error, Stopped)
    assert error.message == "stopped after 0% of the source"
    segments = [SegmentUnit(number, number, 3) for number in range(3)]
    error = verdict(books(done(0)), segments, stopped=True)
    assert error is not None and error.message == "stopped after 1 of 3 segments"
    for items, words in ((1, "1 item"), (2, "2 items")):
        accounts = books(done(0))
        accounts.total.read = items
        error = verdict(accounts, segments, stopped=True)
        assert error is not None and error.message == f"stopped after {words}, with 1 of 3 segments complete"
    accounts = books(done(0))
    accounts.total.bytes, accounts.total.read = 150, 1234
    error = verdict(accounts, slices(3), stopped=True)
    assert error is not None and error.message == "stopped after 50% of the source"
    chunks = [ChunkUnit(n, SourceFile("orders.gz", 300, ""), Block(0, b""), 100) for n in range(3)]
    error = verdict(accounts, chunks, stopped=True)
    assert error is not None and error.message == "stopped after 50% of the source"
    accounts.total.bytes = 400  # the source was read again after a kill
    error = verdict(accounts, slices(3), stopped=True)
    assert error is not None and error.message == "stopped after 100% of the source"
    error = verdict(accounts, slices(1), stopped=True, partly_planned=True)
    assert isinstance(error, Stopped) and error.message == "stopped after 1,234 records"
    assert error.exit_code == 130


def test_the_first_failure_is_named_and_the_others_are_counted() -> None:
    error = verdict(books(failed(1, FAILURE)), slices(2), stopped=False)
    assert (type(error), str(error)) == (TransferError, "orders.json cannot be read; look at the disk")
    error = verdict(books(failed(1, FAILURE), failed(0, TransferError("other")), done(2)), slices(3), stopped=False)
    assert str(error) == "orders.json cannot be read (and 1 more failure of the kind in the report); look at the disk"


def test_an_abort_is_the_reason_whatever_else_happened() -> None:
    assert verdict(books(failed(1, FAILURE), failed(0, ABORT)), slices(3), stopped=False) is ABORT
    assert verdict(books(done(1), failed(0, ABORT)), slices(3), stopped=True) is ABORT


def test_units_nobody_reported_are_not_taken_for_done() -> None:
    error = verdict(books(done(0)), slices(3), stopped=False)
    assert error is not None
    assert error.message == "the work ended after 0% of the source"
    assert error.exit_code == 3


# --------------------------------------------------------------------------- the exit code


@pytest.mark.parametrize(
    ("tally", "error", "code"),
    [
        (Tally(), None, 0),
        (Tally(read=3, written=3), None, 0),
        (Tally(read=3, written=2, replaced=1), None, 0),
        (Tally(read=3, written=2, rejected=1), None, 1),
        (Tally(read=3, rejected=3), None, 1),
        (Tally(read=3, written=2), None, 3),  # something is not accounted for
        (Tally(read=2, written=3), None, 3),
        (Tally(read=4, written=2, rejected=1), None, 3),
        (Tally(read=3, written=3), FAILURE, 3),
        (Tally(read=3, written=2, rejected=1), ABORT, 3),
        (Tally(read=3, written=3), Stopped("stopped"), 130),
        (Tally(read=3, written=3), UsageError("no"), 2),
    ],
)
def test_the_exit_code_says_what_happened(tally: Tally, error: DdbioError | None, code: int) -> None:
    assert Result(tally, 1.0, error).exit_code == code


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (TransferError("the disk is full", "make room"), "make room; run the same command again to resume"),
        (TransferError("lost"), "run the same command again to resume"),
        (AbortError("no answer", "run the same command again later"), "run the same command again later"),
        (Stopped("stopped"), "run the same command again to resume"),
        (PermanentError("damaged", "put a whole copy there"), "put a whole copy there; what is done is kept"),
        (PermanentAbortError("denied"), "what is done is kept"),
        (UsageError("no such table", "name another"), "name another"),
    ],
)
def test_only_a_failure_that_repeating_may_cure_advises_to_repeat(error: DdbioError, hint: str) -> None:
    told = Result(**outcome(Accounts(), error, ())).error
    assert told is not None
    assert (type(told), told.message, told.hint) == (type(error), error.message, hint)


def test_a_job_that_keeps_nothing_does_not_promise_to_resume_and_keeps_the_hint() -> None:
    again = "run the same command again"
    for error, hint in ((TransferError("m", "allow it"), f"allow it; {again}"), (Stopped("m", "settled"), again)):
        shown = outcome(books(), not_kept(error, again), [])["error"]
        assert (type(shown), shown.message, shown.hint) == (type(error), "m", hint)


@pytest.mark.parametrize("kind", [PermanentError, PermanentAbortError])
def test_the_verdict_keeps_what_repeating_cannot_cure(kind: type[DdbioError]) -> None:
    error = verdict(books(failed(1, kind("no")), failed(2, kind("no"))), slices(3), stopped=False)
    assert isinstance(error, kind)
    assert not error.repeatable


def test_units_per_second_of_a_short_time() -> None:
    assert Result(Tally(units=4.0), 0.5, None).units_per_s == 8.0


def test_units_per_second_of_no_time_are_none() -> None:
    assert Result(Tally(units=30), 2.0, None).units_per_s == 15
    assert Result(Tally(units=30), 0.0, None).units_per_s == 0


def test_reasons_add_up_like_counts() -> None:
    tally = Tally(read=1, reasons={"a": 1, "b": 2})
    tally.add(Tally(read=2, reasons={"b": 3, "c": 0}))
    assert (tally.read, tally.reasons) == (3, {"a": 1, "b": 5})
    assert tally.minus(Tally(read=1, reasons={"b": 4})) == Tally(read=2, reasons={"a": 1, "b": 1})
