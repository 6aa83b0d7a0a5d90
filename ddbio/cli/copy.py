"""`ddbio copy`: argv to `CopyOptions`, and the result as text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ddbio.cli import arguments, summaries
from ddbio.cli.option_rules import SUBSET, TABLE, TO_TABLE, Rule, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.verbs.options import COPY_MODES, CopyOptions

if TYPE_CHECKING:
    from ddbio.verbs.copy_table import Copy, CopyResult

PROGRAM = "ddbio copy"

_A_CAP = Rule(
    lambda given: given.capacity is not None or given.to_capacity is not None,
    "with --capacity or --to-capacity",
    "add one of them, or leave it out",
)
RULES: Rules = {
    **TABLE,
    **TO_TABLE,
    **SUBSET,
    **dict.fromkeys(("--mode", "--create-table", "--rejects", "--max-errors", "--segments", "--consistent-read")),
    **dict.fromkeys(("--rename", "--drop", "--set", "--transform")),
    "--over-provisioned": _A_CAP,
    "--with-indexes": needs("--create-table"),
}

EXAMPLES = """\
examples:
  1. a table into another one, under caps of 1,000 read and 500 write units per second
       {command} -r us-east-1 -t Orders --to Copies -c 1000 --to-capacity 500
  2. into a new table with the same keys and indexes, in another region
       {command} -r us-east-1 -t Orders --to Orders --to-region eu-west-1 --create-table --with-indexes
  3. into another account, by a profile
       {command} -r us-east-1 -t Orders --to Orders --to-profile staging
  4. what matches a filter, without two attributes; items that are there are kept
       {command} -t Orders --to Copies --filter 'price > :p' --values '{"p": 10}' --drop email,phone --mode insert

exit codes: 0 everything copied; 1 items were rejected; 2 the command cannot work as given (nothing was moved);
3 the copy failed; 70 an internal error; 130 stopped
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Copy the items of a DynamoDB table into another table, also in another region or account.",
        EXAMPLES,
        verb="copy",
        rules=RULES,
        surplus_hint="put an option before each value, and a value with blanks or a * in quotes",
    )
    arguments.add_table_options(parser, units="read")
    arguments.add_to_table_options(parser, units="write")
    add_write_options(parser)
    arguments.add_scan_options(parser)
    arguments.add_subset_options(parser, doing="copy")
    arguments.add_transform_options(parser)
    arguments.add_endpoint_options(parser)
    arguments.add_run_options(parser, default_lanes="32")
    return parser


def add_write_options(parser: Parser) -> None:
    """Options for how an item changes the other table, and whether that is created first."""
    parser.add_argument(
        "--mode",
        choices=COPY_MODES,
        default="put",
        help="put: replace an item with the same key; insert: keep it, and count the item as skipped (slower: one "
        "request per item) (default: %(default)s)",
    )
    parser.add_argument(
        "--create-table",
        action="store_true",
        help="create the other table, on-demand, if it does not exist, with the keys of the first",
    )
    parser.add_argument(
        "--with-indexes", action="store_true", help="also create its indexes; each one consumes units"
    )
    arguments.add_reject_options(parser, where="a file (default: TABLE.rejects.jsonl)", noun="items")


def options(given: argparse.Namespace) -> CopyOptions:
    return CopyOptions(
        **arguments.table_options(given),
        **arguments.scan_options(given),
        **arguments.transform_options(given),
        **arguments.to_table_options(given),
        mode=given.mode,
        create_table=given.create_table,
        with_indexes=given.with_indexes,
        rejects=given.rejects,
        max_errors=given.max_errors,
    )


def load() -> type[Copy]:
    from ddbio.verbs.copy_table import Copy

    return Copy


def summary(result: CopyResult) -> str:
    """The last lines of the output; every count that is not 0 is in them."""
    tally = result.tally
    counts = [f"{tally.read:,} read", f"{tally.written:,} written to {result.target}", f"{tally.rejected:,} rejected"]
    counts += [f"{tally.left_out:,} filtered out"] * bool(tally.left_out) + summaries.transformed(tally)
    counts += [f"{tally.skipped:,} skipped because their key was taken"] * bool(tally.skipped)
    counts += [f"{tally.replaced:,} replaced by a later item with the same key"] * bool(tally.replaced)
    lines = [", ".join(counts), summaries.consumption_of_two(result, result.cap, result.target_cap)]
    return "\n".join(lines + summaries.this_run(result) + summaries.rejected(result, "items"))


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
