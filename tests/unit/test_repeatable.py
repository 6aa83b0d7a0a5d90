"""Which failures advise to run the same command again: those of which repeating may be the cure, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ddbio.errors import DdbioError, TransferError
from ddbio.messages.files import SourceFile
from ddbio.storage.local import LocalStorage
from ddbio.storage.s3_errors import changed, translate, upload_gone

AGAIN = "run the same command again"


def refused(code: str) -> DdbioError:
    error = ClientError({"Error": {"Code": code, "Message": "no"}}, "PutObject")
    return translate(error, TransferError, "put_object", "s3://bucket/key")


@pytest.mark.parametrize(
    ("code", "repeatable"),
    [
        ("AccessDenied", False),
        ("NoSuchBucket", False),
        ("KMS.DisabledException", False),
        ("InvalidAccessKeyId", False),
        ("NoSuchUpload", False),
        ("PreconditionFailed", False),
        ("InvalidObjectState", False),
        ("SlowDown", True),
        ("InternalError", True),
        ("ExpiredToken", True),
        ("BadDigest", True),
    ],
)
def test_what_s3_says(code: str, repeatable: bool) -> None:
    error = refused(code)
    assert (error.repeatable, AGAIN in error.hint) == (repeatable, repeatable)


def test_s3_that_cannot_be_reached_may_be_the_next_time() -> None:
    error = translate(EndpointConnectionError(endpoint_url="x"), TransferError, "put_object", "s3://bucket/key")
    assert error.repeatable


@pytest.mark.parametrize("error", [changed("s3://bucket/key"), upload_gone("s3://bucket/key")], ids=str)
def test_what_is_gone_is_gone(error: DdbioError) -> None:
    assert not error.repeatable
    assert "--fresh" in error.hint


def test_a_source_that_changed_is_not_the_one_of_this_job(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(TransferError, match="changed") as raised:
        LocalStorage().read_range(SourceFile(str(tmp_path / "a.json"), 2, "another"), 0, 2)
    assert not raised.value.repeatable
    assert "--fresh" in raised.value.hint


def test_an_output_that_lost_bytes_is_started_over(tmp_path: Path) -> None:
    state = {"path": str(tmp_path / "a.json"), "durable_bytes": 5, "sha256": "0"}
    with pytest.raises(TransferError, match="does not contain") as raised:
        LocalStorage().reopen(state)
    assert not raised.value.repeatable
    assert "--fresh" in raised.value.hint
