"""Files to read and files that were written, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

STDIN = "-"  # as a uri


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

    @property
    def is_stream(self) -> bool:
        """Whether it can only be read once, from beginning to end, and its size is unknown."""
        return self.uri == STDIN


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A finished output file.

    name: its path relative to the destination (`Orders-0000-00000.json`).
    checksum: `sha256:<hex>` of the whole content, on disk and for an object put in one request; for an object
        uploaded in parts the composite form S3 itself reports, `sha256-composite:<base64>-<parts>`: the SHA-256 of
        the concatenated SHA-256 digests of the parts.
    part_bytes: the sizes of those parts, which the checksum depends on.
    """

    name: str
    size_bytes: int
    checksum: str
    part_bytes: tuple[int, ...] = ()
