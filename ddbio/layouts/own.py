"""`_manifest.json`: the list of an export's files, written into the same folder.

{
  "version": 1, "tool": "ddbio 0.1.0", "format": "csv", "compression": "none",
  "table": {DescribeTable's answer}, "exported_at": "...", "completed_at": "...", "consistent_read": false,
  "segments": 16, "items": 100000, "bytes": 1234, "read_units": 12.5,
  "columns": [{"name": "id", "type": "S"}, {"name": "doc", "type": "JSON"}],
  "files": [{"name": "Orders-0000-00000.csv", "segment": 0, "items": 10, "bytes": 99, "checksum": "sha256:..."}]
}

- It is written last: an export without one is not complete.
- Its name begins with an underscore, because Athena, Glue, Spark and pyarrow read every other file of a folder as
  data. Older exports have it as `manifest.json`, which is still read.
- `table` has the table's keys, in every layout. `columns` exists for CSV and Parquet; a type is one of
  `ddbio.options.CSV_TYPES`, and missing if the export did not know it.
- A file that was uploaded to S3 in parts has `"part_bytes": [8388608, 1234]`: its checksum depends on their sizes.
- An export of a part of the table has `"subset": {"filter": "...", "limit": 10}`, with the options that were
  given, and one of changed items `"shaping": {"drop": ["note"]}`.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from ddbio.errors import NotFoundError
from ddbio.messages import ExportedFile, Tally
from ddbio.messages.files import SourceFile
from ddbio.options import CSV_TYPES
from ddbio.storage import Storage, join
from ddbio.version import __version__

MANIFEST_NAME = "_manifest.json"
OLD_MANIFEST_NAME = "manifest.json"
MANIFEST_NAMES = (MANIFEST_NAME, OLD_MANIFEST_NAME)  # in the order of the search
_TOOL = "ddbio "
_LONGEST_BYTES = 64 * 1024 * 1024  # of a manifest: it lists every file


class Column(msgspec.Struct, frozen=True):
    """type: one of `ddbio.options.CSV_TYPES`; empty if it is not known."""

    name: str
    type: str = ""


class ListedFile(msgspec.Struct, frozen=True):
    """A finished file. checksum, part_bytes: as in `ddbio.storage.WrittenFile`."""

    name: str
    items: int
    size_bytes: int = msgspec.field(name="bytes")
    checksum: str = ""
    part_bytes: tuple[int, ...] = ()


class Manifest(msgspec.Struct, frozen=True):
    """The fields of a manifest that are used."""

    tool: str
    files: tuple[ListedFile, ...]
    items: int = 0
    format: str = ""
    table: dict[str, Any] = {}
    exported_at: str = ""
    columns: tuple[Column, ...] = ()
    subset: dict[str, Any] = {}
    shaping: dict[str, Any] = {}

    @property
    def is_ours(self) -> bool:
        return self.tool.startswith(_TOOL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The facts about an export for its manifest.

    table: DescribeTable's answer. began: an aware time. columns: names and types. subset: the options that chose a
    part of the table; None for all of it. shaping: the options that changed its items, or left out attributes.
    """

    table: dict[str, Any]
    format: str
    compression: str
    consistent_read: bool
    segments: int
    began: datetime.datetime
    columns: Sequence[tuple[str, str]] = ()
    subset: dict[str, Any] | None = None
    shaping: dict[str, Any] | None = None


def manifest(export: Description, tally: Tally, files: Iterable[ExportedFile]) -> bytes:
    """The manifest as JSON text."""
    listed = sorted(files, key=lambda each: each.file.name)
    return orjson.dumps(
        {
            "version": 1,
            "tool": f"{_TOOL}{__version__}",
            "format": export.format,
            "compression": export.compression,
            "table": export.table,
            "exported_at": export.began,
            "completed_at": datetime.datetime.now(datetime.timezone.utc),
            "consistent_read": export.consistent_read,
            "segments": export.segments,
            **({"subset": export.subset} if export.subset else {}),
            **({"shaping": export.shaping} if export.shaping else {}),
            "items": sum(each.items for each in listed),
            "bytes": sum(each.file.size_bytes for each in listed),
            "read_units": tally.units,
            **_columns(export.columns),
            "files": [_entry(each) for each in listed],
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z,
    )


def _columns(columns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    listed = [{"name": name, **({"type": letter} if letter else {})} for name, letter in columns]
    return {"columns": listed} if listed else {}


def _entry(each: ExportedFile) -> dict[str, Any]:
    return {
        "name": each.file.name,
        "segment": each.segment,
        "items": each.items,
        "bytes": each.file.size_bytes,
        "checksum": each.file.checksum,
        **({"part_bytes": each.file.part_bytes} if each.file.part_bytes else {}),
    }


def own_file_name(table: str) -> re.Pattern[str]:
    """Matches the names of the files that an export of this table writes. table: its name."""
    return re.compile(rf"{re.escape(table)}-\d{{4,}}-\d{{5,}}\.[a-z.]+")


ANY_OWN_FILE = re.compile(r".+-\d{4,}-\d{5,}\.[a-z.]+")


def read_manifest(file: SourceFile, storage: Storage) -> Manifest | None:
    """The manifest in `file`; None if it is not that of an export by this program."""
    content = storage.read_range(file, 0, min(file.size_bytes, _LONGEST_BYTES))
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return found if found.is_ours else None


def find_manifests(folder: str, storage: Storage) -> dict[str, Manifest]:
    """The manifests of exports by this program directly in `folder`, by their names."""
    found = {}
    for name in MANIFEST_NAMES:
        file = find_file(join(folder, name), storage)
        if file is not None and (manifest := read_manifest(file, storage)) is not None:
            found[name] = manifest
    return found


class ColumnTypes:
    """The types of columns according to the manifests that list a file. Reads the manifest of a folder once."""

    def __init__(self, storage_of: Callable[[str], Storage]) -> None:
        self._storage_of = storage_of
        self._by_file: dict[str, dict[str, tuple[tuple[str, str], ...]]] = {}

    def of(self, file: SourceFile) -> tuple[tuple[str, str], ...]:
        """Names and types; () if no manifest of ours in the same folder lists the file."""
        folder, _, name = file.uri.rpartition("/")
        if not ANY_OWN_FILE.fullmatch(name):
            return ()
        if folder not in self._by_file:
            self._by_file[folder] = {
                listed.name: tuple((each.name, each.type) for each in manifest.columns if each.type in CSV_TYPES)
                for manifest in reversed(find_manifests(folder, self._storage_of(folder)).values())
                for listed in manifest.files
            }
        return self._by_file[folder].get(name, ())


def find_file(uri: str, storage: Storage) -> SourceFile | None:
    """The file or object with exactly this uri, if it exists. Raises UsageError if it may not be read."""
    files: list[SourceFile] = []
    with suppress(NotFoundError):
        files = storage.list_files(uri, ())
    name = uri.rpartition("/")[2]
    return files[0] if len(files) == 1 and files[0].uri.endswith(f"/{name}") else None
