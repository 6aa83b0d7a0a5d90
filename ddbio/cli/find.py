"""`ddbio find`: argv to `FindOptions`, and the result as text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ddbio.cli import arguments, summaries
from ddbio.cli.option_rules import PLACEHOLDERS, TABLE, Rule, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.run import positive_int
from ddbio.cli.verb_command import VerbCommand
from ddbio.verbs.options import FIND_FORMATS, FindOptions

if TYPE_CHECKING:
    from ddbio.verbs.find_items import Find, FindResult

PROGRAM = "ddbio find"

RULES: Rules = {
    **{option: rule for option, rule in TABLE.items() if option != "--fresh"},
    **dict.fromkeys(("--segments", "--consistent-read", "--filter", "--index", "--attributes", "--limit")),
    **dict.fromkeys(("--order-by", "--format")),
    "--json": Rule(
        lambda given: given.plan,
        "with --plan",
        "leave it out: the items are JSON lines; --report FILE has the report",
    ),
    "--values": needs("--filter"),
    "--names": PLACEHOLDERS,
    "--descending": needs("--order-by"),
}

EXAMPLES = """\
examples:
  1. the items that match, as JSON lines, under a cap of 1,000 read units per second
       {command} -r us-east-1 -t Orders --filter 'price > :p' --values '{"p": 900}' -c 1000
  2. the ten most expensive orders; the whole table is read
       {command} -r us-east-1 -t Orders --order-by price --descending --limit 10
  3. any three items, two attributes of each, as CSV; stops as soon as it has them
       {command} -r us-east-1 -t Orders --attributes customer,price --limit 3 --format csv

exit codes: 0 everything searched, or the limit reached; 2 the command cannot work as given; 3 the search failed;
70 an internal error; 130 stopped; 141 the reader of standard output went away
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Find items of a DynamoDB table or index by a parallel scan, and write them to standard output.",
        EXAMPLES,
        verb="find",
        rules=RULES,
        surplus_hint="put an option before each value, and a value with blanks or a * in quotes",
    )
    arguments.add_table_options(parser, units="read")
    arguments.add_scan_options(parser)
    arguments.add_filter_options(parser)
    parser.add_argument("--attributes", metavar="LIST", help="only these attributes: id,address.city,tags[0]")
    parser.add_argument("--limit", type=positive_int, metavar="N", help="write at most N items")
    parser.add_argument(
        "--order-by", metavar="NAME", help="write the first N items in the order of this attribute; needs --limit"
    )
    parser.add_argument("--descending", action="store_true", help="the largest first; items without it stay last")
    parser.add_argument(
        "--format",
        choices=FIND_FORMATS,
        default=FIND_FORMATS[0],
        help="the format of the items (default: %(default)s)",
    )
    arguments.add_endpoint_options(parser)
    arguments.add_run_options(parser, default_lanes="8", resumes=False, items_on_stdout=True)
    return parser


def options(given: argparse.Namespace) -> FindOptions:
    return FindOptions(
        **arguments.table_options(given),
        **arguments.scan_options(given),
        format=given.format,
        order_by=given.order_by,
        descending=given.descending,
    )


def load() -> type[Find]:
    from ddbio.verbs.find_items import Find

    return Find


def summary(result: FindResult) -> str:
    """The last lines: how many items were found, and the capacity and time it took."""
    tally = result.tally
    omitted = [f"{tally.left_out:,} not among them"] * bool(tally.left_out and result.ordered)
    omitted = omitted or [f"{tally.left_out:,} left out"] * bool(tally.left_out)
    found = f"{summaries.counted(tally.written, 'item')} found ({', '.join([f'{tally.read:,} scanned', *omitted])})"
    return f"{found}\n{summaries.consumption(result, result.cap)}"


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary, data_on_stdout=lambda options: True)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
