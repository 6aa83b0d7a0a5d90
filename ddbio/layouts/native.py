"""DynamoDB's own exports to S3 as sources: reads their manifests and finds their data files.

    <prefix>/AWSDynamoDB/<export>/manifest-summary.json     kind of the export (full or incremental), and its times
    <prefix>/AWSDynamoDB/<export>/manifest-files.json       a line for each data file: name, items, MD5
    <prefix>/AWSDynamoDB/<export>/data/*.json.gz            of a full export
    <prefix>/AWSDynamoDB/data/*.json.gz                     of an incremental one

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html

- A source is an export if it is a folder with such a summary, or the summary itself. A copy, on disk or elsewhere,
  works as well: data files are searched under their keys in the manifest, and relative to the manifest.
- Everything is verified: the manifests' checksums and the sum of the items here, each file's MD5 and items when it is
  read.
- Several exports are applied in the order of their times: a full one, then the changes after it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from ddbio.errors import NotFoundError, UsageError
from ddbio.formats import data_suffixes
from ddbio.layouts.own import find_file
from ddbio.messages import Expected
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec
from ddbio.storage import Storages, absolute, join
from ddbio.storage.names import has_magic, without_compression

SUMMARY_NAME = "manifest-summary.json"
FILES_NAME = "manifest-files.json"
_CHECKSUM_SUFFIXES = (".checksum", ".md5")  # the documented one, and that of older exports
_COPY_AGAIN = "copy the export once more, or export again"


class _Summary(msgspec.Struct, rename="camel"):
    """The fields of manifest-summary.json that are used. The times are ISO 8601 in UTC, all in the same notation."""

    item_count: int
    output_format: str = "DYNAMODB_JSON"
    export_type: str = "FULL_EXPORT"
    export_time: str | None = None
    export_from_time: str | None = None
    export_to_time: str | None = None
    table_arn: str = ""
    output_view: str = ""
    s3_prefix: str | None = msgspec.field(default=None, name="s3Prefix")


class _Entry(msgspec.Struct, rename="camel"):
    """A line of manifest-files.json."""

    item_count: int
    data_file_s3_key: str = msgspec.field(name="dataFileS3Key")
    md5_checksum: str | None = msgspec.field(default=None, name="md5Checksum")


@dataclass(frozen=True, slots=True)
class NativeExport:
    """One export.

    files: those with items, each with its expected content. begins, ends: ISO 8601; equal for a full export, empty if
    its summary has no time. places: all uris that its data files may have, including files without items.
    view: of an incremental export, such as `NEW_AND_OLD_IMAGES`.
    """

    uri: str
    incremental: bool
    begins: str
    ends: str
    table_arn: str
    items: int
    files: tuple[tuple[SourceFile, Expected], ...]
    places: frozenset[str] = frozenset()
    view: str = ""

    @property
    def format(self) -> FormatSpec:
        return FormatSpec("incremental" if self.incremental else "dynamodb-json")

    def describe(self) -> str:
        kind = f"incremental, {self.begins} to {self.ends}" if self.incremental else f"full, {self.ends}"
        items, files = self.items, len(self.files)
        extent = f"{items:,} item{'s' * (items != 1)} in {files:,} file{'s' * (files != 1)}"
        return f"{self.uri} is an export of DynamoDB ({kind}): {extent}"


def read_export(source: str, storages: Storages) -> NativeExport | None:
    """The export at `source`; None if it is not one.

    Raises UsageError if it is damaged, incomplete, or in an unsupported format.
    """
    folder = absolute(source).removesuffix(SUMMARY_NAME)
    if has_magic(folder) or without_compression(folder).lower().endswith(data_suffixes()):
        return None
    summary_file = _find(join(folder, SUMMARY_NAME), storages)
    return None if summary_file is None else read_summary(summary_file, storages)


def read_summary(summary_file: SourceFile, storages: Storages) -> NativeExport:
    """The export of this `manifest-summary.json`. Raises UsageError as `read_export` does."""
    folder = summary_file.uri.removesuffix(SUMMARY_NAME)
    summary = _decoded(summary_file.uri, _read_verified(summary_file, storages), _Summary)
    if summary.output_format != "DYNAMODB_JSON":
        raise UsageError(
            f'"{folder}" is an export in the format {summary.output_format}, which is not supported',
            "export the table again as DYNAMODB_JSON",
        )
    entries = list(_entries(folder, storages))
    items = sum(entry.item_count for entry in entries)
    if items != summary.item_count:
        raise UsageError(
            f'the files of "{folder}" have {items:,} items by {FILES_NAME}, and {SUMMARY_NAME} says '
            f"{summary.item_count:,}",
            _COPY_AGAIN,
        )
    prefix = summary.s3_prefix or ""
    places = frozenset(uri for entry in entries for uri in _places(entry.data_file_s3_key, folder, prefix))
    files = tuple(_located([entry for entry in entries if entry.item_count], folder, prefix, storages))
    incremental = summary.export_type == "INCREMENTAL_EXPORT" or summary.export_from_time is not None
    ends = (summary.export_to_time if incremental else summary.export_time) or ""
    begins = (summary.export_from_time if incremental else ends) or ""
    view = summary.output_view
    return NativeExport(folder, incremental, begins, ends, summary.table_arn, items, files, places, view)


def in_order(exports: Sequence[NativeExport]) -> list[NativeExport]:
    """The order in which to apply them: by the end of their periods, and full ones before changes."""
    return sorted(exports, key=lambda export: (export.ends, export.incremental))


def chain_warnings(exports: Sequence[NativeExport]) -> Iterator[str]:
    """Possible mistakes in a chain of exports that are in order, a sentence each."""
    for before, after in pairwise(exports):
        if before.table_arn != after.table_arn:
            yield f"{after.uri} is of another table than {before.uri}: {after.table_arn}"
        if after.incremental and before.ends < after.begins:
            yield f"no export has the changes from {before.ends} to {after.begins}, before {after.uri}"
        if not after.incremental:
            yield f"{after.uri} is a full export: items deleted since {before.uri} stay in the table"


def _entries(folder: str, storages: Storages) -> Iterator[_Entry]:
    file = _find(join(folder, FILES_NAME), storages)
    if file is None:
        raise UsageError(f'"{folder}" has no {FILES_NAME}', _COPY_AGAIN)
    for line in _read_verified(file, storages).splitlines():
        if line.strip():
            yield _decoded(file.uri, line, _Entry)


def _find(uri: str, storages: Storages) -> SourceFile | None:
    return find_file(uri, storages.of(uri))


def _read_verified(file: SourceFile, storages: Storages) -> bytes:
    """The content of a manifest. Raises UsageError if there is a checksum file with another MD5."""
    content = storages.read_range(file, 0, file.size_bytes) if file.size_bytes else b""
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    stem = file.uri.removesuffix(".json")
    for beside in filter(None, (_find(f"{stem}{suffix}", storages) for suffix in _CHECKSUM_SUFFIXES)):
        said = storages.read_range(beside, 0, beside.size_bytes).decode("ascii", "replace").strip()
        if said != md5:
            raise UsageError(f'"{file.uri}" has the MD5 {md5}, and "{beside.uri}" says {said}', _COPY_AGAIN)
    return content


def _decoded(uri: str, content: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise UsageError(f'"{uri}" is not a valid manifest of an export: {error}', _COPY_AGAIN) from None


def _located(
    entries: Sequence[_Entry], folder: str, prefix: str, storages: Storages
) -> Iterator[tuple[SourceFile, Expected]]:
    """Each data file, in the first of its possible places that has it."""
    listed: dict[str, dict[str, SourceFile]] = {}
    refused: dict[str, UsageError] = {}  # folders that may not be listed; the file may be in another

    def find(uri: str) -> SourceFile | None:
        parent = uri.rpartition("/")[0] + "/"
        if parent not in listed:
            listed[parent] = {}
            try:
                listed[parent] = {file.uri: file for file in storages.of(parent).list_files(parent, ("",))}
            except NotFoundError:
                pass
            except UsageError as error:
                refused[parent] = error
        return listed[parent].get(uri)

    for entry in entries:
        places = _places(entry.data_file_s3_key, folder, prefix)
        file = next(filter(None, map(find, places)), None)
        if file is None:
            raise next(iter(refused.values()), None) or UsageError(
                f'the data file "{entry.data_file_s3_key}" of the export "{folder}" is missing', _COPY_AGAIN
            )
        yield file, Expected(entry.md5_checksum, entry.item_count)


def _places(key: str, folder: str, prefix: str) -> list[str]:
    """The uris that a data file may have: its key (with and without the export's prefix) in the bucket of the
    manifest, and two places relative to the manifest."""
    name = key.rpartition("/")[2]
    above = folder.rstrip("/").rpartition("/")[0]
    beside = [f"{folder}data/{name}", f"{above}/data/{name}"]
    scheme, found, rest = folder.partition("://")
    if not found:
        return beside
    bucket = f"{scheme}://{rest.partition('/')[0]}/"
    return [f"{bucket}{key}", *([f"{bucket}{join(prefix, key)}"] if prefix else []), *beside]
