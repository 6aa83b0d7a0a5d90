"""Outputs on S3 against a client in memory: arithmetic, memory, and what happens when S3 fails."""

from __future__ import annotations

import base64
import hashlib
import json
import tracemalloc
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from ddbio.aws.settings import AwsSettings
from ddbio.errors import TransferError, UsageError
from ddbio.storage import s3_client
from ddbio.storage.s3 import S3Storage
from ddbio.storage.s3_output import MIN_PART_BYTES, PLANNED_PARTS, S3Output, part_bytes_for
from tests.support.fake_s3 import FakeS3, client_error, composite_of, multipart_etag

URI = "s3://bkt/exports"
KEY = "exports/a.json"
PART = b"p" * MIN_PART_BYTES


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeS3:
    made = FakeS3()
    monkeypatch.setattr(s3_client, "_build", lambda settings, keys: made)
    return made


@pytest.fixture
def storage(fake: FakeS3) -> S3Storage:
    return S3Storage(AwsSettings())


def with_parts(storage: S3Storage, count: int) -> S3Output:
    output = storage.create(URI, "a.json", 0)
    for _ in range(count):
        output.write(PART)
    return output


def completed(**params: Any) -> dict[str, Any]:
    """An answer about as many parts as were named, whose ETag is no MD5."""
    return {"ETag": f'"e-{len(params["MultipartUpload"]["Parts"])}"'}


@given(st.integers(0, 48 << 40))
def test_any_size_fits_in_ten_thousand_parts(max_bytes: int) -> None:
    part_bytes = part_bytes_for(max_bytes)
    assert part_bytes >= MIN_PART_BYTES >= 5 << 20
    assert part_bytes * PLANNED_PARTS >= max_bytes
    assert -(-int(max_bytes * 1.1) // part_bytes) <= 10_000
    assert part_bytes <= 6 << 30


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("s3://bkt", "a.json"),
        ("s3://bkt/", "a.json"),
        ("s3://bkt/exports", KEY),
        ("s3://bkt/exports/", KEY),
        ("S3://bkt/x y/%20", "x y/%20/a.json"),
    ],
)
def test_where_an_output_goes(storage: S3Storage, fake: FakeS3, uri: str, key: str) -> None:
    storage.create(uri, "a.json", 0).finish()
    assert fake.objects == {key: b""}
    storage.write_small(uri, "a.json", b"{}")
    assert fake.objects == {key: b"{}"}


def test_at_most_one_part_is_in_memory(storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fake, "upload_part", lambda **_: {"ETag": '"e"'}, raising=False)
    monkeypatch.setattr(fake, "complete_multipart_upload", completed, raising=False)
    chunk = b"x" * 100_000
    output = storage.create(URI, "a.json", 0)
    tracemalloc.start()
    for _ in range(500):
        output.write(chunk)
    output.finish()
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < MIN_PART_BYTES * 1.3  # the buffer grows by an eighth ahead of need


def test_a_part_is_as_large_as_the_bound_demands(storage: S3Storage, fake: FakeS3) -> None:
    output = storage.create(URI, "a.json", PLANNED_PARTS * (10 << 20))
    output.write(b"x" * (10 << 20))
    assert output.durable_bytes == 10 << 20
    output = storage.create(URI, "a.json", PLANNED_PARTS * (10 << 20))
    output.write(b"x" * ((10 << 20) - 1))
    assert output.durable_bytes == 0


def test_every_body_carries_its_checksum(storage: S3Storage, fake: FakeS3) -> None:
    output = with_parts(storage, 1)
    output.write(b"rest")
    assert output.finish().checksum == f"sha256-composite:{composite_of(PART, b'rest')}"
    [create] = fake.params_of("create_multipart_upload")
    assert create["ChecksumAlgorithm"] == "SHA256"
    for params, body in zip(fake.params_of("upload_part"), (PART, b"rest"), strict=True):
        assert params["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
        assert "ContentMD5" not in params
    [complete] = fake.params_of("complete_multipart_upload")
    assert all("ChecksumSHA256" in part for part in complete["MultipartUpload"]["Parts"])


def test_a_store_that_refuses_checksums_gets_md5(storage: S3Storage, fake: FakeS3) -> None:
    fake.knows_checksums = False
    output = with_parts(storage, 2)
    assert output.finish().checksum == f"sha256-composite:{composite_of(PART, PART)}"
    assert fake.objects[KEY] == PART * 2
    assert fake.made.count("create_multipart_upload") == 2  # refused, then without: found out once
    assert fake.made.count("upload_part") == 2
    md5 = base64.b64encode(hashlib.md5(PART).digest()).decode()
    assert [params["ContentMD5"] for params in fake.params_of("upload_part")] == [md5, md5]
    [complete] = fake.params_of("complete_multipart_upload")
    assert all("ChecksumSHA256" not in part for part in complete["MultipartUpload"]["Parts"])


def test_a_store_that_ignores_checksums_is_not_told_them_back(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "upload_part", lambda **_: {"ETag": '"e"'}, raising=False)
    monkeypatch.setattr(fake, "_complete_multipart_upload", completed)
    with_parts(storage, 1).finish()
    [complete] = fake.params_of("complete_multipart_upload")
    assert complete["MultipartUpload"]["Parts"] == [{"PartNumber": 1, "ETag": '"e"'}]


def test_another_fault_is_not_taken_for_a_missing_feature(storage: S3Storage, fake: FakeS3) -> None:
    fault = client_error("InvalidArgument", "PutObject", "no such storage class")
    fake.faults["put_object"] = [fault, fault]
    with pytest.raises(TransferError, match="no such storage class"):
        storage.write_small(URI, "a.json", b"{}")
    storage.write_small(URI, "a.json", b"{}")
    assert "ChecksumSHA256" in fake.calls[-1][1]


def test_a_checksum_that_disagrees(storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        fake, "_complete_multipart_upload", lambda **_: {"ETag": '"e-1"', "ChecksumSHA256": "b3RoZXI=-1"}
    )
    with pytest.raises(TransferError, match=r"checksum of .*a\.json"):
        with_parts(storage, 1).finish()


@pytest.mark.parametrize("form", [composite_of(PART), composite_of(PART).partition("-")[0]])
def test_a_checksum_that_agrees(storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    answer = {"ETag": '"e"', "ChecksumSHA256": form}
    monkeypatch.setattr(fake, "_complete_multipart_upload", lambda **_: answer)
    assert with_parts(storage, 1).finish().checksum == f"sha256-composite:{composite_of(PART)}"


WHOLE = multipart_etag(PART, b"rest")
OTHERS = multipart_etag(PART, b"other")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ({}, "no ETag"),
        ({"ETag": ""}, "no ETag"),
        ({"ETag": WHOLE.replace("-2", "-3")}, "of 3 parts"),
        ({"ETag": '"0123456789abcdef0123456789abcdef"'}, "of no upload in parts"),
        ({"ETag": OTHERS}, "is damaged"),
        ({"ETag": WHOLE, "ChecksumSHA256": composite_of(PART, b"other")}, "is damaged"),
        ({"ETag": OTHERS, "ChecksumSHA256": composite_of(PART, b"rest")}, None),  # of a store that counts otherwise
        ({"ETag": '"directory-bucket"', "ChecksumSHA256": composite_of(PART, b"rest")}, None),
        ({"ETag": WHOLE}, None),
        ({"ETag": WHOLE.upper().strip('"')}, None),
    ],
)
def test_a_completion_counts_only_if_it_is_about_these_parts(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch, answer: dict[str, str], says: str | None
) -> None:
    monkeypatch.setattr(fake, "_complete_multipart_upload", lambda **_: answer)
    output = with_parts(storage, 1)
    output.write(b"rest")
    if says is None:
        assert output.finish().size_bytes == len(PART) + 4
    else:
        with pytest.raises(TransferError) as raised:
            output.finish()
        assert says in f"{raised.value.message} {raised.value.hint}"


def test_an_etag_that_is_no_md5_is_held_to_the_number_of_parts_alone(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With SSE-KMS, and with keys of the customer, an ETag is no MD5 of anything."""
    monkeypatch.setattr(fake, "_upload_part", lambda **_: {"ETag": f'"{"0" * 32}"'})
    monkeypatch.setattr(fake, "_complete_multipart_upload", lambda **_: {"ETag": f'"{"f" * 32}-2"'})
    assert with_parts(storage, 2).finish().size_bytes == 2 * len(PART)
    with pytest.raises(TransferError, match="of 2 parts"):
        with_parts(storage, 3).finish()


@pytest.mark.parametrize("operation", ["create_multipart_upload", "upload_part", "put_object"])
@pytest.mark.parametrize("answer", [{}, {"ETag": "", "UploadId": ""}])
def test_an_answer_without_what_it_always_has_is_no_success(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch, operation: str, answer: dict[str, str]
) -> None:
    monkeypatch.setattr(fake, f"_{operation}", lambda **_: answer)
    with pytest.raises(TransferError, match="not from S3: there is no"):
        if operation == "put_object":
            storage.create(URI, "a.json", 0).finish()
        else:
            with_parts(storage, 1)


@pytest.mark.parametrize("operation", ["upload_part", "put_object"])
def test_a_body_that_arrived_as_another_one(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    monkeypatch.setattr(fake, f"_{operation}", lambda **_: {"ETag": '"e"', "ChecksumSHA256": "b3RoZXI="})
    with pytest.raises(TransferError, match=r"checksum of .*a\.json"):
        storage.create(URI, "a.json", 0).finish() if operation == "put_object" else with_parts(storage, 1)


def test_a_completion_whose_answer_was_lost(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = with_parts(storage, 1)
    fake.faults["complete_multipart_upload"] = [client_error("NoSuchUpload", "CompleteMultipartUpload")]
    monkeypatch.setattr(fake, "_head_object", lambda **_: {"ETag": '"e"', "ChecksumSHA256": composite_of(PART)})
    assert output.finish().size_bytes == len(PART)


def test_a_completion_of_an_upload_that_is_gone(storage: S3Storage, fake: FakeS3) -> None:
    output = with_parts(storage, 1)
    fake.objects[KEY] = b"another file"
    fake.faults["complete_multipart_upload"] = [client_error("NoSuchUpload", "CompleteMultipartUpload")]
    with pytest.raises(TransferError, match=r"a\.json is gone|upload of .*a\.json"):
        output.finish()


def test_a_failed_part_is_not_durable(storage: S3Storage, fake: FakeS3) -> None:
    output = with_parts(storage, 1)
    fake.faults["upload_part"] = [client_error("SlowDown", "UploadPart")]
    with pytest.raises(TransferError, match=r"a\.json"):
        output.write(PART)
    assert output.durable_bytes == len(PART)
    assert len(output.state()["parts"]) == 1

    again = storage.reopen(output.state())
    again.write(b"the rest")
    again.finish()
    assert fake.objects[KEY] == PART + b"the rest"


def test_abort_is_repeated_until_the_upload_is_gone(
    storage: S3Storage, fake: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = with_parts(storage, 1)
    monkeypatch.setattr(fake, "_abort_multipart_upload", lambda **_: {})
    output.abort()
    assert fake.made[2:] == ["abort_multipart_upload", "list_parts"] * 3


def test_abort_never_raises(storage: S3Storage, fake: FakeS3) -> None:
    output = with_parts(storage, 1)
    fake.faults["abort_multipart_upload"] = [
        client_error("AccessDenied", "AbortMultipartUpload"),
        ReadTimeoutError(endpoint_url="https://example"),
        None,
    ]
    output.abort()
    assert fake.uploads == {}


def test_a_refusal_is_neither_there_nor_gone(storage: S3Storage, fake: FakeS3) -> None:
    """What S3 refuses to say is not taken for an answer: the error names the permission."""
    output = with_parts(storage, 1)
    state = output.state()
    fake.faults["list_parts"] = [client_error("AccessDenied", "ListParts")]
    with pytest.raises(TransferError, match="s3:ListMultipartUploadParts"):
        storage.reopen(state)
    fake.faults["complete_multipart_upload"] = [client_error("NoSuchUpload", "CompleteMultipartUpload")]
    fake.faults["head_object"] = [client_error("AccessDenied", "HeadObject")]
    with pytest.raises(TransferError, match="s3:GetObject"):
        output.finish()


def test_a_destination_whose_uploads_may_not_be_listed_is_refused(storage: S3Storage, fake: FakeS3) -> None:
    fake.faults["list_multipart_uploads"] = [client_error("AccessDenied", "ListMultipartUploads")] * 2
    with pytest.raises(UsageError, match="s3:ListBucketMultipartUploads"):
        storage.prepare_destination("s3://bucket/out/")
    with pytest.raises(TransferError, match="s3:ListBucketMultipartUploads"):
        storage.discard_unfinished("s3://bucket/out/", lambda name: True, [])


def test_a_store_that_cannot_list_uploads_is_as_good(storage: S3Storage, fake: FakeS3) -> None:
    fake.faults["list_multipart_uploads"] = [client_error("NotImplemented", "ListMultipartUploads")] * 2
    storage.prepare_destination("s3://bucket/out/")
    storage.discard_unfinished("s3://bucket/out/", lambda name: True, [])


def test_reopening_is_not_taken_for_loss_when_s3_is_away(storage: S3Storage, fake: FakeS3) -> None:
    state = with_parts(storage, 1).state()
    fake.faults["list_parts"] = [client_error("ServiceUnavailable", "ListParts")]
    with pytest.raises(TransferError, match="several tries"):
        storage.reopen(state)
    assert "head_object" not in fake.made


def test_a_finished_object_that_cannot_be_read_again_leaves_no_upload(storage: S3Storage, fake: FakeS3) -> None:
    output = with_parts(storage, 2)
    state: dict[str, Any] = json.loads(json.dumps(output.state()))
    output.finish()
    fake.faults["get_object"] = [None, client_error("AccessDenied")]
    with pytest.raises(TransferError, match="s3:GetObject"):
        storage.reopen(state)
    assert fake.uploads == {}
    assert storage.reopen(state).state()["parts"] == state["parts"]
