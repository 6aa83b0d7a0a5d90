"""The interface of a lane's source: the records of a unit, and the read position."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Protocol

from ddbio.messages import Cursor, Reject
from ddbio.steps.records import Mark, Place, Records


class Source(Protocol):
    """One a lane. It counts records read in the lane's tally.

    marks_are_numbers: a mark is an offset and a number of lines, so it can be recorded in the checkpoint.
    deleted_are_gone: records that the sink has deleted are not read again, even if the unit is resumed before them.
    """

    marks_are_numbers: bool
    deleted_are_gone: bool

    def begin(self, unit: Any) -> None:
        """Read this unit next, from its cursor."""

    def batches(self) -> AsyncGenerator[Records, None]:
        """The records of the unit. A batch must be taken before the next one is requested, except for lines that may
        be left.

        Raises TransferError if not all records can be read, after yielding those that can.
        """

    def mark(self) -> Mark | None:
        """The position after the last record taken; None if a unit cannot be resumed there."""

    def end(self) -> Mark:
        """The mark at the end of the unit, after all records were taken."""

    def stopped(self, mark: Mark) -> None:
        """The lane leaves the unit: records after this mark will be repeated."""

    def cursor(self, mark: Mark, output: Any) -> Cursor:
        """The cursor to resume the unit from. output: the sink's state at the mark, if it has one."""

    def reject(self, place: Place, text: bytes, code: str, message: str, text_bytes: int | None = None) -> Reject:
        """The reject for a record of the unit. text_bytes: the record's length, if `text` is only its beginning."""

    def close(self) -> None: ...
