"""Verifies exports by this program before they are imported: a folder or prefix must match its manifest.

Files that are missing, truncated or not listed are refused before the transfer starts, and `--verify-checksums`
reads each file for its SHA-256. After the transfer, the number of items read from each file is compared.
A folder or prefix with parts and no manifest is an unfinished export, and refused: on disk the parts are hidden
`.part` files, on S3 unfinished uploads.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate

from ddbio.errors import NotFoundError, PermanentError, TransferError, UsageError
from ddbio.layouts.own import ANY_OWN_FILE, MANIFEST_NAMES, ListedFile, Manifest, find_file, read_manifest
from ddbio.messages.files import SourceFile
from ddbio.storage import Storages, absolute, join
from ddbio.storage.names import has_magic

_READ_BYTES = 1 << 20
_FILES_AT_ONCE = 8
_NO_VERIFY = "or import it unverified with --no-verify"
_COPY_AGAIN = f"copy the export again, {_NO_VERIFY}"
_AFTERWARDS = "copy the export again and run the same command with --fresh, or accept it with --no-verify"


@dataclass(frozen=True, slots=True)
class OwnExport:
    """uri: of its manifest. files: all that it lists, each as found and as listed. manifest: what it says."""

    uri: str
    files: tuple[tuple[SourceFile, ListedFile], ...]
    manifest: Manifest | None = None

    def describe(self) -> str:
        items = sum(listed.items for _, listed in self.files)
        return f"{self.uri} is the manifest of an export: {items:,} items in {len(self.files):,} files"


def read_own_export(source: str, suffixes: tuple[str, ...], storages: Storages) -> OwnExport | None:
    """The export at `source` (a folder, a prefix or a manifest); None if there is none.

    suffixes: of the files that are imported from a folder; those that the manifest does not list are refused.
    Raises UsageError if files are missing, changed or unlisted.
    """
    folder, _, name = absolute(source).rpartition("/")
    folder = folder if name in MANIFEST_NAMES else absolute(source).rstrip("/")
    if has_magic(folder) or ANY_OWN_FILE.fullmatch(name):
        return None
    return own_export_in(folder, suffixes, storages)


def own_export_in(folder: str, suffixes: tuple[str, ...], storages: Storages) -> OwnExport | None:
    """The same for a folder, given without a trailing slash."""
    storage = storages.of(folder)
    for manifest_name in MANIFEST_NAMES:
        file = find_file(join(folder, manifest_name), storage)
        manifest = read_manifest(file, storage) if file is not None else None
        if file is not None and manifest is not None:
            there = listing(join(folder, ""), ("",), storages)
            base = file.uri.removesuffix(manifest_name)
            files = tuple(_found(manifest.files, base, there))
            _refuse_others({each.uri for each, _ in files}, join(folder, ""), suffixes, storages)
            return OwnExport(file.uri, files, manifest)
    return None


def listing(folder: str, suffixes: tuple[str, ...], storages: Storages) -> dict[str, SourceFile]:
    with suppress(NotFoundError):  # there is none
        return {file.uri: file for file in storages.list_files(folder, suffixes)}
    return {}


def _found(
    listed: Iterable[ListedFile], base: str, there: dict[str, SourceFile]
) -> Iterator[tuple[SourceFile, ListedFile]]:
    for each in listed:
        file = there.get(f"{base}{each.name}")
        if file is None:
            raise UsageError(f'"{base}{each.name}", which the manifest lists, is missing', _COPY_AGAIN)
        if file.size_bytes != each.size_bytes:
            raise UsageError(
                f'"{file.uri}" has {file.size_bytes:,} bytes, but its manifest says {each.size_bytes:,}', _COPY_AGAIN
            )
        yield file, each


def _refuse_others(known: set[str], folder: str, suffixes: tuple[str, ...], storages: Storages) -> None:
    for uri, file in listing(folder, suffixes, storages).items():
        is_manifest = uri.rpartition("/")[2] in MANIFEST_NAMES and read_manifest(file, storages.of(uri)) is not None
        if uri not in known and not is_manifest:
            raise UsageError(
                f'"{uri}" is in an export whose manifest does not list it', f"move it away, {_NO_VERIFY}"
            )


def refuse_unfinished(hidden: Iterable[str], uploads: Iterable[str], finished: Collection[str]) -> None:
    """Raise UsageError for the first of these URIs that is part of an unfinished export.

    hidden: files that were skipped. uploads: unfinished uploads. finished: folders of exports that have a manifest.
    """
    for uri in hidden:
        name = uri.rpartition("/")[2]
        is_part = name.startswith(".") and name.endswith(".part")
        _refuse_part(uri, name[1 : -len(".part")] if is_part else "", finished)
    for uri in uploads:
        _refuse_part(uri, uri.rpartition("/")[2], finished)


def _refuse_part(uri: str, name: str, finished: Collection[str]) -> None:
    if ANY_OWN_FILE.fullmatch(name) and not any(uri.startswith(join(folder, "")) for folder in finished):
        raise UsageError(
            f'"{uri}" is part of an unfinished export: there is no manifest',
            "finish the export with its command, or import the files that are there with --allow-unfinished",
        )


def verify_checksums(exports: Iterable[OwnExport], storages: Storages) -> int:
    """Verify the checksum of every file; returns their number. Raises UsageError for the first that differs."""
    pairs = [pair for export in exports for pair in export.files]
    with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
        for file, listed, found in threads.map(lambda pair: (*pair, checksum_of(pair[0], pair[1], storages)), pairs):
            if found != listed.checksum:
                raise UsageError(
                    f'"{file.uri}" has the checksum {found}, but its manifest says {listed.checksum}', _COPY_AGAIN
                )
    return len(pairs)


def checksum_of(file: SourceFile, listed: ListedFile, storages: Storages) -> str:
    """The file's checksum, of the kind that the manifest has. Raises UsageError if that cannot be computed."""
    kind = listed.checksum.partition(":")[0]
    if kind == "sha256":
        return f"sha256:{_digest(hashlib.sha256(), file, 0, file.size_bytes, storages).hex()}"
    if kind == "md5":
        md5 = hashlib.md5(usedforsecurity=False)
        return f"md5:{_base64(_digest(md5, file, 0, file.size_bytes, storages))}"
    if kind == "sha256-composite":
        return f"{kind}:{_composite(file, listed, storages)}"
    raise UsageError(
        f'the checksum of "{file.uri}" in its manifest is "{listed.checksum}", which cannot be verified',
        "omit --verify-checksums",
    )


def _composite(file: SourceFile, listed: ListedFile, storages: Storages) -> str:
    """S3's checksum of an object that was uploaded in parts: the checksum of the parts' checksums."""
    sizes = listed.part_bytes
    if not sizes:
        raise UsageError(
            f'the checksum of "{file.uri}" is that of an upload in parts, and its manifest, by an earlier version, '
            "does not have the sizes of its parts",
            "omit --verify-checksums; S3 verified the checksum during the upload",
        )
    if min(sizes) < 1 or sum(sizes) != file.size_bytes:
        raise UsageError(
            f'"{file.uri}" has {file.size_bytes:,} bytes, but its manifest says that its parts have {sum(sizes):,}',
            _COPY_AGAIN,
        )
    whole = hashlib.sha256()
    for stop, size in zip(accumulate(sizes), sizes, strict=True):
        whole.update(_digest(hashlib.sha256(), file, stop - size, stop, storages))
    return f"{_base64(whole.digest())}-{len(sizes)}"


def _digest(digest: hashlib._Hash, file: SourceFile, start: int, stop: int, storages: Storages) -> bytes:
    for at in range(start, stop, _READ_BYTES):
        digest.update(storages.read_range(file, at, min(at + _READ_BYTES, stop)))
    return digest.digest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def check_items(exports: Iterable[OwnExport], read: Callable[[], Counter[str]]) -> TransferError | None:
    """After the transfer: an error for the first file with an unexpected number of items. read: items by uri."""
    pairs = [pair for export in exports for pair in export.files]
    counted = read() if pairs else Counter[str]()
    for file, listed in pairs:
        if counted[file.uri] != listed.items:
            return PermanentError(
                f'"{file.uri}" had {counted[file.uri]:,} items, but its manifest says {listed.items:,}; they were '
                "imported nevertheless",
                _AFTERWARDS,
            )
    return None
