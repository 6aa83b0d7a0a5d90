"""Finds the files to import, each once, and their order.

Plain files, however many sources they come from, are one phase. Each export by DynamoDB itself is a phase, in
chronological order, because a change must not be written before the item it changes: a phase starts when all of the
one before it is settled. A source that is no export itself may contain exports (`ddbio.layouts.nested`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ddbio.errors import NothingMatchedError, UsageError
from ddbio.formats import data_suffixes
from ddbio.layouts.native import NativeExport, chain_warnings, in_order, read_export
from ddbio.layouts.nested import Below, exports_below, refuse_data_beside
from ddbio.layouts.own import OLD_MANIFEST_NAME, find_manifests, read_manifest
from ddbio.messages.files import STDIN, SourceFile
from ddbio.sources.cutting import Source
from ddbio.sources.manifest_check import OwnExport, own_export_in, read_own_export, refuse_unfinished
from ddbio.storage import Storages, absolute
from ddbio.storage.names import PassedOver, has_magic, without_compression


@dataclass(frozen=True, slots=True)
class Found:
    """files: those that belong to no export by DynamoDB, including standard input. exports: in their order.
    passed_over: files that are not imported. own: exports by this program, whose files are in `files`.
    empty_exports: folders of exports by this program without files, because the table had no items.
    unlisted: files named like those of an export by this program; one for each folder without a manifest."""

    files: tuple[SourceFile, ...]
    exports: tuple[NativeExport, ...]
    passed_over: PassedOver = field(default_factory=PassedOver)
    empty_exports: tuple[str, ...] = ()
    own: tuple[OwnExport, ...] = ()
    unlisted: tuple[str, ...] = ()

    def all_files(self) -> list[SourceFile]:
        return [*self.files, *(file for export in self.exports for file, _ in export.files)]

    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.all_files())

    def folders(self) -> Iterator[str]:
        """The folders that may contain a manifest of this program."""
        yield from (export.uri.rstrip("/") for export in self.exports)
        yield from self.empty_exports
        yield from dict.fromkeys(folder for file in self.all_files() if (folder := file.uri.rpartition("/")[0]))

    @property
    def has_stdin(self) -> bool:
        return any(file.is_stream for file in self.files)

    def describe(self) -> str:
        """`2 files (1,234 bytes)`."""
        files = [file for file in self.all_files() if not file.is_stream]
        size = f"{len(files):,} file{'s' * (len(files) != 1)} ({sum(file.size_bytes for file in files):,} bytes)"
        return " and ".join(["standard input"] * self.has_stdin + [size] * bool(files or not self.has_stdin))

    def remarks(self) -> Iterator[str]:
        """Remarks for the user about the exports, and about files that are not imported."""
        yield from map("Sources: {}".format, self.passed_over.describe({file.uri for file in self.all_files()}))
        if self.unlisted:
            yield (
                f'Sources: "{self.unlisted[0]}" is named like a file of an export, but its folder has no manifest: '
                "whether the export was finished is not known"
            )
        yield from (export.describe() for export in self.exports)
        yield from chain_warnings(self.exports)

    def mode(self, asked: str) -> str:
        """The write mode. Raises UsageError if the mode asked for does not fit the exports."""
        if not any(export.incremental for export in self.exports):
            return asked
        if asked not in ("put", "changes"):
            raise UsageError(
                f"an incremental export puts and deletes: it does not go with --mode {asked}", "omit --mode"
            )
        return "changes"

    def phases(self, sources: Sequence[Source]) -> list[list[Source]]:
        """All sources to read, by phase. sources: how to read `files`."""
        return [list(sources), *([*_sources_of(export)] for export in self.exports)]


def find_sources(
    uris: Sequence[str],
    suffixes: tuple[str, ...],
    storages: Storages,
    *,
    verify: bool = True,
    allow_unfinished: bool = False,
) -> Found:
    """verify: compare this program's exports with their manifests. allow_unfinished: accept files of unfinished ones.

    Raises UsageError if a source is missing, nothing matches, or an export differs from its manifest.
    """
    search = _Search(suffixes, storages, verify, allow_unfinished)
    for uri in dict.fromkeys(uris):
        search.add(uri)
    return search.found()


class _Search:
    """The files and exports found so far."""

    def __init__(self, suffixes: tuple[str, ...], storages: Storages, verify: bool, allow_unfinished: bool) -> None:
        self._suffixes = suffixes
        self._storages = storages
        self._verify = verify
        self._allow_unfinished = allow_unfinished
        self._files: dict[str, SourceFile] = {}
        self._exports: dict[str, NativeExport] = {}
        self._own: dict[str, OwnExport] = {}
        self._empty_exports: list[str] = []
        self._passed_over = PassedOver()
        self._unlisted: list[str] = []

    def found(self) -> Found:
        of_exports = {file.uri for export in self._exports.values() for file, _ in export.files}
        return Found(
            tuple(file for file in self._files.values() if file.uri not in of_exports),
            tuple(in_order(list(self._exports.values()))),
            self._passed_over,
            tuple(self._empty_exports),
            tuple(self._own.values()),
            tuple(self._unlisted),
        )

    def add(self, uri: str) -> None:
        if uri == STDIN:
            self._add_files(self._storages.list_files(uri, self._suffixes))
        elif (export := read_export(uri, self._storages)) is not None:
            self._exports[export.uri] = export
        elif self._verify and (own := read_own_export(uri, self._suffixes, self._storages)) is not None:
            self._add_own(own)
        elif not self._verify and _is_empty_export(uri, self._storages):
            self._empty_exports.append(absolute(uri).rstrip("/"))
        else:
            self._add_listed(uri)

    def _add_files(self, files: Iterable[SourceFile]) -> None:
        self._files.update((file.uri, file) for file in files)

    def _add_own(self, own: OwnExport) -> None:
        self._own[own.uri] = own
        self._add_files(file for file, _ in own.files)
        if not own.files:
            self._empty_exports.append(own.uri.rpartition("/")[0])

    def _add_listed(self, uri: str) -> None:
        met = PassedOver()
        nothing, files = None, list[SourceFile]()
        try:
            files = self._storages.list_files(uri, self._suffixes, met)
        except NothingMatchedError as error:  # but there may be empty or unfinished exports
            nothing = error
        below = exports_below(uri, met.manifests, self._storages)
        self._refuse_unfinished(uri, files, met, below)
        if below.native or (below.own and self._verify):
            self._add_below(uri, files, met, below)
        elif nothing is not None:
            raise nothing
        else:
            self._add_files(file for file in files if not _is_old_manifest(file, uri, self._storages))
            if not self._allow_unfinished:
                self._unlisted += [file for folder, file in met.own_files.items() if folder != below.own]
        self._passed_over.names.update(met.names)

    def _refuse_unfinished(self, uri: str, files: Sequence[SourceFile], met: PassedOver, below: Below) -> None:
        if self._allow_unfinished:
            return
        is_spelled = [file.uri for file in files] == [absolute(uri)]
        uploads = [] if is_spelled else self._storages.of(uri).list_unfinished(uri)
        refuse_unfinished(met.names, uploads, below.folders())

    def _add_below(self, uri: str, files: Sequence[SourceFile], met: PassedOver, below: Below) -> None:
        """Add exports below a source. Other files in their folders belong to them and are not reported as skipped."""
        refuse_data_beside(uri, below, [file for file in files if not _is_old_manifest(file, uri, self._storages)])
        self._exports.update((export.uri, export) for export in below.native)
        if below.own and (own := own_export_in(below.own, self._suffixes, self._storages)) is not None:
            self._add_own(own)
        met.names = {file: name for file, name in met.names.items() if not below.has(file)}


def _is_empty_export(uri: str, storages: Storages) -> bool:
    """Whether `uri` is the folder of this program's export of an empty table."""
    if has_magic(uri) or without_compression(uri).lower().endswith(data_suffixes()):
        return False  # not a folder
    manifests = find_manifests(absolute(uri).rstrip("/"), storages.of(uri))
    return bool(manifests) and not any(manifest.files for manifest in manifests.values())


def _is_old_manifest(file: SourceFile, source: str, storages: Storages) -> bool:
    """Whether a `manifest.json` found by a folder or a glob is a manifest by an earlier version of this program,
    by its content. One that the user names is data."""
    if file.uri.rpartition("/")[2] != OLD_MANIFEST_NAME or source.endswith(OLD_MANIFEST_NAME):
        return False
    return read_manifest(file, storages.of(file.uri)) is not None


def _sources_of(export: NativeExport) -> Iterator[Source]:
    for file, expected in export.files:
        yield Source(file, export.format, packed=True, expected=expected)
