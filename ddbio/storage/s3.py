"""Objects in S3, or in a store with the same protocol.

Reads are ranged GETs that S3 answers only while the object is the one that was listed (If-Match on its ETag).
Listing is in `s3_listing`, writing in `s3_output` and `s3_upload`, the interface to botocore in `s3_client` and
`s3_errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError

from ddbio.aws.credentials import KeysProvider
from ddbio.aws.settings import AwsSettings
from ddbio.errors import DdbioError, TransferError, UsageError
from ddbio.messages.files import SourceFile
from ddbio.storage import join
from ddbio.storage.names import PassedOver, check_output_name
from ddbio.storage.s3_client import S3Client
from ddbio.storage.s3_errors import changed, fault_code, translate, upload_gone
from ddbio.storage.s3_listing import find_object, first_below, list_objects, list_unfinished, sizes_below
from ddbio.storage.s3_output import S3Output, part_bytes_for, put_object, reopen_output
from ddbio.storage.s3_upload import MultipartUpload, list_uploads
from ddbio.storage.s3_uris import parse_uri

# botocore retries a failed request, but not a body that is cut short while it is read.
_BODY_TRIES = 5


@contextmanager
def _if_supported() -> Iterator[None]:
    """For listing uploads: raises the error only if the permission is missing, because then nothing could find the
    uploads that an export left, which S3 bills. Ignores any other failure: some S3-compatible stores cannot list
    uploads, and a resumed run lists them again."""
    try:
        yield
    except DdbioError as error:
        if fault_code(error) == "AccessDenied":
            raise


class S3Storage:
    """See `Storage`. Threads may share it. Connects when it is first used.

    keys: called for the newest AWS keys at every request; None leaves them to botocore's own chain.
    """

    remote = True

    def __init__(self, settings: AwsSettings, keys: KeysProvider | None = None) -> None:
        self._client = S3Client(settings, keys)

    def list_files(
        self, uri: str, suffixes: tuple[str, ...], passed_over: PassedOver | None = None
    ) -> list[SourceFile]:
        return list_objects(self._client, uri, suffixes, passed_over)

    def list_unfinished(self, uri: str) -> list[str]:
        with suppress(DdbioError):  # an import often lacks the permission
            return list(list_unfinished(self._client, uri))
        return []

    def read_range(self, file: SourceFile, start: int, stop: int) -> bytes:
        stop = min(stop, file.size_bytes)
        return self._read(file, start, stop, _BODY_TRIES) if start < stop else b""

    def check_destination(self, uri: str) -> None:
        self.prepare_destination(uri)  # makes nothing

    def prepare_destination(self, uri: str) -> None:
        # Not HeadBucket: a policy may permit listing this prefix only.
        self.first_entry(uri)
        bucket, prefix = parse_uri(join(uri, ""))
        with suppress(StopIteration), _if_supported():
            next(list_uploads(self._client, bucket, prefix, UsageError))

    def first_entry(self, uri: str) -> str | None:
        bucket, prefix = parse_uri(join(uri, ""))
        return first_below(self._client, bucket, prefix)

    def contents(self, uri: str) -> dict[str, int]:
        bucket, prefix = parse_uri(join(uri, ""))
        return sizes_below(self._client, bucket, prefix)

    def remove(self, uri: str, name: str) -> None:
        bucket, key = parse_uri(join(uri, check_output_name(name)))
        self._client.call("delete_object", f"s3://{bucket}/{key}", Bucket=bucket, Key=key)

    def remove_folders(self, uri: str, levels: int) -> None:
        pass  # there are none

    def holds(self, state: dict[str, Any]) -> bool:
        return True  # checking would cost a request each, and `reopen` finds out anyway

    def discard(self, state: dict[str, Any]) -> None:
        if state["upload_id"]:
            MultipartUpload(self._client, state["bucket"], state["key"], state["upload_id"]).abort()

    def discard_unfinished(self, uri: str, ours: Callable[[str], object], keep: Sequence[dict[str, Any]]) -> None:
        bucket, prefix = parse_uri(join(uri, ""))
        kept = {state["upload_id"] for state in keep}
        with _if_supported():
            for key, upload_id in list_uploads(self._client, bucket, prefix):
                if upload_id not in kept and ours(key[len(prefix) :]):
                    MultipartUpload(self._client, bucket, key, upload_id).abort()

    def create(self, uri: str, name: str, max_bytes: int) -> S3Output:
        bucket, key = parse_uri(join(uri, check_output_name(name)))
        return S3Output(self._client, bucket, key, part_bytes_for(max_bytes))

    def reopen(self, state: dict[str, Any]) -> S3Output:
        def read_finished(start: int, stop: int) -> bytes:
            file = find_object(self._client, state["bucket"], state["key"], TransferError)
            if file is None:
                raise upload_gone(f"s3://{state['bucket']}/{state['key']}")
            return self.read_range(file, start, stop)

        return reopen_output(self._client, state, read_finished)

    def write_small(self, uri: str, name: str, data: bytes) -> None:
        bucket, key = parse_uri(join(uri, check_output_name(name)))
        put_object(self._client, bucket, key, data)

    def close(self) -> None:
        self._client.close()

    def _read(self, file: SourceFile, start: int, stop: int, tries: int) -> bytes:
        try:
            return self._get(file, start, stop)
        except (BotoCoreError, OSError) as error:
            if tries <= 1:
                raise translate(error, TransferError, "get_object", file.uri) from error
        return self._read(file, start, stop, tries - 1)

    def _get(self, file: SourceFile, start: int, stop: int) -> bytes:
        """One attempt. Does not translate the exceptions of a body that is cut short."""
        bucket, key = parse_uri(file.uri)
        wanted: dict[str, Any] = {"Range": f"bytes={start}-{stop - 1}", "IfMatch": file.version}
        answer = self._client.call("get_object", file.uri, Bucket=bucket, Key=key, **wanted)
        with closing(answer["Body"]) as body:
            # Some stores ignore If-Match or Range; never read a whole object into memory.
            if answer["ETag"] != file.version or answer["ContentLength"] != stop - start:
                raise changed(file.uri)
            data: bytes = body.read()
        return data
