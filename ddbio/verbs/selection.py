"""The items that a delete or an update is for: the scan that finds them, and the condition on which they are written.

Both have the user's filter, and what the update itself needs of an item.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ddbio.dynamodb.operations import Condition
from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError
from ddbio.options import EditOptions
from ddbio.sources.expressions import Placeholders, filter_expression, parse_names, parse_values
from ddbio.sources.subset import Subset
from ddbio.values.table import TableInfo

_MARK = re.compile(r"[#:]\w+")
_OURS = re.compile(r"(old|new|once)\d+")


@dataclass(frozen=True, slots=True)
class Selection:
    """subset: of the scan; counted: of one that only counts. condition: that an item exists and belongs to it."""

    subset: Subset
    counted: Subset
    condition: Condition


def placeholders_of(options: EditOptions) -> Placeholders:
    """For all expressions of an edit. Raises UsageError."""
    values = parse_values(options.values) if options.values is not None else {}
    for name in values:
        if _OURS.fullmatch(name):
            raise UsageError(f"--values has {name!r}, a name that ddbio uses itself", "choose another name")
    return Placeholders(values, parse_names(options.names) if options.names is not None else {})


def user_filter(options: EditOptions, placeholders: Placeholders) -> str:
    """The user's filter as an expression; empty if there is none. Raises UsageError."""
    return filter_expression(options.filter, placeholders) if options.filter is not None else ""


def select(
    table: TableInfo, placeholders: Placeholders, filters: Sequence[str], attributes: Sequence[str] | None
) -> Selection:
    """filters: expressions that must all hold; empty ones count for nothing. attributes: that the scan reads; None
    for whole items."""
    chosen = [without_parentheses(text) for text in filters if text]
    matches = " AND ".join(f"({text})" for text in chosen) if len(chosen) > 1 else "".join(chosen)
    filtered = {"FilterExpression": matches} if matches else {}
    projected = {"ProjectionExpression": ", ".join(map(placeholders.mark_of, attributes))} if attributes else {}
    counted = {**filtered, **used(placeholders, matches), "Select": "COUNT"}
    members = {**filtered, **projected, **used(placeholders, matches, *projected.values())}
    exists = f"attribute_exists({placeholders.mark_of(table.key[0].name)})"
    return Selection(
        Subset(members, filters=bool(matches)),
        Subset(counted, filters=bool(matches)),
        condition(placeholders, f"{exists} AND ({matches})" if matches else exists),
    )


def without_parentheses(text: str) -> str:
    """An expression without parentheses around all of it: the service refuses two pairs as redundant."""
    text, depth = text.strip(), 0
    if not (text.startswith("(") and text.endswith(")")):
        return text
    for sign in text[:-1]:
        depth += (sign == "(") - (sign == ")")
        if depth == 0:  # the first pair ends before the end
            return text
    return without_parentheses(text[1:-1])


def condition(placeholders: Placeholders, expression: str, update: str = "") -> Condition:
    """A condition with its names and values, and those of the update in the same request."""
    parts = used(placeholders, expression, update)
    return Condition(
        expression, parts.get("ExpressionAttributeNames", {}), parts.get("ExpressionAttributeValues", {})
    )


def used(placeholders: Placeholders, *expressions: str) -> dict[str, Any]:
    """The members of a request with the names and values of these expressions; the service refuses unused ones."""
    marks = dict.fromkeys(mark for text in expressions for mark in _MARK.findall(text))
    names = {mark: placeholders.names[mark] for mark in marks if mark in placeholders.names}
    values = {
        mark: placeholders.values[mark[1:]] for mark in marks if mark[1:] in placeholders.values and mark[0] == ":"
    }
    members: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
    return members | ({"ExpressionAttributeValues": values} if values else {})


def try_scan(session: Session, options: EditOptions, selection: Selection, placeholders: Placeholders) -> None:
    """Let the service check the expressions: raises UsageError with its words, and the user's names."""
    if selection.subset.members:
        try:
            session.try_scan(options.table, selection.subset.members)
        except UsageError as error:
            raise UsageError(placeholders.with_names(error.message), error.hint) from None


def check_chosen(options: EditOptions, verb: str) -> None:
    """Raise UsageError unless the user has chosen a filter, or all items on purpose."""
    if options.filter is None and not options.all_items:
        raise UsageError(f"a filter is missing: every item would be {verb}", "add --filter, or --all for every item")
    if options.filter is not None and options.all_items:
        raise UsageError("--all and --filter contradict each other", "omit one of them")
