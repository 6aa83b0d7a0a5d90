"""UpdateExpression: its grammar, and what it makes of an item.

The grammar is the developer guide's ("Update expressions"): SET with `+`, `-`, `if_not_exists` and `list_append`,
REMOVE, ADD and DELETE, each section once. All values are computed from the item as it was; then SET, ADD and DELETE
change it, and the REMOVEs follow, so that positions in lists are those of the old item.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from decimal import Decimal
from typing import Any, NamedTuple

from ddbio.simulator.errors import invalid, invalid_value
from ddbio.simulator.expressions import Parser, Placeholders
from ddbio.simulator.paths import Path, Projection, check_overlaps, value_at
from ddbio.simulator.schema import KeySchema
from ddbio.simulator.values import EXACT, Item, Value, canonical_number

_KIND = "UpdateExpression"
_SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
_SETS = ("SS", "NS", "BS")
_TYPE_WORDS = {
    "S": "STRING", "N": "NUMBER", "B": "BINARY", "NULL": "NULL", "BOOL": "BOOLEAN", "L": "LIST", "M": "MAP",
}  # fmt: skip
_WRONG_TYPE = "An operand in the update expression has an incorrect data type"
_WRONG_PATH = "The document path provided in the update expression is invalid for update"
_NO_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"

Computed = Callable[[Item], Value]
"""A value computed from the item as it was; raises ServiceError if it cannot be."""


class Operation(NamedTuple):
    """The right side of an assignment, or an operand of one. literal: its value, if the same for all items."""

    compute: Computed
    literal: Value | None = None

    def check(self, operator: str, letter: str) -> None:
        """Raise ServiceError if it is surely not of the type that an operator or function wants."""
        if self.literal is not None and letter not in self.literal:
            raise _wrong_operand(f"operator or function: {operator}", next(iter(self.literal)))


class Action(NamedTuple):
    """One change. section: SET, REMOVE, ADD or DELETE. value: None for REMOVE."""

    section: str
    path: Path
    value: Computed | None = None


class Update:
    """The changes of one UpdateExpression."""

    def __init__(self, actions: list[Action]) -> None:
        self._actions = actions
        self._paths = [action.path for action in actions]
        check_overlaps(_KIND, self._paths)

    def check_keys(self, keys: KeySchema) -> None:
        """Raise ServiceError if a key attribute of the table would change."""
        for path in self._paths:
            if path[0] in keys.names:
                raise invalid_value(f"Cannot update attribute {path[0]}. This attribute is part of the key")

    def of(self, item: Item) -> Item:
        """The item after the update."""
        changed = deepcopy(item)
        computed = [(action, action.value(item)) for action in self._actions if action.value is not None]
        # elements beyond the end of a list are appended in the order of their positions
        for action, value in sorted(computed, key=lambda each: _position(each[0].path)):
            _CHANGES[action.section](changed, action.path, deepcopy(value))
        removals = [action.path for action in self._actions if action.value is None]
        for path in sorted(removals, key=_position, reverse=True):  # the last element of a list first
            _remove(changed, path)
        return changed

    def touched(self, item: Item) -> Item:
        """The parts of an item that the update names."""
        return Projection(self._paths).of(item) if self._paths else {}


def update_of(expression: str | None, placeholders: Placeholders) -> Update:
    """The update of a request; without an expression it changes nothing."""
    return Update([] if expression is None else _UpdateParser(_KIND, expression, placeholders).actions())


class _UpdateParser(Parser):
    def actions(self) -> list[Action]:
        actions: list[Action] = []
        seen: set[str] = set()
        while self.next:
            section = self.advance()
            rule = _RULES.get(section.upper())
            if rule is None:
                raise self.syntax_error(section)
            if section.upper() in seen:
                raise invalid(
                    f'Invalid {_KIND}: The "{section.upper()}" section can only be used once in an update expression;'
                )
            seen.add(section.upper())
            actions.append(rule(self))
            while self.accept(","):
                actions.append(rule(self))
        return actions

    def assignment(self) -> Action:
        path = self.path()
        self.expect("=")
        return Action("SET", path, self._operation().compute)

    def removal(self) -> Action:
        return Action("REMOVE", self.path())

    def addition(self) -> Action:
        path, value = self.path(), self.value()
        ((letter, _),) = value.items()
        if letter != "N" and letter not in _SETS:
            raise _wrong_operand("operator: ADD", f"{_TYPE_WORDS[letter]}, typeSet: ALLOWED_FOR_ADD_OPERAND")
        return Action("ADD", path, lambda _: value)

    def deletion(self) -> Action:
        path, value = self.path(), self.value()
        ((letter, _),) = value.items()
        if letter not in _SETS:
            raise _wrong_operand("operator: DELETE", f"{_TYPE_WORDS[letter]}, typeSet: ALLOWED_FOR_DELETE_OPERAND")
        return Action("DELETE", path, lambda _: value)

    def _operation(self) -> Operation:
        left = self._simple()
        if self.next not in ("+", "-"):
            return left
        operator = self.advance()
        right = self._simple()
        for operand in (left, right):
            operand.check(operator, "N")
        sign = 1 if operator == "+" else -1
        return Operation(lambda item: _added(left.compute(item), right.compute(item), sign))

    def _simple(self) -> Operation:
        """An operation without `+` and `-`, except in parentheses."""
        if self.accept("("):
            inner = self._operation()
            self.expect(")")
            return inner
        if self.next == "if_not_exists":
            self.advance()
            path, default = self.arguments(self.path, self._operation)
            return Operation(lambda item: _existing_or(item, path, default.compute))
        if self.next == "list_append":
            self.advance()
            first, second = self.arguments(self._operation, self._operation)
            for operand in (first, second):
                operand.check("list_append", "L")
            return Operation(lambda item: _appended(first.compute(item), second.compute(item)))
        if self.next.startswith(":"):
            value = self.value()
            return Operation(lambda _: value, literal=value)
        path = self.path()
        return Operation(lambda item: _existing(item, path))


_RULES: dict[str, Callable[[_UpdateParser], Action]] = dict(
    zip(
        _SECTIONS,
        (_UpdateParser.assignment, _UpdateParser.removal, _UpdateParser.addition, _UpdateParser.deletion),
        strict=True,
    )
)


def _wrong_operand(operator: str, operand_type: str) -> Exception:
    return invalid(
        f"Invalid {_KIND}: Incorrect operand type for operator or function; {operator}, operand type: {operand_type}"
    )


def _existing_or(item: Item, path: Path, default: Computed) -> Value:
    value = value_at(item, path)
    return default(item) if value is None else value


def _existing(item: Item, path: Path) -> Value:
    value = value_at(item, path)
    if value is None:
        raise invalid(_NO_ATTRIBUTE)
    return value


def _added(left: Value, right: Value, sign: int) -> Value:
    if "N" not in left or "N" not in right:
        raise invalid(_WRONG_TYPE)
    exact = EXACT.add(Decimal(left["N"]), sign * Decimal(right["N"]))
    return {"N": canonical_number(str(exact))}


def _appended(first: Value, second: Value) -> Value:
    if "L" not in first or "L" not in second:
        raise invalid(_WRONG_TYPE)
    return {"L": first["L"] + second["L"]}


def _position(path: Path) -> list[tuple[int, str]]:
    """A sort key of paths: by the positions of list elements."""
    return [(part, "") if isinstance(part, int) else (0, part) for part in path]


def _parent(item: Item, path: Path) -> Any:
    """The map or list that has the last part of a path as member or element."""
    parent = value_at(item, path[:-1])
    inside = (parent or {}).get("M" if isinstance(path[-1], str) else "L")
    if inside is None:
        raise invalid(_WRONG_PATH)
    return inside


def _set(item: Item, path: Path, value: Value) -> None:
    parent, last = _parent(item, path), path[-1]
    if isinstance(last, int) and last >= len(parent):
        parent.append(value)
    else:
        parent[last] = value


def _add(item: Item, path: Path, value: Value) -> None:
    existing = value_at(item, path)
    ((letter, payload),) = value.items()
    if existing is None:
        _set(item, path, value)
    elif letter not in existing:
        raise invalid(_WRONG_TYPE)
    elif letter == "N":
        _set(item, path, _added(existing, value, 1))
    else:
        existing[letter] += [member for member in payload if member not in existing[letter]]


def _delete(item: Item, path: Path, value: Value) -> None:
    existing = value_at(item, path)
    ((letter, payload),) = value.items()
    if existing is None:
        _parent(item, path)
    elif letter not in existing:
        raise invalid(_WRONG_TYPE)
    else:
        existing[letter] = [member for member in existing[letter] if member not in payload]
        if not existing[letter]:
            _remove(item, path)


def _remove(item: Item, path: Path) -> None:
    parent, last = _parent(item, path), path[-1]
    if last in parent if isinstance(last, str) else last < len(parent):
        del parent[last]


_CHANGES: dict[str, Callable[[Item, Path, Value], None]] = {"SET": _set, "ADD": _add, "DELETE": _delete}
