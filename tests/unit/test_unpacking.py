"""Compressed files coming in: whatever pieces they arrive in, and however they end."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from ddbio.errors import TransferError
from ddbio.sources import unpacking
from ddbio.sources.unpacking import PIECE_BYTES, FileStream, packed_as

PACKED = {
    "gzip": lambda data: gzip.compress(data, 1),
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
    "plain": lambda data: data,
}
COPY = "replace it with an intact copy and start over with --fresh"
URI = "s3://b/orders.json.gz"

every_kind = pytest.mark.parametrize("kind", list(PACKED))
compressed = pytest.mark.parametrize("kind", ["gzip", "zstd"])


@pytest.fixture(params=["isal", "zlib"], autouse=True)
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(unpacking, "fast_zlib", lambda: zlib)


def read(data: bytes, step: int) -> tuple[bytes, str]:
    """What comes out of a file that arrives in pieces of `step` bytes, and what was said of it."""
    stream, out = FileStream(URI), b""
    starts = [0, *range(max(4, step), len(data), step), len(data)]  # the first piece tells what it is
    try:
        for start, stop in pairwise(starts):
            for piece in stream.feed(data[start:stop]):
                assert len(piece) <= PIECE_BYTES or not packed_as(data)
                out += piece
        stream.finish()
    except TransferError as error:
        return out, str(error)
    return out, ""


@every_kind
@given(members=st.lists(st.binary(max_size=400), min_size=1, max_size=4), step=st.integers(1, 200))
@example(members=[b"x" * 3_000_000, b"", b"y" * PIECE_BYTES], step=1 << 20)
@example(members=[bytes(range(256)) * 3000], step=1000)
def test_all_members_come_out_whatever_the_pieces(kind: str, members: list[bytes], step: int) -> None:
    file = b"".join(PACKED[kind](member) for member in members)
    if kind == "plain" and packed_as(file[:4]):
        return
    assert read(file, step) == (b"".join(members), "")


@pytest.mark.parametrize(
    ("beginning", "kind"),
    [(b"\x1f\x8b\x08\x00", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b'{"id', None), (b"", None), (b"\x28", None)],
)
def test_the_first_bytes_tell(beginning: bytes, kind: str | None) -> None:
    assert packed_as(beginning) == kind


LINES = b"".join(b'{"id": "%08d"}\n' % number for number in range(30_000))


@compressed
@pytest.mark.parametrize("lost", [1, 7, 1000])
def test_what_breaks_off_is_read_up_to_there(kind: str, lost: int) -> None:
    file = PACKED[kind](LINES)
    out, said = read(file[:-lost], 1000)
    assert LINES.startswith(out)
    assert len(out) > len(LINES) * (0.6 if lost == 1000 else 0.9) - 2 * PIECE_BYTES
    assert said == f'"{URI}" is truncated; the records before that were imported; {COPY}'


@compressed
def test_a_member_that_is_cut_in_its_first_bytes_breaks_off(kind: str) -> None:
    file = PACKED[kind](LINES)
    assert read(file + PACKED[kind](b"")[:1], 5000) == (LINES, read(file[:-1], 5000)[1])


@compressed
@given(at=st.integers(20, 5000))
def test_a_changed_byte_is_found(kind: str, at: int) -> None:
    file = bytearray(PACKED[kind](LINES))
    file[-at] ^= 0x10
    out, said = read(bytes(file), 4096)
    if out == LINES:
        return  # a copy of the same bytes from elsewhere, say
    assert "orders.json.gz" in said
    assert "is damaged" in said or "is truncated" in said or "has other data" in said


@compressed
def test_garbage_behind_the_end_is_told_after_all_was_read(kind: str) -> None:
    out, said = read(PACKED[kind](LINES) + b"garbage", 5000)
    assert (out, "has other data after its" in said) == (LINES, True)


def test_zeros_behind_a_gzip_are_padding() -> None:
    assert read(gzip.compress(LINES) + bytes(10_000), 4096) == (LINES, "")
