"""Compression on the way out: what is written is what every reader reads, whoever continued it, and never larger than
it may be."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.errors import UsageError
from ddbio.formats import compression
from ddbio.formats.compression import COMPRESSIONS, fit, get_compression
from ddbio.formats.json_lines import JsonLines
from tests.support.memory import unpacked


def packed_file(name: str, pages: list[bytes], *, handed_over_at: frozenset[int] = frozenset()) -> bytes:
    """A file of these pages, in which others go on with it before the pages of these numbers."""
    new_packer = get_compression(name).packer
    packer = new_packer()
    data = packer.head
    for number, page in enumerate(pages):
        if number in handed_over_at:
            packer = new_packer(*packer.state)
        data += packer.pack(page)
        packer.took(page)
    tail = packer.tail()
    assert len(tail) == packer.tail_bytes
    return data + tail


PAGES = st.lists(st.binary(min_size=1, max_size=3000).map(lambda data: data + b"\n"), max_size=5)


@pytest.mark.parametrize("name", COMPRESSIONS)
@given(pages=PAGES, handed_over_at=st.frozensets(st.integers(0, 4)))
@example(pages=[b"x" * 3_000_000 + b"\n"] * 2, handed_over_at=frozenset({1}))
def test_what_went_in_comes_out_whoever_wrote_it(
    name: str, pages: list[bytes], handed_over_at: frozenset[int]
) -> None:
    data = packed_file(name, pages, handed_over_at=handed_over_at)
    assert data == packed_file(name, pages)  # the same pages are the same bytes
    if pages:
        assert unpacked(name, data) == b"".join(pages)


@given(pages=PAGES, handed_over_at=st.frozensets(st.integers(0, 4)))
def test_a_gzip_file_is_one_member(pages: list[bytes], handed_over_at: frozenset[int]) -> None:
    """There are readers that stop behind the first and say nothing."""
    reader = zlib.decompressobj(31)
    assert reader.decompress(packed_file("gzip", pages, handed_over_at=handed_over_at)) == b"".join(pages)
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_without_isal_it_is_zlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "fast_zlib", lambda: zlib)
    assert gzip.decompress(packed_file("gzip", [b"a\n" * 9999, b"b\n"])) == b"a\n" * 9999 + b"b\n"


def test_what_is_not_there_is_a_usage_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no compression 'lzma'"):
        get_compression("lzma")
    monkeypatch.setitem(__import__("sys").modules, "zstandard", None)
    compression.zstandard_module.cache_clear()
    with pytest.raises(UsageError, match=r"zstandard, which is not installed; pip install 'ddbio\[zstd\]'"):
        get_compression("zstd")
    monkeypatch.undo()
    compression.zstandard_module.cache_clear()


LINES = st.lists(st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"") + b"\n"), min_size=1, max_size=40)


@pytest.mark.parametrize("name", COMPRESSIONS)
@given(lines=LINES, room=st.integers(-50, 800), first=st.booleans())
def test_what_fits_is_whole_lines_and_no_larger_than_the_room(
    name: str, lines: list[bytes], room: int, first: bool
) -> None:
    packer, text = get_compression(name).packer(), b"".join(lines)
    packed, taken = fit(packer, JsonLines(), text, room, first=first)
    assert not taken or (packed == packer.pack(text[:taken]) and text[taken - 1 : taken] == b"\n")
    if not (first and taken == len(lines[0])):
        assert not taken or len(packed) + packer.tail_bytes <= room
    if first:
        assert taken >= len(lines[0])


def test_a_file_is_filled_nearly_to_its_limit() -> None:
    """What does not fit is cut by the ratio there is, not in halves until it does."""
    packer: Any = get_compression("gzip").packer()
    text = b"".join(
        b'{"id": "%032x", "n": %d}\n' % (hash((number, "x")) & 2**120, number) for number in range(20_000)
    )
    whole = len(packer.pack(text))
    packed, _ = fit(packer, JsonLines(), text, whole // 2, first=True)
    assert whole * 0.45 < len(packed) < whole * 0.5
