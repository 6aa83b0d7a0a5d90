"""`ddbio diff`: argv to `DiffOptions`, and the result as text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ddbio.cli import arguments, s3_options, summaries
from ddbio.cli.option_rules import S3, S3_CALLS, S3_OBJECTS, TABLE, TO_TABLE, Rule, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.errors import UsageError
from ddbio.options import STDOUT
from ddbio.verbs.options import DiffOptions

if TYPE_CHECKING:
    from ddbio.verbs.diff import Diff, DiffResult

PROGRAM = "ddbio diff"
_PLACES = ("source", "to", "output")
_ANYTHING_ON_S3 = Rule(
    lambda given: any((getattr(given, name, None) or "").startswith(S3) for name in _PLACES), "to places on S3"
)
_OUTPUT_ON_S3 = Rule(lambda given: (given.output or "").startswith(S3), "to an --output on S3")
_WITH_VALUES = Rule(lambda given: not given.keys_only, "without --keys-only")

SIDES: Rules = {
    **TABLE,
    **TO_TABLE,
    **dict.fromkeys(("--source", "--segments", "--consistent-read", "--spill-dir")),
    **dict.fromkeys((*S3_CALLS, "--s3-endpoint-url"), _ANYTHING_ON_S3),
}
RULES: Rules = {
    **SIDES,
    **dict.fromkeys(("--keys-only", "--filter", "--output", "--sample")),
    **dict.fromkeys(("--ignore", "--attributes"), _WITH_VALUES),
    "--values": needs("--filter"),
    "--names": needs("--filter"),
    "--seed": needs("--sample"),
    **dict.fromkeys(S3_OBJECTS, _OUTPUT_ON_S3),
}

EXAMPLES = """\
examples:
  1. whether two tables have the same items, each read with at most 500 read units per second
       {command} -r us-east-1 -t Orders --to OrdersCopy -c 500 --to-capacity 500
  2. the differences as JSON lines; `ddbio import -t OrdersCopy -s diff.jsonl` makes the copy equal
       {command} -r us-east-1 -t Orders --to OrdersCopy --output diff.jsonl
  3. a table in another region, without an attribute that always differs
       {command} -r us-east-1 -t Orders --to Orders --to-region eu-west-1 --ignore copied_at
  4. an export with the table that it was made of
       {command} -r us-east-1 -s s3://my-bucket/orders/ --to Orders

exit codes: 0 the same; 1 different; 2 the command cannot work as given; 3 the comparison failed; 70 an internal
error; 130 stopped
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Compare the items of two DynamoDB tables, or of a table and an export, in any order and little memory.",
        EXAMPLES,
        verb="diff",
        rules=RULES,
        surplus_hint="put an option before each value, and a value with blanks or a * in quotes",
    )
    add_side_options(parser, place="; or the place of an export: ./folder or s3://bucket/prefix")
    group = parser.add_argument_group("the comparison")
    group.add_argument("--keys-only", action="store_true", help="compare only which keys there are")
    group.add_argument("--attributes", metavar="NAMES", help="compare only these attributes, separated by commas")
    group.add_argument(
        "--ignore",
        metavar="NAMES",
        action="append",
        default=[],
        help="attributes that make no difference, separated by commas; repeatable",
    )
    group.add_argument("--filter", metavar="EXPRESSION", help="compare only items that match on either side")
    group.add_argument("--values", metavar="JSON", help='the values of --filter: {"p": 10, "s": "x"}')
    group.add_argument("--names", metavar="JSON", help='full names of #placeholders: {"short": "the full name"}')
    arguments.add_sample_options(group)
    group.add_argument(
        "--output",
        metavar="PLACE",
        help="write the differences as JSON lines to this file or s3://bucket/key; - for standard output "
        "(default: only count them)",
    )
    s3_options.add_s3_options(parser)
    return parser


def add_side_options(parser: Parser, *, place: str) -> None:
    """The options for both sides of a comparison. place: what `--to` may be besides a table."""
    arguments.add_table_options(parser, units="read", required=False)
    parser.add_argument(
        "-s", "--source", metavar="PLACE", help="an export, in place of -t: a folder, a file, or s3://bucket/prefix"
    )
    arguments.add_to_table_options(parser, units="read", more=place)
    arguments.add_scan_options(parser)
    arguments.add_spill_option(parser)
    arguments.add_endpoint_options(parser)
    arguments.add_s3_call_options(parser)
    arguments.add_run_options(parser, default_lanes="2")


def side_options(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `ComparisonOptions` from the arguments that `add_side_options` adds.

    Raises UsageError without a first side.
    """
    if given.table is None and given.source is None:
        raise UsageError("there is no first side", "name a table with -t, or an export with -s")
    if given.table is not None and given.source is not None:
        raise UsageError("there are two first sides, -t and -s", "leave one of them out; the second side is --to")
    options = {
        **arguments.table_options(given),
        **arguments.scan_options(given),
        **arguments.to_table_options(given),
        "spill_dir": given.spill_dir,
    }
    if given.source is not None:
        options["table"] = given.source if "/" in given.source else f"./{given.source}"
    return options


def options(given: argparse.Namespace) -> DiffOptions:
    ignored = tuple(name.strip() for names in given.ignore for name in names.split(","))
    if "" in ignored:
        raise UsageError("--ignore has an empty name", "separate the names of attributes by commas")
    return DiffOptions(**side_options(given), keys_only=given.keys_only, ignore=ignored, output=given.output)


def load() -> type[Diff]:
    from ddbio.verbs.diff import Diff

    return Diff


def summary(result: DiffResult) -> str:
    """The last lines: the differences, and the capacity and time they took."""
    lines = [*compared(result), summaries.consumption(result, result.cap)]
    if result.output not in (None, STDOUT):
        lines.append(f"differences: {result.output}")
    elif result.differences and result.output is None and result.error is None:
        lines.append("--output FILE lists the differences")
    return "\n".join(lines)


def compared(result: DiffResult) -> list[str]:
    tally, (first, second) = result.tally, result.items
    parts = [
        f"{count:,} {words}"
        for count, words in (
            (tally.only_first, "only in the first"),
            (tally.only_second, "only in the second"),
            (tally.changed, "changed"),
        )
        if count
    ]
    outcome = f"{summaries.counted(result.differences, 'difference')}: {', '.join(parts)}" if parts else "the same"
    if result.error is not None:
        outcome = f"unfinished: {outcome if parts else 'no difference'} so far"
    again = f", {summaries.counted(result.suspects, 'item')} read again" if result.suspects else ""
    verb = "compared" if result.error is None else "read"
    left = f", {tally.left_out:,} omitted by the filter" if tally.left_out else ""
    return [outcome, f"{first:,} and {second:,} items {verb}{left}{again}"]


COMMAND = VerbCommand(
    PROGRAM, parser, options, load, summary, data_on_stdout=lambda options: options.output == STDOUT
)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
