"""The options for objects that are written to S3."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ddbio.errors import UsageError

STORAGE_CLASSES = (
    "STANDARD",
    "INTELLIGENT_TIERING",
    "STANDARD_IA",
    "ONEZONE_IA",
    "EXPRESS_ONEZONE",
    "GLACIER_IR",
    "GLACIER",
    "DEEP_ARCHIVE",
    "REDUCED_REDUNDANCY",
)
ACLS = (
    "private",
    "bucket-owner-full-control",
    "bucket-owner-read",
    "authenticated-read",
    "aws-exec-read",
    "public-read",
    "public-read-write",
)


def add_s3_options(parser: argparse.ArgumentParser) -> None:
    """Options for how objects are written to S3, named like the parameters of S3's PutObject."""
    group = parser.add_argument_group("objects written to S3 (default: the bucket's settings)")
    group.add_argument(
        "--s3-sse", choices=("AES256", "aws:kms", "aws:kms:dsse"), dest="ServerSideEncryption", help="encryption"
    )
    group.add_argument(
        "--s3-sse-kms-key-id",
        metavar="KEY",
        dest="SSEKMSKeyId",
        help="the KMS key, by id or ARN; implies --s3-sse aws:kms unless that is given",
    )
    group.add_argument(
        "--s3-storage-class",
        choices=STORAGE_CLASSES,
        metavar="CLASS",
        dest="StorageClass",
        help=_any_of(STORAGE_CLASSES),
    )
    group.add_argument("--s3-acl", choices=ACLS, metavar="ACL", dest="ACL", help=_any_of(ACLS))


def _any_of(words: Sequence[str]) -> str:
    return f"one of {', '.join(words)}"


def s3_put_args(given: argparse.Namespace) -> dict[str, str]:
    """The S3 options that were given. Raises UsageError for a key with an encryption that takes none."""
    args = given_of(given, ("ServerSideEncryption", "SSEKMSKeyId", "StorageClass", "ACL"))
    if "SSEKMSKeyId" in args and args.setdefault("ServerSideEncryption", "aws:kms") == "AES256":
        raise UsageError("--s3-sse AES256 takes no KMS key", "use --s3-sse aws:kms, or omit the key")
    return args


def given_of(given: argparse.Namespace, names: Sequence[str]) -> dict[str, str]:
    """The options of these names that were given."""
    return {name: value for name in names if (value := getattr(given, name, None)) is not None}
