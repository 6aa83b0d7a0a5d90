"""Items of a Python program as a source: units are blocks of them, made on demand in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from ddbio.messages import ChunkUnit
from ddbio.messages.block import Block
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec

MEMORY = SourceFile("items", 0, "")
BLOCK_BYTES = 64 * 1024  # small enough that a few thousand items occupy several workers
BLOCK_ITEMS = 2500
_MOST_AT_ONCE = 256  # items that are encoded together


class MemoryItems:
    """items: taken once, only as fast as the workers write them. encode: makes the lines of some items.

    error: the exception by which `items` ended; those before it are written.
    """

    def __init__(self, items: Iterable[Any], encode: Callable[[Sequence[Any]], bytes]) -> None:
        self._items = iter(items)
        self._encode = encode
        self._first: list[int] = []  # by unit: the position of its first item
        self.error: Exception | None = None

    def units(self) -> Iterator[ChunkUnit]:
        position = 0
        for data, lines in self._blocks():
            self._first.append(position)
            position += lines
            unit = len(self._first) - 1
            yield ChunkUnit(unit, MEMORY, Block(0, data, lines=lines), 0, format=FormatSpec("json"))

    def position(self, unit: int, line: int) -> int:
        """Of the item in the given line of a unit, counted from 0. line: from 1."""
        return self._first[unit] + line - 1

    def _blocks(self) -> Iterator[tuple[bytes, int]]:
        """Lines, and their number.

        Items are encoded together, unless the iterable changes one object again and again: the second tells.
        """
        parts, size, count, most = list[bytes](), 0, 0, 1
        last: Any = None
        together = False
        while items := self._some(most):
            together, last = items[0] is not last and (together or last is not None), items[-1]
            parts.append(self._encode(items))
            size, count = size + len(parts[-1]), count + len(items)
            item_bytes = max(1, len(parts[-1]) // len(items))
            if size >= BLOCK_BYTES or count >= BLOCK_ITEMS:
                yield b"".join(parts), count
                parts, size, count = [], 0, 0
            room = min(BLOCK_ITEMS - count, 1 + (BLOCK_BYTES - size) // item_bytes)
            most = max(1, min(_MOST_AT_ONCE, room)) if together else 1
        if parts:
            yield b"".join(parts), count

    def _some(self, most: int) -> list[Any]:
        """The next items; fewer than `most` at the end only, or before an exception."""
        items = list[Any]()
        if self.error is None:
            try:
                items.extend(islice(self._items, most))  # which keeps those before an exception
            except Exception as error:
                self.error = error
        return items
