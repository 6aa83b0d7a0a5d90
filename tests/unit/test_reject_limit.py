"""How many records may be rejected, and how soon all workers know."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import pytest

from ddbio.messages import Tally
from ddbio.steps.reject_limit import ErrorLimit, LocalRejectCount, RejectCount, SharedRejectCount, TooManyRejectsError


@pytest.fixture(params=["local", "shared"])
def count(request: pytest.FixtureRequest, tmp_path: Path) -> RejectCount:
    return LocalRejectCount(6) if request.param == "local" else SharedRejectCount.create(tmp_path / "rejected", 6)


def test_a_number_is_held_by_all_who_share_the_count(count: RejectCount) -> None:
    other = pickle.loads(pickle.dumps(count)) if isinstance(count, SharedRejectCount) else count
    assert not count.passed_with(3)
    assert not other.passed_with(3)
    assert count.passed_with(1)
    assert other.passed_with(1)


def test_after_the_run_nothing_is_counted(tmp_path: Path) -> None:
    count = SharedRejectCount.create(tmp_path / "rejected", 6)
    count.path.unlink()
    assert not count.passed_with(100)


def test_only_a_number_is_counted() -> None:
    assert [ErrorLimit.parse(text).most_left(before=4) for text in ("10", "5%", None)] == [6, None, None]


def _add(count: SharedRejectCount) -> None:
    for _ in range(200):
        count.passed_with(3)


def test_no_reject_is_lost_between_processes(tmp_path: Path) -> None:
    count = SharedRejectCount.create(tmp_path / "rejected", 10**6)
    processes = [multiprocessing.get_context("spawn").Process(target=_add, args=(count,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert count.path.stat().st_size == 2 * 200 * 3


def test_the_message_has_the_numbers_that_the_run_ended_with() -> None:
    error = ErrorLimit.parse("5%").error(Tally(read=1234, rejected=60), "x.jsonl")
    assert isinstance(error, TooManyRejectsError)
    assert error.message.startswith("60 of the 1,234 records read so far were rejected")
