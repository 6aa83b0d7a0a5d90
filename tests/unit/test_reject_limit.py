"""How many records may be rejected, and how soon all workers know."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

from ddbio.messages import Tally
from ddbio.steps.reject_limit import ErrorLimit, RejectCount, TooManyRejectsError


def test_a_number_is_held_by_all_who_share_the_count(tmp_path: Path) -> None:
    with ErrorLimit.parse("10").shared_count(tmp_path, before=4) as count:
        assert count is not None
        assert not count.passed_with(3)
        other = RejectCount(count.path, count.most)  # as it comes to another process
        assert not other.passed_with(3)
        assert count.passed_with(1)
        assert other.passed_with(1)
    assert list(tmp_path.iterdir()) == []
    assert not other.passed_with(100), "the run is over"


def test_a_run_that_was_killed_leaves_nothing_that_counts(tmp_path: Path) -> None:
    limit = ErrorLimit.parse("10")
    killed = RejectCount(tmp_path / "rejected", 10)
    killed.create()
    assert killed.passed_with(11)
    with limit.shared_count(tmp_path, before=0) as count:
        assert count is not None and not count.passed_with(10)


def test_a_share_and_no_limit_need_no_count(tmp_path: Path) -> None:
    for text in ("5%", None):
        with ErrorLimit.parse(text).shared_count(tmp_path, before=0) as count:
            assert count is None


def _add(count: RejectCount) -> None:
    for _ in range(200):
        count.passed_with(3)


def test_no_reject_is_lost_between_processes(tmp_path: Path) -> None:
    count = RejectCount(tmp_path / "rejected", 10**6)
    count.create()
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
