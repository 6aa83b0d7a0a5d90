"""What a lane asks of its source: the records of a unit, and how far they are."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from ddbio.messages import Cursor, Reject
from ddbio.steps.records import Mark, Place, Records


class Source(Protocol):
    """One a lane. It counts what is read in the lane's tally.

    marks_are_numbers: a mark is an offset and a number of lines, so that it can be recorded in the checkpoint.
    """

    marks_are_numbers: bool

    def begin(self, unit: Any) -> None:
        """Work this unit from now on, from its cursor."""

    def batches(self) -> AsyncGenerator[Records, None]:
        """The records of the unit. A batch is taken before the next one is asked for, but for lines that may be left.

        Raises TransferError if not all can be read, after those that could be.
        """

    def mark(self) -> Mark | None:
        """How far the source is with all that was taken of it; None where no cursor can be."""

    def end(self) -> Mark:
        """The mark at the end of the unit, of which all was taken."""

    def cursor(self, mark: Mark, output: Any) -> Cursor:
        """Where the unit is resumed. output: the state of the sink at the mark, where it has one."""

    def reject(self, place: Place, text: bytes, code: str, message: str, text_bytes: int | None = None) -> Reject:
        """A record of the unit that is rejected. text_bytes: how long it is, if `text` is only its beginning."""

    def close(self) -> None: ...
