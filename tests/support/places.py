"""Places to run the storage contract against, each with a way to look at it from outside.

A further S3 server is one more launch in `tests.endpoints`.
"""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any, Protocol

from botocore.handlers import add_expect_header

from ddbio.aws.settings import AwsSettings
from ddbio.storage import Storage, open_storage


class Place(Protocol):
    """uri: an empty folder or prefix. many_parts_bytes: content of this size takes several durable steps."""

    uri: str
    many_parts_bytes: int

    def storage(self) -> Storage:
        """A new storage, as another process would have."""

    def put(self, name: str, data: bytes) -> str:
        """Make a file behind the storage's back. Returns its uri."""

    def get(self, name: str) -> bytes | None:
        """The content a reader sees, None if there is no such file."""

    def remove(self, name: str) -> None: ...

    def everything(self) -> set[str]:
        """All that takes space: finished files, and whatever there is of unfinished ones."""

    def close(self) -> None: ...


class LocalPlace:
    many_parts_bytes = 2_000_000

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._storages: list[Storage] = []
        self.uri = str(folder)

    def storage(self) -> Storage:
        self._storages.append(open_storage(self.uri, AwsSettings()))
        return self._storages[-1]

    def put(self, name: str, data: bytes) -> str:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return str(path)

    def get(self, name: str) -> bytes | None:
        path = self._folder / name
        return path.read_bytes() if path.exists() else None

    def remove(self, name: str) -> None:
        (self._folder / name).unlink()

    def everything(self) -> set[str]:
        return {str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if path.is_file()}

    def close(self) -> None:
        for storage in self._storages:
            storage.close()


class S3Place:
    """A prefix of its own in a bucket that the tests share: a new bucket for each is too much for some stores."""

    many_parts_bytes = 20_000_000
    bucket = "ddbio-contract"

    def __init__(self, client: Any) -> None:
        self.settings = AwsSettings(region="us-east-1", s3_endpoint_url=client.meta.endpoint_url)
        self._storages: list[Storage] = []
        self.client = client
        # botocore 1.37 takes SeaweedFS's answer to an empty object for a part of the "100 Continue" before it.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            self.client.create_bucket(Bucket=self.bucket)
        self._prefix = f"{uuid.uuid4().hex}/some prefix"
        self.uri = f"s3://{self.bucket}/{self._prefix}"

    def storage(self) -> Storage:
        self._storages.append(open_storage(self.uri, self.settings))
        return self._storages[-1]

    def put(self, name: str, data: bytes) -> str:
        self.client.put_object(Bucket=self.bucket, Key=self.key(name), Body=data)
        return f"{self.uri}/{name}"

    def get(self, name: str) -> bytes | None:
        try:
            body: bytes = self.client.get_object(Bucket=self.bucket, Key=self.key(name))["Body"].read()
        except self.client.exceptions.NoSuchKey:
            return None
        return body

    def remove(self, name: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=self.key(name))

    def everything(self) -> set[str]:
        here = {"Bucket": self.bucket, "Prefix": self.key("")}
        objects = self.client.list_objects_v2(**here).get("Contents", [])
        uploads = self.client.list_multipart_uploads(**here).get("Uploads", [])
        return {self._name(entry) for entry in objects} | {f"upload of {self._name(entry)}" for entry in uploads}

    def key(self, name: str) -> str:
        return f"{self._prefix}/{name}"

    def close(self) -> None:
        for storage in self._storages:
            storage.close()

    def _name(self, entry: dict[str, str]) -> str:
        return entry["Key"].removeprefix(self.key(""))
