"""Frames as items: what is no attribute, and frames that cannot be meant."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from ddbio.errors import UsageError
from ddbio.library.frames import as_items

pyarrow = pytest.importorskip("pyarrow")


class Frame:
    """What is read of a DataFrame of pandas."""

    def __init__(self, columns: list[str], *rows: tuple[Any, ...]) -> None:
        self.columns, self._rows = columns, rows

    def itertuples(self, *, index: bool, name: str | None) -> Iterator[tuple[Any, ...]]:
        assert (index, name) == (False, None)
        return iter(self._rows)


Frame.__module__ = "pandas.core.frame"


class NaTType:
    """Like pandas' missing time."""


def test_missing_values_of_a_data_frame_are_no_attributes() -> None:
    frame = Frame(["a", "b", "c"], ("x", float("nan"), None), (1.5, NaTType(), ""), (0, False, [None]))
    assert list(as_items(frame)) == [{"a": "x"}, {"a": 1.5, "c": ""}, {"a": 0, "b": False, "c": [None]}]


def test_arrow_keeps_types() -> None:
    at = datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc)
    columns = {"s": ["x", None], "n": [Decimal("1.50"), None], "at": [at, at], "raw": [b"\0", None]}
    first, second = as_items(pyarrow.table(columns))
    assert first == {"s": "x", "n": Decimal("1.50"), "at": at, "raw": b"\0"} and second == {"at": at}


@pytest.mark.parametrize(
    "frame",
    [
        Frame(["a", "b", "a"], (1, 2, 3)),
        pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["a", "a"]),
    ],
)
def test_two_columns_of_one_name_are_refused(frame: Any) -> None:
    with pytest.raises(UsageError, match="items has two columns called 'a'"):
        list(as_items(frame))


@pytest.mark.parametrize("data", [{"a": 1}, "abc", b"abc", 5, None])
def test_what_is_no_items(data: Any) -> None:
    with pytest.raises(UsageError, match="items is "):
        as_items(data)


def test_an_iterable_is_taken_as_it_is() -> None:
    items = iter([{"a": 1}])
    assert as_items(items) is items
