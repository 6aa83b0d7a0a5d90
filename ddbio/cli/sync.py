"""`ddbio sync`: argv to `SyncOptions`, and the result as text."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from ddbio.cli import arguments, summaries
from ddbio.cli.confirm import confirm
from ddbio.cli.diff import SIDES, add_side_options, side_options
from ddbio.cli.option_rules import Rule, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.verbs.options import SyncOptions

if TYPE_CHECKING:
    from ddbio.job.spine import Story
    from ddbio.verbs.sync import Sync, SyncResult

PROGRAM = "ddbio sync"
_CAPACITIES = ("capacity", "to_capacity", "write_capacity")

RULES: Rules = {
    **SIDES,
    **dict.fromkeys(("--write-capacity", "--no-delete", "--overwrite", "--yes", "--rejects", "--max-errors")),
    "--allow-partial": needs("--source"),
    "--over-provisioned": Rule(
        lambda given: any(getattr(given, name) for name in _CAPACITIES),
        "with a capacity",
        "add -c, --to-capacity or --write-capacity, or leave it out",
    ),
}

EXAMPLES = """\
examples:
  1. make a copy equal to its table again; the command asks for the name of the copy
       {command} -r us-east-1 -t Orders --to OrdersCopy
  2. in a script, with at most 500 read units per second of each and 200 write units of the copy
       {command} -r us-east-1 -t Orders --to OrdersCopy --yes -c 500 --to-capacity 500 --write-capacity 200
  3. only put and change items, delete none
       {command} -r us-east-1 -t Orders --to OrdersCopy --no-delete
  4. bring a table back to the state of an export
       {command} -r us-east-1 -s s3://my-bucket/orders/ --to Orders

exit codes: 0 the tables are equal; 1 items were rejected, or left because they had changed; 2 the command cannot
work as given, or was not confirmed (nothing was changed); 3 it failed; 70 an internal error; 130 stopped
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Make a DynamoDB table equal to another one, or to an export, with the fewest writes.",
        EXAMPLES,
        verb="sync",
        rules=RULES,
        surplus_hint="put an option before each value",
    )
    add_side_options(parser, place="; it is changed")
    group = parser.add_argument_group("the writes")
    group.add_argument(
        "--write-capacity",
        metavar="UNITS",
        help="write units per second of the second table; --to-capacity has its read units (default: its capacity)",
    )
    group.add_argument("--no-delete", action="store_true", help="leave items that the first side lacks")
    group.add_argument(
        "--allow-partial",
        action="store_true",
        help="allow a source of -s that is no complete export with a manifest: what it lacks is deleted",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="write in batches, without a condition: also over items that changed since they were compared",
    )
    group.add_argument("--yes", action="store_true", help="do not ask; needed for deletes where there is no terminal")
    arguments.add_reject_options(group, where="a file (default: differences.rejects.jsonl)", noun="differences")
    return parser


def options(given: argparse.Namespace) -> SyncOptions:
    names = ("write_capacity", "no_delete", "allow_partial", "overwrite", "rejects", "max_errors")
    return SyncOptions(**side_options(given), **{name: getattr(given, name) for name in names})


def load() -> type[Sync]:
    from ddbio.verbs.sync import Sync

    return Sync


def ready(story: Story[SyncResult], given: argparse.Namespace) -> None:
    from ddbio.verbs.sync import Sync

    assert isinstance(story, Sync)
    if not given.no_delete or given.allow_partial:
        confirm(story, "sync", "changed", yes=given.yes)


def summary(result: SyncResult) -> str:
    """The last lines: what was written and what was not, and the capacity and time it took."""
    tally, compared = result.applied, result.compared
    parts = [f"{tally.written - tally.deleted:,} written", f"{tally.deleted:,} deleted"]
    parts += [f"{tally.skipped:,} left because they had changed"] * bool(tally.skipped)
    differences = compared.only_first + compared.only_second + compared.changed
    kept = differences - tally.read if result.error is None else 0
    parts += [f"{kept:,} left that the first side lacks"] * bool(kept)
    parts += [f"{tally.rejected:,} rejected"]
    first, second = result.items
    items = f"{first:,} and {second:,} items compared"
    if not result.is_compared:
        items = f"unfinished: {first:,} and {second:,} items read"
    lines = [
        ", ".join(parts),
        f"{items}, {summaries.counted(result.suspects, 'item')} read again",
        summaries.consumption(replace(result, tally=tally), result.cap),
        f"{compared.units:,.1f} RCU consumed by the comparison",
    ]
    return "\n".join(lines + summaries.rejected(result, "differences"))


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary, ready=ready)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
