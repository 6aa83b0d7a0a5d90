"""Which options depend on others. An option that would be ignored is refused.


Every option of a command is in its module's table, `RULES`: with a `Rule`, or with None if it applies to every run.
A test walks the parsers, so that a new option has to be classified.
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

S3 = "s3://"
LEAVE_OUT = "leave it out"


@dataclass(frozen=True, slots=True)
class Rule:
    """holds: whether the option has an effect, given the others. only: its condition, to follow "applies only".
    hint: the remedy."""

    holds: Callable[[Namespace], bool]
    only: str
    hint: str = LEAVE_OUT


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


def needs(option: str) -> Rule:
    """Applies only together with another option."""
    dest = option.removeprefix("--").replace("-", "_")
    return Rule(lambda given: bool(getattr(given, dest)), f"with {option}", f"add {option}, or leave it out")


def of_import(option: str) -> FormatRule:
    return FormatRule(lambda format: option in format.import_options)


def of_export(option: str) -> FormatRule:
    return FormatRule(lambda format: option in format.export_options)


PLACEHOLDERS = Rule(
    lambda given: given.filter is not None or given.attributes is not None,
    "with --filter or --attributes",
    "add one of them, or leave it out",
)
S3_OBJECTS = ("--s3-sse", "--s3-sse-kms-key-id", "--s3-storage-class", "--s3-acl")
S3_CALLS = ("--s3-request-payer", "--s3-expected-bucket-owner")
PROCESSES, HUB, SPARK = "processes", "hub", "spark"  # values of --engine


def _engine(given: Namespace) -> str:
    return getattr(given, "engine", PROCESSES)


def _of(*engines: str) -> Rule:
    named = " or ".join(engines)
    return Rule(
        lambda given: _engine(given) in engines, f"with --engine {named}", f"add --engine {named}, or leave it out"
    )


ENGINE: Rules = {
    "--engine": None,
    "--processes": Rule(
        lambda given: _engine(given) == PROCESSES,
        "to workers on this machine",
        "use --workers-expected, and -p of ddbio worker, or --slots with --engine spark",
    ),
    "--slots": _of(SPARK),
    **dict.fromkeys(("--workers-expected", "--token-file"), _of(HUB)),
    **dict.fromkeys(
        ("--hub-address", "--hub-port", "--shared-filesystem", "--worker-timeout", "--send-keys"), _of(HUB, SPARK)
    ),
}
EVERY_RUN: Rules = {
    **ENGINE,
    **dict.fromkeys(
        (
            *("--table", "--region", "--capacity", "--profile", "--endpoint-url", "--lanes"),
            *("--give-up-after", "--fresh", "--state-dir", "--report", "--plan"),
        )
    ),
    "--prices": needs("--plan"),
}
TABLE: Rules = {
    **EVERY_RUN,
    "--over-provisioned": needs("--capacity"),
    **dict.fromkeys(("--quiet", "--no-progress", "--log-file", "--log-format", "--max-duration")),
    "--verbose": Rule(lambda given: not (given.quiet or given.no_progress), "with the progress"),
    "--metrics": None,
    "--json": Rule(lambda given: given.report is None, "without --report", "use --report - instead"),
}
SUBSET: Rules = {
    **dict.fromkeys(("--attributes", "--filter", "--index", "--limit", "--sample")),
    "--values": needs("--filter"),
    "--names": PLACEHOLDERS,
    "--seed": needs("--sample"),
}
TO_TABLE: Rules = dict.fromkeys(("--to", "--to-region", "--to-profile", "--to-endpoint-url", "--to-capacity"))
TRANSFER: Rules = {**TABLE, **dict.fromkeys(("--format", "--rename", "--drop", "--set", "--transform"))}
