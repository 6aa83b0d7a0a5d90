"""The batch: never more than a request may hold, one put of a key, in the order of the records."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ddbio.sinks.batch import LIMIT_BYTES, Batch, Write
from ddbio.values.capacity import MAX_BATCH_WRITES


def put(number: int, *, units: int = 1, size: int = 10, key: str | None = None) -> Write:
    return Write(number, (key or str(number),), b"x" * size, {}, (units,))


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 50), st.integers(1, LIMIT_BYTES // 3)), max_size=80),
    st.floats(1, 200),
)
def test_a_batch_keeps_to_its_limits(asks: list[tuple[int, int, int]], most_units: float) -> None:
    batch = Batch(lambda: most_units)
    sent: list[list[Write]] = []
    for number, (key, units, size) in enumerate(asks):
        new = put(number, units=units, size=size, key=str(key))
        if not batch.offer(new):
            sent.append(batch.writes())
            batch.settle(batch.writes())
            assert batch.offer(new)
    sent.append(batch.writes())
    for each in sent:
        assert len(each) <= MAX_BATCH_WRITES
        assert len({p.key for p in each}) == len(each)
        assert [p.place for p in each] == sorted(p.place for p in each)
        assert len(each) == 1 or sum(p.units[0] for p in each) <= most_units
        assert len(each) == 1 or sum(len(p.record) for p in each) <= LIMIT_BYTES


def test_a_later_put_replaces_an_earlier_one_of_the_same_key() -> None:
    batch = Batch(lambda: 100.0)
    for number, key in enumerate("aba", start=1):
        assert batch.offer(put(number, key=key))
    assert batch.replaced == 1
    assert [each.place for each in batch.writes()] == [2, 3]


def test_what_a_rejected_put_had_replaced_comes_back() -> None:
    batch = Batch(lambda: 100.0)
    first, second, third = put(1, key="a"), put(2, key="a", size=99), put(3, key="a")
    for each in (first, second, third):
        assert batch.offer(each)
    batch.reject(third)
    assert (batch.writes(), batch.replaced) == ([second], 1)
    batch.reject(second)
    assert (batch.writes(), batch.replaced) == ([first], 0)
    batch.reject(first)
    assert (batch.writes(), batch.replaced) == ([], 0)


def test_what_is_settled_makes_room() -> None:
    batch = Batch(lambda: 10.0)
    first, second = put(1, units=6), put(2, units=6)
    assert batch.offer(first)
    assert not batch.offer(second)
    batch.settle([first])
    assert batch.offer(second)
    assert batch.writes() == [second]


def test_an_item_above_the_limit_goes_alone() -> None:
    batch = Batch(lambda: 1.0)
    huge = put(1, units=400)
    assert batch.offer(huge)
    assert not batch.offer(put(2))


def test_a_batch_of_one() -> None:
    batch = Batch(lambda: 100.0, most_writes=1)
    assert batch.offer(put(1, key="a"))
    assert not batch.offer(put(2, key="a"))  # not even in place of the first
