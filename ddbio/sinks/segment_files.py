"""The files of one segment of an export as a sink, and which of their bytes are durable.

A file is closed before it would grow too large. Everything that was taken is settled when all of it is in the
system's hands, or with S3; the next worker cuts off what was written after that.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from ddbio.formats import Encoder, Format, LineFormat, RowFormat
from ddbio.formats.compression import Packer, fit, get_compression
from ddbio.messages import ExportedFile, SegmentUnit, Tally
from ddbio.messages.files import WrittenFile
from ddbio.sinks.rows import known_types, taken_rows
from ddbio.steps.records import Records
from ddbio.storage import Output, Storage

Result = TypeVar("Result")

FilesState = tuple[int, "dict[str, Any] | None", int, tuple[int, ...]]
"""Finished files, `Output.state()` of the open one, its items and its packer's state: see `ExportCursor`."""


class FileRules(Protocol):
    """Location and properties of an export's files; see `ddbio.flow.export_job.ExportJob`."""

    @property
    def table(self) -> str: ...

    @property
    def destination(self) -> str: ...

    @property
    def compress(self) -> str: ...

    @property
    def max_file_bytes(self) -> int: ...

    @property
    def md5(self) -> bool: ...


class _File:
    """A file being written. items: number of items in it. encoder: of a row format."""

    def __init__(self, output: Output, packer: Packer, items: int = 0, *, md5: bool = False) -> None:
        self.output = output
        self.packer = packer
        self.items = items
        self.encoder: Encoder
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None

    @property
    def durable(self) -> bool:
        """Whether all of it is. An MD5 cannot be continued by another process: such a file is written whole."""
        return self._md5 is None and self.output.durable_bytes >= self.output.written_bytes

    def begin(self, head: bytes) -> None:
        if beginning := self.packer.head + (self.packer.pack(head) if head else b""):
            self.append(beginning)
            self.packer.took(head)

    def append(self, packed: bytes) -> None:
        self.output.write(packed)
        if self._md5 is not None:
            self._md5.update(packed)

    def finish(self) -> WrittenFile:
        if tail := self.packer.tail():
            self.append(tail)
        written = self.output.finish()
        if self._md5 is not None:
            return replace(written, checksum=f"md5:{base64.b64encode(self._md5.digest()).decode()}")
        return written


class SegmentFiles:
    """Common part of files of lines and files of rows; see `ddbio.sinks.sink.Sink`."""

    unsettled = 0

    def __init__(self, storage: Storage, job: FileRules, format: Format, tally: Tally) -> None:
        self._storage = storage
        self._job = job
        self._compression = get_compression(job.compress)
        self._format = format
        self._tally = tally
        self._unit: SegmentUnit
        self._file: _File | None = None
        self._number = 0
        self._finished: list[ExportedFile] = []
        self._settled_files = 0  # of those
        self._known_file: _File | None = None  # the one named in the last state
        self.urgent = False

    def begin(self, unit: SegmentUnit) -> FilesState:
        self._unit = unit
        self._file = self._known_file = None
        self._finished, self._settled_files, self.urgent = [], 0, False
        cursor = unit.cursor
        self._number = cursor.files_done if cursor is not None else 0
        if cursor is None:
            return (0, None, 0, ())
        return (cursor.files_done, cursor.output, cursor.output_items, cursor.packer)

    async def open(self) -> None:
        """Reopen the file that the unit's cursor names, if any."""
        cursor = self._unit.cursor
        if cursor is not None and cursor.output is not None:
            state = cursor.output
            output = await self._in_thread(lambda: self._storage.reopen(state))
            self._file = _File(output, self._compression.packer(*cursor.packer), cursor.output_items)

    async def take(self, records: Records) -> None:
        where = f"{self._unit.describe()} of table {self._job.table}"
        rows = taken_rows(records, self._format, self._tally, where)
        if rows:
            with known_types(where):
                await self.write_page(rows)

    async def write_page(self, rows: list[Any]) -> None:
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        return self._file is None or self._file.durable

    def state(self) -> FilesState:
        file = self._file
        if file is not None and self._storage.remote and file is not self._known_file:
            self.urgent = True  # an upload can be resumed only if the parent knows its id
        self._known_file, self._settled_files = file, len(self._finished)
        if file is None:
            return (self._number, None, 0, ())
        return (self._number, file.output.state(), file.items, file.packer.state)

    async def drain(self) -> None:
        """Nothing to do: bytes that are not durable yet become so only when more are written."""

    async def finish(self) -> None:
        """The whole segment was read: finish its last file."""
        if self._file is not None:
            await self._close_file(self._file)

    def take_parts(self) -> dict[str, Any]:
        files = tuple(self._finished[: self._settled_files])
        del self._finished[: self._settled_files]
        self._settled_files, self.urgent = 0, False
        return {"files": files}

    def close(self) -> None:
        pass

    async def _open_file(self) -> _File:
        if self._file is None:
            self._file = await self._blocking(self._create)
        return self._file

    def _create(self) -> _File:
        suffix = self._format.suffix + self._compression.suffix
        name = f"{short_name(self._job.table)}-{self._unit.segment:04d}-{self._number:05d}{suffix}"
        output = self._storage.create(self._job.destination, name, self._job.max_file_bytes)
        return _File(output, self._compression.packer(), md5=self._job.md5)

    async def _close_file(self, file: _File) -> None:
        written = await self._in_thread(lambda: self._finished_file(file))  # fsync, or the last part
        self._finished.append(ExportedFile(self._unit.segment, written, file.items))
        self._tally.written += file.items
        self._tally.bytes += written.size_bytes
        self._file = None
        self._number += 1

    def _finished_file(self, file: _File) -> WrittenFile:
        return file.finish()

    async def _blocking(self, call: Callable[[], Result]) -> Result:
        """Call in a thread if the storage is remote. A local write only copies to the page cache."""
        return await self._in_thread(call) if self._storage.remote else call()

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(None, call)


class LineFiles(SegmentFiles):
    """Starts a new file before one grows too large; knows which bytes are durable."""

    def __init__(self, storage: Storage, job: FileRules, format: LineFormat, tally: Tally) -> None:
        super().__init__(storage, job, format, tally)
        self._lines = format

    async def write_page(self, rows: list[Any]) -> None:
        await self.write(self._lines.render(rows), len(rows))

    async def write(self, lines: bytes, items: int) -> None:
        """Append the records of a page. items: their number."""
        while lines:
            file = await self._open_file()
            room = self._job.max_file_bytes - file.output.written_bytes
            packed, taken = fit(file.packer, self._lines, lines, room, first=not file.items)
            if taken:
                count = items if taken == len(lines) else len(self._lines.split(lines[:taken]))
                await self._blocking(lambda: file.append(packed))  # noqa: B023 - awaited at once
                file.packer.took(lines[:taken])
                file.items += count
                items -= count
                lines = lines[taken:]
            if lines:
                await self._close_file(file)

    def _create(self) -> _File:
        file = super()._create()
        file.begin(self._lines.head)
        return file


class RowFiles(SegmentFiles):
    """Files that cannot be continued: all is settled only between two of them, so that the next
    worker begins the file again."""

    def __init__(self, storage: Storage, job: FileRules, format: RowFormat, tally: Tally) -> None:
        super().__init__(storage, job, format, tally)
        self._rows = format

    async def write_page(self, rows: list[Any]) -> None:
        file = await self._open_file()
        data = file.encoder.add(rows)
        if data:
            await self._blocking(lambda: file.append(data))
        file.items += len(rows)
        if file.output.written_bytes + file.encoder.pending_bytes >= self._job.max_file_bytes:
            await self._close_file(file)

    @property
    def settled(self) -> bool:
        return self._file is None

    def _create(self) -> _File:
        file = super()._create()
        file.encoder = self._rows.new_encoder()
        return file

    def _finished_file(self, file: _File) -> WrittenFile:
        file.append(file.encoder.finish())
        return super()._finished_file(file)


def short_name(table: str) -> str:
    """The name of a table that may be identified by its ARN."""
    return table.rpartition("/")[2]
