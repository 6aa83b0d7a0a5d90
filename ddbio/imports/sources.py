"""What is imported, and in which order: the sources a user names become files, each once.

Files in any number of places are one phase. Exports by DynamoDB itself are a phase each, in the order of their times,
because a change must not be written before what it changes: none begins before all of the one before it is settled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ddbio.errors import UsageError
from ddbio.formats import FormatSpec
from ddbio.imports.held import OwnExport, read_own_export, refuse_unfinished
from ddbio.layouts.native import NativeExport, doubts, in_order, read_export
from ddbio.layouts.own import OLD_MANIFEST_NAME, find_manifests, read_manifest
from ddbio.planning import Source
from ddbio.storage import STDIN, SourceFile, Storages, absolute
from ddbio.storage.names import PassedOver, has_magic, without_compression

_DATA_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


@dataclass(frozen=True, slots=True)
class Found:
    """files: those that belong to no export by DynamoDB, standard input among them. exports: in their order.
    passed_over: files that were met and are none of them. own: exports by this program; `files` has theirs.
    empty_exports: folders of exports by this program that have no files, as their table had no items."""

    files: tuple[SourceFile, ...]
    exports: tuple[NativeExport, ...]
    passed_over: PassedOver = field(default_factory=PassedOver)
    empty_exports: tuple[str, ...] = ()
    own: tuple[OwnExport, ...] = ()

    def all_files(self) -> list[SourceFile]:
        return [*self.files, *(file for export in self.exports for file, _ in export.files)]

    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.all_files())

    def folders(self) -> Iterator[str]:
        """Where the manifest of one of this program's exports may lie."""
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
        """What the user should know of the exports, and of what is not imported."""
        yield from map("Sources: {}".format, self.passed_over.describe({file.uri for file in self.all_files()}))
        yield from (export.describe() for export in self.exports)
        yield from doubts(self.exports)

    def mode(self, asked: str) -> str:
        """How to write. Raises UsageError where the exports cannot be written as asked."""
        if not any(export.incremental for export in self.exports):
            return asked
        if asked not in ("put", "changes"):
            raise UsageError(
                f"an incremental export puts and deletes: it does not go with --mode {asked}", "leave --mode out"
            )
        return "changes"

    def phases(self, sources: Sequence[Source]) -> list[list[Source]]:
        """All that is to be read. sources: how to read `files`."""
        return [list(sources), *([*_sources_of(export)] for export in self.exports)]


def find_sources(
    uris: Sequence[str],
    suffixes: tuple[str, ...],
    storages: Storages,
    *,
    verify: bool = True,
    allow_unfinished: bool = False,
) -> Found:
    """verify: hold this program's exports to their manifests. allow_unfinished: take what an unfinished one left.

    Raises UsageError where a source is missing, nothing matches, or an export is not what it should be.
    """
    files: dict[str, SourceFile] = {}
    own: dict[str, OwnExport] = {}
    exports: dict[str, NativeExport] = {}
    passed_over = PassedOver()
    empty_exports = []
    for uri in dict.fromkeys(uris):
        export = read_export(uri, storages) if uri != STDIN else None
        ours = read_own_export(uri, suffixes, storages) if verify and export is None and uri != STDIN else None
        if export is not None:
            exports[export.uri] = export
        elif ours is not None:
            own[ours.uri] = ours
            files.update((file.uri, file) for file, _ in ours.files)
            if not ours.files:
                empty_exports.append(absolute(uri).rstrip("/"))
        elif uri != STDIN and _is_empty_export(uri, storages):
            empty_exports.append(absolute(uri).rstrip("/"))
        else:
            found = storages.list_files(uri, suffixes, passed_over)
            files.update((file.uri, file) for file in found if not _is_old_manifest(file, uri, storages))
    if not allow_unfinished:
        refuse_unfinished(passed_over)
    of_exports = {file.uri for export in exports.values() for file, _ in export.files}
    rest = tuple(file for file in files.values() if file.uri not in of_exports)
    in_turn = tuple(in_order(list(exports.values())))
    return Found(rest, in_turn, passed_over, tuple(empty_exports), tuple(own.values()))


def _is_empty_export(uri: str, storages: Storages) -> bool:
    """Whether `uri` is the folder of an export by this program of a table without items."""
    if has_magic(uri) or without_compression(uri).lower().endswith(_DATA_SUFFIXES):
        return False  # of no folder: nobody needs to look
    manifests = find_manifests(absolute(uri).rstrip("/"), storages.of(uri))
    return bool(manifests) and not any(manifest.files for manifest in manifests.values())


def _is_old_manifest(file: SourceFile, source: str, storages: Storages) -> bool:
    """Whether a `manifest.json` that a folder or a glob has is what this program once wrote beside the data: its
    content says that. One that is spelled is taken for data."""
    if file.uri.rpartition("/")[2] != OLD_MANIFEST_NAME or source.endswith(OLD_MANIFEST_NAME):
        return False
    return read_manifest(file, storages.of(file.uri)) is not None


def _sources_of(export: NativeExport) -> Iterator[Source]:
    format = FormatSpec("incremental" if export.incremental else "dynamodb-json")
    for file, expected in export.files:
        yield Source(file, format, packed=True, expected=expected)
