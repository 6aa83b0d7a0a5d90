"""Finds the incremental exports by DynamoDB whose changes are to be undone, the newest first.

Each is a phase: the changes before those of an export are undone when all of its own are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from ddbio.errors import NothingMatchedError, UsageError
from ddbio.formats import data_suffixes
from ddbio.layouts.native import SUMMARY_NAME, NativeExport, in_order, read_export, read_summary
from ddbio.layouts.own import find_file
from ddbio.messages.format_spec import FormatSpec
from ddbio.sources.cutting import Source
from ddbio.sources.find import Found
from ddbio.storage import Storages
from ddbio.storage.names import PassedOver

_BOTH_IMAGES = "NEW_AND_OLD_IMAGES"


@dataclass(frozen=True, slots=True)
class Increments(Found):
    """exports: the newest first."""

    def mode(self, asked: str) -> str:
        return asked

    def phases(self, sources: Sequence[Source]) -> list[list[Source]]:
        reversal = FormatSpec("reversal")
        return [
            [Source(file, reversal, packed=True, expected=expected) for file, expected in export.files]
            for export in self.exports
        ]

    def remarks(self) -> Iterator[str]:
        yield from (export.describe() for export in self.exports)
        for after, before in pairwise(self.exports):
            if before.ends < after.begins:
                gap = f"from {before.ends} to {after.begins}"
                yield f"No export has the changes {gap}: items that changed then may be skipped"
            elif before.ends > after.begins:
                yield f"The periods of {before.uri} and {after.uri} overlap: items that changed then may be skipped"

    @property
    def changes(self) -> int:
        return sum(export.items for export in self.exports)

    @property
    def period(self) -> tuple[str, str]:
        """The beginning of the oldest export, and the end of the newest."""
        return self.exports[-1].begins, self.exports[0].ends


def find_increments(uris: Sequence[str], storages: Storages) -> Increments:
    """Raises UsageError for a source that is no incremental export with old images, and for several tables."""
    found = {export.uri: export for uri in uris for export in _exports(uri, storages)}
    exports = in_order(list(found.values()))[::-1]
    for export in exports:
        _check(export)
        if export.table_arn != exports[0].table_arn:
            raise UsageError(
                f"{export.uri} is of another table than {exports[0].uri}: {export.table_arn}",
                "revert the changes of one table at a time",
            )
    return Increments((), tuple(exports))


def _exports(uri: str, storages: Storages) -> list[NativeExport]:
    export = read_export(uri, storages)
    if export is not None:
        return [export]
    met = PassedOver()
    with suppress(NothingMatchedError):  # an export without changes has no files
        storages.list_files(uri, data_suffixes(), met)
    summaries = [find_file(each, storages.of(each)) for each in sorted(met.manifests) if each.endswith(SUMMARY_NAME)]
    exports = [read_summary(file, storages) for file in summaries if file is not None]
    if not exports:
        raise UsageError(
            f'"{uri}" is no incremental export by DynamoDB',
            f"name the folder that has its {SUMMARY_NAME}, or one above it, with -s",
        )
    return exports


def _check(export: NativeExport) -> None:
    if not export.incremental:
        raise UsageError(
            f"{export.uri} is a full export, which has no old images", "name incremental exports with -s"
        )
    if export.view != _BOTH_IMAGES:
        view = f"its view is {export.view}" if export.view else "its manifest names no view"
        raise UsageError(
            f"{export.uri} has no old images: {view}", f"export the same period again with the view {_BOTH_IMAGES}"
        )
