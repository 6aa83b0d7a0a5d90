"""The spill of a comparison: the digests of a table's items on disk, partitioned by key, to be compared a partition
at a time in little memory.

    <folder>/0017/4f1c9a02     partition 17, as one writer appended it
        16 bytes of the key's digest, 16 of the item's, length of the key and of the item, the key, the item

- A record is appended at least once. So a key may come twice, and with different digests if its item changed.
- Every writer has files of its own. A writer that was killed, or met a full disk, may leave the beginning of a record
  at the end of a file, which readers ignore; it never appends to that file again.
- A key is the JSON text of `ddbio.values.digest.key_text`. The item is there only if it cannot be read again later:
  that of an export; as a JSON object of typed values.
"""

from __future__ import annotations

import os
import secrets
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ddbio.errors import AbortError
from ddbio.values.digest import DIGEST_BYTES

LEAST_PARTITIONS, MOST_PARTITIONS = 64, 4096
ITEMS_A_PARTITION = 16_384  # that are compared at once: 2 MB
RECORD_BYTES = 74  # on average, for keys of 36 bytes: the size of a spill is foretold with it
BUFFER_BYTES = 4 * 1024 * 1024  # of a writer, at most
_APPENDED_BYTES = 16 * 1024  # to the file of a partition at once, on average, until the buffer has that size
_READ_BYTES = 256 * 1024
_HEAD = struct.Struct(f"={DIGEST_BYTES}s{DIGEST_BYTES}sHI")
_DIGESTS = 2 * DIGEST_BYTES


def partitions_for(items: float) -> int:
    """items: expected in the larger of the two spills."""
    return min(max(LEAST_PARTITIONS, -(-int(items) // ITEMS_A_PARTITION)), MOST_PARTITIONS)


class SpillWriter:
    """Appends records, a buffer at a time. One a worker; used by one thread.

    added, flushed: numbers of records.
    """

    def __init__(self, folder: Path, partitions: int) -> None:
        self._folder = folder
        self._partitions = partitions
        self._buffers: dict[int, bytearray] = {}
        self._bytes = 0
        self._most_bytes = min(BUFFER_BYTES, partitions * _APPENDED_BYTES)
        self._name = secrets.token_hex(4)
        self.added = self.flushed = 0

    def add(self, key_digest: bytes, item_digest: bytes, key: bytes, item: bytes = b"") -> None:
        """Raises AbortError if the disk is full."""
        partition = int.from_bytes(key_digest[:4], "big") % self._partitions
        buffer = self._buffers.get(partition)
        if buffer is None:
            buffer = self._buffers[partition] = bytearray()
        buffer += _HEAD.pack(key_digest, item_digest, len(key), len(item))
        buffer += key
        buffer += item
        self.added += 1
        self._bytes += _HEAD.size + len(key) + len(item)
        if self._bytes >= self._most_bytes:
            self.flush()

    def flush(self) -> None:
        """All records have reached the kernel when this returns. Raises AbortError; the records stay buffered."""
        try:
            for partition, buffer in self._buffers.items():
                if buffer:
                    self._append(partition, buffer)
                    buffer.clear()
        except OSError as error:
            self._name = secrets.token_hex(4)  # the end of a file may be torn
            raise AbortError(
                f'cannot write to the spill of this comparison in "{self._folder}": {error.strerror}',
                "make room there and run the same command again, or start over in another place with --fresh and "
                "--spill-dir",
            ) from None
        self._bytes = 0
        self.flushed = self.added

    def _append(self, partition: int, data: bytearray) -> None:
        path = self._folder / f"{partition:04}" / self._name
        try:
            file = _opened(path)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = _opened(path)
        try:
            done = 0
            with memoryview(data) as view:
                while done < len(view):
                    done += os.write(file, view[done:])
        finally:
            os.close(file)


def _opened(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def sync(folder: Path) -> None:
    """Make all files durable. Raises OSError."""
    for path in [*folder.rglob("*"), folder]:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# --------------------------------------------------------------------------- reading


class Spilled(NamedTuple):
    """A record, to be read with `read`. path: of its file. offset: in it."""

    path: Path
    offset: int


class Suspect(NamedTuple):
    """A key whose items differ, or that only one of two spills has. first, second: its record in each."""

    key_digest: bytes
    first: Spilled | None
    second: Spilled | None


@dataclass(frozen=True, slots=True)
class Record:
    """item: empty if it was not spilled."""

    key: bytes
    item: bytes


def read(spilled: Spilled) -> Record:
    with spilled.path.open("rb") as file:
        file.seek(spilled.offset)
        _, _, key_bytes, item_bytes = _HEAD.unpack(file.read(_HEAD.size))
        return Record(file.read(key_bytes), file.read(item_bytes))


def suspects(first: Path, second: Path, partition: int, most: int = 4 * ITEMS_A_PARTITION) -> list[Suspect]:
    """The keys of a partition whose digests are not the same in both spills, in the order of the keys' digests.

    most: keys in memory. A larger partition is read several times.
    """
    passes = -(-_about_records(first, partition) // most)
    found: list[Suspect] = []
    for number in range(max(1, passes)):
        found += _suspects(first, second, partition, number, max(1, passes))
    return sorted(found)


def _suspects(first: Path, second: Path, partition: int, number: int, passes: int) -> Iterator[Suspect]:
    seen = set(_digests(first, partition, number, passes))
    keys = set()
    for digests in _digests(second, partition, number, passes):
        if digests in seen:
            seen.discard(digests)
        else:
            keys.add(digests[:DIGEST_BYTES])
    keys.update([digests[:DIGEST_BYTES] for digests in seen])
    seen.clear()
    if keys:
        in_first, in_second = _places(first, partition, keys), _places(second, partition, keys)
        for key in keys:
            yield Suspect(key, in_first.get(key), in_second.get(key))


def _places(folder: Path, partition: int, keys: set[bytes]) -> dict[bytes, Spilled]:
    """The last record of each of these keys."""
    return {
        digests[:DIGEST_BYTES]: Spilled(path, offset)
        for path in _files(folder, partition)
        for digests, offset in _digests_of(path)
        if digests[:DIGEST_BYTES] in keys
    }


def _digests(folder: Path, partition: int, number: int, passes: int) -> Iterator[bytes]:
    """The two digests of each record of a partition, as one."""
    for path in _files(folder, partition):
        for digests, _ in _digests_of(path):
            if passes == 1 or digests[4] % passes == number:
                yield digests


def _files(folder: Path, partition: int) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted((folder / f"{partition:04}").iterdir())
    return []


def _digests_of(path: Path) -> Iterator[tuple[bytes, int]]:
    """The digests and the offset of each whole record of a file."""
    unpack, head_bytes = _HEAD.unpack_from, _HEAD.size
    with path.open("rb", buffering=0) as file:
        data, base = b"", 0
        while more := file.read(_READ_BYTES):
            data, at = data + more, 0
            last = len(data) - head_bytes
            while at <= last:
                _, _, key_bytes, item_bytes = unpack(data, at)
                end = at + head_bytes + key_bytes + item_bytes
                if end > len(data):
                    break
                yield data[at : at + _DIGESTS], base + at
                at = end
            data, base = data[at:], base + at


def _about_records(folder: Path, partition: int) -> int:
    """An upper estimate of the records of a partition, by the first ones of its files."""
    total = 0
    for path in _files(folder, partition):
        size = path.stat().st_size
        with path.open("rb") as file:
            data = file.read(_READ_BYTES)
        at = records = 0
        while at + _HEAD.size <= len(data):
            *_, key_bytes, item_bytes = _HEAD.unpack_from(data, at)
            at, records = at + _HEAD.size + key_bytes + item_bytes, records + 1
        total += size * records // at + 1 if at else 0
    return total
