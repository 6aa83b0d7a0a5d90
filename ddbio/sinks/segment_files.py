"""The files of one segment of an export, and what of them is durable.

A file is closed before it would grow too large. The cursor moves to the end of a page when all of it is in the
system's hands, or with S3; what was written behind it is cut off by whoever continues.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from ddbio.formats import Columnar, Encoder, Format
from ddbio.formats.compression import fit, get_compression
from ddbio.messages import ExportCursor, ExportedFile, SegmentUnit, Tally
from ddbio.messages.files import WrittenFile
from ddbio.storage import Output, Storage

Result = TypeVar("Result")


class FileRules(Protocol):
    """Where the files of an export go and what they are like; see `ddbio.flow.export_lane.ExportJob`."""

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


class SegmentFiles:
    """The files of one segment: rolls over before a file grows too large, and knows what of it is durable."""

    def __init__(self, storage: Storage, job: FileRules, format: Format, unit: SegmentUnit) -> None:
        self._storage = storage
        self._job = job
        self._compression = get_compression(job.compress)
        self._packer = self._compression.packer()
        self._format = format
        self._suffix = format.suffix + self._compression.suffix
        self._unit = unit
        self._output: Output | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._output_items = 0
        self._number = 0
        self._finished: list[ExportedFile] = []
        self._items = 0  # in the files, since the segment's start
        self._cursor = unit.cursor or ExportCursor(None, 0, None, 0)
        self._durable = self._told = 0  # items up to the cursor; those already reported
        self._items_before = self._cursor.items
        self.aside = Tally()  # what of the page that is being written is left out, dropped or added
        self._aside_at_cursor = Tally()  # the same up to the cursor, since it was told
        self._finished_at_cursor = 0
        self._marked_output: Output | None = None

    async def open(self) -> None:
        """Go on with the file that the cursor tells of, if it does."""
        self._number = self._cursor.files_done
        state = self._cursor.output
        if state is not None:
            self._output = await self._in_thread(lambda: self._storage.reopen(state))
            self._output_items = self._cursor.output_items
            self._packer = self._compression.packer(*self._cursor.packer)

    async def write_page(self, items: list[Any]) -> None:
        await self.write(self._format.render(items), len(items))

    async def write(self, lines: bytes, items: int) -> None:
        """Append the records of a page. `items` is how many they are."""
        while lines:
            if self._output is None:
                self._output = await self._blocking(self._create)
            room = self._job.max_file_bytes - self._output.written_bytes
            packed, taken = fit(self._packer, self._format, lines, room, first=not self._output_items)
            if taken:
                count = items if taken == len(lines) else len(self._format.split(lines[:taken]))
                await self._blocking(lambda: self._append(packed))  # noqa: B023 - awaited at once
                self._packer.took(lines[:taken])
                self._output_items += count
                self._items += count
                items -= count
                lines = lines[taken:]
            if lines:
                await self._close_file()

    def mark(self, last_key: str | None) -> bool:
        """A page ends here. If all is durable the cursor moves up to it; whether it then points into a new upload."""
        output = self._output
        if output is not None and (self._job.md5 or output.durable_bytes < output.written_bytes):
            return False
        begun = output is not None and self._storage.remote and output is not self._marked_output
        self._marked_output = output
        state = output.state() if output is not None else None
        packer = self._packer.state if output is not None else ()
        items = self._items_before + self._items
        self._cursor = ExportCursor(last_key, self._number, state, self._output_items, packer, items)
        self._durable = self._items
        self._aside_at_cursor.add(self.aside)
        self.aside = Tally()
        self._finished_at_cursor = len(self._finished)
        return begun

    async def finish(self) -> None:
        """The segment is read: complete its last file."""
        if self._output is not None:
            await self._close_file()
        self.mark(None)

    def take_settled(self) -> tuple[ExportCursor, tuple[ExportedFile, ...], int]:
        """The cursor, and since the last call: files that were finished before it, items that are durable."""
        files = tuple(self._finished[: self._finished_at_cursor])
        del self._finished[: self._finished_at_cursor]
        self._finished_at_cursor = 0
        items, self._told = self._durable - self._told, self._durable
        return self._cursor, files, items

    def take_aside(self) -> Tally:
        """What before the cursor was left out, dropped or added, since the last call."""
        aside, self._aside_at_cursor = self._aside_at_cursor, Tally()
        return aside

    def _create(self) -> Output:
        name = f"{short_name(self._job.table)}-{self._unit.segment:04d}-{self._number:05d}{self._suffix}"
        output = self._storage.create(self._job.destination, name, self._job.max_file_bytes)
        self._packer = self._compression.packer()
        head = self._format.head
        beginning = self._packer.head + (self._packer.pack(head) if head else b"")
        self._md5 = hashlib.md5(beginning, usedforsecurity=False)
        if beginning:
            output.write(beginning)
            self._packer.took(head)
        return output

    def _append(self, packed: bytes) -> None:
        self._require().write(packed)
        if self._job.md5:
            self._md5.update(packed)

    def _require(self) -> Output:
        assert self._output is not None
        return self._output

    async def _close_file(self) -> None:
        written = await self._in_thread(self._finish_output)  # fsync, or the last part
        self._finished.append(ExportedFile(self._unit.segment, written, self._output_items))
        self._output, self._output_items = None, 0
        self._number += 1

    def _finish_output(self) -> WrittenFile:
        if tail := self._packer.tail():
            self._append(tail)
        written = self._require().finish()
        if self._job.md5:
            return replace(written, checksum=f"md5:{base64.b64encode(self._md5.digest()).decode()}")
        return written

    async def _blocking(self, call: Callable[[], Result]) -> Result:
        """Writing to a local file is a copy into the page cache: not worth a thread."""
        return await self._in_thread(call) if self._storage.remote else call()

    async def _in_thread(self, call: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(None, call)


class ColumnFiles(SegmentFiles):
    """Files that cannot be continued: the cursor moves only between two of them, so that whoever goes on begins the
    file again."""

    _encoder: Encoder

    async def write_page(self, items: list[Any]) -> None:
        assert isinstance(self._format, Columnar)
        if self._output is None:
            self._output = await self._blocking(self._create)
            self._encoder = self._format.new_encoder()
        data = self._encoder.add(items)
        if data:
            await self._blocking(lambda: self._require().write(data))
        self._output_items += len(items)
        self._items += len(items)
        if self._output.written_bytes + self._encoder.pending_bytes >= self._job.max_file_bytes:
            await self._close_file()

    def mark(self, last_key: str | None) -> bool:
        return False if self._output is not None else super().mark(last_key)

    def _finish_output(self) -> WrittenFile:
        self._require().write(self._encoder.finish())
        return super()._finish_output()


def short_name(table: str) -> str:
    """The name of a table that may be given by its ARN."""
    return table.rpartition("/")[2]
