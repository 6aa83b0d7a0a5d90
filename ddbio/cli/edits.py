"""Shared by the commands that change the items of a table: their options and the end of their summaries."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ddbio.cli import arguments, confirm, summaries
from ddbio.cli.option_rules import TABLE, Rule, Rules
from ddbio.cli.parsing import Parser

if TYPE_CHECKING:
    from ddbio.verbs.edits import EditResult

EDIT_RULES: Rules = {
    **TABLE,
    **dict.fromkeys(("--segments", "--consistent-read", "--filter", "--all", "--write-capacity")),
    **dict.fromkeys(("--yes", "--rejects", "--max-errors", "--count-first")),
    "--over-provisioned": Rule(
        lambda given: bool(given.capacity or given.write_capacity),
        "with --capacity or --write-capacity",
        "add one of them, or leave it out",
    ),
}


def add_edit_options(parser: Parser, *, done: str, values_of: str) -> None:
    """done: `deleted`. values_of: the options that have values and names."""
    arguments.add_table_options(parser, units="read")
    parser.add_argument(
        "--write-capacity",
        metavar="UNITS",
        help="write units per second that all processes together may consume in the same table, as -c has read units "
        "(default: the table's capacity)",
    )
    parser.add_argument(
        "--filter", metavar="EXPRESSION", help=f"the items to be {done}: price > :p AND begins_with(sku, :s)"
    )
    parser.add_argument("--all", action="store_true", help="every item of the table")
    parser.add_argument("--values", metavar="JSON", help=f'the values of {values_of}: {{"p": 10, "s": "x"}}')
    parser.add_argument("--names", metavar="JSON", help='full names of #placeholders: {"short": "the full name"}')
    confirm.add_confirm_options(parser)


def add_more_options(parser: Parser) -> None:
    arguments.add_scan_options(parser)
    arguments.add_reject_options(parser, where="a file (default: TABLE.rejects.jsonl)", noun="items")
    arguments.add_endpoint_options(parser)
    arguments.add_run_options(parser, default_lanes="32")


def edit_options(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `EditOptions` from the arguments."""
    names = ("write_capacity", "rejects", "max_errors", "count_first")
    return {
        **arguments.table_options(given),
        **arguments.scan_options(given),
        **{name: getattr(given, name) for name in names},
        "all_items": given.all,
    }


def ending(result: EditResult) -> list[str]:
    """The last lines of a summary: capacity, the share of the last run, rejects."""
    tally = result.tally
    writes = replace(result, tally=replace(tally, units=result.write_units))
    lines = [summaries.consumption(writes, result.cap)]
    if result.read_units:
        lines.append(f"{result.read_units:,.1f} RCU consumed by the scan")
    return [*lines, *summaries.this_run(result), *summaries.rejected(result, "items")]


def counts(result: EditResult, done: str, number: int) -> str:
    """The first line of a summary: every count that is not 0 is in it. done: `deleted`; number: how many."""
    tally = result.tally
    parts = [f"{number:,} {done}"]
    parts += [f"{tally.skipped:,} skipped because they had changed"] * bool(tally.skipped)
    dropped = "already gone" if done == "deleted" else "left as they were by the transform"
    parts += [f"{tally.dropped:,} {dropped}"] * bool(tally.dropped)
    parts += [f"{tally.replaced:,} listed twice"] * bool(tally.replaced)
    parts += [f"{tally.rejected:,} rejected", f"{tally.read:,} read"]
    parts += [f"{tally.left_out:,} of them filtered out"] * bool(tally.left_out)
    parts += [f"{tally.blank:,} blank line{'s' * (tally.blank != 1)} skipped"] * bool(tally.blank)
    return ", ".join(parts)
