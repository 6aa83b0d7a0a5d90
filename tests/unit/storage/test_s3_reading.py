"""Reading from S3 against a client in memory: broken bodies, odd stores; and how the real client is built."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import EndpointConnectionError, IncompleteReadError, ReadTimeoutError
from botocore.response import StreamingBody

from ddbio.aws.credentials import Keys
from ddbio.aws.settings import AwsSettings
from ddbio.errors import NotFoundError, TransferError, UsageError
from ddbio.messages.files import SourceFile
from ddbio.storage import s3_client
from ddbio.storage.s3 import S3Storage
from ddbio.storage.s3_output import MIN_PART_BYTES
from ddbio.storage.s3_uris import parse_uri, uri_of
from tests.support.fake_s3 import ETAG, FakeS3, client_error

POINT = "arn:aws:s3:eu-west-1:123456789012:accesspoint/orders"
OUTPOST = "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1"
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
        (f"s3://{POINT}", (POINT, "")),
        (f"s3://{POINT}/", (POINT, "")),
        (f"s3://{POINT}/in/a.json", (POINT, "in/a.json")),
        (f"s3://{POINT.replace('/', ':')}/in/*.json", (POINT.replace("/", ":"), "in/*.json")),
        (f"s3://{OUTPOST}/accesspoint/name/a.json", (f"{OUTPOST}/accesspoint/name", "a.json")),
        ("s3://orders-4x0-s3alias/in/accesspoint/a", ("orders-4x0-s3alias", "in/accesspoint/a")),
        ("s3://bkt/two\nlines", ("bkt", "two\nlines")),
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
        return [self.read()]


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
        client.list_objects_v2(Bucket="bkt")
    client.close()
    assert [token for _, token in signed] == ["token-1", "token-2"]
    assert "Credential=FIRST/" in signed[0][0]
    assert "Credential=SECOND/" in signed[1][0]
    assert "/eu-west-1/s3/" in signed[0][0]


def test_a_bucket_in_another_region_is_found(no_settings: None) -> None:
    """The table's region is where S3 is asked first; S3 names the bucket's own."""
    client = s3_client._build(AwsSettings(region="eu-west-1"), lambda: Keys("KEY", "s"))
    asked: list[tuple[str, str]] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        scope = request.headers["Authorization"].decode().split("/")
        asked.append((request.url, scope[2]))
        elsewhere = {"x-amz-bucket-region": "ap-south-1"}
        return AWSResponse(request.url, 301 if len(asked) == 1 else 200, elsewhere, EmptyBody())

    client.meta.events.register("before-send.s3", answer)
    client.list_objects_v2(Bucket="bkt")
    client.close()
    assert [(url.split("/")[2], region) for url, region in asked] == [
        ("bkt.s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("bkt.s3.ap-south-1.amazonaws.com", "ap-south-1"),
    ]


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_ca_bundle_that_is_missing_is_named(no_settings: None, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "/nonexistent/bundle.pem")
    with pytest.raises(UsageError, match=rf"/nonexistent/bundle\.pem.*{name}"):
        S3Storage(AwsSettings(region="eu-west-1")).list_files("s3://bkt/a.json", (".json",))


class Recorded:
    """A real client whose requests are answered here. requests: in order."""

    def __init__(self, settings: AwsSettings) -> None:
        self.storage = S3Storage(settings, lambda: Keys("KEY", "s"))
        self.requests: list[AWSPreparedRequest] = []
        self.storage._client._built().meta.events.register("before-send.s3", self._answer)

    def _answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        body = b"<R><UploadId>1</UploadId><IsTruncated>false</IsTruncated><ETag>e</ETag></R>"
        body = b"" if request.method in ("HEAD", "PUT", "DELETE") or "/a.json" in request.url else body
        headers = {"ETag": '"e"', "Content-Length": "0"}
        return AWSResponse(request.url, 200, headers, EmptyBody(body))

    def do_everything(self, uri: str) -> None:
        """Every call of S3 that the program makes."""
        self.storage.prepare_destination(uri)
        self.storage.list_files(f"{uri}/a.json", (".json",))
        self.storage.read_range(SourceFile(f"{uri}/a.json", 0, '"e"'), 0, 0)
        with contextlib.suppress(TransferError):  # it is too short
            self.storage.read_range(SourceFile(f"{uri}/a.json", 9, '"e"'), 0, 9)
        self.storage.write_small(uri, "a.json", b"x")
        self.storage.discard_unfinished(uri, bool, [])
        output = self.storage.create(uri, "b.json", 1)
        output.write(b"x" * MIN_PART_BYTES)
        self.storage.reopen(output.state())
        with contextlib.suppress(TransferError):  # its checksum is not confirmed
            output.finish()
        self.storage.discard(output.state())
        self.storage.remove(uri, "a.json")
        self.storage.close()


@pytest.mark.parametrize(
    "bucket", [POINT, POINT.replace("/", ":"), "orders-4x0abcdefghijklmnopqrstuvwxyz0use1a-s3alias"]
)
def test_access_points_are_buckets(no_settings: None, bucket: str) -> None:
    recorded = Recorded(AwsSettings(region="eu-west-1"))
    recorded.do_everything(f"s3://{bucket}/in")
    host = f"{bucket}.s3.eu-west-1.amazonaws.com"
    if bucket.startswith("arn:"):
        host = "orders-123456789012.s3-accesspoint.eu-west-1.amazonaws.com"
    assert {urlsplit(request.url).netloc for request in recorded.requests} == {host}


def test_arguments_of_every_call_are_in_every_call(no_settings: None) -> None:
    args = {"RequestPayer": "requester", "ExpectedBucketOwner": "123456789012"}
    recorded = Recorded(AwsSettings(region="eu-west-1", s3_call_args=args))
    recorded.do_everything("s3://bkt/in")
    assert len(recorded.requests) >= 11  # one of each kind
    for request in recorded.requests:
        sent = request.headers.get("x-amz-expected-bucket-owner"), request.headers.get("x-amz-request-payer")
        assert sent == (b"123456789012", b"requester"), request.url


@pytest.mark.parametrize(
    ("endpoint", "profile", "signed"),
    [
        ("https", "", False),
        ("HTTPS", "", False),
        ("http", "", True),
        ("https", "s3 =\n  payload_signing_enabled = true\n", True),
    ],
)
def test_a_body_is_hashed_for_the_signature_only_where_nothing_else_protects_it(
    no_settings: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str, profile: str, signed: bool
) -> None:
    (tmp_path / "config").write_text(f"[default]\n{profile}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    recorded = Recorded(AwsSettings(region="eu-west-1", s3_endpoint_url=f"{endpoint}://s3.example"))
    recorded.do_everything("s3://bkt/in")
    bodies = [request for request in recorded.requests if request.method == "PUT"]
    assert len(bodies) == 2
    for request in bodies:
        assert (request.headers["X-Amz-Content-SHA256"] != b"UNSIGNED-PAYLOAD") == signed
        assert request.headers["x-amz-checksum-sha256"]


def test_a_prefix_is_all_that_a_destination_needs_to_list(no_settings: None) -> None:
    """A policy with a condition on `s3:prefix` permits no HeadBucket and no other listing of objects."""
    recorded = Recorded(AwsSettings(region="eu-west-1"))
    recorded.storage.prepare_destination("s3://bkt/team/out")
    recorded.storage.close()
    objects, uploads = recorded.requests
    for request in (objects, uploads):
        assert request.method == "GET"
        assert parse_qs(urlsplit(request.url).query)["prefix"] == ["team/out/"]
    assert "uploads" in urlsplit(uploads.url).query


@pytest.mark.parametrize(
    "marks", [{"NextKeyMarker": "in/b"}, {"NextKeyMarker": "in/b", "NextUploadIdMarker": "2"}, {}]
)
def test_a_page_of_uploads_may_lack_markers(storage: S3Storage, fake: FakeS3, marks: dict[str, str]) -> None:
    """Some stores mark the key alone. A page that is said to be cut and marks nothing is the last one there is."""
    upload = {"Key": "in/a", "UploadId": "gone"}
    pages = [{"Uploads": [upload], "IsTruncated": True, **marks}, {"Uploads": [upload]}]
    monkeypatched = iter(pages)
    fake._list_multipart_uploads = lambda **_: next(monkeypatched)  # type: ignore[attr-defined]
    storage.discard_unfinished("s3://bkt/in", bool, [])
    asked = fake.params_of("list_multipart_uploads")
    assert len(asked) == (2 if marks else 1)
    if marks:
        given = {name: asked[1].get(name) for name in ("KeyMarker", "UploadIdMarker") if name in asked[1]}
        assert given == {name.removeprefix("Next"): value for name, value in marks.items()}
    aborted = [params["UploadId"] for params in fake.params_of("abort_multipart_upload")]
    assert set(aborted) == {"gone"}


def test_an_endpoint_nobody_listens_on(storage: S3Storage, fake: FakeS3) -> None:
    fake.faults["list_objects_v2"] = [EndpointConnectionError(endpoint_url="http://127.0.0.1:9")]
    with pytest.raises(TransferError, match=r"could not be reached to list .*127\.0\.0\.1:9"):
        storage.prepare_destination("s3://bkt/x")


@pytest.mark.parametrize(("there", "permission"), [(True, "s3:GetObject"), (False, None)])
def test_an_object_that_may_not_be_read_is_not_taken_for_one_that_is_missing(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch, there: bool, permission: str | None
) -> None:
    fake.faults["head_object"] = [client_error("403", "HeadObject")]
    found = [{"Key": "in/_manifest.json", "Size": 3, "ETag": '"e"'}] if there else []
    monkeypatch.setattr(fake, "_list_objects_v2", lambda **_: {"IsTruncated": False, "Contents": found})
    with pytest.raises(UsageError, match=permission or "no object below") as error:
        storage.list_files("s3://bkt/in/_manifest.json", ())
    assert isinstance(error.value, NotFoundError) is not there


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented"])
def test_uploads_that_may_not_be_listed_are_none(fake: FakeS3, storage: S3Storage, code: str) -> None:
    """The policy of an import does not permit it."""
    fake.faults["list_multipart_uploads"] = [client_error(code, "ListMultipartUploads")] * 9
    assert storage.list_unfinished("s3://bkt/in/") == []
    assert [name for name, _ in fake.calls].count("list_multipart_uploads") == 1
