"""Files in memory, and their contents unpacked by other code than ddbio's."""

from __future__ import annotations

import gzip
import io
from typing import Any

import zstandard

from ddbio.messages.files import SourceFile


class MemoryStorage:
    """One file in memory. reads: the ranges that were asked for."""

    def __init__(self, content: bytes, *, remote: bool = False) -> None:
        self.content = content
        self.remote = remote
        self.reads: list[tuple[int, int]] = []

    def of(self, _uri: str) -> Any:
        return self

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        assert 0 <= start < stop <= len(self.content)
        self.reads.append((start, stop))
        return self.content[start:stop]


def unpacked(name: str, data: bytes) -> bytes:
    """By another's code."""
    if name == "gzip":
        return gzip.decompress(data)
    if name == "zstd":
        return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    return data
