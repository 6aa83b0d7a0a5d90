"""What a user can ask for, as frozen dataclasses: what `ddbio.cli` makes of argv and what the library takes."""

from __future__ import annotations

from dataclasses import dataclass, field

MEGABYTE = 1_000_000  # of `-s`: the megabyte of disks and of S3's bill
DEFAULT_FILE_MEGABYTES = 256


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """How to reach AWS. What is None is found the way botocore finds it (environment, profile, metadata)."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None  # DynamoDB's endpoint
    s3_endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """One import.

    sources: files, folders, globs, `s3://` uris.
    processes: workers; None for one a CPU this process may use.
    capacity: write units per second (`"500"`), or a share of what the table has (`"60%"`); None for what it has.
    lanes: connections a worker keeps busy; None for the default.
    rejects: path of the rejects file; None for `<source name>.rejects.jsonl` in the current folder.
    """

    table: str
    sources: tuple[str, ...]
    aws: AwsSettings = field(default_factory=AwsSettings)
    processes: int | None = None
    capacity: str | None = None
    over_provisioned: bool = False
    format: str = "json"
    lanes: int | None = None
    rejects: str | None = None
    give_up_after_s: float = 600.0


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """One export.

    destination: a folder or `s3://bucket/prefix`.
    file_megabytes: a new file begins before this size (of 1,000,000 bytes) would be passed.
    segments: of the parallel Scan; None for a number that suits the table.
    Otherwise as for ImportOptions; capacity is read units.
    """

    table: str
    destination: str
    aws: AwsSettings = field(default_factory=AwsSettings)
    processes: int | None = None
    capacity: str | None = None
    over_provisioned: bool = False
    format: str = "json"
    lanes: int | None = None
    file_megabytes: int = DEFAULT_FILE_MEGABYTES
    segments: int | None = None
    consistent_read: bool = False
    give_up_after_s: float = 600.0
