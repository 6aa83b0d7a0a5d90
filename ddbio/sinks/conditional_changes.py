"""Changes on the condition that the table still has the items that were compared (`ddbio.formats.changes`).

    put      PutItem, if the key is free
    change   UpdateItem of the attributes that differ, if all compared attributes still have their values
    delete   DeleteItem, on the same condition

An item that was written meanwhile is left and counted as skipped, unless it already is as it should be. An update
leaves attributes alone that neither side had when they were compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ddbio.dynamodb.errors import ServiceError
from ddbio.dynamodb.operations import (
    Condition,
    delete_if_body,
    encode_item,
    insert_body,
    single_write_operation,
    update_body,
)
from ddbio.formats.changes import old_item
from ddbio.formats.json_lines import decode_object
from ddbio.sinks.batch import Write
from ddbio.sinks.conditional_deletes import both, unchanged
from ddbio.sinks.table_writes import Changes, Outcome
from ddbio.values.equality import same_item
from ddbio.values.items import AttributeMap, Deletion
from ddbio.values.keys import ItemKey
from ddbio.values.table import TableInfo

MOST_COMPARED = 100  # attributes: an expression has at most 4 KB and 300 operators


class _Conditional(Write):
    """old: the item that was compared, None if there was none. new: the one to be; None for a delete."""

    old: AttributeMap | None = None
    new: AttributeMap | None = None


class ConditionalChanges(Changes):
    most_writes = 1

    def __init__(self, table: TableInfo) -> None:
        super().__init__(table)
        self._key_names = tuple(part.name for part in table.key)
        budgets = table.write_budgets()
        self._put = single_write_operation("PutItem", budgets)
        self._update = single_write_operation("UpdateItem", budgets)
        self._delete = single_write_operation("DeleteItem", budgets)

    def _new_write(
        self, place: Any, key: ItemKey, record: bytes, attributes: AttributeMap, units: tuple[int, ...]
    ) -> Write:
        deletes = type(attributes) is Deletion
        write = super()._new_write(place, key, record, attributes, units)
        old = old_item(decode_object(record))
        if old is not None:
            units = tuple(map(max, units, self.estimates.of_put(old, False)))
        return _Conditional(
            place, key, record, write.item, units, deletes, old=old, new=None if deletes else attributes
        )

    def body(self, writes: Sequence[Write]) -> bytes:
        """Also chooses the operation of this request: it is sent before another one is made."""
        (write,) = writes
        assert isinstance(write, _Conditional)
        if write.old is None and write.new is not None:
            self.operation = self._put
            return insert_body(self.address, write.item, self._key_names[0], by_index=self.by_index)
        old, new = self._without_key(write.old or {}), self._without_key(write.new or {})
        if write.new is None:
            self.operation = self._delete
            condition = self._condition(old, list(old), ())
            return delete_if_body(self.address, write.item, condition, by_index=self.by_index)
        self.operation = self._update
        return self._update_body(write.new, old, new)

    def _update_body(self, item: AttributeMap, old: AttributeMap, new: AttributeMap) -> bytes:
        removed = [name for name in old if name not in new]
        added = [name for name in new if name not in old]
        changed = [name for name in new if name in old and not same_item({name: new[name]}, {name: old[name]})]
        rest = [name for name in old if name in new and name not in changed]
        condition = self._condition(old, [*removed, *changed, *rest], added)
        names, values, clauses = dict(condition.names), dict(condition.values), []
        for clause, of_clause in (("SET", [*changed, *added]), ("REMOVE", removed)):
            marks = {f"#new{len(names) + number}": name for number, name in enumerate(of_clause)}
            names.update(marks)
            if clause == "SET":
                values.update({f":{mark[1:]}": new[name] for mark, name in marks.items()})
                parts = [f"{mark} = :{mark[1:]}" for mark in marks]
            else:
                parts = list(marks)
            clauses += [f"{clause} {', '.join(parts)}"] * bool(parts)
        key = encode_item({name: item[name] for name in self._key_names})
        whole = Condition(condition.expression, names, values)
        return update_body(self.address, key, " ".join(clauses), whole, by_index=self.by_index)

    def _condition(self, old: AttributeMap, names: Sequence[str], absent: Sequence[str]) -> Condition:
        """That the item exists, has these attributes of the old one, and none of the absent ones."""
        exists = Condition("attribute_exists(#key)", {"#key": self._key_names[0]}, {})
        absent = absent[:MOST_COMPARED]
        some = names[: MOST_COMPARED - len(absent)]
        return both(exists, unchanged({name: old[name] for name in some}, absent))

    def _without_key(self, item: AttributeMap) -> AttributeMap:
        return {name: value for name, value in item.items() if name not in self._key_names}

    def condition_units(self, writes: Sequence[Write]) -> float:
        return float(writes[0].units[0])

    def condition_failed(self, write: Write, error: ServiceError) -> Outcome | Write:
        """It has changed, or an earlier attempt, or a run that was killed, has made it what it should be."""
        assert isinstance(write, _Conditional)
        found = error.item
        if write.new is None or found is None:
            return Outcome.WRITTEN if found is None and write.new is None else Outcome.SKIPPED
        return Outcome.WRITTEN if same_item(found, write.new) else Outcome.SKIPPED
