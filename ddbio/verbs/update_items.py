"""Update: the same change of every item that matches a filter, or a change that a function of the user computes.

    an expression    a scan of the keys, and an UpdateItem for each (`ddbio.sinks.updates.ExpressionUpdates`)
    a function       a scan of whole items, and an UpdateItem for each that it changes (`ComputedUpdates`)

The scan leaves out items that need no change, as far as an expression can say so, and those that have the marker of
`--once`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from dataclasses import asdict
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError
from ddbio.forecast.preview import Preview
from ddbio.forecast.write_weights import Changed
from ddbio.job.run import Caller
from ddbio.sinks.update_expression import Update as ItemUpdate
from ddbio.sinks.update_expression import parse_update
from ddbio.sinks.updates import UpdateBy, UpdateByFunction
from ddbio.sources.expressions import Placeholders
from ddbio.steps.planned_update import MARK, Marker
from ddbio.system.user_function import absolute, checked_function
from ddbio.values.table import TableInfo
from ddbio.verbs.edits import Edit, EditVerb
from ddbio.verbs.intent import Intent, described, place, way_back
from ddbio.verbs.options import UpdateOptions
from ddbio.verbs.selection import Selection, check_chosen, condition, placeholders_of, select, try_scan, user_filter

_MARKER, _ANY_MARKER = "once0", "once1"  # names in expressions: of its value, and of how every value begins
_SET = re.compile(r"\s*SET\s", re.IGNORECASE)


class Update(EditVerb[UpdateOptions]):
    name = "update"
    doing = "Updating"

    def __init__(self, options: UpdateOptions) -> None:
        check(options)
        super().__init__(options)
        self._tried = False  # whether the service has accepted the expression

    def places(self) -> list[str]:
        return [*self._asked(), str(self.options.limit)]

    def _asked(self) -> list[str]:
        """The update and its items."""
        options = self.options
        function = absolute(options.transform) if options.transform else None
        asked = (options.update_expression, function, options.once, *options.assign, *options.remove)
        return [*super().places(), *(each or "" for each in asked)]

    def edit_of(self, session: Session, table: TableInfo) -> Edit:
        options = self.options
        placeholders = placeholders_of(options)
        filters = [user_filter(options, placeholders)]
        marker = self._marker(table)
        if marker is not None:
            placeholders.values[_MARKER] = marker.value
            mark = placeholders.mark_of(marker.name)
            filters.append(f"attribute_not_exists({mark}) OR {mark} <> :{_MARKER}")
        if options.transform is not None:
            return self._computed(session, table, placeholders, filters, marker)
        return self._expressed(session, table, placeholders, filters, marker)

    def _computed(
        self,
        session: Session,
        table: TableInfo,
        placeholders: Placeholders,
        filters: list[str],
        marker: Marker | None,
    ) -> Edit:
        function = absolute(self.options.transform or "")
        checked_function(function)
        placeholders.check_all_used()
        selection = select(table, placeholders, filters, None)
        try_scan(session, self.options, selection, placeholders)
        return Edit(selection, UpdateByFunction(function, selection.condition, marker))

    def _expressed(
        self,
        session: Session,
        table: TableInfo,
        placeholders: Placeholders,
        filters: list[str],
        marker: Marker | None,
    ) -> Edit:
        option, text = _expression_of(self.options)
        update = parse_update(text, placeholders, option)
        placeholders.check_all_used("the update, like --filter,")
        self._check_names(table, update, option)
        filters = [*filters, update.needed(placeholders)]
        selection = select(table, placeholders, filters, [part.name for part in table.key])
        try_scan(session, self.options, selection, placeholders)
        expression = update.expression
        if marker is not None:
            expression = _with_marker(expression, f"{placeholders.mark_of(marker.name)} = :{_MARKER}")
        holds = condition(placeholders, self._conditions(selection, placeholders, marker), expression)
        if not self._tried:
            _try_update(session, self.options.table, table, expression, asdict(holds), placeholders)
            self._tried = True
        return Edit(selection, UpdateBy(expression, update, holds, marker))

    def _conditions(self, selection: Selection, placeholders: Placeholders, marker: Marker | None) -> str:
        """Of a write: also that the marker replaces nothing but another marker."""
        if marker is None:
            return selection.condition.expression
        placeholders.values[_ANY_MARKER] = {"S": MARK}
        mark = placeholders.mark_of(marker.name)
        free = f"(attribute_not_exists({mark}) OR begins_with({mark}, :{_ANY_MARKER}))"
        return f"{selection.condition.expression} AND {free}"

    def _check_names(self, table: TableInfo, update: ItemUpdate, option: str) -> None:
        """Raise UsageError for a change of a key, or one that cannot be repeated."""
        for part in table.key:
            if part.name in update.names():
                raise UsageError(
                    f"{option} changes {part.name!r}, a key of the table, which no update can",
                    "copy the items with new keys, and delete the old ones",
                )
        if self.options.once in update.names():
            raise UsageError(f"--once {self.options.once} names an attribute that {option} changes", "choose another")
        if (why := update.why_not_repeatable()) and self.options.once is None:
            raise UsageError(
                f"applied twice, {option} would change an item twice: {why}; an interrupted run may repeat updates",
                "add --once NAME, an attribute that marks the items that were changed",
            )

    def _marker(self, table: TableInfo) -> Marker | None:
        """The same for the same update of the same table, so that it is never applied twice, by whatever run."""
        options = self.options
        if options.once is None:
            return None
        if options.once in [part.name for part in table.key]:
            raise UsageError(f"--once {options.once} names a key of the table", "choose another attribute")
        described = table.description
        parts = [described.get("TableArn"), described.get("TableId"), described.get("CreationDateTime")]
        digest = hashlib.sha256("\0".join(map(str, [*parts, *self._asked()])).encode()).hexdigest()
        return Marker(options.once, {"S": MARK + digest[:16]})

    def changed(self) -> Changed:
        """The attributes that the update names; unknown ones if a function changes the items."""
        mode, once = self._edit.mode, {self.options.once} - {None}
        if not isinstance(mode, UpdateBy):
            return Changed(None)
        return Changed(frozenset({*mode.update.names(), *map(str, once)}))

    # -- before it begins

    def preview(self, caller: Caller) -> Preview:
        plan = super().preview(caller)
        return self._intent(caller, plan).before(plan)

    def intent(self, caller: Caller, *, asks: bool = True) -> Intent:
        """What is about to happen. Raises UsageError, TransferError."""
        return self._intent(caller, asks=asks)

    def _intent(self, caller: Caller, plan: Preview | None = None, *, asks: bool = True) -> Intent:
        session = Session(self.options.aws, (self.options.table,))
        table = session.describe(self.options.table)
        selected = self.edit_of(session, table).selection.counted
        transforms = self.options.transform is not None
        done = "given to the function, and updated if it changes them" if transforms else "updated"
        counted, units = described(self.options, session, table, selected, done, caller, plan, asks=asks)
        warnings = way_back(session, table, "changed", "")
        return Intent(table.name, (place(session, table), *counted), tuple(warnings), units)


def check(options: UpdateOptions) -> None:
    """Raises UsageError for options that cannot work with any table."""
    check_chosen(options, "updated")
    parts = bool(options.assign or options.remove)
    ways = [parts, options.update_expression is not None, options.transform is not None]
    if sum(ways) != 1:
        problem = "there is nothing to change" if not any(ways) else "the changes contradict each other"
        raise UsageError(problem, "give --set and --remove, or --update-expression, or --transform")


def _expression_of(options: UpdateOptions) -> tuple[str, str]:
    """The options that the UpdateExpression comes from, and the expression."""
    if options.update_expression is not None:
        return "--update-expression", options.update_expression
    sets = ", ".join(_SET.sub("", each, count=1) if _SET.match(each) else each for each in options.assign)
    clauses = [f"SET {sets}"] * bool(sets) + [f"REMOVE {', '.join(options.remove)}"] * bool(options.remove)
    option = " and ".join(["--set"] * bool(sets) + ["--remove"] * bool(options.remove))
    return option, " ".join(clauses)


def _with_marker(expression: str, assignment: str) -> str:
    """names are placeholders, so only a clause is called SET."""
    if re.search(r"\bSET ", expression):
        return re.sub(r"\bSET ", f"SET {assignment}, ", expression, count=1)
    return f"{expression} SET {assignment}"


def _try_update(
    session: Session, name: str, table: TableInfo, update: str, holds: dict[str, Any], placeholders: Placeholders
) -> None:
    """Let the service check the expressions with a key that no item has."""
    members = {
        "UpdateExpression": update,
        "ConditionExpression": holds["expression"],
        "ExpressionAttributeNames": holds["names"],
        **({"ExpressionAttributeValues": holds["values"]} if holds["values"] else {}),
    }
    unused = uuid.uuid4()
    texts = {"S": f"ddbio-{unused}", "N": str(unused.int % 10**38), "B": base64.b64encode(unused.bytes).decode()}
    try:
        session.try_update(name, {part.name: {part.type: texts[part.type]} for part in table.key}, members)
    except UsageError as error:
        raise UsageError(placeholders.with_names(error.message), error.hint) from None
