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
    from ddbio.values.sampling import Estimate
    from ddbio.verbs.count_items import Count, CountResult

PROGRAM = "ddbio count"

RULES: Rules = {
    **TABLE,
    **dict.fromkeys(("--segments", "--consistent-read", "--filter", "--index", "--sample", "--by-segment")),
    "--seed": needs("--sample"),
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
  4. about how many match, from a twentieth of the table, and the 95 % interval of that number
       {command} -r us-east-1 -t Orders --filter 'price > :p' --values '{"p": 10}' --sample 5%
  5. how evenly the items are spread over the table
       {command} -r us-east-1 -t Orders --by-segment

exit codes: 0 everything counted; 2 the command cannot work as given; 3 the count failed; 70 an internal error;
130 stopped
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Count the items of a DynamoDB table or index by a parallel scan, without receiving them.",
        EXAMPLES,
        verb="count",
        rules=RULES,
        surplus_hint="put an option before each value, and a value with blanks or a * in quotes",
    )
    arguments.add_table_options(parser, units="read")
    arguments.add_scan_options(parser)
    arguments.add_filter_options(parser)
    arguments.add_sample_options(parser)
    parser.add_argument(
        "--by-segment", action="store_true", help="also show how the items are distributed over the segments"
    )
    arguments.add_endpoint_options(parser)
    arguments.add_run_options(parser, default_lanes="8")
    return parser


def options(given: argparse.Namespace) -> CountOptions:
    return CountOptions(
        **arguments.table_options(given), **arguments.scan_options(given), by_segment=given.by_segment
    )


def load() -> type[Count]:
    from ddbio.verbs.count_items import Count

    return Count


def summary(result: CountResult) -> str:
    """The last lines: the count, and the capacity and time it took."""
    tally, estimate = result.tally, result.estimate
    counted = f"{summaries.counted(tally.counted, 'item')} ({tally.read:,} scanned)"
    if estimate is not None:
        counted += f" in {len(result.by_segment):,} of {result.segments:,} segments"
    lines = [] if estimate is None else [_estimated(estimate)]
    lines += [counted, summaries.consumption(result, result.cap), *summaries.this_run(result)]
    return "\n".join(lines + (result.distribution.lines("items") if result.distribution is not None else []))


def _estimated(estimate: Estimate) -> str:
    about = f"about {estimate.total:,.0f} items in the whole table"
    if estimate.least is None or estimate.most is None:
        return f"{about}; one segment gives no interval: use --segments or a larger --sample"
    return f"{about}: {estimate.least:,.0f} to {estimate.most:,.0f} with 95 % confidence"


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
