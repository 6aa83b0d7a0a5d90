"""An export to standard output: pages travel to the parent, which alone writes them.

A page and the cursor behind it are one report, so a page is written once and whole, however many workers there are
and whichever of them dies: a report arrives or it does not. Pages of different segments come in any order.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from typing import Any

from ddbio.errors import Stopped, TransferError
from ddbio.formats import Format
from ddbio.formats.compression import Compression
from ddbio.messages import ExportCursor, ExportedFile, SegmentUnit, Tally
from ddbio.system.stop import StopFlag

_LOOK_EVERY_MS = 250  # whether the user wants to stop, while nobody reads


class PageStream:
    """The pages of a segment, with the methods of `SegmentFiles`. Nothing is kept behind a report."""

    def __init__(self, format: Format, compression: Compression, unit: SegmentUnit) -> None:
        self._format = format
        self._compression = compression
        self._cursor = unit.cursor or ExportCursor(None, 0, None, 0)
        self._page, self._page_items = b"", 0
        self._marked, self._marked_items = b"", 0
        self.aside = Tally()  # what of the page is left out, dropped or added
        self._aside_at_cursor = Tally()

    async def open(self) -> None:
        pass

    async def write_page(self, items: list[Any]) -> None:
        self._page += packed_by_itself(self._compression, self._format.render(items))
        self._page_items += len(items)

    def mark(self, last_key: str | None) -> bool:
        """A page ends here; it is to be reported at once."""
        self._marked, self._page = self._marked + self._page, b""
        self._marked_items, self._page_items = self._marked_items + self._page_items, 0
        self._cursor = ExportCursor(last_key, 0, None, 0, items=self._cursor.items + self._marked_items)
        self._aside_at_cursor.add(self.aside)
        self.aside = Tally()
        return True

    async def finish(self) -> None:
        self.mark(None)

    def take_settled(self) -> tuple[ExportCursor | None, tuple[ExportedFile, ...], int]:
        items, self._marked_items = self._marked_items, 0
        return self._cursor, (), items

    def take_aside(self) -> Tally:
        aside, self._aside_at_cursor = self._aside_at_cursor, Tally()
        return aside

    def take_page(self) -> bytes:
        """The bytes up to the cursor, since the last call."""
        page, self._marked = self._marked, b""
        return page


def packed_by_itself(compression: Compression, data: bytes) -> bytes:
    """As a member or frame of its own, which can follow any other; nothing for nothing."""
    packer = compression.packer()
    packed = packer.head + packer.pack(data)
    packer.took(data)
    return packed + packer.tail() if data else b""


class StandardOutput:
    """Writes pages. While nobody reads, it waits, and a second Ctrl-C still ends the run."""

    def __init__(self, stop: StopFlag, fd: int = 1) -> None:
        self._stop = stop
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        # A pipe that can be written to takes so many bytes without waiting; a file takes any.
        self._step_bytes = 1 << 20 if stat.S_ISREG(os.fstat(fd).st_mode) else select.PIPE_BUF

    def write(self, page: bytes) -> None:
        """Raises BrokenPipeError where the reader is gone, TransferError where a page cannot be written."""
        view = memoryview(page)
        while view:
            if self._poll.poll(_LOOK_EVERY_MS):
                view = view[self._write_some(view[: self._step_bytes]) :]
            elif self._stop.requests > 1:
                raise Stopped("stopped while nobody read standard output", "its last line may not be whole")

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:  # somebody else made it so
            return 0
        except BrokenPipeError:
            raise
        except OSError as error:
            full = "make room" if error.errno == errno.ENOSPC else "check where it leads"
            raise TransferError(f"cannot write to standard output: {error.strerror}", full) from None
