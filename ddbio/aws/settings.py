"""The settings for access to AWS, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """The settings for access to AWS. If one is None, botocore's rules apply (environment, profile, metadata).

    s3_put_args: extra arguments for every object written, by their names in S3's API (`ServerSideEncryption`,
        `SSEKMSKeyId`, `StorageClass`, `ACL`).
    s3_call_args: extra arguments for every call of S3 that accepts them (`RequestPayer`, `ExpectedBucketOwner`).
    longest_wait_s: for an answer of S3 or of DynamoDB's control plane, including all retries.
    """

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None  # DynamoDB's endpoint
    s3_endpoint_url: str | None = None
    s3_put_args: Mapping[str, str] = field(default_factory=dict)
    s3_call_args: Mapping[str, str] = field(default_factory=dict)
    longest_wait_s: float = 600.0


def patience(longest_wait_s: float, attempts: int, connect_s: float, read_s: float) -> dict[str, Any]:
    """Arguments for botocore's Config: at most `attempts` attempts with these timeouts, fewer and shorter ones if
    together they could take longer than `longest_wait_s`."""
    fit = max(1, min(attempts, int(longest_wait_s // max(connect_s, read_s))))
    return {
        "retries": {"mode": "standard", "total_max_attempts": fit},
        "connect_timeout": min(connect_s, longest_wait_s),
        "read_timeout": min(read_s, longest_wait_s),
    }
