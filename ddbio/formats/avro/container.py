"""Object container files: a header, then blocks of records, each followed by the sync marker that the header has.

Obj 1 | map of metadata: schema, codec | sync marker | number of records | bytes | data | sync marker | ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from ddbio.errors import PermanentError

MAGIC = b"Obj\x01"
SYNC_BYTES = 16
STEP_BYTES = 256 * 1024  # read at once: few round trips to S3, and little memory
LONGEST_HEADER_BYTES = LONGEST_BLOCK_BYTES = 256 * 1024 * 1024  # larger ones are taken for damage
_LONG_BYTES = 10  # of a number, at most


class DamagedError(Exception):
    """The bytes are not valid Avro. Its text names the position and the fault."""


def damaged(uri: str, error: object) -> PermanentError:
    return PermanentError(f'"{uri}" cannot be read as Avro: {error}', "import a whole copy of it")


class Header(NamedTuple):
    """schema: JSON text. size_bytes: of the header, after which the first block begins."""

    schema: str
    codec: str
    sync: bytes
    size_bytes: int


class Block(NamedTuple):
    """offset: of its first byte in the file. records: how many. data: compressed with the header's codec."""

    offset: int
    records: int
    data: bytes


class _ShortError(Exception):
    """The text ends too early."""


class _Window:
    """The part of a file that is being read. A file is read forwards, and no byte of it twice."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._held = b""

    def take(self, at: int, size: int) -> bytes:
        """The bytes [at, at + size); fewer at the end of the file. at: never before an earlier one."""
        end = self._at + len(self._held)
        if at + size > end:
            kept = self._held[at - self._at :] if at < end else b""
            self._file.seek(at + len(kept))
            self._held, self._at = kept + self._file.read(max(size - len(kept), STEP_BYTES)), at
        begin = at - self._at
        return self._held[begin : begin + size]


# --------------------------------------------------------------------------- numbers and texts


def long_at(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at`, and the offset of its end."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise _ShortError
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift >= 7 * _LONG_BYTES:
            raise DamagedError("a number in it does not end")


def long_bytes(value: int) -> bytes:
    rest, out = value << 1 if value >= 0 else ~(value << 1), bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _bytes_at(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = long_at(data, at)
    if not 0 <= size <= LONGEST_HEADER_BYTES:
        raise DamagedError("its header is damaged")
    if at + size > len(data):
        raise _ShortError
    return data[at : at + size], at + size


# --------------------------------------------------------------------------- in


def read_header(file: BinaryIO) -> Header:
    """Raises DamagedError."""
    size = STEP_BYTES
    while True:
        file.seek(0)
        data = file.read(size)
        if not data.startswith(MAGIC):
            raise DamagedError("it does not begin like an Avro file")
        try:
            return _header(data)
        except _ShortError:
            if len(data) < size or size > LONGEST_HEADER_BYTES:
                raise DamagedError("it breaks off in its header") from None
            size *= 8


def _header(data: bytes) -> Header:
    metadata, at = dict[bytes, bytes](), len(MAGIC)
    while True:
        pairs, at = long_at(data, at)
        if pairs == 0:
            break
        if pairs < 0:
            pairs, (_, at) = -pairs, long_at(data, at)
        for _ in range(pairs):
            name, at = _bytes_at(data, at)
            metadata[name], at = _bytes_at(data, at)
    end = at + SYNC_BYTES
    if end > len(data):
        raise _ShortError
    try:
        schema = metadata[b"avro.schema"].decode()
        return Header(schema, metadata.get(b"avro.codec", b"null").decode() or "null", data[at:end], end)
    except (KeyError, UnicodeDecodeError):
        raise DamagedError("its header has no schema") from None


def blocks(file: BinaryIO, sync: bytes, start: int, stop: int) -> Iterator[Block]:
    """The blocks that begin in bytes [start, stop). Raises DamagedError."""
    window = _Window(file)
    at = _first_block(window, sync, start, stop)
    while at < stop and (head := window.take(at, 2 * _LONG_BYTES)):
        try:
            records, begin = long_at(head, 0)
            size, begin = long_at(head, begin)
        except _ShortError:
            raise DamagedError(f"it breaks off in the block at byte {at:,}") from None
        if records < 0 or not 0 <= size <= LONGEST_BLOCK_BYTES:
            raise DamagedError(f"the block at byte {at:,} is damaged")
        end = begin + size + SYNC_BYTES
        text = window.take(at, end)
        if len(text) < end:
            raise DamagedError(f"it breaks off in the block at byte {at:,}")
        if text[-SYNC_BYTES:] != sync:
            raise DamagedError(f"the block at byte {at:,} does not end with the file's sync marker")
        yield Block(at, records, text[begin:-SYNC_BYTES])
        at += end


def _first_block(window: _Window, sync: bytes, start: int, stop: int) -> int:
    """The offset of the first block at or after `start`; `stop` if none begins before that."""
    at = max(0, start - SYNC_BYTES)
    while at + SYNC_BYTES < stop:
        data = window.take(at, min(STEP_BYTES, stop - 1 - at))
        found = data.find(sync)
        if found >= 0:
            return at + found + SYNC_BYTES
        if len(data) < SYNC_BYTES:
            break
        at += len(data) - SYNC_BYTES + 1
    return stop


# --------------------------------------------------------------------------- out


def header_bytes(metadata: Mapping[str, str], sync: bytes) -> bytes:
    pairs = b"".join(
        long_bytes(len(part)) + part for pair in metadata.items() for part in (each.encode() for each in pair)
    )
    return MAGIC + long_bytes(len(metadata)) + pairs + long_bytes(0) + sync


def block_bytes(records: int, data: bytes, sync: bytes) -> bytes:
    return long_bytes(records) + long_bytes(len(data)) + data + sync
