"""One object being written: a stream of unknown length through a buffer of one part.

- An output that never fills a part is one PutObject. A longer one becomes a multipart upload when its first part is
  full; each part is as large as the write that filled it made it.
- Nothing is visible until the upload is completed: S3 itself makes `finish` atomic.
- A crash of the process loses the buffer, but no uploaded part.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ddbio.errors import DdbioError
from ddbio.messages.files import WrittenFile
from ddbio.storage.s3_client import S3Client, base64_of
from ddbio.storage.s3_errors import upload_gone
from ddbio.storage.s3_upload import MultipartUpload, Part, damaged
from ddbio.storage.s3_uris import uri_of

MIN_PART_BYTES = 8 << 20
# Of the 10,000 that S3 allows; the rest is a reserve in case the caller's bound was a little low.
PLANNED_PARTS = 9_000

ReadRange = Callable[[int, int], bytes]


def part_bytes_for(max_bytes: int) -> int:
    """The part size with which an object of `max_bytes` stays within S3's number of parts."""
    return max(MIN_PART_BYTES, -(-max_bytes // PLANNED_PARTS))


class S3Output:
    """See `Output`."""

    def __init__(
        self, client: S3Client, bucket: str, key: str, part_bytes: int, upload: MultipartUpload | None = None
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._key = key
        self._part_bytes = part_bytes
        self._upload = upload
        self._durable_bytes = sum(part.size_bytes for part in upload.parts) if upload else 0
        self._buffer = bytearray()
        self._open = True

    @property
    def written_bytes(self) -> int:
        return self._durable_bytes + len(self._buffer)

    @property
    def durable_bytes(self) -> int:
        return self._durable_bytes

    def write(self, data: bytes) -> None:
        self._check_open()
        self._buffer += data
        if len(self._buffer) >= self._part_bytes:
            self._send_buffer()

    def state(self) -> dict[str, Any]:
        """{"bucket", "key", "part_bytes", "upload_id": empty before the first part, "parts": [[number, etag,
        sha256, size_bytes, confirmed], ...]}."""
        return {
            "bucket": self._bucket,
            "key": self._key,
            "part_bytes": self._part_bytes,
            "upload_id": self._upload.upload_id if self._upload else "",
            "parts": [list(part) for part in self._upload.parts] if self._upload else [],
        }

    def finish(self) -> WrittenFile:
        self._check_open()
        size_bytes = self.written_bytes
        checksum = self._complete() if self._upload else self._put_whole()
        part_bytes = tuple(part.size_bytes for part in self._upload.parts) if self._upload else ()
        self._close()
        return WrittenFile(self._key.rpartition("/")[2], size_bytes, checksum, part_bytes)

    def abort(self) -> None:
        if self._open and self._upload:
            self._upload.abort()
        self._close()

    def _send_buffer(self) -> None:
        if self._upload is None:
            self._upload = MultipartUpload.begin(self._client, self._bucket, self._key)
        self._upload.send_part(self._buffer)
        self._durable_bytes += len(self._buffer)
        self._buffer = bytearray()

    def _complete(self) -> str:
        assert self._upload is not None
        if self._buffer:
            self._send_buffer()
        return f"sha256-composite:{self._upload.complete()}"

    def _put_whole(self) -> str:
        return f"sha256:{put_object(self._client, self._bucket, self._key, self._buffer).hex()}"

    def _check_open(self) -> None:
        if not self._open:
            raise ValueError(f'"{uri_of(self._bucket, self._key)}" is finished or aborted')

    def _close(self) -> None:
        self._open = False
        self._buffer = bytearray()


def put_object(client: S3Client, bucket: str, key: str, body: bytes | bytearray) -> bytes:
    """Write an object in one request. Returns its SHA-256 digest."""
    digest = hashlib.sha256(body).digest()
    uri = uri_of(bucket, key)
    answer = client.send("put_object", uri, body, digest, Bucket=bucket, Key=key, **client.put_args)
    if answer.get("ChecksumSHA256", base64_of(digest)) != base64_of(digest):
        raise damaged(uri, answer["ChecksumSHA256"], base64_of(digest))
    return digest


def reopen_output(client: S3Client, state: dict[str, Any], read_finished: ReadRange) -> S3Output:
    """See `Storage.reopen`.

    read_finished: reads a range of the finished object; used if the upload was completed after `state` was taken.
    """
    bucket, key, upload_id = state["bucket"], state["key"], state["upload_id"]
    if not upload_id:
        return S3Output(client, bucket, key, state["part_bytes"])
    parts = [Part(*part) for part in state["parts"]]
    upload = MultipartUpload(client, bucket, key, upload_id, parts)
    if not upload.exists():
        upload = _copied(MultipartUpload.begin(client, bucket, key), parts, read_finished)
    return S3Output(client, bucket, key, state["part_bytes"], upload)


def _copied(upload: MultipartUpload, parts: list[Part], read_finished: ReadRange) -> MultipartUpload:
    """`upload`, with `parts` sent again from the finished object, which must still contain them."""
    try:
        offset = 0
        for part in parts:
            body = read_finished(offset, offset + part.size_bytes)
            if base64_of(hashlib.sha256(body).digest()) != part.sha256:
                raise upload_gone(upload.uri)
            upload.send_part(body)
            offset += part.size_bytes
    except DdbioError:
        upload.abort()
        raise
    return upload
