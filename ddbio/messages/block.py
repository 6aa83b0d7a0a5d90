"""Blocks of whole records, as they cross between processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from ddbio.messages import Reject


class RecordPlaces(Protocol):
    """The positions of a block's records in their file, if their offsets are not those in the file."""

    @property
    def start(self) -> int:
        """The block's offset."""

    def placed(self, reject: Reject) -> Reject:
        """A reject of a record of the block, with its place in the file."""


class Block(NamedTuple):
    """Whole records, each with its line end; only the last one of a file may lack it.

    offset: of the first byte in the file.
    left_out: 0; else `data` is the beginning of one record over the limit, and `left_out` more bytes of it follow in
        the file, its line end included.
    lines: line ends in those bytes.
    before: the last non-blank byte before it in the file; b"" if there is none, or it is unknown.
    places: the positions of its records in the file, if their offsets are not those in the file.
    """

    offset: int
    data: bytes
    left_out: int = 0
    lines: int = 0
    before: bytes = b""
    places: RecordPlaces | None = None
