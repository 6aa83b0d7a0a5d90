"""`--transform` of an update: the user's function, whose result becomes the changes of an item.

The function gets an item as Python values (`ddbio.steps.transform`) and returns one of these:

    the new item             a dict with the table's keys: attributes that it lacks are removed
    the changed attributes   a dict without the keys: all others stay
    None                     the item stays as it is

An item that would not change needs no update. The keys of an item cannot change. The function must be repeatable: for
its own result it returns the same, unless a marker attribute notes which items were changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from ddbio.errors import PermanentAbortError, RecordError
from ddbio.steps.transform import returned_items
from ddbio.system.user_function import load_function
from ddbio.values.capacity import MAX_ITEM_BYTES, item_size_bytes, write_units
from ddbio.values.equality import same_value
from ddbio.values.items import AttributeMap
from ddbio.values.python_values import to_python

MARK = "ddbio "  # how the value of every marker begins


@dataclass(frozen=True, slots=True)
class Marker:
    """The attribute of `--once`, set in the same update. value: names the update; begins with `MARK`."""

    name: str
    value: dict[str, Any]

    def is_on(self, item: AttributeMap) -> bool:
        return item.get(self.name) == self.value

    def check(self, item: AttributeMap) -> None:
        """Raises RecordError if the attribute has content of the user, which the mark would replace."""
        if self.name in item and not str(item[self.name].get("S", "")).startswith(MARK):
            raise RecordError(
                "marker-taken",
                f"the attribute {self.name!r} has content that is no mark of an update; choose another",
            )


class PlannedUpdate(AttributeMap):
    """The item as it was read, and its changes.

    sets: new values by attribute. removes: attributes. units: of the table, that the update will consume.
    """

    __slots__ = ("removes", "sets", "units")

    def __init__(self, item: AttributeMap, sets: AttributeMap, removes: Collection[str]) -> None:
        super().__init__(item)
        self.sets = sets
        self.removes = tuple(removes)
        new = {name: value for name, value in {**item, **sets}.items() if name not in removes}
        size_bytes = item_size_bytes(new)
        if size_bytes > MAX_ITEM_BYTES:
            raise RecordError(
                "item-too-large", f"the item would have {size_bytes:,} bytes; DynamoDB takes {MAX_ITEM_BYTES:,}"
            )
        self.units = write_units(max(size_bytes, item_size_bytes(item)))


class UpdatePlanner:
    """Calls the user's function. keys: the names of the table's key attributes. marker: set with every update."""

    def __init__(self, function: Callable[[Any], Any], keys: Collection[str], marker: Marker | None = None) -> None:
        self._function = function
        self._keys = {*keys}
        self.marker = marker

    def __call__(self, item: AttributeMap) -> list[AttributeMap]:
        """The update, or nothing if the item needs none.

        Raises RecordError; PermanentAbortError if the function would change its own result again and there is no
        marker: an item that is scanned again after a kill would be changed twice.
        """
        sets, removes = self._changes(item)
        if not (sets or removes):
            return []
        if self.marker is not None:
            self.marker.check(item)
            return [PlannedUpdate(item, {**sets, self.marker.name: self.marker.value}, removes)]
        new = {name: value for name, value in {**item, **sets}.items() if name not in removes}
        again, also = self._changes(new)
        if again or also:
            raise PermanentAbortError(
                f"the function of --transform changes its own result again (attribute {[*again, *also][0]!r}): after "
                "an interruption an item might be changed twice",
                "add --once NAME, an attribute that marks the items that were changed, and --fresh",
            )
        return [PlannedUpdate(item, sets, removes)]

    def _changes(self, item: AttributeMap) -> tuple[AttributeMap, list[str]]:
        """The attributes that the function sets to other values, and those that it removes."""
        returned = returned_items(self._function, {name: to_python(value) for name, value in item.items()})
        if not returned:
            return {}, []
        if len(returned) > 1 or type(returned[0]) is not dict:
            raise RecordError("transform-failed", "the function returned more than one item, or one with a table")
        new = returned[0]
        whole = new.keys() >= self._keys
        for name in self._keys & new.keys():
            if not same_value(new[name], item[name]):
                raise RecordError("key-changed", f"the function changed the key {name!r}, which cannot be updated")
        sets = {name: value for name, value in new.items() if name not in item or not same_value(value, item[name])}
        return sets, [name for name in item if whole and name not in new]


def open_planner(function: str, keys: Collection[str], marker: Marker | None = None) -> UpdatePlanner:
    """function: `/path/module.py:function`."""
    return UpdatePlanner(load_function(function), keys, marker)
