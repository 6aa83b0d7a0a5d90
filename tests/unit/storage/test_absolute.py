"""Names of places that do not depend on the working directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddbio.errors import UsageError
from ddbio.storage import absolute


def test_paths_become_absolute_and_uris_stay() -> None:
    assert absolute("in/a.json") == str(Path.cwd() / "in" / "a.json")
    assert (absolute("-"), absolute("s3://bucket/in")) == ("-", "s3://bucket/in")


@pytest.mark.parametrize("uri", ["s3://", "s3:///key", "S3://"])
def test_an_s3_uri_without_a_bucket_is_refused(uri: str) -> None:
    """A name appended to it would be taken for the bucket."""
    with pytest.raises(UsageError, match="names no bucket"):
        absolute(uri)
