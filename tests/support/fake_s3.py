"""The few calls of a botocore S3 client that ddbio makes, in memory, failing on demand."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from botocore.response import StreamingBody

ETAG = '"etag"'

OPERATIONS = {
    "head_object": "HeadObject",
    "get_object": "GetObject",
    "put_object": "PutObject",
    "list_objects_v2": "ListObjectsV2",
    "list_multipart_uploads": "ListMultipartUploads",
    "list_parts": "ListParts",
    "create_multipart_upload": "CreateMultipartUpload",
    "upload_part": "UploadPart",
    "complete_multipart_upload": "CompleteMultipartUpload",
    "abort_multipart_upload": "AbortMultipartUpload",
}


def client_error(code: str, operation: str = "GetObject", message: str = "said S3") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class FakeS3:
    """calls: (operation, params) in order. faults: by operation, exceptions to raise, one a call, None for none."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.faults: dict[str, list[Exception | None]] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.knows_checksums = True
        self.closed = 0

    def __getattr__(self, operation: str) -> Callable[..., dict[str, Any]]:
        if operation not in OPERATIONS:
            raise AttributeError(operation)

        def called(**params: Any) -> dict[str, Any]:
            self.calls.append((operation, {**params, "Body": bytes(params.get("Body", b""))}))
            queued = self.faults.get(operation, [])
            if queued and (fault := queued.pop(0)) is not None:
                raise fault
            if not self.knows_checksums and any(name.startswith("Checksum") for name in params):
                raise client_error("NotImplemented", OPERATIONS[operation])
            answer: dict[str, Any] = getattr(self, f"_{operation}", self._nothing)(**params)
            return answer

        return called

    @property
    def made(self) -> list[str]:
        return [operation for operation, _ in self.calls]

    def params_of(self, operation: str) -> list[dict[str, Any]]:
        return [params for made, params in self.calls if made == operation]

    def close(self) -> None:
        self.closed += 1

    def _nothing(self, **_: Any) -> dict[str, Any]:
        return {}

    def _create_multipart_upload(self, **_: Any) -> dict[str, Any]:
        upload_id = f"upload-{self.made.count('create_multipart_upload') - 1}"  # never that of another one
        self.uploads[upload_id] = {}
        return {"UploadId": upload_id}

    def _upload_part(self, **params: Any) -> dict[str, Any]:
        self._upload(params)[params["PartNumber"]] = bytes(params["Body"])
        echo = {"ChecksumSHA256": params["ChecksumSHA256"]} if "ChecksumSHA256" in params else {}
        return {"ETag": f'"{md5(bytes(params["Body"]))}"', **echo}

    def _list_objects_v2(self, **_: Any) -> dict[str, Any]:
        return {"IsTruncated": False}

    _list_multipart_uploads = _list_objects_v2

    def _list_parts(self, **params: Any) -> dict[str, Any]:
        self._upload(params)
        return {}

    def _complete_multipart_upload(self, **params: Any) -> dict[str, Any]:
        parts = self._upload(params)
        numbers = [part["PartNumber"] for part in params["MultipartUpload"]["Parts"]]
        self.objects[params["Key"]] = b"".join(parts[number] for number in numbers)
        del self.uploads[params["UploadId"]]
        return {"ETag": multipart_etag(*(parts[number] for number in numbers))}

    def _abort_multipart_upload(self, **params: Any) -> dict[str, Any]:
        self._upload(params)
        del self.uploads[params["UploadId"]]
        return {}

    def _put_object(self, **params: Any) -> dict[str, Any]:
        self.objects[params["Key"]] = bytes(params["Body"])
        return {"ETag": ETAG}

    def _head_object(self, **params: Any) -> dict[str, Any]:
        content = self._content(params, "404")
        return {"ContentLength": len(content), "ETag": ETAG}

    def _get_object(self, **params: Any) -> dict[str, Any]:
        first, last = (int(edge) for edge in params["Range"].removeprefix("bytes=").split("-"))
        body = self._content(params, "NoSuchKey")[first : last + 1]
        return {"ETag": ETAG, "ContentLength": len(body), "Body": StreamingBody(io.BytesIO(body), len(body))}

    def _upload(self, params: dict[str, Any]) -> dict[int, bytes]:
        if params["UploadId"] not in self.uploads:
            raise client_error("NoSuchUpload", "ListParts")
        return self.uploads[params["UploadId"]]

    def _content(self, params: dict[str, Any], missing: str) -> bytes:
        if params["Key"] not in self.objects:
            raise client_error(missing, "GetObject")
        return self.objects[params["Key"]]


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def multipart_etag(*parts: bytes) -> str:
    """S3's ETag of an object of these parts, without encryption or with S3's own."""
    return f'"{md5(b"".join(bytes.fromhex(md5(part)) for part in parts))}-{len(parts)}"'


def composite_of(*parts: bytes) -> str:
    """S3's composite SHA-256 of an object of these parts."""
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    return f"{base64.b64encode(digest).decode()}-{len(parts)}"
