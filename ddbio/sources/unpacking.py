"""Detects and decompresses compressed sources. Pure: no I/O; feed it the bytes in order.

- The first bytes of a file decide, not its name: a `.gz` that was decompressed in transit is read unchanged.
- The output comes in pieces of at most `PIECE_BYTES`, however high the compression ratio is.
- All readable data is yielded before an error is raised: a truncated file is imported up to its end, and then fails
  by name. gzip's checksums are verified, and zstd's if there are any.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

from ddbio.errors import PermanentError, TransferError
from ddbio.formats.compression import fast_zlib, zstandard_module
from ddbio.messages import Expected

PIECE_BYTES = 128 * 1024
MAGIC_BYTES = 4

_GZIP_OR_ZLIB = 31
_ZSTD_STEP_BYTES = 8 * 1024  # of input: zstd's decompressor does not limit its output


class Unpacker(Protocol):
    """Decompresses one file."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The output for `data`. Take all of it before the next call. Raises TransferError if the data is damaged."""

    def finish(self) -> None:
        """Called at the end of the file. Raises TransferError if it is truncated."""


def packed_as(beginning: bytes) -> str | None:
    """`gzip`, `zstd`, or None for a file that is neither. beginning: its first `MAGIC_BYTES`, or fewer."""
    return next((name for name, (magic, _) in _KINDS.items() if beginning.startswith(magic)), None)


class FileStream:
    """The decompressed content of one file, from its first byte to its last, verified.

    expected: from its manifest, if there is one. skip: bytes of output to skip.
    """

    def __init__(self, uri: str, expected: Expected | None = None, skip: int = 0) -> None:
        self._uri = uri
        self._expected = expected
        self._skip = skip
        self._unpacker: Unpacker | None = None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._lines = 0
        self._last = b"\n"

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The output for `data`. The first `data` must have `MAGIC_BYTES`, if the file has them. Take all output
        before the next call. Raises TransferError if the data is damaged."""
        if self._unpacker is None:
            kind = packed_as(data)
            self._unpacker = _Plain() if kind is None else _KINDS[kind][1](self._uri)
        if self._expected is not None:
            self._md5.update(data)
        for piece in self._unpacker.feed(data):
            if self._expected is not None:
                self._lines += piece.count(b"\n")
                self._last = piece[-1:]
            if len(piece) > self._skip:
                yield piece[self._skip :]
            self._skip = max(0, self._skip - len(piece))

    def finish(self) -> None:
        """Called at the end of the file. Raises TransferError if it is truncated or not as expected."""
        if self._unpacker is not None:
            self._unpacker.finish()
        if self._expected is None:
            return
        md5, lines = base64.b64encode(self._md5.digest()).decode(), self._lines + (self._last != b"\n")
        if self._expected.md5 not in (None, md5):
            raise self._unexpected(f"has the MD5 {md5}, but the manifest says {self._expected.md5}")
        if lines != self._expected.items:
            raise self._unexpected(f"has {lines:,} items, but the manifest says {self._expected.items:,}")

    def _unexpected(self, difference: str) -> TransferError:
        return PermanentError(
            f'"{self._uri}" differs from the export: it {difference}; its records were imported nevertheless',
            "copy the export again and start over with --fresh",
        )


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> None:
        pass


class _Members:
    """Common part of gzip and zstd: a file is one or more members, each with its own end."""

    magic: bytes
    kind: str

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._stream: Any = None  # None between two members
        self._rest = b""  # after a member: a beginning too short to identify

    def feed(self, data: bytes) -> Iterator[bytes]:
        data, self._rest = self._rest + data, b""
        while data and (self._stream is not None or self._begin(data)):
            try:
                data = yield from self._unpack(self._stream, data)
            except self._damage() as error:
                raise self._failed(f"is damaged ({error})") from None
            if self._stream.eof:
                self._stream = None

    def finish(self) -> None:
        if self._stream is not None or self._rest:
            raise self._failed("is truncated")

    def _begin(self, data: bytes) -> bool:
        """Begin a member, if there are enough bytes to recognise it."""
        if len(data) < len(self.magic) and self.magic.startswith(data):
            self._rest = data
            return False
        if not data.startswith(self.magic):
            if self._is_padding(data):
                return False
            raise self._failed(f"has other data after its {self.kind} data")
        self._stream = self._new_stream()
        return True

    def _failed(self, fault: str) -> TransferError:
        return PermanentError(
            f'"{self._uri}" {fault}; the records before that were imported',
            "replace it with an intact copy and start over with --fresh",
        )

    def _is_padding(self, data: bytes) -> bool:
        return False

    def _new_stream(self) -> Any:
        raise NotImplementedError

    def _unpack(self, stream: Any, data: bytes) -> Generator[bytes, None, bytes]:
        """Returns the data after the member's end."""
        raise NotImplementedError

    def _damage(self) -> type[Exception]:
        """The error that the library raises for damaged data."""
        raise NotImplementedError


class _Gzip(_Members):
    magic, kind = b"\x1f\x8b\x08", "gzip"

    def _new_stream(self) -> Any:
        return fast_zlib().decompressobj(_GZIP_OR_ZLIB)

    def _unpack(self, stream: Any, data: bytes) -> Generator[bytes, None, bytes]:
        piece = stream.decompress(data, PIECE_BYTES)
        while piece:
            yield piece
            # All input may be consumed while output is still pending.
            piece = b"" if stream.eof else stream.decompress(stream.unconsumed_tail, PIECE_BYTES)
        rest: bytes = stream.unused_data
        return rest

    def _damage(self) -> type[Exception]:
        damage: type[Exception] = fast_zlib().error
        return damage

    def _is_padding(self, data: bytes) -> bool:
        return not data.strip(b"\0")  # gzip itself accepts it; tapes and some tools pad their blocks


class _Zstd(_Members):
    magic, kind = b"\x28\xb5\x2f\xfd", "zstd"

    def _new_stream(self) -> Any:
        return zstandard_module().ZstdDecompressor().decompressobj()

    def _unpack(self, stream: Any, data: bytes) -> Generator[bytes, None, bytes]:
        at = 0
        while at < len(data) and not stream.eof:
            out = stream.decompress(data[at : at + _ZSTD_STEP_BYTES])
            at += _ZSTD_STEP_BYTES
            for start in range(0, len(out), PIECE_BYTES):
                yield out[start : start + PIECE_BYTES]
        rest: bytes = stream.unused_data + data[at:]
        return rest

    def _damage(self) -> type[Exception]:
        damage: type[Exception] = zstandard_module().ZstdError
        return damage


_KINDS: dict[str, tuple[bytes, Callable[[str], Unpacker]]] = {
    "gzip": (_Gzip.magic, _Gzip),
    "zstd": (_Zstd.magic, _Zstd),
}
