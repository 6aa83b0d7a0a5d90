"""Changes undone: each item becomes what it was before, on the condition that it still is what the change made of it.

    before and after the change     request          condition
    an item, another item           UpdateItem       all attributes that the change left have their values
    an item, none                   PutItem          there is no item
    no item, an item                DeleteItem       as for UpdateItem

An item that does not fulfil the condition is left and counted as skipped, or as dropped if it already is as it was
before. A condition sees only the attributes that it names. So an attribute that was added since, and is in neither
image, survives an UpdateItem; it does not hold up a DeleteItem.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import (
    Condition,
    Operation,
    delete_if_body,
    encode_item,
    put_if_body,
    single_write_operation,
    update_body,
)
from ddbio.errors import RecordError
from ddbio.sinks.batch import Write
from ddbio.sinks.table_writes import Changes, Outcome
from ddbio.values.equality import same_item
from ddbio.values.items import AttributeMap, Reversal
from ddbio.values.keys import ItemKey, key_checker
from ddbio.values.table import TableInfo

MAX_EXPRESSION_BYTES = 4096


class ForcedReverts(Changes):
    """Without conditions: 25 writes a request."""

    def __init__(self, table: TableInfo) -> None:
        super().__init__(table)
        self.key_of = key_checker(table, index_keys=False)

    def _units(self, attributes: AttributeMap, small: bool) -> tuple[int, ...]:
        """Those of the larger image in each budget."""
        assert isinstance(attributes, Reversal)
        images = [image for image in (attributes.old, attributes.new) if image is not None]
        return tuple(map(max, zip(*(self.estimates.of_put(image, small) for image in images), strict=True)))

    def _new_write(
        self, place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]
    ) -> Write:
        assert isinstance(attributes, Reversal)
        item = encode_item(attributes if attributes.old is None else attributes.old)
        return Write(place, key, record, item, units, attributes.old is None)


class _Revert(Write):
    """change: the change to be undone. body: of its request."""

    change: Reversal = Reversal({}, None, None)
    operation: str = ""
    body: bytes = b""


class Reverts(ForcedReverts):
    most_writes = 1

    def __init__(self, table: TableInfo) -> None:
        super().__init__(table)
        names = ("PutItem", "UpdateItem", "DeleteItem")
        self._operations = {name: single_write_operation(name, table.write_budgets()) for name in names}

    def _new_write(
        self, place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]
    ) -> Write:
        assert isinstance(attributes, Reversal)
        operation, body = request_of(attributes, self.address, by_index=self.by_index)
        return _Revert(
            place, key, record, b"", units, attributes.old is None, change=attributes, operation=operation, body=body
        )

    def body(self, writes: Sequence[Write]) -> bytes:
        return _revert(writes).body

    def operation_of(self, writes: Sequence[Write]) -> Operation[Any]:
        return self._operations[_revert(writes).operation]

    def condition_units(self, writes: Sequence[Write]) -> float:
        return float(writes[0].units[0])

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        if not is_undone(_revert([write]).change, error.item):
            return Outcome.SKIPPED
        return Outcome.WRITTEN if error.applied_before else Outcome.DROPPED


def _revert(writes: Sequence[Write]) -> _Revert:
    (write,) = writes
    assert isinstance(write, _Revert)
    return write


def request_of(change: Reversal, table: str, *, by_index: bool = False) -> tuple[str, bytes]:
    """Operation and body of the request that undoes a change.

    Raises RecordError if the item has too many attributes for a condition.
    """
    key, old, new = encode_item(change), change.old, change.new
    condition = _unchanged(change)
    _check_size(condition.expression, change)
    if old is None:
        return "DeleteItem", delete_if_body(table, key, condition, by_index=by_index)
    update = None if new is None else _update(change)
    if not update:
        return "PutItem", put_if_body(table, encode_item(old), condition, by_index=by_index)
    expression, values = update
    _check_size(expression, change)
    condition = Condition(condition.expression, condition.names, {**condition.values, **values})
    return "UpdateItem", update_body(table, key, expression, condition, by_index=by_index)


def _marks(change: Reversal) -> dict[str, str]:
    """A placeholder for each attribute of both images, except the key's. Short, as the length of a condition is
    limited."""
    names = {name: None for image in (change.new, change.old) for name in image or () if name not in change}
    return {name: f"#{number}" for number, name in enumerate(names)}


def _unchanged(change: Reversal) -> Condition:
    """The condition that the item is what the change made of it."""
    if change.new is None:
        return Condition("attribute_not_exists(#k)", {"#k": next(iter(change))}, {})
    marks, terms, values = _marks(change), ["attribute_exists(#k)"], {}
    for name, mark in marks.items():
        if name in change.new:
            terms.append(f"{mark}=:{mark[1:]}")
            values[f":{mark[1:]}"] = change.new[name]
        else:
            terms.append(f"attribute_not_exists({mark})")
    names = {"#k": next(iter(change)), **{mark: name for name, mark in marks.items()}}
    return Condition(" AND ".join(terms), names, values)


def _update(change: Reversal) -> tuple[str, dict[str, Any]] | None:
    """The UpdateExpression that restores the old item, and its values; None if both images are the same."""
    old, new = change.old or {}, change.new or {}
    sets, removes, values = [], [], dict[str, Any]()
    for name, mark in _marks(change).items():
        if name not in old:
            removes.append(mark)
        elif name not in new or not same_item({name: old[name]}, {name: new[name]}):
            sets.append(f"{mark}=:o{mark[1:]}")
            values[f":o{mark[1:]}"] = old[name]
    parts = ["SET " + ",".join(sets)] * bool(sets) + ["REMOVE " + ",".join(removes)] * bool(removes)
    return (" ".join(parts), values) if parts else None


def _check_size(expression: str, change: Reversal) -> None:
    if len(expression) > MAX_EXPRESSION_BYTES:
        number = len(_marks(change))
        raise RecordError(
            "too-many-attributes",
            f"the item has {number:,} attributes, too many for one condition: only --force reverts it",
        )


def is_undone(change: Reversal, item: AttributeMap | None) -> bool:
    """Whether an item is as it was before the change, apart from attributes that are in neither image."""
    if change.old is None or item is None:
        return change.old is None and item is None
    kept = {name: value for name, value in item.items() if name in change.old or name in (change.new or {})}
    return same_item(kept, change.old)
