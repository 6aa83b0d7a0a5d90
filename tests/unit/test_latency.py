"""The histogram of latencies: what is counted, by several workers, and what is read from it."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.rate.latency import BOUNDS_S, Histogram, LocalLatencies, SharedLatencies


def test_workers_have_cells_of_their_own_and_a_replacement_continues_them(tmp_path: Path) -> None:
    board = SharedLatencies.create(tmp_path / "latencies", 3)
    workers = [pickle.loads(pickle.dumps(board)) for _ in range(3)]  # as processes open it
    for number in (0, 2, 2):
        workers[number].of_worker(number).add(0.002)
    replacement = pickle.loads(pickle.dumps(board))
    replacement.of_worker(2).add(100.0)
    found = board.histogram()
    assert found.counts[BOUNDS_S.index(0.0022)] == 3 and found.counts[-1] == 1 and found.count == 4
    assert found.sum_s == pytest.approx(100.006)
    for each in (board, replacement, *workers):
        each.close()


def test_a_bound_belongs_to_its_cell() -> None:
    board = LocalLatencies()
    for seconds in (0.0, 0.001, 0.0010001, 68.0):
        board.of_worker(0).add(seconds)
    assert (board.histogram().counts[0], board.histogram().counts[1], board.histogram().counts[-2]) == (2, 1, 1)


@given(st.lists(st.floats(0.0011, 60.0), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_is_within_a_step_of_the_truth(seconds: list[float], share: float) -> None:
    board = LocalLatencies()
    for each in seconds:
        board.of_worker(0).add(each)
    found = board.histogram().quantile_s(share)
    rank = max(1, -int(-share * len(seconds) // 1))  # of the smallest value that this share does not exceed
    truth = sorted(seconds)[min(rank, len(seconds)) - 1]
    assert found is not None and truth / 1.51 <= found <= truth * 1.51


def test_nothing_has_no_quantile_and_differences_are_what_came_since() -> None:
    board = LocalLatencies()
    assert board.histogram() == Histogram() and Histogram().quantile_s(0.5) is None
    board.of_worker(0).add(0.5)
    before = board.histogram()
    board.of_worker(0).add(0.002)
    since = board.histogram().minus(before)
    assert since.count == 1 and since.quantile_s(1.0) == pytest.approx(0.0022)
    assert before.plus(since) == board.histogram()
