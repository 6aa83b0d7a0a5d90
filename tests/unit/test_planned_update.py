"""What the user's function makes of an item, and what it may not make."""

from __future__ import annotations

from typing import Any

import pytest

from ddbio.errors import PermanentAbortError, RecordError
from ddbio.steps.planned_update import Marker, PlannedUpdate, UpdatePlanner

ITEM = {"id": {"S": "a"}, "at": {"N": "1"}, "n": {"N": "5"}, "old": {"SS": ["x", "y"]}}
KEYS = ("id", "at")


def planned(function: Any, marker: Marker | None = None) -> tuple[dict[str, Any], tuple[str, ...]] | None:
    made = UpdatePlanner(function, KEYS, marker)(dict(ITEM))
    if not made:
        return None
    (update,) = made
    assert isinstance(update, PlannedUpdate)
    assert dict(update) == ITEM
    return update.sets, update.removes


def test_a_new_item_loses_what_it_lacks() -> None:
    assert planned(lambda item: {"id": "a", "at": 1, "n": 6}) == ({"n": {"N": "6"}}, ("old",))


def test_changed_attributes_leave_the_others() -> None:
    assert planned(lambda item: {"m": None}) == ({"m": {"NULL": True}}, ())


@pytest.mark.parametrize(
    "same",
    [
        lambda item: None,
        lambda item: item,
        lambda item: {"n": 5.0},
        lambda item: {"old": {"y", "x"}},
        lambda item: {},
    ],
)
def test_what_is_equal_needs_no_update(same: Any) -> None:
    assert planned(same) is None


def test_a_part_of_the_key_is_no_new_item() -> None:
    assert planned(lambda item: {"id": "a", "n": 6}) == ({"n": {"N": "6"}}, ())


@pytest.mark.parametrize(
    ("function", "code"),
    [
        (lambda item: {**item, "at": 2}, "key-changed"),
        (lambda item: {"id": "b"}, "key-changed"),
        (lambda item: [item, item], "transform-failed"),
        (lambda item: ("Other", item), "transform-failed"),
        (lambda item: 1 / 0, "transform-failed"),
        (lambda item: {"m": object()}, "bad-type"),
        (lambda item: {"m": "x" * 500_000}, "item-too-large"),
    ],
)
def test_what_is_rejected(function: Any, code: str) -> None:
    with pytest.raises(RecordError) as refused:
        planned(function)
    assert refused.value.code == code


def test_what_changes_again_needs_a_marker() -> None:
    with pytest.raises(PermanentAbortError, match=r"'n'.*--once"):
        planned(lambda item: {"n": item["n"] + 1})
    marker = Marker("mark", {"S": "job"})
    assert planned(lambda item: {"n": item["n"] + 1}, marker) == ({"n": {"N": "6"}, "mark": {"S": "job"}}, ())
    assert planned(lambda item: None, marker) is None
