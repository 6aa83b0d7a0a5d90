"""`ddbio verify`: argv to `VerifyOptions`, and the result as text."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ddbio.cli import arguments, summaries
from ddbio.cli.diff import compared
from ddbio.cli.option_rules import S3_CALLS, TABLE, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.verbs.options import VerifyOptions

if TYPE_CHECKING:
    from ddbio.verbs.verify_export import Verify, VerifyResult

PROGRAM = "ddbio verify"
_MOST_PROBLEMS = 20  # that are listed
_OF_TABLE = (
    *("--capacity", "--processes", "--lanes", "--fresh", "--endpoint-url", "--segments", "--consistent-read"),
    "--engine",
)

RULES: Rules = {
    **TABLE,
    **dict.fromkeys(("--source", *S3_CALLS, "--s3-endpoint-url")),
    **dict.fromkeys((*_OF_TABLE, "--spill-dir"), needs("--table")),
}

EXAMPLES = """\
examples:
  1. an export on disk: names, sizes, checksums and items of its files, as its manifest has them
       {command} exported/
  2. an export on S3
       {command} s3://my-bucket/orders/
  3. whether a table holds exactly the items of an export
       {command} s3://my-bucket/orders/ -r us-east-1 -t Orders -c 500

exit codes: 0 everything as it should be; 1 the export or the table differs; 2 the command cannot work as given;
3 the verification failed; 70 an internal error; 130 stopped
"""


class _PlaceFirst(Parser):
    """The place may come first, without an option."""

    def parse(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        words = sys.argv[1:] if argv is None else list(argv)
        return super().parse(["--source", *words] if words and not words[0].startswith("-") else words)


def parser() -> Parser:
    parser = _PlaceFirst(
        description="Verify an export against its manifest, and that a table holds exactly the items of an export.",
        verb="verify",
        rules=RULES,
        usage="%(prog)s PLACE [options]",
        surplus_hint="name one export, before the options",
    )
    parser.epilog = EXAMPLES.replace("{command}", parser.prog)
    parser.add_argument(
        "-s",
        "--source",
        required=True,
        metavar="PLACE",
        help="the export: a folder or s3://bucket/prefix; -s may be left out if it comes first",
    )
    arguments.add_table_options(parser, units="read", required=False)
    arguments.add_scan_options(parser)
    arguments.add_spill_option(parser)
    arguments.add_endpoint_options(parser)
    arguments.add_s3_call_options(parser)
    arguments.add_run_options(parser, default_lanes="2")
    return parser


def options(given: argparse.Namespace) -> VerifyOptions:
    table: dict[str, Any] = arguments.table_options(given)
    return VerifyOptions(
        **{
            **table,
            **arguments.scan_options(given),
            "table": given.source if "/" in given.source else f"./{given.source}",
            "to": given.table or "",
            "to_aws": replace(table["aws"], s3_put_args={}),
            "to_capacity": given.capacity,
            "capacity": None,
            "spill_dir": given.spill_dir,
        }
    )


def load() -> type[Verify]:
    from ddbio.verbs.verify_export import Verify

    return Verify


def summary(result: VerifyResult) -> str:
    """The last lines: the problems, and the differences of the table."""
    lines = list(result.problems[:_MOST_PROBLEMS])
    more = len(result.problems) - len(lines)
    lines += [f"and {more:,} more problems, which --report lists"] * bool(more)
    verdict = f"{summaries.counted(len(result.problems), 'problem')}" if result.problems else "as the manifest says"
    files, items = summaries.counted(result.files, "file"), summaries.counted(result.items, "item")
    lines.append(f"{verdict}: {files}, {items}, {result.bytes:,} bytes in {result.export}")
    if result.diff is not None:
        lines += [*compared(result.diff), summaries.consumption(result.diff, result.diff.cap)]
    return "\n".join(lines)


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
