"""Where records end, for formats of which every record is one line."""

from __future__ import annotations

from collections.abc import Callable


class Lines:
    """A record is a line."""

    cut_anywhere = True

    def split(self, block: bytes) -> list[bytes]:
        records = block.split(b"\n")
        if not records[-1]:
            records.pop()  # what follows the last line end is no record
        return records

    def end_finder(self) -> Callable[[bytes], int]:
        return _after_last_line_end


def _after_last_line_end(piece: bytes) -> int:
    return piece.rfind(b"\n") + 1
