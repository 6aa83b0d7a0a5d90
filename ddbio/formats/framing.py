"""Finds the ends of records, for formats of which every record is one line."""

from __future__ import annotations

from collections.abc import Callable

from ddbio.native import Notation, Rendering
from ddbio.values.capacity import WRITE_UNIT_BYTES

_BEFORE_A_VALUE_INSIDE = b"[,:"
FIRST_BLANKS = b"\xef\xbb\xbf \t\r\n"  # that may come before a record, in joined files


def may_be_inside(before: bytes) -> bool:
    """Whether a JSON value may be inside another one, by the last byte before it that is no blank; b"" for none.

    Inside of another value, every value comes after `[`, `,` or `:`. So a line that is a whole object is a record by
    itself, wherever it is in a file, unless the text before it ends in one of these.
    """
    return bool(before) and before in _BEFORE_A_VALUE_INSIDE


def last_byte(text: bytes) -> bytes:
    """The last byte of a text that is no blank; b"" if there is none."""
    return text[-_NEAR_BYTES:].rstrip()[-1:] or text.rstrip()[-1:]


_NEAR_BYTES = 256  # of its end, to copy little of it


class Lines:
    """A record is a line."""

    cut_anywhere = True
    line_end = b"\n"
    head = b""
    rendered: Rendering | None = None

    def split(self, block: bytes) -> list[bytes]:
        records = block.split(b"\n")
        if not records[-1]:
            records.pop()  # no record follows the last line end
        return records

    def end_finder(self) -> Callable[[bytes], int]:
        return _after_last_line_end


class JsonText:
    """A record is a text of JSON.

    notation: of the records, if the native core can read them, see `ddbio.native`.
    """

    notation: Notation | None = None

    def is_one_unit(self, record: bytes) -> bool:
        """Whether the item of a record that is longer than `one_unit_bytes` is still one write unit."""
        return len(record) <= 2 * WRITE_UNIT_BYTES and most_item_bytes(record) <= WRITE_UNIT_BYTES


def most_item_bytes(record: bytes) -> int:
    """An upper bound on the size of the item in a JSON text, as DynamoDB counts; far cheaper than parsing it.

    Quotes do not count. Counted for the item but not in the text: one byte for each value (a number of one
    digit has two), and two more for a list and one more for a map.
    """
    count = record.count
    return len(record) - count(b'"') + count(b",") + 3 * count(b"[") + 2 * count(b"{")


def _after_last_line_end(piece: bytes) -> int:
    return piece.rfind(b"\n") + 1
