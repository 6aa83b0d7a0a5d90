"""S3 URIs: `s3://bucket/key`. The bucket may also be an access point, by its alias or its ARN.

An ARN may have slashes in it: `s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/name/key`.
"""

from __future__ import annotations

import re

from ddbio.errors import UsageError

_SCHEME = "s3://"
_BUCKET_AND_KEY = re.compile(
    r"(arn:[^/]+:accesspoint[:/][^/]+|arn:[^/]+:outpost[:/][^/]+[:/]accesspoint[:/][^/]+|[^/]*)/?(.*)", re.DOTALL
)


def is_s3(uri: str) -> bool:
    return uri.lower().startswith(_SCHEME)


def parse_uri(uri: str) -> tuple[str, str]:
    """(bucket, key or prefix) of `s3://bucket/key`; the key may be empty."""
    found = _BUCKET_AND_KEY.fullmatch(uri[len(_SCHEME) :])
    if not uri.lower().startswith(_SCHEME) or found is None or not found[1]:
        raise UsageError(f'"{uri}" names no bucket', "write it s3://bucket/prefix")
    return found[1], found[2]


def uri_of(bucket: str, key: str) -> str:
    """The inverse of `parse_uri`."""
    return f"{_SCHEME}{bucket}/{key}"
