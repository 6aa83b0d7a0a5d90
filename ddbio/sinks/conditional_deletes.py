"""Deletes on a condition: one DeleteItem an item, because BatchWriteItem accepts no condition.

    ConditionalDeletes   the item must still match the filter
    SavedDeletes         the item must still be as its record has it: its attributes have the same values, and the
                         filter, if there is one, still holds

An item that does not fulfil the condition is left and counted as skipped; one that is gone, as dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import Condition, delete_if_body, single_write_operation
from ddbio.sinks.batch import Write
from ddbio.sinks.table_writes import Deletes, Outcome
from ddbio.values.items import AttributeMap
from ddbio.values.keys import ItemKey
from ddbio.values.table import TableInfo


@dataclass(frozen=True, slots=True)
class DeleteIf:
    """Makes the mode; picklable. condition: that the item exists and matches. as_saved: see `SavedDeletes`."""

    condition: Condition
    as_saved: bool = False

    def __call__(self, table: TableInfo) -> ConditionalDeletes:
        return (SavedDeletes if self.as_saved else ConditionalDeletes)(table, self.condition)


class ConditionalDeletes(Deletes):
    most_writes = 1

    def __init__(self, table: TableInfo, condition: Condition) -> None:
        super().__init__(table)
        self.operation = single_write_operation("DeleteItem", table.write_budgets())
        self._condition = condition

    def body(self, writes: Sequence[Write]) -> bytes:
        return delete_if_body(self.address, writes[0].item, self._condition, by_index=self.by_index)

    def condition_units(self, writes: Sequence[Write]) -> float:
        return 1.0  # of an item that is gone; the answer has any other

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        """It is gone, perhaps by an earlier attempt without an answer or a run that was killed; or it has changed."""
        if error.item is not None:
            return Outcome.SKIPPED
        return Outcome.WRITTEN if error.applied_before else Outcome.DROPPED


class _SavedWrite(Write):
    """attributes: the item as it was saved."""

    attributes: AttributeMap = {}


class SavedDeletes(ConditionalDeletes):
    def _new_write(
        self, place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]
    ) -> Write:
        return _SavedWrite(place, key, record, self._key(attributes), units, True, attributes=attributes)

    def body(self, writes: Sequence[Write]) -> bytes:
        (write,) = writes
        assert isinstance(write, _SavedWrite)
        saved = {name: value for name, value in write.attributes.items() if name not in self._key_names}
        condition = both(self._condition, unchanged(saved))
        return delete_if_body(self.address, write.item, condition, by_index=self.by_index)


def unchanged(attributes: AttributeMap, absent: Iterable[str] = ()) -> Condition:
    """The condition that an item has these attributes with these values, and none of the absent ones.

    Its placeholders, #old0 and :old0 and so on, are in no condition of the user. The expression is empty if there is
    nothing to compare.
    """
    names = {f"#old{number}": name for number, name in enumerate((*attributes, *absent))}
    marks = list(names)
    same = [f"{mark} = :{mark[1:]}" for mark in marks[: len(attributes)]]
    missing = [f"attribute_not_exists({mark})" for mark in marks[len(attributes) :]]
    values = {f":{mark[1:]}": value for mark, value in zip(marks, attributes.values(), strict=False)}
    return Condition(" AND ".join([*same, *missing]), names, values)


def both(first: Condition, second: Condition) -> Condition:
    """The condition that both hold."""
    if not second.expression:
        return first
    expression = f"{first.expression} AND {second.expression}"
    return Condition(expression, {**first.names, **second.names}, {**first.values, **second.values})
