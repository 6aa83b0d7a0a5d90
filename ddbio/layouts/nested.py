"""Chooses the exports to import from below a folder, a prefix or a pattern that is not an export itself.

- A single export is imported according to its manifest.
- Several are imported if they are one full export by DynamoDB and the incremental ones that follow it without a gap,
  all of one table; they are applied in the order of their times. Exports by this program have no increments.
- In any other case the user must choose: the refusal names the exports.
- Data that belongs to no export is never mixed with one: it is refused, too.

This module lists no folders: the listing of the source's data files has found the manifests.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from ddbio.errors import UsageError
from ddbio.layouts.native import SUMMARY_NAME, NativeExport, chain_warnings, in_order, read_summary
from ddbio.layouts.own import MANIFEST_NAMES, find_file, read_manifest
from ddbio.messages.files import SourceFile
from ddbio.storage import Storages, join

_MOST_NAMED = 10


@dataclass(frozen=True, slots=True)
class Below:
    """The exports to import: either those by DynamoDB, in their order, or one by this program.

    own: the folder of the latter, without a slash at the end; empty if there is none.
    """

    native: tuple[NativeExport, ...] = ()
    own: str = ""

    def __bool__(self) -> bool:
        return bool(self.native or self.own)

    def folders(self) -> list[str]:
        return [*(export.uri.rstrip("/") for export in self.native), *filter(None, [self.own])]

    def has(self, uri: str) -> bool:
        """Whether a file is in the folder of one of them (not counting a data folder that several share)."""
        return any(uri.startswith(join(folder, "")) for folder in self.folders())


def exports_below(source: str, manifests: Collection[str], storages: Storages) -> Below:
    """manifests: uris of the files below `source` that have a manifest's name.

    Raises UsageError if there are several exports that cannot be applied as one, or one that is damaged.
    """
    native, own = list[NativeExport](), dict[str, None]()
    by_dynamodb = {folder for folder, name in map(_split, manifests) if name == SUMMARY_NAME}
    for uri in sorted(manifests):
        folder, name = _split(uri)
        file = find_file(uri, storages.of(uri))
        if file is not None and name == SUMMARY_NAME:
            native.append(read_summary(file, storages))
        elif file is not None and folder not in by_dynamodb and name in MANIFEST_NAMES and _is_ours(file, storages):
            own[folder] = None
    chain = in_order(native)
    _refuse_several(source, chain, list(own))
    return Below(tuple(chain), next(iter(own), ""))


def _split(uri: str) -> tuple[str, str]:
    folder, _, name = uri.rpartition("/")
    return folder, name


def _is_ours(file: SourceFile, storages: Storages) -> bool:
    return read_manifest(file, storages.of(file.uri)) is not None


def _refuse_several(source: str, chain: Sequence[NativeExport], own: Sequence[str]) -> None:
    folders = [*(export.uri.rstrip("/") for export in chain), *own]
    if len(folders) < 2:
        return
    if own:
        reason = "exports by DDBExport.py have no increments"
    elif chain[0].incremental:
        reason = f"no full export comes before {chain[0].uri}"
    else:
        reason = next(chain_warnings(chain), "")
    if reason:
        more = f" and {len(folders) - _MOST_NAMED:,} more" if len(folders) > _MOST_NAMED else ""
        raise UsageError(
            f'below "{source}" there are {len(folders):,} exports that cannot be applied as one ({reason}): '
            f"{', '.join(islice(folders, _MOST_NAMED))}{more}",
            "name the one to import with -s, or each with a separate -s",
        )


def refuse_data_beside(source: str, below: Below, files: Iterable[SourceFile]) -> None:
    """Raise UsageError if one of the data files below `source` belongs to none of its exports.

    Does not check the files in the folder of an export by this program: those are later compared with its manifest.
    """
    known = frozenset[str]().union(*(export.places for export in below.native))
    own = join(below.own, "") if below.own else None
    beside = [file.uri for file in files if file.uri not in known and not (own and file.uri.startswith(own))]
    if beside:
        more = f" and {len(beside) - 1:,} more" if len(beside) > 1 else ""
        no_verify = ", or import all files unchecked with --no-verify" if own else ""
        raise UsageError(
            f'"{beside[0]}"{more} below "{source}" belong{"s" * (not more)} to no manifest of the export '
            f"{below.folders()[0]} there",
            f"name the export itself with -s{no_verify}",
        )
