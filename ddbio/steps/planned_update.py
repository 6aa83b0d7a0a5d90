"""`--transform` of an update: the user's function, whose result becomes the changes of an item.

The function gets an item as Python values (`ddbio.steps.transform`) and returns one of these:

    the new item             a dict with the table's keys: attributes that it lacks are removed
    the changed attributes   a dict without the keys: all others stay
    None                     the item stays as it is

An item that would not change needs no update. The keys of an item cannot change.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ddbio.errors import RecordError
from ddbio.steps.transform import returned_items
from ddbio.system.user_function import load_function
from ddbio.values.capacity import MAX_ITEM_BYTES, item_size_bytes, write_units
from ddbio.values.equality import same_value
from ddbio.values.items import AttributeMap
from ddbio.values.python_values import to_python


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
    """Calls the user's function. keys: the names of the table's key attributes."""

    def __init__(self, function: Callable[[Any], Any], keys: Collection[str]) -> None:
        self._function = function
        self._keys = {*keys}

    def __call__(self, item: AttributeMap) -> list[AttributeMap]:
        """The update, or nothing if the item needs none. Raises RecordError."""
        returned = returned_items(self._function, {name: to_python(value) for name, value in item.items()})
        if not returned:
            return []
        if len(returned) > 1 or type(returned[0]) is not dict:
            raise RecordError("transform-failed", "the function returned more than one item, or one with a table")
        new = returned[0]
        whole = new.keys() >= self._keys
        for name in self._keys & new.keys():
            if not same_value(new[name], item[name]):
                raise RecordError("key-changed", f"the function changed the key {name!r}, which cannot be updated")
        sets = {name: value for name, value in new.items() if name not in item or not same_value(value, item[name])}
        removes = [name for name in item if whole and name not in new]
        return [PlannedUpdate(item, sets, removes)] if sets or removes else []


def open_planner(function: str, keys: Collection[str]) -> UpdatePlanner:
    """function: `/path/module.py:function`."""
    return UpdatePlanner(load_function(function), keys)
