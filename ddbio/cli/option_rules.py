"""Which options depend on others: one table a command. An option that would be ignored is refused.

Every option of a command stands in its table: with a `Rule`, or with None if it applies to every run. A test walks
the parsers, so that a new option has to be classified here.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_S3 = "s3://"
_LEAVE_OUT = "leave it out"


@dataclass(frozen=True, slots=True)
class Rule:
    """holds: whether the option has any effect beside what else was given. only: when it has, after "applies only".
    hint: what to do."""

    holds: Callable[[Namespace], bool]
    only: str
    hint: str = _LEAVE_OUT


Rules = Mapping[str, Rule | None]


def _needs(option: str) -> Rule:
    """Only beside another option."""
    dest = option.removeprefix("--").replace("-", "_")
    return Rule(lambda given: bool(getattr(given, dest)), f"with {option}", f"add {option}, or leave it out")


def _of_format(*formats: str, what: str) -> Rule:
    hint = f"add --format {formats[-1]}, or leave it out"
    return Rule(lambda given: given.format in formats, f"to {what}", hint)


_TO_FILES = Rule(lambda given: given.destination != "-", "to an export into files, not to standard output")
_NOT_PARQUET = Rule(lambda given: given.format != "parquet", "to formats that are not compressed inside")
_CSV_SOURCE = _of_format("auto", "csv", what="CSV")
_EXPORT_TO_S3 = Rule(
    lambda given: given.destination.startswith(_S3), "to an export to S3", "name an s3:// destination"
)
_REJECTS_TO_S3 = Rule(
    lambda given: (given.rejects or "").startswith(_S3),
    "to rejects written to S3",
    "name an s3:// place with --rejects, or leave it out",
)
_IMPORT_USES_S3 = Rule(
    lambda given: any(place.startswith(_S3) for place in (*given.source, given.rejects or "")),
    "where a source or --rejects is on S3",
)
_PLACEHOLDERS = Rule(
    lambda given: given.filter is not None or given.attributes is not None,
    "with --filter or --attributes",
    "add one of them, or leave it out",
)
_CREATE = Rule(lambda given: given.create_table, "with --create-table", "add --create-table, or leave it out")

_S3_OBJECTS = ("--s3-sse", "--s3-sse-kms-key-id", "--s3-storage-class", "--s3-acl")
_S3_CALLS = ("--s3-request-payer", "--s3-expected-bucket-owner")
_EVERY_RUN: Rules = dict.fromkeys(
    (
        *("--table", "--region", "--processes", "--capacity", "--format", "--profile", "--endpoint-url", "--lanes"),
        *("--give-up-after", "--fresh", "--state-dir", "--report", "--rename", "--drop", "--set", "--transform"),
    )
)
_TRANSFER: Rules = {**_EVERY_RUN, "--over-provisioned": _needs("--capacity")}

IMPORT: Rules = {
    **_TRANSFER,
    **dict.fromkeys(("--source", "--mode", "--create-table", "--rejects", "--max-errors")),
    **dict.fromkeys(("--allow-unfinished", "--no-verify")),
    "--verify-checksums": Rule(lambda given: not given.no_verify, "without --no-verify", "leave out one of them"),
    "--key": _CREATE,
    "--with-indexes": _CREATE,
    **dict.fromkeys(("--columns", "--delimiter", "--csv-types", "--infer-types", "--empty"), _CSV_SOURCE),
    **dict.fromkeys(("--csv-null", "--csv-escape", "--keep-blanks"), _CSV_SOURCE),
    **dict.fromkeys(_S3_OBJECTS, _REJECTS_TO_S3),
    **dict.fromkeys(("--s3-endpoint-url", *_S3_CALLS), _IMPORT_USES_S3),
}

EXPORT: Rules = {
    **_TRANSFER,
    **dict.fromkeys(("--destination", "--segments", "--consistent-read", "--native-layout")),
    **dict.fromkeys(("--attributes", "--filter", "--index", "--limit", "--sample")),
    "--size": _TO_FILES,
    "--if-exists": _TO_FILES,
    "--compress": _NOT_PARQUET,
    "--columns": _of_format("parquet", "csv", what="CSV and Parquet"),
    "--numbers": _of_format("parquet", what="Parquet"),
    "--values": _needs("--filter"),
    "--names": _PLACEHOLDERS,
    "--seed": _needs("--sample"),
    **dict.fromkeys(_S3_OBJECTS, _EXPORT_TO_S3),
    **dict.fromkeys(("--s3-endpoint-url", *_S3_CALLS), _EXPORT_TO_S3),
}

GENERATE: Rules = dict.fromkeys(("--count", "--file", "--dataset", "--format", "--keys", "--item-size", "--seed"))
