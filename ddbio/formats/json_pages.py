"""Pages of a table to lines of json.

The attributes of a line are in the order of their names. The native core, if it is there, makes the lines of a whole
answer without decoding it (`ddbio.native`); what it leaves to Python is decoded and encoded here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, overload

import msgspec
import orjson

from ddbio.native import Rendering, page_renderer
from ddbio.values.items import AttributeValue, to_plain

_encode_lines = msgspec.json.Encoder().encode_lines  # a page at once: a call for each item costs four times as much

Item = dict[str, AttributeValue]

# orjson writes texts ten times as fast as msgspec, but takes an item at a time, and a microsecond more for each.
_LONG_TEXT_CHARACTERS = 1024  # on average; from here on that is worth it


class RenderedPage(Sequence[bytes]):
    """The lines of a page, in place of its items. count: of the lines."""

    def __init__(self, lines: bytes, count: int) -> None:
        self.lines = lines
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> RenderedPage: ...
    def __getitem__(self, place: int | slice) -> bytes | RenderedPage:
        if isinstance(place, slice) and place.indices(self._count) == (0, self._count, 1):
            return self
        chosen = self.lines.splitlines(keepends=True)[place]
        return chosen if isinstance(chosen, bytes) else RenderedPage(b"".join(chosen), len(chosen))

    def near(self, place: int) -> bytes:
        """A line for a sample, found without splitting the page: the first that begins after the same share of the
        bytes as the place is of the lines. So a long line is not more likely than a short one."""
        begin = self.lines.find(b"\n", len(self.lines) * place // self._count) + 1
        begin = begin if begin < len(self.lines) else 0
        return self.lines[begin : self.lines.find(b"\n", begin) + 1]


def page_rendering() -> Rendering | None:
    """Renders answers to a Scan by the native core; None without it."""
    lines_of = page_renderer()
    if lines_of is None:
        return None

    def rendered(answer: bytes | memoryview) -> tuple[bytes, RenderedPage] | None:
        made = lines_of(bytes(answer))
        if made is None:
            return None
        rest, lines, count = made
        return rest, RenderedPage(lines, count)

    return rendered


def rendered_items(items: list[Item] | RenderedPage) -> bytes:
    """Items as lines, or the lines that are rendered already."""
    if isinstance(items, RenderedPage):
        return items.lines
    plain = [to_plain(dict(sorted(item.items()))) for item in items]
    return _encode_long(plain) if items and _has_long_texts(items[0]) else _encode_lines(plain)


def _has_long_texts(item: Item) -> bool:
    texts = [len(value.S) for value in item.values() if value.S is not None]
    return sum(texts) > _LONG_TEXT_CHARACTERS * len(texts)


def _encode_long(items: Iterable[dict[str, Any]]) -> bytes:
    return b"".join([orjson.dumps(item, default=_fragment, option=orjson.OPT_APPEND_NEWLINE) for item in items])


def _fragment(value: Any) -> orjson.Fragment:
    return orjson.Fragment(bytes(value))  # a msgspec.Raw: the digits of a number
