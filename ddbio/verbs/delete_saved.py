"""Delete with a backup, in two stages: an export of the items, complete with its manifest, then deletes of exactly
the items in it. So each item is durable before it is deleted, and an import of the backup restores it.

A run that was interrupted is resumed by the same command in the stage in which it was. A stage is noted as finished
before its own journal goes, so a kill between the two repeats nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ddbio.dynamodb.session import Session
from ddbio.errors import DdbioError
from ddbio.forecast.preview import Preview
from ddbio.job.accounts import Accounts
from ddbio.job.journal import Journal
from ddbio.job.rejects import RejectingResult
from ddbio.job.run import Caller, Run
from ddbio.job.stages import Stages, staged
from ddbio.messages import Tally
from ddbio.messages.counts import NAMES
from ddbio.options import STDOUT, TransferOptions, material
from ddbio.rate.caps import choose_cap
from ddbio.sinks.conditional_deletes import DeleteIf
from ddbio.sinks.table_writes import OpenMode
from ddbio.sources.plan import Plan
from ddbio.storage import absolute
from ddbio.verbs.edits import EditResult
from ddbio.verbs.export_table import Export, ExportResult
from ddbio.verbs.import_table import Import, ImportResult
from ddbio.verbs.options import DeleteOptions, ExportOptions, ImportOptions
from ddbio.verbs.selection import placeholders_of, select, user_filter

SAVED, DELETED = "saved", "deleted"  # the stages


class SaveItems(Export):
    """The first stage. finished: called with the items and units, before the journal of the export is removed."""

    name = "delete"

    def __init__(self, options: DeleteOptions, finished: Callable[[Tally], None]) -> None:
        assert options.backup is not None
        super().__init__(
            ExportOptions(
                **_common(options),
                **{name: getattr(options, name) for name in ("filter", "values", "names", "segments")},
                consistent_read=options.consistent_read,
                capacity=options.capacity,
                destination=options.backup,
            )
        )
        self._finished = finished

    def places(self) -> list[str]:
        return [SAVED, *super().places()]

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> ExportResult:
        result = super().settle(run, plan, journal, accounts, error)
        if result.error is None:
            self._finished(result.tally)
        return result


class DeleteListed(Import):
    """Deletes the items that files list. if_saved: only those that still are as they were saved."""

    name = "delete"
    capacity_option = "--write-capacity"
    warns = False

    def __init__(self, options: DeleteOptions, finished: Callable[[Tally], None] = lambda tally: None) -> None:
        sources = options.sources or (options.backup or "",)
        super().__init__(
            ImportOptions(
                **_common(options),
                capacity=options.write_capacity,
                sources=sources,
                mode="delete",
                format=options.format,
                rejects=options.rejects,
                max_errors=options.max_errors,
            )
        )
        self._asked = options
        self._finished = finished

    def places(self) -> list[str]:
        return [DELETED, *super().places()]

    @property
    def mode(self) -> str | OpenMode:
        if not self._asked.if_unchanged:
            return super().mode
        placeholders = placeholders_of(self._asked)
        selection = select(self._target.table, placeholders, [user_filter(self._asked, placeholders)], None)
        return DeleteIf(selection.condition, as_saved=True)

    def settle(
        self, run: Run, plan: Plan, journal: Journal, accounts: Accounts, error: DdbioError | None
    ) -> ImportResult:
        result = super().settle(run, plan, journal, accounts, error)
        if result.error is None:
            self._finished(result.tally)
        return result


class DeleteSaved:
    """Both stages. See `ddbio.job.spine.Story`."""

    def __init__(self, options: DeleteOptions) -> None:
        self._options = options

    def perform(self, caller: Caller) -> EditResult:
        options = self._options
        session = Session(options.aws, (options.table,))
        self._table = table = session.describe(options.table)
        facts = {**material(options), "table": [table.description.get("TableId"), table.name]}
        identity = [session.region, session.endpoint_url, table.description.get("TableArn", "")]
        reports: list[bytes] = []
        asked = replace(caller, take_report=reports.append) if options.report == STDOUT else caller
        identity.append(absolute(options.backup or ""))
        with staged("delete", table.name, identity, facts, options) as stages:
            try:
                return self._perform(asked, stages)
            finally:
                if reports and caller.take_report is not None:
                    caller.take_report(reports[-1])

    def _perform(self, caller: Caller, stages: Stages) -> EditResult:
        options, read_cap = self._options, None
        if stages.finished(SAVED) is None:
            saved = SaveItems(options, lambda tally: stages.finish(SAVED, _noted(tally))).perform(caller)
            if saved.error is not None:
                return _unfinished(saved)
            read_cap = saved.cap
        noted, done = stages.finished(SAVED), stages.finished(DELETED)
        if done is None:
            result = as_edit(
                DeleteListed(options, lambda tally: stages.finish(DELETED, _noted(tally))).perform(caller)
            )
        else:  # an earlier run was killed at its very end
            result = self._of_earlier_run(Tally(**done))
        if result.error is None:
            stages.complete()
        return replace(
            result,
            read_cap=read_cap,
            read_units=noted["units"],
            backup=options.backup,
            saved_items=noted["written"],
            restore=_restoring(options),
        )

    def _of_earlier_run(self, tally: Tally) -> EditResult:
        option = DeleteListed.capacity_option
        cap = choose_cap(self._options.write_capacity, self._table, "WCU", over_provisioned=True, option=option)
        return EditResult(tally=tally, seconds=0.0, error=None, cap=cap, rejects=None, write_units=tally.units)

    def preview(self, caller: Caller) -> Preview:
        """Of the first stage alone."""
        return SaveItems(self._options, lambda tally: None).preview(caller)


def as_edit(result: ImportResult) -> EditResult:
    """The result of an import as that of a delete."""
    return EditResult(
        **{name: getattr(result, name) for name in _fields(RejectingResult)}, write_units=result.tally.units
    )


def _unfinished(saved: ExportResult) -> EditResult:
    """Nothing is deleted yet."""
    return EditResult(
        tally=saved.tally,
        seconds=saved.seconds,
        error=saved.error,
        past=saved.past,
        failures=saved.failures,
        warnings=saved.warnings,
        cap=saved.cap,
        rejects=None,
        read_cap=saved.cap,
        read_units=saved.tally.units,
        backup=saved.destination,
        saved_items=saved.tally.written,
    )


def _restoring(options: DeleteOptions) -> tuple[str, ...]:
    """The command that restores the saved items."""
    aws = options.aws
    given = {"-r": aws.region, "--profile": aws.profile, "--endpoint-url": aws.endpoint_url}
    given |= {"--s3-endpoint-url": aws.s3_endpoint_url, "-t": options.table, "-s": options.backup}
    return ("ddbio", "import", *(word for option, value in given.items() if value for word in (option, value)))


def _fields(kind: type[Any]) -> Iterator[str]:
    yield from kind.__dataclass_fields__


def _common(options: DeleteOptions) -> dict[str, Any]:
    """The options that a stage has like every verb, but its cap."""
    return {name: getattr(options, name) for name in _fields(TransferOptions) if name != "capacity"}


def _noted(tally: Tally) -> dict[str, Any]:
    return {name: getattr(tally, name) for name in NAMES}
