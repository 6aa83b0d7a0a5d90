"""What a user can ask for, as frozen dataclasses: what `ddbio.cli` makes of argv and the library API takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """How to reach AWS. What is None is found the way botocore finds it (environment, profile, metadata)."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None  # DynamoDB's endpoint
    s3_endpoint_url: str | None = None
