"""The seam between sources and sinks: some records of a unit, in each of their forms.

A source offers its records in the forms it has, a sink takes the form that suits it best, and records are converted
only on demand:

    lines    the records as bytes, a run of them at a time: input of the fast path of an import
    rows     the items of a page, decoded to the type that the sink asked for: input of a format's renderer
    each()   single records as attribute maps: the form that every source has, and the one that steps change
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from ddbio.errors import RecordError
from ddbio.formats import Format
from ddbio.values.items import AttributeMap

Mark = tuple[Any, ...]  # a source's read position; only the source interprets it
Place = Any  # a record's position in its source; only the source interprets it


class Record(msgspec.Struct, gc=False):
    """One record.

    text: for the rejects file. text_bytes: the record's length, if `text` is only its beginning.
    items: the items made from it: one, or any number after a transform.
    small: the item is known to cost one write unit. error: why it cannot be an item; then there are no items.
    """

    place: Place
    text: bytes
    items: list[AttributeMap]
    small: bool = False
    error: RecordError | None = None
    text_bytes: int | None = None


class Records(Protocol):
    """Some records of a unit, in order. The records that a sink has taken count in the lane's tally and in the
    source's mark."""

    @property
    def lines(self) -> LineRun | None:
        """The records as lines, if they are lines that no step has changed."""

    def rows(self) -> list[Any] | None:
        """Take all records as rows, if they are a page that no step has changed."""

    def each(self) -> Iterator[Record]:
        """Take the records one by one. A record counts as taken when the next one is requested."""


class LineRun(Protocol):
    """Records as lines, without their line ends."""

    @property
    def format(self) -> Format: ...

    @property
    def left(self) -> int:
        """The number of records not taken yet."""

    @property
    def more(self) -> bool:
        """Whether more records will be appended to those that are left: a sink may leave a few."""

    @property
    def usual(self) -> bool:
        """Whether each record is one complete line, as far as is known, so that records can be taken unread."""

    def run(self, most: int) -> list[bytes]:
        """The next records, at most `most`, without taking them."""

    def take(self, run: list[bytes]) -> None:
        """Take these records, which `run` returned."""

    def each(self, most: int | None = None) -> Iterator[Record]:
        """Take at most `most` records one by one, as `Records.each` does."""
