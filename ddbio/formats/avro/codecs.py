"""The compression of a file's blocks. Every reader of Avro has null and deflate; each of the others needs only its
compression library."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from ddbio.errors import UsageError
from ddbio.formats.avro.container import LONGEST_BLOCK_BYTES, DamagedError
from ddbio.formats.compression import fast_zlib, zstandard_module

OUT = "deflate"
_RAW_DEFLATE = -15
_LEVEL = 1  # of isal, as tight as zlib's 6
_CRC_BYTES = 4

Unpack = Callable[[bytes], bytes]


def unpacker(codec: str) -> Unpack:
    """Unpacks one block; raises DamagedError. Raises UsageError for a codec that is not known or not installed."""
    if codec not in _UNPACKERS:
        raise UsageError(
            f"blocks that are compressed with {codec!r} cannot be read", f"use one of {', '.join(_UNPACKERS)}"
        )
    unpack, errors = _UNPACKERS[codec](), tuple(_errors())

    def translated(data: bytes) -> bytes:
        try:
            return unpack(data)
        except errors as error:
            raise DamagedError(f"its {codec} data is damaged ({error})") from None

    return translated


def deflate(data: bytes) -> bytes:
    stream = fast_zlib().compressobj(_LEVEL, zlib.DEFLATED, _RAW_DEFLATE)
    packed: bytes = stream.compress(data) + stream.flush()
    return packed


def _errors() -> Iterator[type[Exception]]:
    yield from (zlib.error, fast_zlib().error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError)
    with suppress(UsageError):
        yield zstandard_module().ZstdError


def _whole(out: bytes, is_all: bool) -> bytes:
    if len(out) > LONGEST_BLOCK_BYTES:
        raise ValueError(f"there are more than {LONGEST_BLOCK_BYTES:,} bytes in it")
    if not is_all:
        raise ValueError("it breaks off")
    return out


def _by_stream(new_stream: Callable[[], Any]) -> Unpack:
    """new_stream: makes an object with the methods of `zlib.decompressobj`."""

    def unpack(data: bytes) -> bytes:
        stream = new_stream()
        out = stream.decompress(data, LONGEST_BLOCK_BYTES + 1)
        return _whole(out, stream.eof)

    return unpack


def _snappy() -> Unpack:
    decompress = _snappy_decompress()

    def unpack(data: bytes) -> bytes:
        out = bytes(decompress(data[:-_CRC_BYTES]))
        if zlib.crc32(out) != int.from_bytes(data[-_CRC_BYTES:], "big"):
            raise ValueError("its checksum is another one")
        return out

    return unpack


def _snappy_decompress() -> Any:
    try:
        from cramjam import snappy
    except ImportError:
        pass
    else:
        return snappy.decompress_raw
    try:
        import snappy as python_snappy
    except ImportError:
        raise UsageError(
            "Avro that is compressed with snappy needs the package cramjam, which is not installed",
            "pip install cramjam",
        ) from None
    return python_snappy.decompress


def _zstandard() -> Unpack:
    module = zstandard_module()

    def unpack(data: bytes) -> bytes:
        with module.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True) as stream:
            return _whole(stream.read(LONGEST_BLOCK_BYTES + 1), True)

    return unpack


_UNPACKERS: dict[str, Callable[[], Unpack]] = {
    "null": lambda: bytes,
    "deflate": lambda: _by_stream(lambda: fast_zlib().decompressobj(_RAW_DEFLATE)),
    "snappy": _snappy,
    "zstandard": _zstandard,
    "bzip2": lambda: _by_stream(bz2.BZ2Decompressor),
    "xz": lambda: _by_stream(lzma.LZMADecompressor),
}
