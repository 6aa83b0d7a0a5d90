"""Slices: however a file is cut and whoever reads the pieces, every line is delivered once, with its offset."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from types import ModuleType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.formats.json_lines import JsonLines
from ddbio.messages import ImportCursor, SliceUnit
from ddbio.messages.block import Block
from ddbio.messages.files import SourceFile
from ddbio.sources import blocks as blocks_module
from ddbio.sources import reader as reader_module
from ddbio.sources.blocks import BYTE_ORDER_MARK, KEPT_BYTES
from ddbio.sources.reader import LOOK_BACK_BYTES, RecordReader
from ddbio.sources.unpacking import packed_as
from tests.support.loops import run
from tests.support.memory import MemoryStorage

Line = tuple[int, bytes]


@contextmanager
def changed(module: ModuleType, name: str, value: int) -> Iterator[None]:
    """A constant of the module has this value while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, name, value)
        yield


def file_of(content: bytes) -> SourceFile:
    return SourceFile("orders.json", len(content), "1")


def cut(content: bytes, cuts: list[int]) -> list[SliceUnit]:
    edges = [0, *sorted({at for at in cuts if 0 < at < len(content)}), len(content)]
    return [SliceUnit(number, file_of(content), *pair) for number, pair in enumerate(pairwise(edges))]


def lines_in(block: bytes, offset: int) -> list[Line]:
    """The records of a block as the writer splits them."""
    lines = []
    for record in block.split(b"\n")[: None if not block.endswith(b"\n") else -1]:
        lines.append((offset, record))
        offset += len(record) + 1
    return lines


def all_lines(content: bytes) -> list[Line]:
    """The oracle: the lines of the whole file and their offsets."""
    mark = len(BYTE_ORDER_MARK) if content.startswith(BYTE_ORDER_MARK) else 0
    return lines_in(content[mark:], mark) if content[mark:] else []


def read(
    content: bytes, unit: SliceUnit, block_bytes: int = 7, step_bytes: int = 5, *, remote: bool = False
) -> list[Line]:
    with changed(reader_module, "LINE_END_STEP_BYTES", step_bytes):
        blocks = blocks_of(content, unit, block_bytes, remote=remote)
    assert all(block.data for block in blocks) or content == BYTE_ORDER_MARK
    assert not any(block.left_out for block in blocks)
    return [line for block in blocks if block.data for line in lines_in(block.data, block.offset)]


def blocks_of(content: bytes, unit: SliceUnit, block_bytes: int, *, remote: bool = False) -> list[Block]:
    storage: Any = MemoryStorage(content, remote=remote)
    reader = RecordReader(storage)
    reader._block_bytes = lambda _file: block_bytes  # type: ignore[method-assign]

    async def story() -> list[Block]:
        return [block async for block in reader.blocks(unit, JsonLines())]

    return run(story())


LINES = st.lists(
    st.one_of(
        st.sampled_from([b"", b"", b"\r", b"x", b'{"a":1}\r', b" "]),
        st.binary(max_size=12).map(lambda data: data.replace(b"\n", b"")),
        st.integers(0, 60).map(lambda size: b"y" * size),
    ),
    max_size=12,
)
CONTENTS = st.builds(
    lambda mark, lines, end: mark + b"\n".join(lines) + end,
    st.sampled_from([b"", b"", BYTE_ORDER_MARK]),
    LINES,
    st.sampled_from([b"", b"\n"]),
).filter(lambda content: packed_as(content) is None)
CUTS = st.lists(st.integers(0, 200), max_size=8)
SIZES = st.integers(1, 40)


@given(CONTENTS, CUTS, SIZES, SIZES)
@example(b"a\nb\nc", [2], 1, 1)  # a cut where a line begins
@example(b"a\nb\nc", [1], 1, 1)  # a cut at a line end
@example(b"abc\n", [1, 2, 3], 2, 2)  # a line across four slices
@example(b"\n\n\n", [1, 2], 1, 1)
@example(BYTE_ORDER_MARK + b"a\n", [1, 2, 3, 4], 1, 1)  # cuts inside the byte order mark
@example(BYTE_ORDER_MARK, [], 7, 5)
@example(BYTE_ORDER_MARK * 2 + b"\n", [3], 1, 1)  # one is a mark, two are a mark and a character
def test_every_line_is_delivered_once_with_its_offset(
    content: bytes, cuts: list[int], block_bytes: int, step_bytes: int
) -> None:
    delivered = []
    for unit in cut(content, cuts):
        lines = read(content, unit, block_bytes, step_bytes)
        in_slice = [at for at, _ in lines if unit.start <= at < unit.stop]
        assert len(in_slice) >= len(lines) - content.startswith(BYTE_ORDER_MARK)  # lines belong to where they begin
        delivered += lines
    assert delivered == all_lines(content)


@given(CONTENTS, CUTS, SIZES, st.data())
def test_a_slice_goes_on_from_its_cursor(
    content: bytes, cuts: list[int], block_bytes: int, data: st.DataObject
) -> None:
    delivered = []
    for unit in cut(content, cuts):
        lines = read(content, unit, block_bytes)
        settled = data.draw(st.integers(0, len(lines)))
        delivered += lines[:settled]
        cursor = ImportCursor(unit.start, 0)
        if settled:
            offset, record = lines[settled - 1]
            cursor = ImportCursor(offset + len(record) + 1, settled)
        delivered += read(content, replace(unit, cursor=cursor), block_bytes)
    assert delivered == all_lines(content)


def test_a_cursor_that_is_still_at_the_start_is_no_line() -> None:
    """A lane that is stopped before its first answer reports the unit's start, which may be inside a line."""
    unit = SliceUnit(1, file_of(b"abcdef\nghi\n"), 3, 11, ImportCursor(3, 0))
    assert read(b"abcdef\nghi\n", unit) == [(7, b"ghi")]


@pytest.mark.parametrize("offset", [11, 12, 20])
def test_a_finished_slice_has_nothing_left(offset: int) -> None:
    content = b"abcdef\nghi\nlong line past the end\n"
    assert read(content, SliceUnit(0, file_of(content), 0, 9, ImportCursor(offset, 2))) == []


def test_an_empty_file_has_no_lines() -> None:
    assert read(b"", SliceUnit(0, file_of(b""), 0, 0)) == []


def test_a_file_that_was_listed_smaller_than_the_slice_is_read_to_its_end() -> None:
    assert read(b"a\nb", SliceUnit(0, file_of(b"a\nb"), 0, 1000)) == [(0, b"a"), (2, b"b")]


def test_crlf_stays_with_the_record() -> None:
    assert read(b"a\r\nb\r\n", SliceUnit(0, file_of(b"a\r\nb\r\n"), 0, 6)) == [(0, b"a\r"), (3, b"b\r")]


def test_a_mark_is_taken_off_at_the_start_of_the_file_only() -> None:
    content = BYTE_ORDER_MARK + b"a\n" + BYTE_ORDER_MARK + b"b\n"
    unit = SliceUnit(0, file_of(content), 0, len(content))
    assert read(content, unit) == [(3, b"a"), (5, BYTE_ORDER_MARK + b"b")]


def test_remote_storages_are_read_in_a_thread() -> None:
    assert read(b"a\nb\n", SliceUnit(0, file_of(b"a\nb\n"), 0, 4), remote=True) == [(0, b"a"), (2, b"b")]


def test_what_is_read_is_the_slice_and_little_more() -> None:
    content = b"".join(b"%06d\n" % number for number in range(1000))
    storage: Any = MemoryStorage(content)
    reader = RecordReader(storage)
    reader._block_bytes = lambda _file: 1000  # type: ignore[method-assign]

    async def story() -> None:
        async for _ in reader.blocks(SliceUnit(0, file_of(content), 2003, 4003), JsonLines()):
            pass

    with changed(reader_module, "LINE_END_STEP_BYTES", 16):
        run(story())
    assert sum(stop - start for start, stop in storage.reads) <= LOOK_BACK_BYTES + 2000 + 16
    assert storage.reads == sorted(storage.reads)


def test_blocks_are_no_larger_than_asked_for_where_lines_are_short() -> None:
    content = b"0123456789\n" * 1000

    async def story() -> list[int]:
        storage: Any = MemoryStorage(content)
        reader = RecordReader(storage)
        reader._block_bytes = lambda _file: 256  # type: ignore[method-assign]
        return [
            len(block.data)
            async for block in reader.blocks(SliceUnit(0, file_of(content), 0, len(content)), JsonLines())
        ]

    assert max(run(story())) < 256 + 11


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=6), CUTS, st.integers(1, 700), st.sampled_from([b"", b"\n"])
)
def test_of_a_line_over_the_limit_only_the_beginning_is_delivered(
    sizes: list[int], cuts: list[int], block_bytes: int, end: bytes
) -> None:
    """However it is cut, and all its neighbours are whole."""
    limit = 1500
    content = b"\n".join(b"%d" % (number % 10) * size for number, size in enumerate(sizes)) + end
    delivered: list[tuple[int, bytes, int]] = []
    with (
        changed(blocks_module, "RECORD_LIMIT_BYTES", limit),
        changed(reader_module, "LINE_END_STEP_BYTES", 64),
    ):
        for unit in cut(content, [number * 40 for number in cuts]):
            for block in blocks_of(content, unit, block_bytes):
                whole = [(at, line, len(line)) for at, line in lines_in(block.data, block.offset)]
                if block.left_out:
                    ((at, beginning, _),) = whole
                    line_end = content[at + len(block.data) + block.left_out - 1 :][:1] == b"\n"
                    assert block.lines == line_end
                    whole = [(at, beginning, len(block.data) + block.left_out - line_end)]
                delivered += whole
    longest = limit + 2 * block_bytes  # a line that ends in the piece it passes the limit with is delivered
    assert [(at, size) for at, _, size in delivered] == [(at, len(line)) for at, line in all_lines(content)]
    for (_, kept, _), (_, line) in zip(delivered, all_lines(content), strict=True):
        assert kept == line or (kept == line[:KEPT_BYTES] and len(line) >= limit)
        assert len(line) <= longest or kept != line


def test_a_file_without_line_ends_is_not_read_into_memory() -> None:
    content = b"x" * 100_000
    with changed(blocks_module, "RECORD_LIMIT_BYTES", 5000):
        (block,) = blocks_of(content, SliceUnit(0, file_of(content), 0, 100), 1000)
    assert block == Block(0, content[:KEPT_BYTES], len(content) - KEPT_BYTES, 0)
    assert read(content, SliceUnit(1, file_of(content), 100, 200)) == []
