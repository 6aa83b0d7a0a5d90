"""Where bytes come from and go to: one small protocol, one module a kind (local disk, S3).

Rules of the seam:

- Everything here blocks. `Storage.remote` says whether a call can take long enough to be worth a thread; the
  event loops of the workers decide by it and nothing else.
- Nothing is ever read or buffered whole: reads are byte ranges, an `Output` holds at most one part.
- An `Output` appears under its name only when `finish` returns; until then a reader sees nothing, or the
  previous file.
- Errors of the operating system and of botocore are translated here: a `DdbioError` leaves, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file or object to read, as it was when it was listed.

    uri: absolute path, or `s3://bucket/key`.
    size_bytes: its size at that moment.
    version: changes when the content does (an ETag; for local files inode, size and modification time).
    """

    uri: str
    size_bytes: int
    version: str


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A finished output file.

    name: its path relative to the destination (`Orders-0000-00000.json`).
    checksum: `sha256:<hex>` of the whole content on disk; on S3 the composite form S3 itself reports,
        `sha256-composite:<base64>-<parts>`: the SHA-256 of the concatenated SHA-256 digests of the parts.
    """

    name: str
    size_bytes: int
    checksum: str


class Output(Protocol):
    """A file being written by one lane, from its first byte to its last."""

    @property
    def written_bytes(self) -> int:
        """Bytes accepted by `write` so far."""

    @property
    def durable_bytes(self) -> int:
        """Bytes that a crash of this process cannot take back any more; at most `written_bytes`."""

    def write(self, data: bytes) -> None:
        """Append. May upload a part; raises TransferError where the bytes cannot be kept (disk full, S3 fault)."""

    def state(self) -> dict[str, Any]:
        """What `Storage.reopen` needs to go on from `durable_bytes` in another process: plain JSON types."""

    def finish(self) -> WrittenFile:
        """Make the file complete and visible under its name, in one step."""

    def abort(self) -> None:
        """Drop what was written; nothing stays behind. Never raises."""


class Storage(Protocol):
    """One kind of place. Built where it is used: never crosses a process boundary."""

    remote: bool

    def list_files(self, uri: str, suffixes: tuple[str, ...]) -> list[SourceFile]:
        """What `uri` names, sorted by uri: a file; a folder or prefix (recursive, names ending in one of
        `suffixes`); a glob. A file named outright is taken whatever its suffix.

        Raises UsageError when it does not exist, cannot be read, or nothing matches.
        """

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of `file`, fewer only at its end.

        Raises TransferError when the file cannot be read any more or is not the one that was listed.
        """

    def prepare_destination(self, uri: str) -> None:
        """Make sure that files can be written below `uri` (a folder is made, a bucket must exist).

        Raises UsageError when not.
        """

    def create(self, uri: str, name: str, max_bytes: int) -> Output:
        """Start the file `name` below `uri`, overwriting one of that name when it is finished.

        max_bytes: an upper bound of its size, from which an S3 output chooses its part size.
        """

    def reopen(self, state: dict[str, Any]) -> Output:
        """Go on with an unfinished output of another process from its durable bytes; what was written past
        them is cut off. Raises TransferError when it is gone."""

    def write_small(self, uri: str, name: str, data: bytes) -> None:
        """Write a whole small file (the manifest, rejects) in one step."""
