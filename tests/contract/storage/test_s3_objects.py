"""What only S3 has: requests, parts, composite checksums, uris, put arguments; against real HTTP endpoints."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ddbio.aws.credentials import Keys
from ddbio.aws.settings import AwsSettings
from ddbio.errors import TransferError, UsageError
from ddbio.storage import open_storage
from ddbio.storage.s3 import S3Storage
from ddbio.storage.s3_client import S3Client
from tests.endpoints import ACCESS_KEY, SECRET_KEY
from tests.support.certificates import Certificates
from tests.support.front import forwarding
from tests.support.places import S3Place

CHUNK = b"0123456789" * 100_000
PART_BYTES = 8 << 20
SUFFIXES = (".json",)


@pytest.fixture
def requests_made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    made: list[str] = []
    call = S3Client.call

    def recorded(self: S3Client, operation: str, *args: Any, **params: Any) -> dict[str, Any]:
        made.append(operation)
        return call(self, operation, *args, **params)

    monkeypatch.setattr(S3Client, "call", recorded)
    return made


def test_a_small_output_is_one_request(s3_place: S3Place, requests_made: list[str]) -> None:
    output = s3_place.storage().create(s3_place.uri, "a.json", 1 << 30)
    for _ in range(8):
        output.write(CHUNK)
    file = output.finish()
    assert requests_made == ["put_object"]
    assert file.checksum == f"sha256:{hashlib.sha256(CHUNK * 8).hexdigest()}"
    assert s3_place.get("a.json") == CHUNK * 8


def test_an_aborted_small_output_is_no_request(s3_place: S3Place, requests_made: list[str]) -> None:
    output = s3_place.storage().create(s3_place.uri, "a.json", 1 << 30)
    output.write(CHUNK)
    output.abort()
    assert requests_made == []


def test_a_large_output_is_one_request_a_part(s3_place: S3Place, requests_made: list[str]) -> None:
    output = s3_place.storage().create(s3_place.uri, "a.json", 1 << 30)
    for _ in range(20):
        output.write(CHUNK)
    parts = [size for *_, size, _ in output.state()["parts"]]
    output.finish()
    assert parts == [9_000_000, 9_000_000]  # the write that fills a part goes into it whole
    assert requests_made == ["create_multipart_upload", *["upload_part"] * 3, "complete_multipart_upload"]


def test_an_output_that_ends_with_a_part_has_no_empty_one(s3_place: S3Place, requests_made: list[str]) -> None:
    output = s3_place.storage().create(s3_place.uri, "a.json", 1 << 30)
    output.write(b"x" * PART_BYTES)
    output.finish()
    assert requests_made == ["create_multipart_upload", "upload_part", "complete_multipart_upload"]


def test_the_composite_checksum_by_hand(s3_place: S3Place) -> None:
    output = s3_place.storage().create(s3_place.uri, "a.json", 1 << 30)
    for _ in range(20):
        output.write(CHUNK)
    file = output.finish()
    content = CHUNK * 20
    parts = [content[:9_000_000], content[9_000_000:18_000_000], content[18_000_000:]]
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()
    composite = base64.b64encode(digest).decode()
    assert file.checksum == f"sha256-composite:{composite}-3"

    head = s3_place.client.head_object(Bucket=s3_place.bucket, Key=s3_place.key("a.json"), ChecksumMode="ENABLED")
    assert head["ChecksumSHA256"].partition("-")[0] == composite


def test_parts_that_were_never_reported_are_dropped(s3_place: S3Place) -> None:
    """A worker died after sending a part and before telling the parent: the part is sent again under its number."""
    output = s3_place.storage().create(s3_place.uri, "a.json", 1 << 30)
    output.write(b"1" * PART_BYTES)
    state = output.state()
    output.write(b"2" * PART_BYTES)
    output.write(b"3" * PART_BYTES)

    again = s3_place.storage().reopen(state)
    again.write(b"the rest")
    again.finish()
    assert s3_place.get("a.json") == b"1" * PART_BYTES + b"the rest"


def test_uris_of_a_bucket(s3_place: S3Place, requests_made: list[str]) -> None:
    storage, key = s3_place.storage(), s3_place.key("a.json")
    uri = s3_place.put("a.json", b"{}")
    for whole in (f"s3://{s3_place.bucket}", f"s3://{s3_place.bucket}/", f"S3://{s3_place.bucket}"):
        assert uri in [file.uri for file in storage.list_files(whole, SUFFIXES)]
    assert [file.uri for file in storage.list_files(f"s3://{s3_place.bucket}/{key}", SUFFIXES)] == [uri]


def test_a_prefix_that_is_no_folder(s3_place: S3Place) -> None:
    storage = s3_place.storage()
    for name in ("data/part-0.json", "data/part-1.json", "data/part-2.txt", "data/part-x/y.json", "data/q.json"):
        s3_place.put(name, b"{}")
    files = storage.list_files(f"{s3_place.uri}/data/part-", SUFFIXES)
    assert [file.uri.rpartition("/")[2] for file in files] == ["part-0.json", "part-1.json"]
    files = storage.list_files(f"{s3_place.uri}/data/part-*", (".json",))
    assert len(files) == 4


def test_a_folder_is_not_its_neighbour(s3_place: S3Place) -> None:
    storage = s3_place.storage()
    s3_place.put("Orders-old/0.json", b"{}")
    with pytest.raises(UsageError, match="Orders") as caught:
        storage.list_files(f"{s3_place.uri}/Orders", SUFFIXES)
    assert f"{s3_place.uri}/Orders*" in caught.value.hint
    s3_place.put("Orders/0.json", b"{}")
    files = storage.list_files(f"{s3_place.uri}/Orders", SUFFIXES)
    assert [file.uri for file in files] == [f"{s3_place.uri}/Orders/0.json"]


def test_folder_markers_are_skipped(s3_place: S3Place) -> None:
    s3_place.put("folder.json/", b"")
    s3_place.put("folder.json/a.json", b"{}")
    files = s3_place.storage().list_files(f"{s3_place.uri}/folder.json", SUFFIXES)
    assert [file.uri for file in files] == [f"{s3_place.uri}/folder.json/a.json"]
    assert s3_place.storage().list_files(f"{s3_place.uri}/**", SUFFIXES) == files


def test_more_keys_than_fit_on_a_page(s3_place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    call = S3Client.call

    def three_a_page(self: S3Client, operation: str, *args: Any, **params: Any) -> dict[str, Any]:
        params |= {"MaxKeys": 3} if operation == "list_objects_v2" else {}
        return call(self, operation, *args, **params)

    monkeypatch.setattr(S3Client, "call", three_a_page)
    for number in range(10):
        s3_place.put(f"many/{number}.json", b"{}")
    assert len(s3_place.storage().list_files(f"{s3_place.uri}/many/", SUFFIXES)) == 10


def test_a_missing_bucket(s3_place: S3Place) -> None:
    storage = s3_place.storage()
    for attempt in (
        lambda: storage.list_files("s3://no-such-bucket-here/x", SUFFIXES),
        lambda: storage.list_files("s3://no-such-bucket-here", SUFFIXES),
        lambda: storage.prepare_destination("s3://no-such-bucket-here/x"),
    ):
        with pytest.raises(UsageError, match="no-such-bucket-here") as caught:
            attempt()
        assert caught.value.hint


def test_put_arguments_reach_both_kinds_of_upload(s3_place: S3Place) -> None:
    storage = S3Storage(replace(s3_place.settings, s3_put_args={"ContentType": "application/x-ndjson"}))
    storage.write_small(s3_place.uri, "small.json", b"{}")
    output = storage.create(s3_place.uri, "large.json", 1 << 30)
    output.write(b"x" * PART_BYTES)
    output.finish()
    for name in ("small.json", "large.json"):
        head = s3_place.client.head_object(Bucket=s3_place.bucket, Key=s3_place.key(name))
        assert head["ContentType"] == "application/x-ndjson"
    storage.close()


def test_the_endpoint_may_come_from_the_environment(s3_place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = s3_place.put("a.json", b"{}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_place.settings.s3_endpoint_url or "")
    storage = open_storage(uri, AwsSettings(region="us-east-1"))
    assert [file.uri for file in storage.list_files(uri, SUFFIXES)] == [uri]
    storage.close()


def test_keys_from_a_provider_are_used(s3_place: S3Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    uri = s3_place.put("a.json", b"{}")
    without = open_storage(uri, s3_place.settings)
    with pytest.raises(UsageError, match="no AWS credentials"):
        without.list_files(uri, SUFFIXES)
    with_keys = open_storage(uri, s3_place.settings, lambda: Keys(ACCESS_KEY, SECRET_KEY))
    assert [file.uri for file in with_keys.list_files(uri, SUFFIXES)] == [uri]
    without.close()
    with_keys.close()


@pytest.fixture
def over_tls(s3_place: S3Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Storage]:
    """A storage that speaks TLS with the server."""
    certificates = Certificates.make(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", certificates.authority)
    port = int((s3_place.settings.s3_endpoint_url or "").rpartition(":")[2])
    with forwarding(port, certificates.server) as front:
        storage = S3Storage(replace(s3_place.settings, s3_endpoint_url=f"https://localhost:{front.port}"))
        yield storage
        storage.close()


def test_over_tls_a_body_is_held_by_its_checksum_and_not_hashed_again(s3_place: S3Place, over_tls: S3Storage) -> None:
    bodies: list[tuple[str, bytes]] = []

    def note(request: Any, **_: Any) -> None:
        if request.method == "PUT":
            assert request.headers["x-amz-checksum-sha256"]
            bodies.append((request.url.partition("?")[0], request.headers["X-Amz-Content-SHA256"]))

    over_tls._client._built().meta.events.register("before-send.s3", note)
    over_tls.write_small(s3_place.uri, "small.json", b"{}")
    output = over_tls.create(s3_place.uri, "large.json", 1 << 30)
    content = CHUNK * 9
    output.write(content)
    output.finish()
    assert [value for _, value in bodies] == [b"UNSIGNED-PAYLOAD"] * 2
    assert (s3_place.get("small.json"), s3_place.get("large.json")) == (b"{}", content)


def test_over_tls_a_body_that_was_changed_on_its_way_is_refused(s3_place: S3Place, over_tls: S3Storage) -> None:
    """The checksum alone has to find it, for the signature does not cover the body."""

    def change(request: Any, **_: Any) -> None:
        if request.method == "PUT":
            request.body = io.BytesIO(request.body.read().replace(b"x", b"y"))

    over_tls._client._built().meta.events.register("before-send.s3", change)
    try:
        over_tls.write_small(s3_place.uri, "small.json", b"xxx")
    except TransferError as refused:
        assert s3_place.get("small.json") is None, refused
    else:
        pytest.skip("this server verifies no checksums")


def test_the_owner_of_the_bucket_is_in_every_request(s3_place: S3Place) -> None:
    args = {"RequestPayer": "requester", "ExpectedBucketOwner": "123456789012"}
    storage = S3Storage(replace(s3_place.settings, s3_call_args=args))
    storage.prepare_destination(s3_place.uri)
    storage.write_small(s3_place.uri, "a.json", b"{}")
    [file] = storage.list_files(s3_place.uri, SUFFIXES)
    assert storage.read_range(file, 0, 2) == b"{}"
    storage.close()
