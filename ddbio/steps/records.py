"""The seam between sources and sinks: some records of a unit, in every form that they have.

A source offers its records in the forms it has, a sink takes the form it likes best, and nothing is converted that
no one asks for:

    lines    the records as bytes, a run of them at a time: what the fast path of an import makes requests of
    rows     the items of a page, decoded to the type that the sink asked for: what a format renders
    each()   every record by itself, as attribute maps: the form that all records have, and what steps change
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from ddbio.errors import RecordError
from ddbio.formats import Format
from ddbio.values.items import AttributeMap

Mark = tuple[Any, ...]  # how far a source is; what is in it is the source's own
Place = Any  # where a record is in its source; the source's own, too


class Record(msgspec.Struct, gc=False):
    """One record by itself.

    text: as the rejects file should have it. text_bytes: how long it is, if `text` is only its beginning.
    items: that it became so far: one, and after a transform any number.
    small: the item is known to be one write unit. error: why it cannot be an item; then there are no items.
    """

    place: Place
    text: bytes
    items: list[AttributeMap]
    small: bool = False
    error: RecordError | None = None
    text_bytes: int | None = None


class Records(Protocol):
    """Some records of a unit, in order. What a sink has taken of them counts in the lane's tally, and in the mark of
    the source."""

    @property
    def lines(self) -> LineRun | None:
        """The records as lines, where they are lines that no step has changed."""

    def rows(self) -> list[Any] | None:
        """Take all records as rows, where they are a page that no step has changed."""

    def each(self) -> Iterator[Record]:
        """Take the records one by one. A record is taken when the next one is asked for."""


class LineRun(Protocol):
    """Records as lines, without their line ends."""

    @property
    def format(self) -> Format: ...

    @property
    def left(self) -> int:
        """How many are not taken."""

    @property
    def more(self) -> bool:
        """Whether further records will be joined to those that are left: a sink may leave a few."""

    @property
    def usual(self) -> bool:
        """Whether each record is a line by itself for all that is known, so that records can be taken unseen."""

    def run(self, most: int) -> list[bytes]:
        """The next records, at most so many. They are not taken by this."""

    def take(self, run: list[bytes]) -> None:
        """Take these, which `run` returned."""

    def each(self, most: int | None = None) -> Iterator[Record]:
        """Take at most so many one by one, as `Records.each` does."""
