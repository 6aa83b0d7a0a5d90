"""`ddbio count`: argv to `CountOptions`, and the result as text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ddbio.cli import arguments, summaries
from ddbio.cli.option_rules import TABLE, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.verbs.options import CountOptions

if TYPE_CHECKING:
    from ddbio.verbs.count_items import Count, CountResult

PROGRAM = "ddbio count"

RULES: Rules = {
    **TABLE,
    **dict.fromkeys(("--segments", "--consistent-read", "--filter", "--index")),
    "--values": needs("--filter"),
    "--names": needs("--filter"),
}

EXAMPLES = """\
examples:
  1. the items of a table, under a cap of 1,000 read units per second
       {command} -r us-east-1 -t Orders -c 1000
  2. those that match a filter; all items are read
       {command} -r us-east-1 -t Orders --filter 'price > :p' --values '{"p": 10}'
  3. those of a secondary index
       {command} -r us-east-1 -t Orders --index byDay

exit codes: 0 everything counted; 2 the command cannot work as given; 3 the count failed; 70 an internal error;
130 stopped
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Count the items of a DynamoDB table or index by a parallel scan, without receiving them.",
        EXAMPLES,
        rules=RULES,
        surplus_hint="put an option before each value, and a value with blanks or a * in quotes",
    )
    arguments.add_table_options(parser, units="read")
    arguments.add_scan_options(parser)
    arguments.add_filter_options(parser)
    arguments.add_endpoint_options(parser)
    arguments.add_run_options(parser, default_lanes="8")
    return parser


def options(given: argparse.Namespace) -> CountOptions:
    return CountOptions(**arguments.table_options(given), **arguments.scan_options(given))


def load() -> type[Count]:
    from ddbio.verbs.count_items import Count

    return Count


def summary(result: CountResult) -> str:
    """The last lines: the count, and the capacity and time it took."""
    tally = result.tally
    lines = [
        f"{summaries.counted(tally.counted, 'item')} ({tally.read:,} scanned)",
        summaries.consumption(result, result.cap),
    ]
    return "\n".join(lines + summaries.this_run(result))


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
