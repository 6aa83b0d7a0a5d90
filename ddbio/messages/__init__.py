"""The messages between parent and worker: units of work, cursors, reports.

A **unit** is a piece of work that any worker of any engine can do alone; a **cursor** marks how much of it is
settled; a **report** is the only way back. Everything here is small, frozen and picklable; no clients, no handles.

Accounting rule: reports carry *differences* since the unit's previous report, so their sum is the total, whichever
workers did the unit and however often it changed hands. `ddbio.messages.counts` has each verb's equation.

counts       the counts, each declared once
files        files to read, and files that were written
format_spec  the format of a file
leases       the cap, leased by workers on other machines
block        whole records
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ddbio.errors import DdbioError
from ddbio.messages.block import Block
from ddbio.messages.counts import Tally as Tally
from ddbio.messages.files import SourceFile, WrittenFile
from ddbio.messages.format_spec import JSON, FormatSpec

Key = str  # a LastEvaluatedKey as the JSON text the service sent: sent back unchanged


@dataclass(frozen=True, slots=True)
class SliceUnit:
    """Import: the records of a file that begin in bytes [start, stop).

    A record that begins before `stop` and ends after it belongs wholly to this unit; so units can be cut anywhere
    without reading the file. A format in which the start of a record cannot be recognised (`Format.cut_anywhere`) is
    cut exactly between records.

    packed: the file is compressed, and the unit is all of it. Offsets are then those in the decompressed data; `stop`
        is the file's stored size.
    expected: verified if the unit is the whole file.
    """

    number: int
    file: SourceFile
    start: int
    stop: int
    cursor: ImportCursor | None = None  # set when the unit resumes after a crash or a stop
    before: Tally | None = None  # its counts up to the cursor
    format: FormatSpec = JSON  # of this file
    packed: bool = False
    expected: Expected | None = None
    head_lines: int = 0  # lines before it that belong to no unit: a header's

    def describe(self) -> str:
        return f"{self.file.uri}, bytes {self.start:,} to {self.stop:,}"

    def source_bytes(self, offset: int) -> int:
        """The bytes of the source that are settled when the unit is settled up to `offset`."""
        return min(offset, self.stop) - (0 if self.packed else self.start)

    def without_data(self) -> SliceUnit:
        return self


@dataclass(frozen=True, slots=True)
class Expected:
    """The recorded facts of a file. md5: of its stored bytes, base64; None if only the number of items, one per line,
    was recorded."""

    md5: str | None
    items: int


@dataclass(frozen=True, slots=True)
class ChunkUnit:
    """Import: records that the parent read, with their bytes.

    block: its offset is that in the decompressed data if the file is compressed.
    bytes: size of the part of the stored file that the chunk covers.
    error: why the file cannot be read further; the unit fails with it.
    """

    number: int
    file: SourceFile
    block: Block
    bytes: int
    cursor: ImportCursor | None = None
    before: Tally | None = None
    format: FormatSpec = JSON
    error: DdbioError | None = None
    head_lines: int = 0

    @property
    def start(self) -> int:
        return self.block.offset

    @property
    def stop(self) -> int:
        return self.block.offset + len(self.block.data) + self.block.left_out

    def describe(self) -> str:
        return f"{self.file.uri}, bytes {self.start:,} to {self.stop:,} of the decompressed data"

    def source_bytes(self, offset: int) -> int:
        """The bytes of the source that are settled when the unit is settled up to `offset`."""
        return self.bytes if offset >= self.stop else self.bytes * (offset - self.start) // (self.stop - self.start)

    def without_data(self) -> ChunkUnit:
        """For the accounts; it can no longer be processed."""
        return replace(self, block=Block(self.start, b"", self.stop - self.start))


@dataclass(frozen=True, slots=True)
class SegmentUnit:
    """Export: one segment of a parallel Scan, written to separate files."""

    number: int
    segment: int
    total_segments: int
    cursor: ExportCursor | None = None
    before: Tally | None = None

    def describe(self) -> str:
        return f"segment {self.segment} of {self.total_segments}"


@dataclass(frozen=True, slots=True)
class PartitionUnit:
    """Comparison: one partition of two spills. number: of the partition, too."""

    number: int
    partitions: int
    cursor: ImportCursor | None = None
    before: Tally | None = None

    def describe(self) -> str:
        return f"partition {self.number} of {self.partitions}"

    def without_data(self) -> PartitionUnit:
        return self


ImportUnit = SliceUnit | ChunkUnit
Unit = ImportUnit | SegmentUnit | PartitionUnit


@dataclass(frozen=True, slots=True)
class ImportCursor:
    """Every record of the unit before byte `offset` of the file is settled: written, replaced, rejected or blank.

    lines: line ends before `offset`, counted from the unit's start. In a comparison, `offset` is a number of keys.
    """

    offset: int
    lines: int


@dataclass(frozen=True, slots=True)
class ExportCursor:
    """Every item up to `last_key` is durable in the unit's files.

    last_key: where the Scan resumes; None at its end.
    files_done: how many files of the segment are complete.
    output: `Output.state()` of the file being written, and its items so far; None between files.
    packer: `Packer.state` of that file.
    items: in all of the unit's files.
    """

    last_key: Key | None
    files_done: int
    output: dict[str, Any] | None
    output_items: int
    packer: tuple[int, ...] = ()
    items: int = 0


Cursor = ImportCursor | ExportCursor


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that was not imported, or an item that was not copied, changed or deleted, and why.

    source: the file, or the table that was scanned. segment, key: of an item of a table; `key` is in typed values,
    and `record` is the item as DynamoDB JSON.
    """

    source: str
    offset: int  # of the record's first byte in the source; 0 in a table
    unit: int
    line: int  # from 1, counted from the start of the unit
    code: str
    message: str
    record: bytes
    record_bytes: int | None = None  # its size, if `record` is only its beginning
    format: FormatSpec = JSON  # of the source
    line_in_file: int | None = None  # from 1, if already known
    segment: int | None = None
    key: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A finished file of an export, and the items in it."""

    segment: int
    file: WrittenFile
    items: int


@dataclass(frozen=True, slots=True)
class UnitReport:
    """A worker's report on a unit; a unit has several, the last with `done` or `error`.

    tally: the counts since the previous report of this unit.
    cursor: everything before it is settled; the unit would resume from it.
    page: for the parent to write: the lines of the items between the previous cursor and this one, of an export to
        standard output or a comparison. Of a verb whose parent collects items: those that it needs.
    error: why the unit cannot continue. The cursor is still valid.
    attributes: names and types seen for the first time, if the scan discovers attributes.
    item_sizes: items read since the last report, by size; see `ddbio.steps.item_sizes`.
    """

    unit: int
    cursor: Cursor | None
    tally: Tally
    rejects: tuple[Reject, ...] = ()
    files: tuple[ExportedFile, ...] = ()
    page: bytes = b""
    done: bool = False
    error: DdbioError | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    item_sizes: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnitBegun:
    """A lane has begun this unit. place: the unit in words."""

    unit: int
    place: str


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the user about the run itself: a worker that died, an index that is starved."""

    text: str


@dataclass(frozen=True, slots=True)
class Flushed:
    """Everything so far has been reported: a good moment to commit it."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why requests fail at the moment, while none succeeds. reason: in the words of the service."""

    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing has happened for a moment, though work is in progress."""


Event = UnitReport | UnitBegun | Notice | Flushed | Trouble | Tick  # the events that an engine yields
