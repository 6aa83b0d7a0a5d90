"""One multipart upload, from CreateMultipartUpload to CompleteMultipartUpload.

- A part that S3 acknowledged is durable, and the upload id with the list of parts is the whole state. Parts that
  were sent but never reported are omitted from the completion, and S3 drops them.
- Every part is sent with its SHA-256, which S3 verifies, and completion lists them all: S3's composite checksum and
  the one computed here must agree. https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
- An answer with status 200 counts only with an ETag (`ddbio.storage.s3_client`), and the answer to the completion
  only if it is about these parts.
- Limits: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html (10,000 parts, 5 MiB to 5 GiB each).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from ddbio.errors import DdbioError, TransferError
from ddbio.storage.s3_client import S3Client, base64_of
from ddbio.storage.s3_errors import fault_code, garbage
from ddbio.storage.s3_uris import uri_of

_ABORT_TRIES = 3


class Part(NamedTuple):
    """An uploaded part. sha256: base64. confirmed: whether the store answered with that checksum."""

    number: int
    etag: str
    sha256: str
    size_bytes: int
    confirmed: bool

    def listed(self) -> dict[str, Any]:
        """The part's entry in the completion; a store that does not know checksums must not be sent any."""
        entry: dict[str, Any] = {"PartNumber": self.number, "ETag": self.etag}
        return {**entry, "ChecksumSHA256": self.sha256} if self.confirmed else entry


class MultipartUpload:
    """An upload that exists in S3, and the parts it has so far."""

    def __init__(self, client: S3Client, bucket: str, key: str, upload_id: str, parts: Iterable[Part] = ()) -> None:
        self._client = client
        self._target: dict[str, Any] = {"Bucket": bucket, "Key": key}
        self.uri = uri_of(bucket, key)
        self.upload_id = upload_id
        self.parts = list(parts)
        self._etags_are_md5: bool | None = None  # of parts; known after the first one is sent

    @classmethod
    def begin(cls, client: S3Client, bucket: str, key: str) -> MultipartUpload:
        answer = client.call_checked(
            "create_multipart_upload",
            uri_of(bucket, key),
            {"ChecksumAlgorithm": "SHA256"},
            dict,
            Bucket=bucket,
            Key=key,
            **client.put_args,
        )
        return cls(client, bucket, key, answer["UploadId"])

    def send_part(self, body: bytes | bytearray) -> None:
        digest = hashlib.sha256(body).digest()
        number = len(self.parts) + 1
        answer = self._client.send(
            "upload_part", self.uri, body, digest, PartNumber=number, UploadId=self.upload_id, **self._target
        )
        confirmed = "ChecksumSHA256" in answer
        if confirmed and answer["ChecksumSHA256"] != base64_of(digest):
            raise damaged(self.uri, answer["ChecksumSHA256"], base64_of(digest))
        if self._etags_are_md5 is None:
            self._etags_are_md5 = hex_of(answer["ETag"]) == hashlib.md5(body, usedforsecurity=False).hexdigest()
        self.parts.append(Part(number, answer["ETag"], base64_of(digest), len(body), confirmed))

    def complete(self) -> str:
        """Make the object visible. Returns S3's composite checksum of it, `<base64>-<parts>`."""
        composite = self.composite_checksum()
        try:
            answer = self._call(
                "complete_multipart_upload", MultipartUpload={"Parts": [part.listed() for part in self.parts]}
            )
        except TransferError as error:
            # The upload may be gone because an earlier attempt succeeded and its answer was lost.
            if fault_code(error) == "NoSuchUpload" and self._is_visible(composite):
                return composite
            raise
        self._check(answer, composite)
        return composite

    def _check(self, answer: dict[str, Any], composite: str) -> None:
        """Raise TransferError unless the answer to the completion is about an object of exactly these parts.

        The ETag ends in `-<parts>`, and, if the ETags of parts are MD5s (not with KMS or other keys, nor in every
        store), it is the MD5 of those. An ETag of another form proves nothing: then the checksum must match.
        """
        theirs = answer.get("ChecksumSHA256", "")
        if theirs and not _agree(theirs, composite):
            raise damaged(self.uri, theirs, composite)
        digest, dash, count = hex_of(answer["ETag"]).partition("-")
        if dash and count.isdigit() and int(count) != len(self.parts):
            raise damaged(self.uri, f"that of {count} parts", f"that of {len(self.parts)} parts")
        if theirs:
            return
        if not dash or not count.isdigit():
            raise garbage(
                "complete_multipart_upload", self.uri, f"the ETag {answer['ETag']} is of no upload in parts"
            )
        expected = self._md5_of_parts() if self._etags_are_md5 else ""
        if expected and digest != expected:
            raise damaged(self.uri, digest, expected)

    def _md5_of_parts(self) -> str:
        try:
            digests = b"".join(bytes.fromhex(hex_of(part.etag)) for part in self.parts)
        except ValueError:  # not all of them are MD5s
            return ""
        return hashlib.md5(digests, usedforsecurity=False).hexdigest()

    def composite_checksum(self) -> str:
        """The checksum that S3 computes for an object of these parts."""
        digests = b"".join(base64.b64decode(part.sha256) for part in self.parts)
        return f"{base64_of(hashlib.sha256(digests).digest())}-{len(self.parts)}"

    def exists(self) -> bool:
        """Whether the upload can be resumed. Raises TransferError if S3 does not answer that, e.g. for lack of
        permission."""
        try:
            self._call("list_parts", MaxParts=1)
        except TransferError as error:
            if fault_code(error) != "NoSuchUpload":
                raise
            return False
        return True

    def abort(self) -> None:
        """Delete the uploaded parts. Repeated until S3 no longer knows the upload: a part in flight when a connection
        broke can arrive after the first abort, and would be billed for ever."""
        for _ in range(_ABORT_TRIES):
            with suppress(DdbioError):
                self._call("abort_multipart_upload")
                if not self.exists():
                    return

    def _call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._client.call(operation, self.uri, UploadId=self.upload_id, **params, **self._target)

    def _is_visible(self, composite: str) -> bool:
        try:
            head = self._client.call("head_object", self.uri, ChecksumMode="ENABLED", **self._target)
        except TransferError as error:
            if fault_code(error) == "AccessDenied":  # proves neither
                raise
            return False
        return _agree(head.get("ChecksumSHA256", ""), composite)


def list_uploads(
    client: S3Client, bucket: str, prefix: str, kind: type[DdbioError] = TransferError
) -> Iterator[tuple[str, str]]:
    """(key, upload id) of each upload below `prefix` that is neither complete nor aborted. Raises a `kind`."""
    marker: dict[str, Any] = {}
    while True:
        uri = uri_of(bucket, prefix)
        page = client.call("list_multipart_uploads", uri, kind, Bucket=bucket, Prefix=prefix, **marker)
        yield from [(each["Key"], each["UploadId"]) for each in page.get("Uploads", ())]
        # Some stores return only a key marker: the next page then begins with the next key.
        next_of = {"KeyMarker": page.get("NextKeyMarker"), "UploadIdMarker": page.get("NextUploadIdMarker")}
        previous, marker = marker, {name: value for name, value in next_of.items() if value}
        if not page.get("IsTruncated") or marker in ({}, previous):
            return


def hex_of(etag: str) -> str:
    """An ETag without its quotes."""
    return etag.strip('"').lower()


def damaged(uri: str, theirs: str, ours: str) -> TransferError:
    """The error for an object in S3 that differs from the bytes that were sent."""
    return TransferError(
        f'the checksum of "{uri}" is {theirs} in S3 but {ours} here',
        "the object is damaged: delete it and run the same command again",
    )


def _agree(theirs: str, ours: str) -> bool:
    # Some stores omit the number of parts.
    return theirs.partition("-")[0] == ours.partition("-")[0]
