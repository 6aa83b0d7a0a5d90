"""Reading from S3 against a client in memory: broken bodies, odd stores; and how the real client is built."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import EndpointConnectionError, IncompleteReadError, ReadTimeoutError
from botocore.response import StreamingBody

from ddbio.credentials import Keys
from ddbio.errors import TransferError, UsageError
from ddbio.options import AwsSettings
from ddbio.storage import SourceFile, s3_client
from ddbio.storage.s3 import S3Storage
from ddbio.storage.s3_listing import parse_uri, uri_of
from tests.unit.storage.fake_s3 import ETAG, FakeS3, client_error

FILE = SourceFile("s3://bkt/in/a.json", 10, ETAG)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    made = FakeS3()
    made.objects["in/a.json"] = b"0123456789"
    monkeypatch.setattr(s3_client, "_build", lambda settings, keys: made)
    return made


@pytest.fixture
def storage(fake: FakeS3) -> S3Storage:
    return S3Storage(AwsSettings())


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("s3://bkt", ("bkt", "")),
        ("s3://bkt/", ("bkt", "")),
        ("s3://bkt/prefix", ("bkt", "prefix")),
        ("s3://bkt/prefix/", ("bkt", "prefix/")),
        ("s3://bkt/a/b.json", ("bkt", "a/b.json")),
        ("S3://bkt//a?b#c%20", ("bkt", "/a?b#c%20")),
        ("s3://b.k-t/*.json", ("b.k-t", "*.json")),
    ],
)
def test_uris(uri: str, parsed: tuple[str, str]) -> None:
    assert parse_uri(uri) == parsed
    if parsed[1]:
        assert parse_uri(uri_of(*parsed)) == parsed


@pytest.mark.parametrize("uri", ["s3://", "s3:///key", "bkt/key", "https://bkt/key"])
def test_uris_without_a_bucket(uri: str) -> None:
    with pytest.raises(UsageError, match="no bucket"):
        parse_uri(uri)


def test_a_range_asks_for_the_listed_version(storage: S3Storage, fake: FakeS3) -> None:
    assert storage.read_range(FILE, 2, 5) == b"234"
    [params] = fake.params_of("get_object")
    assert (params["Range"], params["IfMatch"]) == ("bytes=2-4", ETAG)


def test_an_empty_range_is_no_request(storage: S3Storage, fake: FakeS3) -> None:
    assert storage.read_range(FILE, 10, 20) == storage.read_range(FILE, 3, 3) == b""
    assert fake.made == []


class EmptyBody(io.BytesIO):
    def stream(self) -> list[bytes]:
        return []


class BrokenBody(io.BytesIO):
    def read(self, *_: Any) -> bytes:
        raise ConnectionResetError("reset by peer")


def test_a_body_that_breaks_off_is_read_again(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_object = fake._get_object
    bodies = [StreamingBody(io.BytesIO(b"01"), 5), StreamingBody(BrokenBody(), 5)]

    def breaking(**params: Any) -> dict[str, Any]:
        answer = get_object(**params)
        return {**answer, "Body": bodies.pop()} if bodies else answer

    monkeypatch.setattr(fake, "_get_object", breaking)
    assert storage.read_range(FILE, 0, 5) == b"01234"
    assert fake.made == ["get_object"] * 3


@pytest.mark.parametrize(
    "fault",
    [
        IncompleteReadError(actual_bytes=1, expected_bytes=5),
        ReadTimeoutError(endpoint_url="https://example"),
        ConnectionResetError("reset by peer"),
    ],
)
def test_a_body_that_always_breaks_off(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    class Failing(StreamingBody):  # type: ignore[misc]
        def read(self, amt: int | None = None) -> bytes:
            raise fault

    get_object = fake._get_object
    monkeypatch.setattr(
        fake, "_get_object", lambda **params: {**get_object(**params), "Body": Failing(io.BytesIO(), 5)}
    )
    with pytest.raises(TransferError, match=r"could not be reached to read .*a\.json"):
        storage.read_range(FILE, 0, 5)
    assert fake.made == ["get_object"] * 5


def test_a_store_that_ignores_if_match_or_range(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_object = fake._get_object
    for lie in ({"ETag": '"other"'}, {"ContentLength": 10}):
        monkeypatch.setattr(fake, "_get_object", lambda lie=lie, **params: {**get_object(**params), **lie})
        with pytest.raises(TransferError, match="changed"):
            storage.read_range(FILE, 0, 5)


def test_one_object_can_be_read_without_the_permission_to_list(storage: S3Storage, fake: FakeS3) -> None:
    fake.faults["list_objects_v2"] = [client_error("AccessDenied", "ListObjectsV2")]
    assert storage.list_files("s3://bkt/in/a.json", (".json",)) == [FILE]
    assert fake.made == ["head_object"]


def test_who_may_neither_read_nor_list_is_told_what_is_missing(storage: S3Storage, fake: FakeS3) -> None:
    fake.faults["head_object"] = [client_error("403", "HeadObject")]
    fake.faults["list_objects_v2"] = [client_error("AccessDenied", "ListObjectsV2")]
    with pytest.raises(UsageError, match="s3:ListBucket"):
        storage.list_files("s3://bkt/in/a.json", (".json",))


def test_the_client_is_built_once_and_closed(storage: S3Storage, fake: FakeS3) -> None:
    storage.close()
    assert fake.closed == 0
    storage.read_range(FILE, 0, 1)
    storage.close()
    storage.close()
    assert fake.closed == 1


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (AwsSettings(profile="no-such-profile"), "no-such-profile"),
        (AwsSettings(region="us-east-1", s3_endpoint_url="127.0.0.1:9"), "127.0.0.1:9"),
        (AwsSettings(region="us east"), "us east"),
    ],
)
def test_settings_that_cannot_work(no_settings: None, settings: AwsSettings, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        S3Storage(settings).list_files("s3://bkt/a.json", (".json",))


def test_the_newest_keys_sign_each_request(no_settings: None) -> None:
    keys = [Keys("FIRST", "s", "token-1"), Keys("SECOND", "s", "token-2")]
    current = keys[0]
    client = s3_client._build(AwsSettings(region="eu-west-1"), lambda: current)
    signed: list[tuple[str, str]] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        header = request.headers
        signed.append((header["Authorization"].decode(), header["X-Amz-Security-Token"].decode()))
        return AWSResponse(request.url, 200, {}, EmptyBody())

    client.meta.events.register("before-send.s3", answer)
    for newest in keys:
        current = newest
        client.head_bucket(Bucket="bkt")
    client.close()
    assert [token for _, token in signed] == ["token-1", "token-2"]
    assert "Credential=FIRST/" in signed[0][0]
    assert "Credential=SECOND/" in signed[1][0]
    assert "/eu-west-1/s3/" in signed[0][0]


def test_an_endpoint_nobody_listens_on(storage: S3Storage, fake: FakeS3) -> None:
    fake.faults["head_bucket"] = [EndpointConnectionError(endpoint_url="http://127.0.0.1:9")]
    with pytest.raises(TransferError, match=r"could not be reached to look at .*127\.0\.0\.1:9"):
        storage.prepare_destination("s3://bkt/x")
