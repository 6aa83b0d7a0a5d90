"""Verifies an export on its own: its files against its manifest, by name, size, checksum and number of items.

Unlike an import, which refuses an export at the first difference, this reports all of them. Every file is read twice:
for its checksum, and for its records, which must be readable to be counted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ddbio.errors import DdbioError, UsageError
from ddbio.formats import RowFormat, as_lines, data_suffixes, get_format
from ddbio.formats.declaration import Known
from ddbio.layouts.native import NativeExport, read_export
from ddbio.layouts.own import (
    ANY_OWN_FILE,
    MANIFEST_NAMES,
    ColumnTypes,
    ListedFile,
    Manifest,
    find_file,
    find_manifests,
    read_manifest,
)
from ddbio.messages import SliceUnit
from ddbio.messages.files import SourceFile
from ddbio.options import AUTO, CsvOptions
from ddbio.sources.cutting import Source
from ddbio.sources.detect import detect
from ddbio.sources.manifest_check import checksum_of, listing
from ddbio.sources.reader import RecordReader
from ddbio.storage import Storages, absolute, join
from ddbio.values.names import NO_CHANGES
from ddbio.values.table import TableInfo

_FILES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Checked:
    """One file. problem: how it differs from its manifest; empty if it does not."""

    bytes: int
    items: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ExportToCheck:
    """problems: found without reading a file. checks: one a file, to be called from any thread.
    part: the options that chose a part of the table, or changed its items, by the manifest."""

    uri: str
    problems: tuple[str, ...]
    checks: tuple[Callable[[], Checked], ...]
    total_bytes: int
    part: Mapping[str, Any] = field(default_factory=dict)

    def results(self) -> Iterator[Checked]:
        """In the order of the manifest. Raises UsageError, TransferError for a file that may not be read."""
        with ThreadPoolExecutor(_FILES_AT_ONCE, thread_name_prefix="verify") as threads:
            yield from threads.map(lambda check: check(), self.checks)


def export_at(place: str, storages: Storages) -> ExportToCheck:
    """Raises UsageError if there is no export with a manifest, or it may not be read."""
    if not place.lower().startswith("s3://") and not Path(place).exists():
        raise UsageError(f'"{place}" does not exist', "name the folder of an export")
    try:
        native = read_export(place, storages)
    except UsageError as error:
        return ExportToCheck(place, (_problem(error),), (), 0)
    if native is not None:
        return _native(native, storages)
    folder, _, name = absolute(place).rpartition("/")
    folder = folder if name in MANIFEST_NAMES else absolute(place).rstrip("/")
    for manifest_name in MANIFEST_NAMES:
        file = find_file(join(folder, manifest_name), storages.of(folder))
        manifest = read_manifest(file, storages.of(folder)) if file is not None else None
        if file is not None and manifest is not None:
            return _own(file.uri, manifest, storages)
    raise UsageError(
        f'"{place}" has no manifest of an export', "name its folder; an export without a manifest is unfinished"
    )


def _own(uri: str, manifest: Manifest, storages: Storages) -> ExportToCheck:
    base = uri[: uri.rindex("/") + 1]
    there = listing(base, ("",), storages)
    listed = {f"{base}{each.name}": each for each in manifest.files}
    suffixes = data_suffixes()
    problems = [
        f'"{name}" is not in the manifest'
        for name in sorted(there)
        if name not in listed and _is_data(name, suffixes)
    ]
    problems += [f'"{name}" is missing' for name in listed if name not in there]
    items = sum(each.items for each in manifest.files)
    if items != manifest.items:
        problems.append(f'"{uri}" says {manifest.items:,} items, and its files have {items:,}')
    known = Known.of_table(TableInfo.of(manifest.table), manifest.format or AUTO, CsvOptions(), NO_CHANGES)
    known = replace(known, types_of=ColumnTypes(storages.of).of)
    found = [(there[name], each) for name, each in listed.items() if name in there]
    checks = tuple(partial(_checked_own, file, each, known, storages) for file, each in found)
    size_bytes = sum(file.size_bytes for file, _ in found)
    return ExportToCheck(uri, tuple(problems), checks, size_bytes, {**manifest.subset, **manifest.shaping})


def _is_data(uri: str, suffixes: tuple[str, ...]) -> bool:
    name = uri.rpartition("/")[2]
    return name not in MANIFEST_NAMES and bool(ANY_OWN_FILE.fullmatch(name) or name.endswith(suffixes))


def _checked_own(file: SourceFile, listed: ListedFile, known: Known, storages: Storages) -> Checked:
    size = file.size_bytes
    if size != listed.size_bytes:
        return Checked(size, 0, f'"{file.uri}" has {size:,} bytes, and the manifest says {listed.size_bytes:,}')
    try:
        found = checksum_of(file, listed, storages) if listed.checksum else ""
        if found != listed.checksum:
            return Checked(size, 0, f'"{file.uri}" has the checksum {found}, and the manifest says {listed.checksum}')
        items = _count(file, known, storages)
    except DdbioError as error:
        return Checked(size, 0, _problem(error))
    if items != listed.items:
        return Checked(size, items, f'"{file.uri}" has {items:,} items, and the manifest says {listed.items:,}')
    return Checked(size, items)


def _count(file: SourceFile, known: Known, storages: Storages) -> int:
    detected = detect([file], known, storages.read_range)
    return sum(asyncio.run(_records(source, storages)) for source in detected.sources)


async def _records(source: Source, storages: Storages) -> int:
    """The number of records in a file. Raises TransferError if it is damaged."""
    cuts = source.cuts or ((source.start, source.file.size_bytes),)
    unit = SliceUnit(
        0,
        source.file,
        cuts[0][0],
        cuts[-1][1],
        format=source.format,
        packed=source.packed,
        expected=source.expected,
    )
    format, reader, count = get_format(source.format), RecordReader(storages), 0
    if isinstance(format, RowFormat):
        async with aclosing(reader.rows(unit, format)) as batches:
            async for rows in batches:
                count += len(rows.texts)
        return count
    lines = as_lines(format)
    async with aclosing(reader.blocks(unit, lines)) as blocks:
        async for block in blocks:
            records = lines.split(block.data)
            count += len(records) - sum(1 for each in records if not each or each.isspace())
    return count


def _native(export: NativeExport, storages: Storages) -> ExportToCheck:
    sources = [Source(file, export.format, packed=True, expected=expected) for file, expected in export.files]
    checks = tuple(partial(_checked_native, source, storages) for source in sources)
    own = next(iter(find_manifests(export.uri.rstrip("/"), storages.of(export.uri)).values()), None)
    part = {**own.subset, **own.shaping} if own is not None else {}
    return ExportToCheck(export.uri, (), checks, sum(source.file.size_bytes for source in sources), part)


def _checked_native(source: Source, storages: Storages) -> Checked:
    """The reader compares MD5 and items with the manifest."""
    try:
        return Checked(source.file.size_bytes, asyncio.run(_records(source, storages)))
    except DdbioError as error:
        return Checked(source.file.size_bytes, 0, _problem(error))


def _problem(error: DdbioError) -> str:
    """The difference that an error shows. Raises the error if it shows none: S3 or the disk did not let us look."""
    from ddbio.storage.s3_errors import is_of_service

    if is_of_service(error) or isinstance(error.__cause__, PermissionError):
        raise error
    return error.message
