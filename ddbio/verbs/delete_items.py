"""Delete: the items that match a filter, all items, or those that files list.

--filter, --all   a scan of the keys, and deletes (`DeleteScanned`)
--backup          an export of the items, then an import of that export in mode delete (`ddbio.verbs.delete_saved`)
-s                an import in mode delete, under another name
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from ddbio.dynamodb.session import Session
from ddbio.errors import UsageError
from ddbio.forecast.alternatives import Task
from ddbio.forecast.demands import time_of
from ddbio.forecast.forecast import ZERO, Forecast
from ddbio.forecast.preview import Preview
from ddbio.job.run import Caller, Run
from ddbio.job.spine import Story
from ddbio.messages.files import STDIN
from ddbio.rate.caps import Cap
from ddbio.sinks.conditional_deletes import DeleteIf
from ddbio.values.table import TableInfo
from ddbio.verbs.delete_saved import DeleteListed, DeleteSaved, as_edit
from ddbio.verbs.edits import Edit, EditResult, EditVerb
from ddbio.verbs.intent import Intent, described, place, way_back
from ddbio.verbs.options import DeleteOptions
from ddbio.verbs.other_ways import scan_task
from ddbio.verbs.selection import check_chosen, placeholders_of, select, try_scan, user_filter


class DeleteScanned(EditVerb[DeleteOptions]):
    name = "delete"
    doing = "Deleting"

    def task(self, run: Run) -> Task:
        return scan_task(self.name, self.options, run)

    def edit_of(self, session: Session, table: TableInfo) -> Edit:
        options = self.options
        placeholders = placeholders_of(options)
        filters = [user_filter(options, placeholders)]
        placeholders.check_all_used()
        selection = select(table, placeholders, filters, [part.name for part in table.key])
        try_scan(session, options, selection, placeholders)
        return Edit(selection, DeleteIf(selection.condition) if options.if_unchanged else "delete")


class _Listed:
    """Deletes the items that files list."""

    def __init__(self, options: DeleteOptions) -> None:
        self._options = options

    def perform(self, caller: Caller) -> EditResult:
        return as_edit(DeleteListed(self._options).perform(caller))

    def preview(self, caller: Caller) -> Preview:
        return DeleteListed(self._options).preview(caller)


class Delete:
    """Chooses how the items are deleted. See `ddbio.job.spine.Story`."""

    def __init__(self, options: DeleteOptions) -> None:
        check(options)
        self.options = options
        ways: list[tuple[object, Callable[[DeleteOptions], Story[EditResult]]]] = [
            (options.sources, _Listed),
            (options.backup, DeleteSaved),
        ]
        make = next((way for asked, way in ways if asked), DeleteScanned)
        self._story = make(options)

    def perform(self, caller: Caller) -> EditResult:
        return self._story.perform(caller)

    def preview(self, caller: Caller) -> Preview:
        plan, options = self._story.preview(caller), self.options
        if options.backup is not None:
            then = f"Then deletes exactly the items that were saved in {options.backup}"
            plan = plan.followed([then], self._deletes(caller))
        return self._intent(caller, plan).before(plan)

    def _deletes(self, caller: Caller) -> Forecast:
        """Of the writes alone, which are those of a delete without a backup."""
        found = DeleteScanned(replace(self.options, backup=None)).preview(caller).forecast
        (demand,) = [each for each in found.demands if each.kind == "WCU"]
        cap = Cap(demand.cap_units_per_s or math.inf, demand.cap_origin, demand.kind)
        seconds, held_by = time_of([(demand, cap)])
        return replace(found, demands=(demand,), seconds=seconds, held_by=held_by, read_bytes=ZERO)

    def intent(self, caller: Caller, *, asks: bool = True) -> Intent:
        """What is about to happen. Raises UsageError, TransferError."""
        return self._intent(caller, asks=asks)

    def _intent(self, caller: Caller, plan: Preview | None = None, *, asks: bool = True) -> Intent:
        options = self.options
        session = Session(options.aws, (options.table,))
        table = session.describe(options.table)
        sentences, warnings, units = [place(session, table)], list[str](), 0.0
        if options.sources:
            if STDIN not in options.sources and plan is None:  # which can be looked at only once
                DeleteListed(options).check(caller)
            sentences.append(f"The items listed in {', '.join(options.sources)} will be deleted")
        else:
            selected = DeleteScanned(options).edit_of(session, table).selection.counted
            counted, units = described(options, session, table, selected, "deleted", caller, plan, asks=asks)
            sentences += counted
        if options.backup is None:
            warnings = way_back(session, table, "deleted", "" if options.sources else "--backup")
        return Intent(table.name, tuple(sentences), tuple(warnings), units)


def check(options: DeleteOptions) -> None:
    """Raises UsageError for options that cannot work with any table."""
    chosen = [bool(options.sources), options.filter is not None, options.all_items]
    if sum(chosen) > 1:
        raise UsageError("--filter, --all and -s contradict each other", "give one of them")
    if not options.sources:
        check_chosen(options, "deleted")
    if options.if_unchanged and options.all_items and options.backup is None:
        raise UsageError(
            "--if-unchanged needs something that an item may have changed from", "add --filter or --backup"
        )
