"""Whether an item is as an update leaves it: the only evidence if an answer was lost and the update is then refused,
because its own first attempt made the condition false. Pure.

Values are DynamoDB JSON: `{"N": "1"}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal, DecimalException
from typing import Any

from ddbio.sinks.update_expression import (
    ADD,
    DELETE,
    IF_NOT_EXISTS,
    LIST_APPEND,
    REMOVE,
    Action,
    Attribute,
    Operand,
    Path,
    Update,
    Value,
)
from ddbio.values.equality import same_value, set_members
from ddbio.values.items import AttributeMap

_DIGITS = 38  # that the service keeps of a number


def is_updated(item: AttributeMap, update: Update) -> bool:
    """Whether the item may be the result of the update; false if that cannot be known."""
    return all(_holds(item, action, update.values) for action in update.actions if not update.moves(action)) and all(
        value_at(item, action.path) is not None for action in update.actions if update.moves(action)
    )


def value_at(item: AttributeMap, path: Path) -> dict[str, Any] | None:
    """The value of a path; None if the item has none."""
    found: Any = {"M": item}
    for part in path:
        inside = found.get("L" if isinstance(part, int) else "M")
        try:
            found = inside[part]
        except (TypeError, KeyError, IndexError):
            return None
    return dict(found)


def _holds(item: AttributeMap, action: Action, values: Mapping[str, Any]) -> bool:
    now = value_at(item, action.path)
    if action.clause == REMOVE:
        return now is None
    if action.clause in (ADD, DELETE):
        return isinstance(action.value, Value) and _in_set(now, values[action.value.mark], action.clause)
    wanted = None if action.value is None else _evaluated(action.value, item, values)
    return now is not None and wanted is not None and same_value(now, wanted)


def _in_set(now: dict[str, Any] | None, change: dict[str, Any], clause: str) -> bool:
    there, members = set_members(now or {}), set_members(change)
    if not members:  # ADD of a number: an item does not show whether it was added
        return False
    return members <= there if clause == ADD else not members & there


def _evaluated(operand: Operand, item: AttributeMap, values: Mapping[str, Any]) -> dict[str, Any] | None:
    """The value of an operand; None if it has none, or cannot be known."""
    if isinstance(operand, Value):
        return dict(values[operand.mark])
    if isinstance(operand, Attribute):
        return value_at(item, operand.path)
    first = _evaluated(operand.first, item, values)
    if operand.name == IF_NOT_EXISTS and first is not None:
        return first
    second = _evaluated(operand.second, item, values)
    if operand.name == IF_NOT_EXISTS:
        return second
    if first is None or second is None:
        return None
    if operand.name == LIST_APPEND:
        return {"L": [*first.get("L", ()), *second.get("L", ())]}
    return _computed(operand.name, first, second)


def _computed(sign: str, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any] | None:
    numbers = Context(prec=_DIGITS)
    try:
        left, right = Decimal(first["N"]), Decimal(second["N"])
        return {"N": str(numbers.add(left, right) if sign == "+" else numbers.subtract(left, right))}
    except (KeyError, DecimalException):
        return None
