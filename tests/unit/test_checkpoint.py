"""The recorder: what a lane wrote is there whoever looks, a write that was cut short never is, and nothing counts
twice."""

from __future__ import annotations

import fcntl
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
from ddbio.flow.checkpoint import _SLOT_BYTES, Place, Recorder, Seat, left_places
from ddbio.messages import ImportCursor, Tally, UnitReport
from ddbio.messages.counts import RECORDED

LANES = 2


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    made = Recorder.create(tmp_path / "places", 3, LANES)
    yield made
    made.close()
    made.unlink()


def write(seat: Seat, unit: int, offset: int, *, done: bool = False, rejected: int = 0) -> Place:
    """A state in which every 10 bytes are a record."""
    read = offset // 10
    tally = Tally(read=read, written=read - rejected, rejected=rejected, bytes=offset, units=read / 2, requests=7)
    seat.write(unit, done, offset, read, *(getattr(tally, name) for name in RECORDED))
    return Place(unit, done, ImportCursor(offset, read), tally)


def test_nothing_is_recorded_at_first(recorder: Recorder) -> None:
    assert recorder.places() == []
    assert recorder.path.stat().st_mode & 0o777 == 0o600


def test_what_was_written_is_read_by_another_process(recorder: Recorder) -> None:
    seat = recorder.seat(1, 1)
    older, newer = write(seat, 5, 100), write(seat, 5, 250)
    copy: Recorder = pickle.loads(pickle.dumps(recorder))
    assert copy.places(1) == copy.places() == [older, newer]
    assert copy.places(0) == copy.places(2) == []
    copy.close()


def test_the_unit_before_stays(recorder: Recorder) -> None:
    """The report that it is done may still be on its way."""
    seat = recorder.seat(0, 0)
    write(seat, 1, 100)
    seat.next_unit()
    states = [write(seat, 2, 100), write(seat, 2, 200, done=True)]
    seat.next_unit()
    states += [write(seat, 3, 10), write(seat, 3, 20), write(seat, 3, 30)]
    assert recorder.places() == sorted([*states[:2], *states[3:]], key=lambda place: place.cursor.offset)


def test_lanes_do_not_meet(recorder: Recorder) -> None:
    for worker in range(3):
        for lane in range(LANES):
            seat = recorder.seat(worker, lane)
            for _ in range(3):
                seat.next_unit()
                write(seat, worker * 10 + lane, 100)
                write(seat, worker * 10 + lane, 200)
    assert {place.unit for place in recorder.places()} == {0, 1, 10, 11, 20, 21}
    assert {place.unit for place in recorder.places(1)} == {10, 11}
    assert len(recorder.places()) == 6 * 4


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
    memory = Torn(4 * _SLOT_BYTES)
    seat = Seat(memory, 0)  # type: ignore[arg-type]
    states = [write(seat, 1, 100 * (number + 1)) for number in range(writes)]
    memory.arrives = arrives
    last = write(seat, 1, 10_000)
    found = [place for place in read(memory) if place.unit == 1]
    assert states[-1] in found
    assert all(place in [*states, last] for place in found)
    assert last not in found or arrives >= 136


def read(memory: bytearray) -> list[Place]:
    recorder = Recorder.__new__(Recorder)
    recorder._memory = memory  # type: ignore[assignment]
    return list(recorder._read(range(0, len(memory), _SLOT_BYTES)))


# --------------------------------------------------------------------------- what it tells beyond what is known


def place(offset: int, *, done: bool = False, rejected: int = 0) -> Place:
    read = offset // 10
    return Place(1, done, ImportCursor(offset, read), Tally(read=read, written=read - rejected, rejected=rejected))


def known(offset: int, rejected: int = 0) -> tuple[ImportCursor, Tally]:
    read = offset // 10
    return ImportCursor(offset, read), Tally(read=read, written=read - rejected, rejected=rejected)


def test_a_place_tells_what_was_settled_since() -> None:
    assert place(300).since(*known(100)) == UnitReport(1, ImportCursor(300, 30), Tally(read=20, written=20))
    assert place(300).since(None, Tally()) == UnitReport(1, ImportCursor(300, 30), Tally(read=30, written=30))


def test_what_was_spent_before_the_first_record_was_settled_is_told() -> None:
    spent = Tally(requests=3, throttled=3)
    assert Place(1, False, ImportCursor(0, 0), spent).since(None, Tally()) == UnitReport(1, ImportCursor(0, 0), spent)


@pytest.mark.parametrize("offset", [300, 400])
def test_a_place_that_is_no_further_tells_nothing(offset: int) -> None:
    assert place(300).since(*known(offset)) is None


def test_the_end_of_a_unit_is_news_where_its_last_record_is_known() -> None:
    report = place(300, done=True).since(*known(300))
    assert report == UnitReport(1, ImportCursor(300, 30), Tally(), done=True)


def test_rejects_that_never_arrived_are_not_passed_over() -> None:
    assert place(300, rejected=2).since(*known(100, rejected=1)) is None
    assert place(300, rejected=2).since(*known(100, rejected=2)) is not None


@given(st.lists(st.integers(1, 50), min_size=1), st.data())
def test_whatever_is_looked_at_and_however_often_it_adds_up(steps: list[int], data: st.DataObject) -> None:
    """Places of one history, in any order and number: the sum is the furthest of them."""
    offsets = [10 * sum(steps[: number + 1]) for number in range(len(steps))]
    looked_at = data.draw(st.lists(st.sampled_from(offsets), min_size=1))
    cursor, total = None, Tally()
    for offset in looked_at:
        report = place(offset).since(cursor, total)
        if report is not None:
            assert isinstance(report.cursor, ImportCursor)
            cursor = report.cursor
            total.add(report.tally)
    assert total.read == total.written == max(looked_at) // 10


# --------------------------------------------------------------------------- who is still at work


def test_a_run_waits_for_the_workers_of_a_killed_parent(recorder: Recorder) -> None:
    worker = os.open(recorder.path, os.O_RDWR)  # another description: another process to the kernel
    fcntl.flock(worker, fcntl.LOCK_SH)
    with pytest.raises(UsageError, match="workers of an earlier run"):
        left_places(recorder.path, patience_s=0.0)
    threading.Timer(0.1, os.close, [worker]).start()
    assert left_places(recorder.path, patience_s=10.0) == []


def test_a_worker_that_comes_up_after_its_run_was_given_up_does_not_work(tmp_path: Path) -> None:
    recorder = Recorder.create(tmp_path / "places", 1, 1)
    recorder.attend()
    recorder.unlink()
    with pytest.raises(FileNotFoundError):
        recorder.attend()
    Recorder.create(tmp_path / "places", 1, 1).close()
    with pytest.raises(FileNotFoundError):
        recorder.attend()
    recorder.close()


def test_a_place_without_room_is_said(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="cannot make"):
        Recorder.create(tmp_path / "nowhere" / "places", 1, 1)


# --------------------------------------------------------------------------- a file that is not what it was


@pytest.fixture
def used(recorder: Recorder) -> tuple[Path, list[Place]]:
    places = [write(recorder.seat(worker, 0), worker, 100) for worker in range(3)]
    return recorder.path, places


def test_a_file_that_is_whole_tells_all(used: tuple[Path, list[Place]]) -> None:
    path, places = used
    assert left_places(path) == places


def test_the_last_slot_of_the_file_counts_too(recorder: Recorder) -> None:
    seat = recorder.seat(2, LANES - 1)
    places = [write(seat, 0, 100), write(seat, 0, 200)]
    seat.next_unit()
    places += [write(seat, 1, 300), write(seat, 1, 400)]
    assert recorder.places() == left_places(recorder.path) == places


@given(data=st.data())
def test_a_file_that_was_cut_short_tells_what_is_left(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "places"
    recorder = Recorder.create(path, 3, LANES)
    places = [write(recorder.seat(worker, 0), worker, 100) for worker in range(3)]
    size = path.stat().st_size
    recorder.close()
    length = data.draw(st.integers(0, size))
    os.truncate(path, length)
    assert left_places(path) == [
        each for number, each in enumerate(places) if number * size // 3 + 2 * _SLOT_BYTES <= length
    ]


@given(st.binary(max_size=3 * _SLOT_BYTES))
def test_a_file_of_anything_tells_nothing(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "places")
        path.write_bytes(content)
        assert left_places(path) == []


def test_what_is_no_file_tells_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "link", "gone", "pipe"):
        assert left_places(tmp_path / name) == []


def test_a_file_that_could_not_be_made_whole_is_not_left_there(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(TransferError, match="cannot make"):
            Recorder.create(tmp_path / "places", 3, 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, before)
    assert not (tmp_path / "places").exists()
