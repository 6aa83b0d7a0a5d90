"""Which options depend on others: a table for each command. An option that would be ignored is refused.

Every option of a command is in its table: with a `Rule`, or with None if it applies to every run. A test walks
the parsers, so that a new option has to be classified here.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddbio.formats import all_declarations, declaration_of
from ddbio.options import AUTO

if TYPE_CHECKING:
    from ddbio.formats.declaration import Declaration

_S3 = "s3://"
_LEAVE_OUT = "leave it out"


@dataclass(frozen=True, slots=True)
class Rule:
    """holds: whether the option has an effect, given the others. only: its condition, to follow "applies only".
    hint: the remedy."""

    holds: Callable[[Namespace], bool]
    only: str
    hint: str = _LEAVE_OUT


@dataclass(frozen=True, slots=True)
class FormatRule:
    """An option that only some formats have. has_it: whether a format has it."""

    has_it: Callable[[Declaration], bool]

    def holds(self, given: Namespace) -> bool:
        return given.format == AUTO or self.has_it(declaration_of(given.format))

    @property
    def only(self) -> str:
        *labels, last = (each.label for each in self._formats())
        return f"to {' and '.join([', '.join(labels), last] if labels else [last])}"

    @property
    def hint(self) -> str:
        return f"add --format {next(self._formats()).name}, or leave it out"

    def _formats(self) -> Iterator[Declaration]:
        return filter(self.has_it, all_declarations())


Rules = Mapping[str, Rule | FormatRule | None]


def _needs(option: str) -> Rule:
    """Applies only together with another option."""
    dest = option.removeprefix("--").replace("-", "_")
    return Rule(lambda given: bool(getattr(given, dest)), f"with {option}", f"add {option}, or leave it out")


def _of_import(option: str) -> FormatRule:
    return FormatRule(lambda format: option in format.import_options)


def _of_export(option: str) -> FormatRule:
    return FormatRule(lambda format: option in format.export_options)


_TO_FILES = Rule(lambda given: given.destination != "-", "to an export into files, not to standard output")
_NOT_COMPRESSED_INSIDE = Rule(
    lambda given: not declaration_of(given.format).compressed_inside, "to formats that are not compressed inside"
)
_CSV_SOURCE = (
    *("--columns", "--delimiter", "--csv-types", "--infer-types", "--empty"),
    *("--csv-null", "--csv-escape", "--keep-blanks"),
)
_EXPORT_TO_S3 = Rule(
    lambda given: given.destination.startswith(_S3), "to an export to S3", "name an s3:// destination"
)
_REJECTS_TO_S3 = Rule(
    lambda given: (given.rejects or "").startswith(_S3),
    "to rejects written to S3",
    "name an s3:// destination with --rejects, or leave it out",
)
_IMPORT_USES_S3 = Rule(
    lambda given: any(place.startswith(_S3) for place in (*given.source, given.rejects or "")),
    "if a source or --rejects is on S3",
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
        *("--table", "--region", "--processes", "--capacity", "--profile", "--endpoint-url", "--lanes"),
        *("--give-up-after", "--fresh", "--state-dir", "--report"),
    )
)
_TABLE: Rules = {**_EVERY_RUN, "--over-provisioned": _needs("--capacity")}
_TRANSFER: Rules = {**_TABLE, **dict.fromkeys(("--format", "--rename", "--drop", "--set", "--transform"))}

IMPORT: Rules = {
    **_TRANSFER,
    **dict.fromkeys(("--source", "--mode", "--create-table", "--rejects", "--max-errors")),
    **dict.fromkeys(("--allow-unfinished", "--no-verify")),
    "--verify-checksums": Rule(lambda given: not given.no_verify, "without --no-verify", "omit one of them"),
    "--fresh": Rule(
        lambda given: "-" not in given.source, "to sources that can be read again, not to standard input"
    ),
    "--key": _CREATE,
    "--with-indexes": _CREATE,
    **{option: _of_import(option) for option in _CSV_SOURCE},
    **dict.fromkeys(_S3_OBJECTS, _REJECTS_TO_S3),
    **dict.fromkeys(("--s3-endpoint-url", *_S3_CALLS), _IMPORT_USES_S3),
}

EXPORT: Rules = {
    **_TRANSFER,
    **dict.fromkeys(("--destination", "--segments", "--consistent-read", "--native-layout")),
    **dict.fromkeys(("--attributes", "--filter", "--index", "--limit", "--sample")),
    "--size": _TO_FILES,
    "--fresh": _TO_FILES,
    "--if-exists": _TO_FILES,
    "--compress": _NOT_COMPRESSED_INSIDE,
    **{option: _of_export(option) for option in ("--columns", "--numbers")},
    "--values": _needs("--filter"),
    "--names": _PLACEHOLDERS,
    "--seed": _needs("--sample"),
    **dict.fromkeys(_S3_OBJECTS, _EXPORT_TO_S3),
    **dict.fromkeys(("--s3-endpoint-url", *_S3_CALLS), _EXPORT_TO_S3),
}

COUNT: Rules = {
    **_TABLE,
    **dict.fromkeys(("--segments", "--consistent-read", "--filter", "--index")),
    "--values": _needs("--filter"),
    "--names": _needs("--filter"),
}

GENERATE: Rules = dict.fromkeys(("--count", "--file", "--dataset", "--format", "--keys", "--item-size", "--seed"))
