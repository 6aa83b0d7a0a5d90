"""Filters that Spark pushes down, as one FilterExpression. Pure: the classes of `pyspark.sql.datasource` are known by
their names and fields.

Spark evaluates every filter again on the rows that it gets. So an expression may let items through that Spark then
drops, but it never omits an item whose row Spark would take: in a column of strings, values of other types are let
through, as they are there as text. Only columns of strings, whole numbers, decimals and booleans are compared;
other numbers, dates and times have other values in their columns than in their items.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

_MOST_MEMBERS = 100  # of IN, by the service
_MOST_CHARACTERS = 2000  # of an expression, of which the service takes 4 KB with its real names
_SIGNS = {
    "EqualTo": "=",
    "GreaterThan": ">",
    "GreaterThanOrEqual": ">=",
    "LessThan": "<",
    "LessThanOrEqual": "<=",
}
_FUNCTIONS = {"StringStartsWith": "begins_with", "StringContains": "contains"}
_PYTHON: dict[str, tuple[type, ...]] = {"S": (str,), "N": (int, Decimal), "BOOL": (bool,)}


@dataclass(slots=True)
class PushedFilters:
    """letters: by column, `S`, `N` or `BOOL` for those that can be compared; any other type for the others.

    expression: of the filters so far; empty for none. names, values: of its placeholders, without their first sign.
    """

    letters: Mapping[str, str]
    expression: str = ""
    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def push(self, filter: Any) -> bool:
        """Add a filter of Spark; whether it has an expression."""
        before = dict(self.names), dict(self.values)
        text = self._text(filter)
        if text is None or len(self.expression) + len(text) > _MOST_CHARACTERS:
            self.names, self.values = before
            return False
        self.expression = f"{self.expression} AND ({text})" if self.expression else f"({text})"
        return True

    def _text(self, filter: Any) -> str | None:
        kind = type(filter).__name__
        if kind == "Not":
            return self._negated(filter.child)
        column = self._column(filter)
        if column is None:
            return None
        if kind == "IsNotNull":
            return f"attribute_exists({self._name(column)})"
        if kind == "IsNull":
            name = self._name(column)
            return f"attribute_not_exists({name}) OR attribute_type({name}, {self._value('NULL')})"
        given = filter.value if kind == "In" else [getattr(filter, "value", None)]
        if not self._compares(column, given):
            return None
        return self._or_other_type(column, self._comparison(kind, column, given))

    def _negated(self, child: Any) -> str | None:
        """Of a value, or of some: items with another type are let through by themselves."""
        kind, column = type(child).__name__, self._column(child)
        if kind not in ("EqualTo", "In") or column is None:
            return None
        given = child.value if kind == "In" else [child.value]
        if not self._compares(column, given):
            return None
        return f"NOT ({self._comparison(kind, column, given)})"

    def _column(self, filter: Any) -> str | None:
        """The column of a comparison; None for a part of a column, and for anything else."""
        path: Sequence[str] = getattr(filter, "attribute", ())
        return path[0] if len(path) == 1 and path[0] in self.letters else None

    def _compares(self, column: str, given: Sequence[Any]) -> bool:
        types = _PYTHON.get(self.letters[column], ())
        return 0 < len(given) <= _MOST_MEMBERS and all(
            isinstance(value, types) and isinstance(value, bool) == (types == (bool,)) for value in given
        )

    def _comparison(self, kind: str, column: str, given: Sequence[Any]) -> str | None:
        name = self._name(column)
        if self.letters[column] == "BOOL" and kind not in ("EqualTo", "In"):  # which DynamoDB does not order
            return None
        if kind in _SIGNS:
            return f"{name} {_SIGNS[kind]} {self._value(given[0])}"
        if kind == "In":
            return f"{name} IN ({', '.join(map(self._value, given))})"
        if kind in _FUNCTIONS:
            return f"{_FUNCTIONS[kind]}({name}, {self._value(given[0])})"
        return None

    def _or_other_type(self, column: str, comparison: str | None) -> str | None:
        if comparison is None or self.letters[column] != "S":
            return comparison
        name = self._name(column)
        other = f"attribute_exists({name}) AND NOT attribute_type({name}, {self._value('S')})"
        return f"{comparison} OR ({other})"

    def _name(self, column: str) -> str:
        return "#" + _mark(self.names, column)

    def _value(self, value: Any) -> str:
        return ":" + _mark(self.values, value)


def _mark(known: dict[str, Any], wanted: Any) -> str:
    same: Callable[[Any], bool] = lambda each: type(each) is type(wanted) and each == wanted  # noqa: E731
    mark = next((mark for mark, each in known.items() if same(each)), f"pushed{len(known)}")
    known[mark] = wanted
    return mark
