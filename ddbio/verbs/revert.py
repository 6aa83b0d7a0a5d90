"""Revert: the changes in incremental exports by DynamoDB undone, the newest first.

exports --planning--> slices --engine--> lanes (reader, format, writer) --UpdateItem, PutItem, DeleteItem--> table

An import of the exports backwards (`ddbio.formats.reversal`, `ddbio.sinks.reverts`).
"""

from __future__ import annotations

from dataclasses import fields
from typing import cast

from ddbio.dynamodb.session import Session
from ddbio.forecast.preview import Preview
from ddbio.job.run import Caller
from ddbio.options import RejectingOptions
from ddbio.sinks.reverts import ForcedReverts, Reverts
from ddbio.sinks.table_writes import OpenMode
from ddbio.sources.increments import Increments, find_increments
from ddbio.verbs.import_sources import ImportSources
from ddbio.verbs.import_table import Import, ImportResult
from ddbio.verbs.intent import Intent, place, way_back
from ddbio.verbs.options import ImportOptions, RevertOptions

RevertResult = ImportResult


class _Exports(ImportSources):
    def _find(self) -> Increments:
        return find_increments(self._options.sources, self.storages)


class Revert(Import):
    name = "revert"
    warns = False

    def __init__(self, options: RevertOptions) -> None:
        common = {each.name: getattr(options, each.name) for each in fields(RejectingOptions)}
        super().__init__(ImportOptions(**common, sources=options.sources))
        self._force = options.force

    def sources_of(self, session: Session) -> ImportSources:
        return _Exports(self.options, session)

    def places(self) -> list[str]:
        """With --force it is another job."""
        return ["--force" if self._force else "", *super().places()]

    def words(self) -> tuple[str, str]:
        return "Undoing the changes in", "of"

    @property
    def mode(self) -> str | OpenMode:
        return ForcedReverts if self._force else Reverts

    def preview(self, caller: Caller) -> Preview:
        return self.intent(caller).before(super().preview(caller))

    def intent(self, caller: Caller, *, asks: bool = True) -> Intent:
        """What is about to happen. Raises UsageError, TransferError."""
        session = Session(self.options.aws, (self.options.table,))
        table = session.describe(self.options.table)
        sources = self.sources_of(session)
        found = cast(Increments, sources.found)
        sources.storages.close()
        begins, ends = found.period
        unless = "" if self._force else ", except those of items that changed again"
        sentences = [
            place(session, table),
            f"{found.changes:,} change{'s' * (found.changes != 1)} from {begins} to {ends} will be undone{unless}",
        ]
        if self._force:
            sentences.append("Changes since then of the same items are lost (--force)")
        return Intent(table.name, tuple(sentences), tuple(way_back(session, table, "overwritten", "")))
