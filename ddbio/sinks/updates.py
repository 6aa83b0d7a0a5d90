"""Updates: one UpdateItem an item, on the condition that it exists and still matches the filter.

    ExpressionUpdates   the same UpdateExpression for every item; a record needs only the key
    ComputedUpdates     the changes that a function of the user makes of each item (`ddbio.steps.planned_update`), on
                        the further condition that the item still has all values which the function has seen

If the condition does not hold, the service returns the item as it is, at no cost:

- it is as the update leaves it, and an earlier attempt got no answer, or it has the marker of `--once`: written;
- the attribute of `--once` has content of the user: rejected;
- it is gone, or the filter does not hold any more: skipped;
- it has other values than the function has seen: the update is computed again, from these, once. If they change
  again, the record is rejected.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import Condition, encode_item, single_write_operation, update_body
from ddbio.errors import RecordError
from ddbio.sinks.batch import Write
from ddbio.sinks.conditional_deletes import both, unchanged
from ddbio.sinks.estimates import WriteEstimates
from ddbio.sinks.table_writes import Outcome, Puts
from ddbio.sinks.update_expression import Update
from ddbio.sinks.updated import is_updated
from ddbio.steps.planned_update import Marker, PlannedUpdate, UpdatePlanner, open_planner
from ddbio.values.equality import same_item, same_value
from ddbio.values.items import AttributeMap
from ddbio.values.keys import ItemKey, key_checker
from ddbio.values.table import TableInfo


@dataclass(frozen=True, slots=True)
class UpdateBy:
    """Makes the mode; picklable.

    expression: of the request, with the marker. condition: that the item exists and matches; it also has the names
    and values of the expression.
    """

    expression: str
    update: Update
    condition: Condition
    marker: Marker | None = None

    def __call__(self, table: TableInfo) -> ExpressionUpdates:
        return ExpressionUpdates(table, self)


@dataclass(frozen=True, slots=True)
class UpdateByFunction:
    """Makes the mode; picklable.

    function: `/path/module.py:function`. condition: that the item exists and matches.
    """

    function: str
    condition: Condition
    marker: Marker | None = None

    def __call__(self, table: TableInfo) -> ComputedUpdates:
        return ComputedUpdates(table, self.planner(table), self.condition)

    def planner(self, table: TableInfo) -> UpdatePlanner:
        return open_planner(self.function, [part.name for part in table.key], self.marker)


class _Updates(Puts):
    """One update a request."""

    most_writes = 1

    def __init__(self, table: TableInfo) -> None:
        super().__init__(table)
        self.operation = single_write_operation("UpdateItem", table.write_budgets())
        self.estimates = WriteEstimates(table, deletes=True)  # also of items whose size is unknown
        self.key_of = key_checker(table, index_keys=False)
        self.body_of_puts = None
        self._key_names = tuple(part.name for part in table.key)
        self._budgets = len(table.write_budgets())

    def _key(self, attributes: AttributeMap) -> bytes:
        return encode_item({name: attributes[name] for name in self._key_names})

    def condition_units(self, writes: Sequence[Write]) -> float:
        return 1.0  # of an item that is gone; the answer has any other


class ExpressionUpdates(_Updates):
    def __init__(self, table: TableInfo, by: UpdateBy) -> None:
        super().__init__(table)
        self._by = by
        self.units_of = self._unknown_units
        self.new_write = self._new_write

    def _unknown_units(self, attributes: AttributeMap, small: bool) -> tuple[int, ...]:
        return self.estimates.of_unknown()

    def _new_write(
        self, place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]
    ) -> Write:
        return Write(place, key, record, self._key(attributes), units)

    def body(self, writes: Sequence[Write]) -> bytes:
        by = self._by
        return update_body(self.address, writes[0].item, by.expression, by.condition, by_index=self.by_index)

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        by, item = self._by, error.item
        if item is None:
            return Outcome.SKIPPED
        if by.marker is not None:
            by.marker.check(item)
        marked = by.marker is not None and by.marker.is_on(item)
        own = marked or (by.marker is None and error.applied_before and is_updated(item, by.update))
        return Outcome.WRITTEN if own else Outcome.SKIPPED


class _ComputedWrite(Write):
    """planned: the changes. again: whether they were computed a second time."""

    planned: PlannedUpdate | None = None
    again: bool = False


class ComputedUpdates(_Updates):
    """planner: makes the changes of an item."""

    def __init__(self, table: TableInfo, planner: UpdatePlanner, condition: Condition) -> None:
        super().__init__(table)
        self._planner = planner
        self._condition = condition
        self.units_of = self._units
        self.new_write = self._new_write

    def _units(self, attributes: AttributeMap, small: bool) -> tuple[int, ...]:
        assert isinstance(attributes, PlannedUpdate)
        return (attributes.units, *(1,) * (self._budgets - 1))

    def _new_write(
        self, place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]
    ) -> Write:
        assert isinstance(attributes, PlannedUpdate)
        return _ComputedWrite(place, key, record, self._key(attributes), units, planned=attributes)

    def body(self, writes: Sequence[Write]) -> bytes:
        (write,) = writes
        planned = _planned(write)
        expression, condition = _request_of(planned, self._key_names)
        return update_body(
            self.address, write.item, expression, both(self._condition, condition), by_index=self.by_index
        )

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        item, planned = error.item, _planned(write)
        if item is None:
            return Outcome.SKIPPED
        marker = self._planner.marker
        own = error.applied_before and _has_changes(item, planned) if marker is None else marker.is_on(item)
        if own:
            return Outcome.WRITTEN
        if _as_seen(item, planned):
            return Outcome.SKIPPED  # so the filter does not hold
        assert isinstance(write, _ComputedWrite)
        if write.again:
            raise RecordError(
                "conflict", "the item was changed twice while it was updated; run the command again to update it"
            )
        changes = self._planner(item)
        if not changes:
            return Outcome.DROPPED
        (newer,) = changes
        assert isinstance(newer, PlannedUpdate)
        units = self._units(newer, False)
        return _ComputedWrite(write.place, write.key, write.record, write.item, units, planned=newer, again=True)


def _planned(write: Write) -> PlannedUpdate:
    assert isinstance(write, _ComputedWrite) and write.planned is not None
    return write.planned


def _request_of(planned: PlannedUpdate, keys: Collection[str]) -> tuple[str, Condition]:
    """The UpdateExpression, and the condition that the item still has the values that were read."""
    seen = {name: value for name, value in planned.items() if name not in keys}
    condition = unchanged(seen, [name for name in planned.sets if name not in planned])
    names = {f"#new{number}": name for number, name in enumerate((*planned.sets, *planned.removes))}
    marks = list(names)
    values = {f":{mark[1:]}": value for mark, value in zip(marks, planned.sets.values(), strict=False)}
    sets = ", ".join([f"{mark} = :{mark[1:]}" for mark in marks[: len(planned.sets)]])
    removes = ", ".join(marks[len(planned.sets) :])
    clauses = ([f"SET {sets}"] if sets else []) + ([f"REMOVE {removes}"] if removes else [])
    with_update = replace(condition, names={**condition.names, **names}, values={**condition.values, **values})
    return " ".join(clauses), with_update


def _as_seen(item: AttributeMap, planned: PlannedUpdate) -> bool:
    """Whether the condition on the values that were read holds."""
    part = {name: value for name, value in item.items() if name in planned}
    return same_item(part, planned) and not any(name in item for name in planned.sets if name not in planned)


def _has_changes(item: AttributeMap, planned: PlannedUpdate) -> bool:
    """Whether the item is as the update leaves it."""
    there = all(name in item and same_value(item[name], value) for name, value in planned.sets.items())
    return there and not any(name in item for name in planned.removes)
