"""Items of a Python program as a source: units are blocks of them, made on demand in the caller's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ddbio.messages import ChunkUnit
from ddbio.messages.block import Block
from ddbio.messages.files import SourceFile
from ddbio.messages.format_spec import FormatSpec

MEMORY = SourceFile("items", 0, "")
BLOCK_BYTES = 64 * 1024  # small enough that a few thousand items occupy several workers
BLOCK_ITEMS = 2500


class MemoryItems:
    """items: taken once, only as fast as the workers write them. encode: makes a line of an item, without its end.

    error: the exception by which `items` ended; those before it are written.
    """

    def __init__(self, items: Iterable[Any], encode: Callable[[Any], bytes]) -> None:
        self._items = iter(items)
        self._encode = encode
        self._first: list[int] = []  # by unit: the position of its first item
        self.error: Exception | None = None

    def units(self) -> Iterator[ChunkUnit]:
        position = 0
        for lines in self._blocks():
            data = b"\n".join(lines) + b"\n"
            self._first.append(position)
            position += len(lines)
            unit = len(self._first) - 1
            yield ChunkUnit(unit, MEMORY, Block(0, data, lines=len(lines)), 0, format=FormatSpec("json"))

    def position(self, unit: int, line: int) -> int:
        """Of the item in the given line of a unit, counted from 0. line: from 1."""
        return self._first[unit] + line - 1

    def _blocks(self) -> Iterator[list[bytes]]:
        lines, size = list[bytes](), 0
        while True:
            try:
                item = next(self._items)
            except StopIteration:
                break
            except Exception as error:
                self.error = error
                break
            line = self._encode(item)
            lines.append(line)
            size += len(line) + 1
            if size >= BLOCK_BYTES or len(lines) >= BLOCK_ITEMS:
                yield lines
                lines, size = [], 0
        if lines:
            yield lines
