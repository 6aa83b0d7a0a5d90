"""What ddbio relies on in S3, asserted of every server that the other tests run against; see `test_endpoints`."""

from __future__ import annotations

import hashlib
import uuid
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.endpoints import ACCESS_KEY, REGION, Endpoint

MIN_PART_BYTES = 5 * 1024 * 1024

DEVIATIONS: dict[str, dict[str, list[str]]] = {
    "moto": {
        "signatures and checksums are not checked": [
            "test_a_wrong_signature_is_refused",
            "test_a_wrong_checksum_is_refused",
        ]
    },
    "seaweedfs": {},
}


@pytest.fixture(autouse=True)
def known_deviation(request: pytest.FixtureRequest, s3_endpoint: Endpoint) -> None:
    for reason, tests in DEVIATIONS[s3_endpoint.name].items():
        if request.function.__name__ in tests:
            request.applymarker(pytest.mark.xfail(reason=f"{s3_endpoint.name}: {reason}", strict=True))


@pytest.fixture
def client(s3_endpoint: Endpoint) -> Any:
    return s3_endpoint.client()


@pytest.fixture
def bucket(client: Any) -> Iterator[str]:
    name = f"contract-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    yield name
    for upload in client.list_multipart_uploads(Bucket=name).get("Uploads", []):
        client.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
        for found in page.get("Contents", []):
            client.delete_object(Bucket=name, Key=found["Key"])
    client.delete_bucket(Bucket=name)


def upload(client: Any, bucket: str, parts: list[bytes]) -> dict[str, Any]:
    """A multipart upload of `key` with SHA-256 checksums; the answer to its completion."""
    started = client.create_multipart_upload(Bucket=bucket, Key="key", ChecksumAlgorithm="SHA256")
    where = {"Bucket": bucket, "Key": "key", "UploadId": started["UploadId"]}
    done = [
        client.upload_part(**where, PartNumber=number, Body=part, ChecksumAlgorithm="SHA256")
        for number, part in enumerate(parts, 1)
    ]
    listed = [
        {"PartNumber": number, "ETag": part["ETag"], "ChecksumSHA256": part["ChecksumSHA256"]}
        for number, part in enumerate(done, 1)
    ]
    with pytest.raises(ClientError):  # nothing is there before the completion
        client.head_object(Bucket=bucket, Key="key")
    answer: dict[str, Any] = client.complete_multipart_upload(**where, MultipartUpload={"Parts": listed})
    return answer


def refusal(error: pytest.ExceptionInfo[ClientError]) -> str:
    code: str = error.value.response["Error"]["Code"]
    return code


def test_ranges_are_inclusive_and_cut_at_the_end(client: Any, bucket: str) -> None:
    client.put_object(Bucket=bucket, Key="key", Body=b"0123456789")
    for asked, got in (("bytes=0-3", b"0123"), ("bytes=4-9", b"456789"), ("bytes=8-99", b"89")):
        assert client.get_object(Bucket=bucket, Key="key", Range=asked)["Body"].read() == got
    with pytest.raises(ClientError) as refused:
        client.get_object(Bucket=bucket, Key="key", Range="bytes=10-11")
    assert refusal(refused) == "InvalidRange"


def test_if_match_refuses_an_object_that_changed(client: Any, bucket: str) -> None:
    etag = client.put_object(Bucket=bucket, Key="key", Body=b"old")["ETag"]
    assert client.get_object(Bucket=bucket, Key="key", IfMatch=etag)["Body"].read() == b"old"
    client.put_object(Bucket=bucket, Key="key", Body=b"new")
    with pytest.raises(ClientError) as refused:
        client.get_object(Bucket=bucket, Key="key", IfMatch=etag)
    assert refusal(refused) == "PreconditionFailed"


def test_a_listing_is_sorted_and_goes_on_by_its_token(client: Any, bucket: str) -> None:
    keys = [f"in/{name}" for name in ("B", "a", "a/b", "ä", "z z")]
    for key in [*keys, "out"]:
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    found, options = [], {"Bucket": bucket, "Prefix": "in/", "MaxKeys": 2}
    while True:
        page = client.list_objects_v2(**options)
        found += [entry["Key"] for entry in page["Contents"]]
        if not page["IsTruncated"]:
            break
        options["ContinuationToken"] = page["NextContinuationToken"]
    assert found == sorted(keys, key=str.encode)


def test_a_multipart_upload_appears_when_it_is_complete(client: Any, bucket: str) -> None:
    parts = [b"a" * MIN_PART_BYTES, b"b" * MIN_PART_BYTES, b"c"]
    answer = upload(client, bucket, parts)
    assert client.get_object(Bucket=bucket, Key="key")["Body"].read() == b"".join(parts)
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    composite = b64encode(hashlib.sha256(digests).digest()).decode()
    assert answer.get("ChecksumSHA256", f"{composite}-3") == f"{composite}-3"


def test_a_part_below_5_mib_that_is_not_the_last_is_refused(client: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as refused:
        upload(client, bucket, [b"a" * (MIN_PART_BYTES - 1), b"b"])
    assert refusal(refused) == "EntityTooSmall"


def test_a_wrong_checksum_is_refused(client: Any, bucket: str) -> None:
    wrong = b64encode(hashlib.sha256(b"other").digest()).decode()
    with pytest.raises(ClientError):
        client.put_object(Bucket=bucket, Key="key", Body=b"data", ChecksumSHA256=wrong)


def test_a_bucket_that_is_not_there(client: Any) -> None:
    for call in (
        lambda: client.list_objects_v2(Bucket="no-such-bucket"),
        lambda: client.put_object(Bucket="no-such-bucket", Key="key", Body=b""),
    ):
        with pytest.raises(ClientError) as refused:
            call()
        assert refusal(refused) == "NoSuchBucket"


def test_a_wrong_signature_is_refused(s3_endpoint: Endpoint) -> None:
    session = boto3.Session(ACCESS_KEY, "not the secret", region_name=REGION)
    impostor = session.client("s3", endpoint_url=s3_endpoint.url, config=Config(retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError) as refused:
        impostor.list_buckets()
    assert refusal(refused) == "SignatureDoesNotMatch"
    impostor.close()
