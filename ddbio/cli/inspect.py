"""`ddbio inspect`: argv to `InspectOptions`, and the result as text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ddbio.cli import arguments, summaries
from ddbio.cli.option_rules import TABLE, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.verbs.options import InspectOptions

if TYPE_CHECKING:
    from ddbio.verbs.inspect_table import Inspect, InspectResult

PROGRAM = "ddbio inspect"

RULES: Rules = {
    **TABLE,
    **dict.fromkeys(("--segments", "--consistent-read", "--sample")),
    "--seed": needs("--sample"),
}

EXAMPLES = """\
examples:
  1. of a fiftieth of the table, chosen at random
       {command} -r us-east-1 -t Orders --sample 2%
  2. of all of it, under a cap of 1,000 read units per second, as JSON
       {command} -r us-east-1 -t Orders -c 1000 --json

exit codes: 0 everything inspected; 2 the command cannot work as given; 3 the inspection failed; 70 an internal error;
130 stopped
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Show the sizes, attributes, heavy keys, indexes and expired items of a DynamoDB table by a parallel scan.",
        EXAMPLES,
        verb="inspect",
        rules=RULES,
        surplus_hint="put an option before each value, and a value with blanks or a * in quotes",
    )
    arguments.add_table_options(parser, units="read")
    arguments.add_scan_options(parser)
    arguments.add_sample_options(parser)
    arguments.add_endpoint_options(parser)
    arguments.add_run_options(parser, default_lanes="8")
    return parser


def options(given: argparse.Namespace) -> InspectOptions:
    return InspectOptions(**arguments.table_options(given), **arguments.scan_options(given))


def load() -> type[Inspect]:
    from ddbio.verbs.inspect_table import Inspect

    return Inspect


def summary(result: InspectResult) -> str:
    """The profile, and the capacity and time it took."""
    from ddbio.cli.profile_text import profile_lines

    lines = profile_lines(result) if result.error is None else [f"{result.tally.read:,} items read"]
    return "\n".join([*lines, summaries.consumption(result, result.cap), *summaries.this_run(result)])


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
