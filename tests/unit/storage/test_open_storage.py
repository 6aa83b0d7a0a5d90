"""Choosing the storage by the scheme of a uri."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ddbio.aws.settings import AwsSettings
from ddbio.errors import UsageError
from ddbio.storage import join, open_storage
from ddbio.storage.local import LocalStorage
from ddbio.storage.s3 import S3Storage


@pytest.mark.parametrize("uri", ["a.json", "/x/y", "./s3", "file:///x", "FILE:///x", "a:b", "C:\\x", "x/s3://y", ""])
def test_local(uri: str) -> None:
    assert isinstance(open_storage(uri, AwsSettings()), LocalStorage)


@pytest.mark.parametrize("uri", ["s3://bkt", "S3://bkt/x"])
def test_s3(uri: str) -> None:
    assert isinstance(open_storage(uri, AwsSettings()), S3Storage)


@pytest.mark.parametrize("uri", ["gs://bkt/x", "https://host/x", "s3a://bkt"])
def test_unknown_schemes(uri: str) -> None:
    with pytest.raises(UsageError, match=uri) as caught:
        open_storage(uri, AwsSettings())
    assert "s3://" in caught.value.hint


@pytest.mark.parametrize("uri", ["s3:/bkt/x", "s3:bkt", "S3:", "file:/x"])
def test_a_slip_in_the_scheme_is_no_path(uri: str) -> None:
    with pytest.raises(UsageError, match=uri):
        open_storage(uri, AwsSettings())


def test_join() -> None:
    assert join("s3://bkt", "a") == join("s3://bkt/", "a") == "s3://bkt/a"
    assert join("/x/y", "a") == join("/x/y/", "a") == "/x/y/a"


def test_local_runs_do_not_pay_for_botocore() -> None:
    check = (
        "import sys; from ddbio.storage import open_storage; from ddbio.options import AwsSettings\n"
        "open_storage('/x', AwsSettings()); sys.exit('botocore' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
