"""The number of `--limit`: never more than there are, and nothing lost with a lane that ends."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.steps.limit import Limit, LimitNeeds, SharedLimit

UNITS = st.integers(0, 3)


@given(st.integers(0, 100), st.lists(st.tuples(UNITS, st.integers(0, 40)), max_size=20))
def test_units_get_what_is_left(items: int, asks: list[tuple[int, int]]) -> None:
    limit = Limit.of(LimitNeeds(items, 4))
    granted = [limit.take(unit, wanted) for unit, wanted in asks]
    assert sum(granted) == min(items, sum(wanted for _, wanted in asks))
    assert limit.left() == items - sum(granted)


def test_a_unit_that_is_begun_again_gives_back_what_is_not_settled() -> None:
    limit = Limit.of(LimitNeeds(10, 2))
    assert (limit.take(0, 6), limit.take(1, 6)) == (6, 4)
    limit.begin(0, settled=2)
    assert limit.left() == 4
    assert limit.take(0, 100) == 4


@given(
    items=st.integers(0, 100),
    taken=st.dictionaries(UNITS, st.integers(0, 40)),
    asks=st.lists(st.tuples(UNITS, st.integers(0, 40), st.booleans()), max_size=20),
)
def test_the_shared_one_answers_alike(
    items: int, taken: dict[int, int], asks: list[tuple[int, int, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    needs = LimitNeeds(items, 4, taken)
    shared, local = SharedLimit.create(tmp_path_factory.mktemp("limit") / "limit", needs), Limit.of(needs)
    assert shared.left() == local.left() == items - sum(taken.values())
    for unit, number, begins in asks:
        if begins:
            shared.begin(unit, number)
            local.begin(unit, number)
        else:
            assert shared.take(unit, number) == local.take(unit, number)
        assert shared.left() == local.left()
    shared.close()


def _take_all(limit: SharedLimit, unit: int) -> None:
    while limit.take(unit, 3):
        pass


def test_processes_share_it(tmp_path: Path) -> None:
    limit = SharedLimit.create(tmp_path / "limit", LimitNeeds(1000, 2))
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_take_all, args=(limit, unit)) for unit in (0, 1)]
    for each in others:
        each.start()
    for each in others:
        each.join(30)
    assert ([each.exitcode for each in others], limit.left()) == ([0, 0], 0)
    again = pickle.loads(pickle.dumps(limit))
    assert again.left() == 0
    again.close()
    limit.close()


def test_a_limit_that_is_kept_forgets_nothing_that_was_taken(tmp_path: Path) -> None:
    """Neither with the lane that took it, nor with the whole run."""
    needs = LimitNeeds(10, 2, kept=tmp_path / "limit")
    first = SharedLimit.keep(tmp_path / "limit", needs)
    assert (first.take(0, 4), first.take(1, 3)) == (4, 3)
    first.begin(0, settled=1)
    assert first.left() == 3
    first.give_back(1, 2)
    first.close()
    again = SharedLimit.keep(tmp_path / "limit", LimitNeeds(10, 3, {0: 2, 1: 1, 2: 1}, kept=tmp_path / "limit"))
    assert again.left() == 4
    other = pickle.loads(pickle.dumps(again))
    other.begin(0, settled=0)
    assert (other.take(2, 100), again.left()) == (4, 0)
    again.close()
    other.close()
