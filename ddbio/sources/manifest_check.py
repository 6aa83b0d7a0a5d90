"""Own exports as sources: a folder or prefix with our manifest is held to what the manifest says.

Before anything is moved, files that are missing, shortened or beside those it lists are named, and with
`--verify-checksums` each file is read for its SHA-256. Afterwards the items that were read of each file are counted.
A folder or prefix with parts and no manifest is the place of an unfinished export, and refused: on disk the parts are
hidden `.part` files, on S3 uploads that were begun.
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

from ddbio.errors import PermanentError, TransferError, UsageError
from ddbio.layouts.own import ANY_OWN_FILE, MANIFEST_NAMES, ListedFile, find_file, read_manifest
from ddbio.messages.files import SourceFile
from ddbio.storage import Storages, absolute, join
from ddbio.storage.names import has_magic

_READ_BYTES = 1 << 20
_FILES_AT_ONCE = 8
_NO_VERIFY = "or import it as it is with --no-verify"
_COPY_AGAIN = f"copy the export once more, {_NO_VERIFY}"
_AFTERWARDS = "copy the export once more and run the same command with --fresh, or accept it with --no-verify"


@dataclass(frozen=True, slots=True)
class OwnExport:
    """uri: of its manifest. files: all that it lists, as they are there."""

    uri: str
    files: tuple[tuple[SourceFile, ListedFile], ...]

    def describe(self) -> str:
        items = sum(listed.items for _, listed in self.files)
        return f"{self.uri} is the manifest of an export: {items:,} items in {len(self.files):,} files"


def read_own_export(source: str, suffixes: tuple[str, ...], storages: Storages) -> OwnExport | None:
    """The export that `source` is, a folder, a prefix or its manifest; None if it is something else.

    suffixes: of the files that a folder gives; one of them that the manifest does not list is refused.
    Raises UsageError if it is not all there as it was written.
    """
    folder, _, name = absolute(source).rpartition("/")
    folder = folder if name in MANIFEST_NAMES else absolute(source).rstrip("/")
    if has_magic(folder) or ANY_OWN_FILE.fullmatch(name):
        return None
    return own_export_in(folder, suffixes, storages)


def own_export_in(folder: str, suffixes: tuple[str, ...], storages: Storages) -> OwnExport | None:
    """The same of a folder, which is given without a slash at its end."""
    storage = storages.of(folder)
    for manifest_name in MANIFEST_NAMES:
        file = find_file(join(folder, manifest_name), storage)
        manifest = read_manifest(file, storage) if file is not None else None
        if file is not None and manifest is not None:
            there = _listing(join(folder, ""), ("",), storages)
            base = file.uri.removesuffix(manifest_name)
            files = tuple(_found(manifest.files, base, there))
            _refuse_others({each.uri for each, _ in files}, join(folder, ""), suffixes, storages)
            return OwnExport(file.uri, files)
    return None


def _listing(folder: str, suffixes: tuple[str, ...], storages: Storages) -> dict[str, SourceFile]:
    with suppress(UsageError):  # there is none
        return {file.uri: file for file in storages.list_files(folder, suffixes)}
    return {}


def _found(
    listed: Iterable[ListedFile], base: str, there: dict[str, SourceFile]
) -> Iterator[tuple[SourceFile, ListedFile]]:
    for each in listed:
        file = there.get(f"{base}{each.name}")
        if file is None:
            raise UsageError(f'"{base}{each.name}", which the manifest beside it lists, is not there', _COPY_AGAIN)
        if file.size_bytes != each.size_bytes:
            raise UsageError(
                f'"{file.uri}" has {file.size_bytes:,} bytes, and its manifest says {each.size_bytes:,}', _COPY_AGAIN
            )
        yield file, each


def _refuse_others(known: set[str], folder: str, suffixes: tuple[str, ...], storages: Storages) -> None:
    for uri, file in _listing(folder, suffixes, storages).items():
        is_manifest = uri.rpartition("/")[2] in MANIFEST_NAMES and read_manifest(file, storages.of(uri)) is not None
        if uri not in known and not is_manifest:
            raise UsageError(
                f'"{uri}" is in an export whose manifest does not list it', f"move it away, {_NO_VERIFY}"
            )


def refuse_unfinished(hidden: Iterable[str], uploads: Iterable[str], finished: Collection[str]) -> None:
    """Raise UsageError for the first of these uris that is a part of an unfinished export.

    hidden: files that were passed over. uploads: those begun. finished: folders of exports that have a manifest.
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
            f'"{uri}" is a part of an export that is not finished: there is no manifest',
            "finish the export with its command, or import what is there with --allow-unfinished",
        )


def verify_checksums(exports: Iterable[OwnExport], storages: Storages) -> int:
    """Read every file for its checksum; how many were. Raises UsageError for the first that has another."""
    pairs = [pair for export in exports for pair in export.files]
    with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
        for file, listed, found in threads.map(lambda pair: (*pair, _checksum(pair[0], pair[1], storages)), pairs):
            if found != listed.checksum:
                raise UsageError(
                    f'"{file.uri}" has the checksum {found}, and its manifest says {listed.checksum}', _COPY_AGAIN
                )
    return len(pairs)


def _checksum(file: SourceFile, listed: ListedFile, storages: Storages) -> str:
    """Of the file as it is, in the form that the manifest has. Raises UsageError if that cannot be computed."""
    kind = listed.checksum.partition(":")[0]
    if kind == "sha256":
        return f"sha256:{_digest(hashlib.sha256(), file, 0, file.size_bytes, storages).hex()}"
    if kind == "md5":
        md5 = hashlib.md5(usedforsecurity=False)
        return f"md5:{_base64(_digest(md5, file, 0, file.size_bytes, storages))}"
    if kind == "sha256-composite":
        return f"{kind}:{_composite(file, listed, storages)}"
    raise UsageError(
        f'the checksum of "{file.uri}" in its manifest is "{listed.checksum}", which is none that can be verified',
        "leave --verify-checksums out",
    )


def _composite(file: SourceFile, listed: ListedFile, storages: Storages) -> str:
    """S3's checksum of an object that was uploaded in parts: that of the checksums of the parts."""
    sizes = listed.part_bytes
    if not sizes:
        raise UsageError(
            f'the checksum of "{file.uri}" is that of an upload in parts, and its manifest, of an earlier version, '
            "does not have the sizes of its parts",
            "leave --verify-checksums out; S3 verified it when it was uploaded",
        )
    if min(sizes) < 1 or sum(sizes) != file.size_bytes:
        raise UsageError(
            f'"{file.uri}" has {file.size_bytes:,} bytes, and its manifest says that its parts have {sum(sizes):,}',
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
    """After the transfer: the first file of which another number of items was read. read: items by uri."""
    pairs = [pair for export in exports for pair in export.files]
    counted = read() if pairs else Counter[str]()
    for file, listed in pairs:
        if counted[file.uri] != listed.items:
            return PermanentError(
                f'"{file.uri}" had {counted[file.uri]:,} items, and its manifest says {listed.items:,}; they were '
                "imported all the same",
                _AFTERWARDS,
            )
    return None
