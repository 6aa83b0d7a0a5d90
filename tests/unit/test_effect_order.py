"""Effects of several steps, with a collaborator that fails at every step in turn: after each failure nothing is
claimed that did not happen, and the same call again completes the effect."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ddbio.engines.engine import Events
from ddbio.errors import AbortError, DdbioError, PermanentError, TransferError, UsageError
from ddbio.flow.checkpoint import LaneState
from ddbio.job.accounts import Accounts, Past
from ddbio.job.journal import Journal
from ddbio.job.opening import open_journal
from ddbio.job.progress import QuietProgress
from ddbio.job.run import Run
from ddbio.job.work import Assignment, _Entries, work
from ddbio.layouts.own import MANIFEST_NAME
from ddbio.messages import (
    Flushed,
    ImportCursor,
    Notice,
    Reject,
    SegmentUnit,
    Tally,
    Tick,
    Trouble,
    UnitBegun,
    UnitReport,
)
from ddbio.options import TransferOptions
from ddbio.rate.caps import choose_cap
from ddbio.sinks.destination import Destination
from ddbio.sources.plan import Plan
from ddbio.storage import local_output
from ddbio.storage.local import LocalStorage
from ddbio.storage.local_output import LocalOutput, create_local, part_path, reopen_local
from ddbio.system.stop import StopFlag
from tests.support.failing import Failing
from tests.support.service import ScriptedEngine
from tests.support.tables import table

# --------------------------------------------------------------------------- emptying a destination

EARLIER = ["Orders-0000-00000.json", "Orders-0000-00001.json", "Orders-0001-00000.json"]


def earlier_export(folder: Path) -> None:
    folder.mkdir()
    for name in EARLIER:
        (folder / name).write_text("{}\n")
    files = [{"name": name, "segment": 0, "items": 1, "bytes": 3, "checksum": "sha256:0"} for name in EARLIER]
    (folder / MANIFEST_NAME).write_text(json.dumps({"tool": "ddbio 0.1.0", "version": 1, "files": files}))


@pytest.mark.parametrize("step", range(len(EARLIER) + 1))
def test_a_place_that_could_not_be_emptied_is_emptied_by_the_same_command(tmp_path: Path, step: int) -> None:
    folder = tmp_path / "out"
    earlier_export(folder)
    storage = Failing(LocalStorage(), ["remove"], fails_at=step)
    with pytest.raises(TransferError, match=f"step {step}, remove, failed"):
        Destination(storage, str(folder), "Orders").make_room("overwrite")
    with pytest.raises(UsageError, match="is not empty"):  # what is left is never taken for an empty place
        Destination(LocalStorage(), str(folder), "Orders").make_room("fail")
    Destination(LocalStorage(), str(folder), "Orders").make_room("overwrite")
    assert list(folder.iterdir()) == []


# --------------------------------------------------------------------------- completing a file


def test_a_file_appears_only_after_its_bytes_are_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = create_local(tmp_path, "a.json")
    output.write(b"text")
    seen: list[tuple[bool, bool]] = []
    fsync = os.fsync

    def watched(fd: int) -> None:
        seen.append((os.path.samestat(os.fstat(fd), tmp_path.stat()), (tmp_path / "a.json").exists()))
        fsync(fd)

    monkeypatch.setattr(local_output.os, "fsync", watched)
    output.finish()
    assert seen == [(False, False), (True, True)]  # the file before it has its name, then the folder


@pytest.mark.parametrize("step", ["fsync 0", "rename 0", "fsync 1"])
def test_a_file_that_could_not_be_finished_is_finished_by_whoever_continues_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    output = create_local(tmp_path, "a.json")
    output.write(b"text")
    state = output.state()
    with monkeypatch.context() as patch:
        _fail_at(patch, step)
        with pytest.raises(TransferError, match=r"cannot write .*a\.json"):
            output.finish()
    assert part_path(tmp_path / "a.json").exists() != (tmp_path / "a.json").exists()  # it has one of its names
    again: LocalOutput = reopen_local(state)
    again.write(b" and more")
    written = again.finish()
    assert (written.name, written.size_bytes) == ("a.json", 13)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"text and more"]


def _fail_at(patch: pytest.MonkeyPatch, step: str) -> None:
    calls: list[str] = []

    def guarded(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            calls.append(name)
            if f"{name} {calls.count(name) - 1}" == step:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*args)

        return call

    patch.setattr(local_output.os, "fsync", guarded("fsync", os.fsync))
    patch.setattr(Path, "rename", guarded("rename", Path.rename))


# --------------------------------------------------------------------------- entering reports


@dataclass
class Ledger:
    """A job of three reports, and all that hear of them: the rejects, the journal, the accounts, the screen."""

    root: Path
    rejects: list[Reject] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    amounts: list[float] = field(default_factory=list)

    def run(self, step: str = "") -> tuple[Tally, DdbioError | None]:
        """What the run says it did, and how it ended. step: which collaborator fails, and at which report."""
        options = TransferOptions(table="Orders", state_dir=str(self.root))
        with open_journal("import", "Orders", ["here"], options) as journal:
            journal.begin({}, (), {})
            left = journal.left(Plan([SegmentUnit(0, 0, 1)]))
            guarded = _failing_journal(journal, step)
            task = Assignment(None, 0, "items", 0, lambda report: self._on_report(report, step))  # type: ignore[arg-type]
            accounts, error = work(self._run(options), task, left, guarded)
            return accounts.tally, error

    def _on_report(self, report: UnitReport, step: str) -> float:
        number = report.tally.read // 10
        if step == f"rejects {number}":
            raise TransferError("cannot write the rejects")
        self.rejects += report.rejects
        return 1.0

    def _run(self, options: TransferOptions) -> Run:
        return Run(
            options=options,
            session=SimpleNamespace(keys=lambda: None, region="us-east-1", endpoint_url=""),  # type: ignore[arg-type]
            table=table({"id": "S"}),
            cap=choose_cap("100", table({"id": "S"}), "WCU", over_provisioned=False),
            workers=1,
            lanes=1,
            progress=self._progress(),
            stop=StopFlag(),
            engine=ScriptedEngine(_three_reports),
        )

    def _progress(self) -> QuietProgress:
        progress = QuietProgress()
        progress.update = self._show  # type: ignore[method-assign]
        return progress

    def _show(self, amount: float, tally: Tally) -> None:
        self.amounts.append(amount)
        self.shown.append(tally.rejected)

    def booked(self) -> Tally:
        """What the next run would read in the journal."""
        options = TransferOptions(table="Orders", state_dir=str(self.root))
        with open_journal("import", "Orders", ["here"], options) as journal:
            return journal.past.tally


def _three_reports(_: Any) -> Events:
    """Three reports of one unit, of 10, 20 and 30 records read and one rejected each."""
    for number in (1, 2, 3):
        reject = Reject("a.json", number, 0, number, "bad-json", "no", b"{")
        tally = Tally(read=10 * number, written=10 * number - 1, rejected=1, units=number, requests=1)
        yield UnitReport(0, ImportCursor(number, number), tally, (reject,), done=number == 3)
        yield Flushed()


def _failing_journal(journal: Journal, step: str) -> Any:
    method, _, number = step.partition(" ")
    return Failing(journal, [method], int(number) - 1) if method in ("enter", "commit") else journal


def test_without_a_failure_everything_hears_of_every_report(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    tally, error = ledger.run()
    assert error is None
    assert (tally.read, tally.rejected) == (60, 3)
    assert (len(ledger.rejects), ledger.shown, ledger.booked()) == (3, [1, 2, 3], tally)


@pytest.mark.parametrize("report", [1, 2, 3])
@pytest.mark.parametrize("collaborator", ["rejects", "enter"])
def test_no_reject_is_claimed_that_is_not_written_down(tmp_path: Path, collaborator: str, report: int) -> None:
    """The journal and the summary count a reject only after the rejects file has it."""
    ledger = Ledger(tmp_path)
    tally, error = ledger.run(f"{collaborator} {report}")
    assert isinstance(error, TransferError)
    booked = ledger.booked()
    assert booked.rejected == tally.rejected == report - 1, "the report at which it failed counts nowhere"
    assert booked.read == tally.read
    assert booked.unsettled() == 0
    spent = report if collaborator == "rejects" else report - 1  # units were consumed though their results are lost
    assert booked.requests == tally.requests == spent
    assert booked.units == tally.units == sum(range(spent + 1))
    assert len(ledger.rejects) == (report if collaborator == "enter" else report - 1)
    assert ledger.shown == list(range(1, report))


class Watched:
    """A journal that notes its commits."""

    def __init__(self, journal: Journal, error: TransferError | None = None) -> None:
        self._journal, self._error = journal, error
        self.commits = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    def commit(self, seconds: float) -> None:
        self.commits += 1
        if self._error is not None:
            raise self._error
        self._journal.commit(seconds)


def entries(ledger: Ledger, journal: Any) -> _Entries:
    task = Assignment(None, 0, "items", 0)  # type: ignore[arg-type]
    return _Entries(ledger._run(TransferOptions(table="Orders")), task, journal, Accounts(Past()))


def test_reports_are_committed_whenever_an_engine_has_reported_all_it_knows(tmp_path: Path) -> None:
    options = TransferOptions(table="Orders", state_dir=str(tmp_path))
    with open_journal("import", "Orders", ["here"], options) as journal:
        journal.begin({}, (), {})
        watched = Watched(journal)
        found = entries(Ledger(tmp_path), watched)
        found.take(UnitReport(0, ImportCursor(1, 1), Tally(read=1, written=1)))
        assert watched.commits == 0
        found.take(Flushed())
        assert watched.commits == 1


def test_many_workers_may_say_the_same_thing_and_it_is_shown_once(tmp_path: Path) -> None:
    ledger, said = Ledger(tmp_path), list[str]()
    found = entries(ledger, None)
    found._run.progress.say = said.append  # type: ignore[method-assign]
    for text in ("hot key", "hot key", "slow", "hot key"):
        found.take(Notice(text))
    assert said == ["hot key", "slow"]


def test_settled_work_is_forgotten_only_if_it_is_in_the_journal(tmp_path: Path) -> None:
    options = TransferOptions(table="Orders", state_dir=str(tmp_path))
    with open_journal("import", "Orders", ["here"], options) as journal:
        journal.begin({}, (), {})
        assert entries(Ledger(tmp_path), journal).close([])
        assert not entries(Ledger(tmp_path), Watched(journal, TransferError("no room"))).close([])


class Hearing:
    """Notes the calls of its methods."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.heard.append(name)


def test_all_that_show_a_run_hear_of_its_events(tmp_path: Path) -> None:
    options = TransferOptions(table="Orders", state_dir=str(tmp_path))
    with open_journal("import", "Orders", ["here"], options) as journal:
        journal.begin({}, (), {})
        ledger = Ledger(tmp_path)
        found = entries(ledger, journal)
        found.take(UnitBegun(0, "a.json"))  # nobody has asked to hear of it
        found.live, found.sampler, found._standstill = live, sampler, standstill = Hearing(), Hearing(), Hearing()  # type: ignore[assignment]
        for event, of_live, of_standstill in (
            (UnitBegun(0, "a.json"), ["begun"], []),
            (Tick(), [], ["look"]),
            (Trouble("slow down"), [], ["trouble", "look"]),
            (UnitReport(0, ImportCursor(1, 1), Tally(requests=1)), ["reported"], []),
            (UnitReport(0, ImportCursor(1, 1), Tally(read=1, written=1)), ["reported"], ["success"]),
            (UnitReport(0, ImportCursor(1, 1), Tally(), done=True), ["reported"], ["success"]),
        ):
            for each in (live, sampler, standstill):
                each.heard.clear()
            found.take(event)
            assert (live.heard, standstill.heard, sampler.heard) == (of_live, of_standstill, ["look"]), event
        assert len(ledger.shown) == 4  # of a tick and of each report
        assert ledger.amounts[0] == 0.0  # a tick is no progress


def test_what_killed_workers_had_settled_is_entered_at_the_end(tmp_path: Path) -> None:
    options = TransferOptions(table="Orders", state_dir=str(tmp_path))
    with open_journal("import", "Orders", ["here"], options) as journal:
        journal.begin({}, (), {})
        journal.left(Plan([SegmentUnit(0, 0, 1)]))
        found = entries(Ledger(tmp_path), journal)
        found.sampler = sampler = Hearing()  # type: ignore[assignment]
        assert found.close([LaneState(0, False, ImportCursor(7, 7), Tally(read=7, written=7))])
        assert (found._accounts.tally.read, journal.past.tally.read, sampler.heard) == (7, 0, ["take"])


def test_a_run_that_is_to_end_is_stopped_once(tmp_path: Path) -> None:
    options = TransferOptions(table="Orders", state_dir=str(tmp_path))
    with open_journal("import", "Orders", ["here"], options) as journal:
        journal.begin({}, (), {})
        found = entries(Ledger(tmp_path), journal)
        stop = found._run.stop
        found.take(UnitReport(0, None, Tally(requests=1), error=PermanentError("of this unit only")))
        assert stop.requests == 0
        for _ in range(2):
            found.take(UnitReport(0, None, Tally(requests=1), error=AbortError("of all units")))
            assert stop.requests == 1


def test_the_limit_of_a_task_ends_the_run_at_the_report_that_reaches_it(tmp_path: Path) -> None:
    options = TransferOptions(table="Orders", state_dir=str(tmp_path))
    with open_journal("import", "Orders", ["here"], options) as journal:
        journal.begin({}, (), {})
        enough = AbortError("enough")
        found = entries(Ledger(tmp_path), journal)
        found._task = Assignment(None, 0, "items", 0, limit=lambda total: enough if total.read >= 2 else None)  # type: ignore[arg-type]
        for stops in (0, 1):
            found.take(UnitReport(0, ImportCursor(1, 1), Tally(read=1, written=1)))
            assert (found._run.stop.requests, found.over) == (stops, enough if stops else None)


def test_units_that_the_preparation_consumed_are_those_of_the_first_unit_that_is_left(tmp_path: Path) -> None:
    options = TransferOptions(table="Orders", state_dir=str(tmp_path))
    with open_journal("import", "Orders", ["here"], options) as journal:
        journal.begin({}, (), {})
        left = journal.left(Plan([SegmentUnit(3, 0, 2), SegmentUnit(4, 1, 2)]))
        watched = Failing(journal, ["enter"], None)
        found = entries(Ledger(tmp_path), watched)
        found.enter_spent(left)
        assert found._accounts.tally.requests == 0  # nothing was spent
        found._task = Assignment(None, 0, "items", 0, spent=Tally(requests=2, units=1.5))  # type: ignore[arg-type]
        found.enter_spent(left)
        assert found._accounts.tally == Tally(requests=2, units=1.5)
        journal.commit(1.0)
        assert journal.read(
            lambda database: database.execute("SELECT number FROM units WHERE requests > 0").fetchall()
        ) == [(3,)]
