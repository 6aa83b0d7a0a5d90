"""The checkpoint: what a lane wrote is there whoever looks, a write that was cut short never is, and nothing counts
twice."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import TransferError, UsageError
from ddbio.flow.checkpoint import _STATE_BYTES, Checkpoint, LaneSlot, LaneState, _states_in, states_left
from ddbio.messages import ImportCursor, Tally, UnitReport
from ddbio.messages.counts import RECORDED

LANES = 2


@pytest.fixture
def checkpoint(tmp_path: Path) -> Iterator[Checkpoint]:
    made = Checkpoint.create(tmp_path / "places", 3, LANES)
    yield made
    made.close()
    made.unlink()


def write(slot: LaneSlot, unit: int, offset: int, *, done: bool = False, rejected: int = 0) -> LaneState:
    """A state in which every 10 bytes are a record."""
    read = offset // 10
    tally = Tally(read=read, written=read - rejected, rejected=rejected, bytes=offset, units=read / 2, requests=7)
    slot.write(unit, done, offset, read, *(getattr(tally, name) for name in RECORDED))
    return LaneState(unit, done, ImportCursor(offset, read), tally)


def test_nothing_is_recorded_at_first(checkpoint: Checkpoint) -> None:
    assert checkpoint.states() == []
    assert checkpoint.path.stat().st_mode & 0o777 == 0o600


def test_what_was_written_is_read_by_another_process(checkpoint: Checkpoint) -> None:
    slot = checkpoint.slot(1, 1)
    older, newer = write(slot, 5, 100), write(slot, 5, 250)
    copy: Checkpoint = pickle.loads(pickle.dumps(checkpoint))
    assert copy.states(1) == copy.states() == [older, newer]
    assert copy.states(0) == copy.states(2) == []
    copy.close()


def test_the_unit_before_stays(checkpoint: Checkpoint) -> None:
    """The report that it is done may still be on its way."""
    slot = checkpoint.slot(0, 0)
    write(slot, 1, 100)
    slot.next_unit()
    states = [write(slot, 2, 100), write(slot, 2, 200, done=True)]
    slot.next_unit()
    states += [write(slot, 3, 10), write(slot, 3, 20), write(slot, 3, 30)]
    assert checkpoint.states() == sorted([*states[:2], *states[3:]], key=lambda state: state.cursor.offset)


def test_lanes_do_not_meet(checkpoint: Checkpoint) -> None:
    for worker in range(3):
        for lane in range(LANES):
            slot = checkpoint.slot(worker, lane)
            for _ in range(3):
                slot.next_unit()
                write(slot, worker * 10 + lane, 100)
                write(slot, worker * 10 + lane, 200)
    assert {state.unit for state in checkpoint.states()} == {0, 1, 10, 11, 20, 21}
    assert {state.unit for state in checkpoint.states(1)} == {10, 11}
    assert len(checkpoint.states()) == 6 * 4


class Torn(bytearray):
    """Memory of a process that is killed in the middle of a store: only the beginning of it arrives."""

    arrives: int | None = None

    def __setitem__(self, where: object, data: object) -> None:
        assert isinstance(where, slice)
        assert isinstance(data, bytes)
        begin, count = where.start, len(data) if self.arrives is None else self.arrives
        super().__setitem__(slice(begin, begin + count), data[:count])


@given(st.integers(0, 139), st.integers(2, 5))
def test_a_write_that_is_cut_short_leaves_the_one_before(arrives: int, writes: int) -> None:
    memory = Torn(4 * _STATE_BYTES)
    slot = LaneSlot(memory, 0)  # type: ignore[arg-type]
    states = [write(slot, 1, 100 * (number + 1)) for number in range(writes)]
    memory.arrives = arrives
    last = write(slot, 1, 10_000)
    found = [state for state in read(memory) if state.unit == 1]
    assert states[-1] in found
    assert all(state in [*states, last] for state in found)
    assert last not in found or arrives >= 136


def read(memory: bytearray) -> list[LaneState]:
    return _states_in(memory, range(0, len(memory), _STATE_BYTES))


# --------------------------------------------------------------------------- what it tells beyond what is known


def state(offset: int, *, done: bool = False, rejected: int = 0) -> LaneState:
    read = offset // 10
    return LaneState(
        1, done, ImportCursor(offset, read), Tally(read=read, written=read - rejected, rejected=rejected)
    )


def known(offset: int, rejected: int = 0) -> tuple[ImportCursor, Tally]:
    read = offset // 10
    return ImportCursor(offset, read), Tally(read=read, written=read - rejected, rejected=rejected)


def test_a_place_tells_what_was_settled_since() -> None:
    assert state(300).since(*known(100)) == UnitReport(1, ImportCursor(300, 30), Tally(read=20, written=20))
    assert state(300).since(None, Tally()) == UnitReport(1, ImportCursor(300, 30), Tally(read=30, written=30))


def test_what_was_spent_before_the_first_record_was_settled_is_told() -> None:
    spent = Tally(requests=3, throttled=3)
    assert LaneState(1, False, ImportCursor(0, 0), spent).since(None, Tally()) == UnitReport(
        1, ImportCursor(0, 0), spent
    )


@pytest.mark.parametrize("offset", [300, 400])
def test_a_place_that_is_no_further_tells_nothing(offset: int) -> None:
    assert state(300).since(*known(offset)) is None


def test_the_end_of_a_unit_is_news_where_its_last_record_is_known() -> None:
    report = state(300, done=True).since(*known(300))
    assert report == UnitReport(1, ImportCursor(300, 30), Tally(), done=True)


def test_rejects_that_never_arrived_are_not_passed_over() -> None:
    assert state(300, rejected=2).since(*known(100, rejected=1)) is None
    assert state(300, rejected=2).since(*known(100, rejected=2)) is not None


@given(st.lists(st.integers(1, 50), min_size=1), st.data())
def test_whatever_is_looked_at_and_however_often_it_adds_up(steps: list[int], data: st.DataObject) -> None:
    """Places of one history, in any order and number: the sum is the furthest of them."""
    offsets = [10 * sum(steps[: number + 1]) for number in range(len(steps))]
    looked_at = data.draw(st.lists(st.sampled_from(offsets), min_size=1))
    cursor, total = None, Tally()
    for offset in looked_at:
        report = state(offset).since(cursor, total)
        if report is not None:
            assert isinstance(report.cursor, ImportCursor)
            cursor = report.cursor
            total.add(report.tally)
    assert total.read == total.written == max(looked_at) // 10


# --------------------------------------------------------------------------- who is still at work


def test_a_run_waits_for_the_workers_of_a_killed_parent(checkpoint: Checkpoint) -> None:
    worker = pickle.loads(pickle.dumps(checkpoint))  # with an open file of its own: to the kernel another process
    worker.attend()
    with pytest.raises(UsageError, match="workers of an earlier run"):
        states_left(checkpoint.path, patience_s=0.0)
    threading.Timer(0.1, worker.close).start()
    assert states_left(checkpoint.path, patience_s=10.0) == []


def test_a_worker_that_comes_up_after_its_run_was_given_up_does_not_work(tmp_path: Path) -> None:
    checkpoint = Checkpoint.create(tmp_path / "places", 1, 1)
    checkpoint.attend()
    checkpoint.unlink()
    with pytest.raises(FileNotFoundError):
        checkpoint.attend()
    Checkpoint.create(tmp_path / "places", 1, 1).close()
    with pytest.raises(FileNotFoundError):
        checkpoint.attend()
    checkpoint.close()


def test_a_folder_without_room_is_said(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="cannot create"):
        Checkpoint.create(tmp_path / "nowhere" / "places", 1, 1)


# --------------------------------------------------------------------------- a file that is not what it was


@pytest.fixture
def used(checkpoint: Checkpoint) -> tuple[Path, list[LaneState]]:
    states = [write(checkpoint.slot(worker, 0), worker, 100) for worker in range(3)]
    return checkpoint.path, states


def test_a_file_that_is_whole_tells_all(used: tuple[Path, list[LaneState]]) -> None:
    path, states = used
    assert states_left(path) == states


def test_the_last_slot_of_the_file_counts_too(checkpoint: Checkpoint) -> None:
    slot = checkpoint.slot(2, LANES - 1)
    states = [write(slot, 0, 100), write(slot, 0, 200)]
    slot.next_unit()
    states += [write(slot, 1, 300), write(slot, 1, 400)]
    assert checkpoint.states() == states_left(checkpoint.path) == states


@given(data=st.data())
def test_a_file_that_was_cut_short_tells_what_is_left(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "places"
    checkpoint = Checkpoint.create(path, 3, LANES)
    states = [write(checkpoint.slot(worker, 0), worker, 100) for worker in range(3)]
    size = path.stat().st_size
    checkpoint.close()
    length = data.draw(st.integers(0, size))
    os.truncate(path, length)
    assert states_left(path) == [
        each for number, each in enumerate(states) if number * size // 3 + 2 * _STATE_BYTES <= length
    ]


@given(st.binary(max_size=3 * _STATE_BYTES))
def test_a_file_of_anything_tells_nothing(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "places")
        path.write_bytes(content)
        assert states_left(path) == []


def test_what_is_no_file_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "link", "gone", "pipe"):
        assert states_left(tmp_path / name) == []


def test_a_file_that_could_not_be_made_whole_is_not_left_there(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(TransferError, match="cannot create"):
            Checkpoint.create(tmp_path / "places", 3, 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert not (tmp_path / "places").exists()


def test_progress_inside_one_block_of_rows_is_progress(tmp_path: Path) -> None:
    """The rows of an Avro block have one offset."""
    later = LaneState(1, False, ImportCursor(100, 60), Tally(read=60, written=60))
    assert later.since(ImportCursor(100, 35), Tally(read=35, written=35)) == UnitReport(
        1, ImportCursor(100, 60), Tally(read=25, written=25)
    )
    assert later.since(ImportCursor(100, 60), Tally(read=60, written=60)) is None
    checkpoint = Checkpoint.create(tmp_path / "places", 1, 1)
    slot = checkpoint.slot(0, 0)
    for read in (60, 35):  # the newer state may come first in the memory
        counts = {"read": read, "written": read}
        slot.write(1, 0, 100, read, *(counts.get(name, 0) for name in RECORDED))
    assert [each.cursor.lines for each in checkpoint.states()] == [35, 60]
    checkpoint.close()
