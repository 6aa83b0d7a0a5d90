"""Own exports as sources: what their manifests say of the files is verified."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ddbio.aws.settings import AwsSettings
from ddbio.errors import UsageError
from ddbio.layouts.own import ListedFile
from ddbio.messages.files import SourceFile
from ddbio.sources.manifest_check import OwnExport, verify_checksums
from ddbio.storage import Storages


def composite(parts: list[bytes]) -> str:
    """S3's checksum of an object that was uploaded in these parts.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return f"sha256-composite:{base64.b64encode(hashlib.sha256(digests).digest()).decode()}-{len(parts)}"


class Memory(Storages):
    """One file."""

    def __init__(self, content: bytes) -> None:
        super().__init__(AwsSettings())
        self._content = content

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        assert 0 <= start < stop <= file.size_bytes
        assert stop - start <= 1 << 20
        return self._content[start:stop]


def verify(content: bytes, **listed: Any) -> int:
    file = SourceFile("/x/Orders-0000-00000.json", len(content), "1")
    export = OwnExport("/x/_manifest.json", ((file, ListedFile(file.uri, 1, len(content), **listed)),))
    return verify_checksums([export], Memory(content))


@given(st.lists(st.integers(1, 3_000_000), min_size=1, max_size=4), st.data())
def test_the_checksum_of_an_upload_in_parts(sizes: list[int], data: Any) -> None:
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]
    said: dict[str, Any] = {"checksum": composite(parts), "part_bytes": tuple(sizes)}
    content = b"".join(parts)
    assert verify(content, **said) == 1
    at = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(UsageError, match="but its manifest says sha256-composite"):
        verify(content[:at] + b"\xff" + content[at + 1 :], **said)


@pytest.mark.parametrize("sizes", [(3,), (3, 4), (3, 0, 2), (6, -1), (3, 1)])
def test_sizes_of_parts_that_are_not_those_of_the_file(sizes: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="its manifest says"):
        verify(b"abcde", checksum=composite([b"abc", b"de"]), part_bytes=sizes)


def test_a_manifest_without_the_sizes_of_parts() -> None:
    with pytest.raises(UsageError, match="does not have the sizes of its parts"):
        verify(b"abcde", checksum=composite([b"abc", b"de"]))


@pytest.mark.parametrize("checksum", ["", "crc32:1234"])
def test_a_checksum_of_another_kind(checksum: str) -> None:
    with pytest.raises(UsageError, match="which cannot be verified"):
        verify(b"abcde", checksum=checksum)


@pytest.mark.parametrize("content", [b"", b"abcde", b"x" * 2_500_000])
def test_the_checksum_of_a_file_in_one_piece(content: bytes) -> None:
    sha256 = f"sha256:{hashlib.sha256(content).hexdigest()}"
    md5 = f"md5:{base64.b64encode(hashlib.md5(content).digest()).decode()}"
    assert (verify(content, checksum=sha256), verify(content, checksum=md5)) == (1, 1)
    with pytest.raises(UsageError):
        verify(content + b"!", checksum=sha256)
