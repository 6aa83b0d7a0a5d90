"""An export to standard output: workers send pages to the parent, which alone writes them.

A page and the cursor after it are one report, so a page is written once and whole, however many workers there are
and even if one dies: a report arrives or it does not. Pages of different segments come in any order.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from typing import Any

from ddbio.errors import Stopped, TransferError
from ddbio.formats import LineFormat
from ddbio.formats.compression import Compression
from ddbio.messages import SegmentUnit, Tally
from ddbio.sinks.rows import known_types, taken_rows
from ddbio.sinks.sink import SettlesAtOnce
from ddbio.steps.records import Records
from ddbio.system.stop import StopFlag

_LOOK_EVERY_MS = 250  # for a second Ctrl-C, while the output is blocked


class PageStream(SettlesAtOnce):
    """The pages of a segment as a sink; see `ddbio.sinks.sink.Sink`. Nothing is kept after a report."""

    def __init__(self, format: LineFormat, compression: Compression, table: str, tally: Tally) -> None:
        self._format = format
        self._compression = compression
        self._table = table
        self._tally = tally
        self._where = ""
        self._pages: list[bytes] = []
        self.urgent = False

    def begin(self, unit: SegmentUnit) -> None:
        self._where = f"{unit.describe()} of table {self._table}"
        self._pages.clear()

    async def take(self, records: Records) -> None:
        rows = taken_rows(records, self._format, self._tally, self._where)
        with known_types(self._where):
            page = packed_by_itself(self._compression, self._format.render(rows))
        self._pages.append(page)
        self._tally.written += len(rows)
        self._tally.bytes += len(page)
        self.urgent = True

    def take_parts(self) -> dict[str, Any]:
        page = b"".join(self._pages)
        self._pages.clear()
        self.urgent = False
        return {"page": page}


def packed_by_itself(compression: Compression, data: bytes) -> bytes:
    """Compressed as a separate member or frame, which can follow any other; b"" if there is no data."""
    packer = compression.packer()
    packed = packer.head + packer.pack(data)
    packer.took(data)
    return packed + packer.tail() if data else b""


class StandardOutput:
    """Writes pages. While the reader does not read, it waits, and a second Ctrl-C still ends the run."""

    def __init__(self, stop: StopFlag, fd: int = 1) -> None:
        self._stop = stop
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        # A writable pipe accepts PIPE_BUF bytes without blocking; a file accepts any number.
        self._step_bytes = 1 << 20 if stat.S_ISREG(os.fstat(fd).st_mode) else select.PIPE_BUF

    def write(self, page: bytes) -> None:
        """Raises BrokenPipeError if the reader is gone, TransferError if a page cannot be written."""
        view = memoryview(page)
        while view:
            if self._poll.poll(_LOOK_EVERY_MS):
                view = view[self._write_some(view[: self._step_bytes]) :]
            elif self._stop.requests > 1:
                raise Stopped("stopped while standard output was blocked", "its last line may be incomplete")

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:  # another process made it so
            return 0
        except BrokenPipeError:
            raise
        except OSError as error:
            full = "make room" if error.errno == errno.ENOSPC else "check where it is redirected to"
            raise TransferError(f"cannot write to standard output: {error.strerror}", full) from None
