"""The budget of `--limit`: never more than there is, and nothing lost with a lane that ends."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.errors import TransferError
from ddbio.steps.limit import SharedQuota


@contextmanager
def quota_of(limit: int, units: int) -> Iterator[SharedQuota]:
    quota = SharedQuota.create(limit, units)
    try:
        yield quota
    finally:
        quota.close()
        quota.unlink()
        assert not quota.path.exists()


@given(st.integers(0, 100), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=20))
def test_units_get_what_is_left(limit: int, asks: list[tuple[int, int]]) -> None:
    with quota_of(limit, 4) as quota:
        granted = [quota.take(unit, wanted) for unit, wanted in asks]
        assert sum(granted) == min(limit, sum(wanted for _, wanted in asks))
        assert quota.left() == limit - sum(granted)


def test_a_unit_that_is_begun_again_gives_back_what_is_not_settled() -> None:
    with quota_of(10, 2) as quota:
        assert (quota.take(0, 6), quota.take(1, 6)) == (6, 4)
        quota.begin(0, settled=2)
        assert quota.left() == 4
        assert quota.take(0, 100) == 4


def _take_all(quota: SharedQuota, unit: int) -> None:
    while quota.take(unit, 3):
        pass


def test_processes_share_it() -> None:
    with quota_of(1000, 2) as quota:
        context = multiprocessing.get_context("spawn")
        others = [context.Process(target=_take_all, args=(quota, unit)) for unit in (0, 1)]
        for each in others:
            each.start()
        for each in others:
            each.join(30)
        assert ([each.exitcode for each in others], quota.left()) == ([0, 0], 0)
        again = pickle.loads(pickle.dumps(quota))
        assert again.left() == 0
        again.close()


def test_no_room_for_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nonexistent")
    with pytest.raises(TransferError, match="temporary folder"):
        SharedQuota.create(1, 1)
