"""`ddbio revert`: argv to `RevertOptions`, and the result as text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ddbio.cli import arguments, summaries
from ddbio.cli.confirm import confirm
from ddbio.cli.option_rules import S3, S3_CALLS, TABLE, Rule, Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.verbs.options import RevertOptions

if TYPE_CHECKING:
    from ddbio.job.spine import Story
    from ddbio.verbs.revert import Revert, RevertResult

PROGRAM = "ddbio revert"

_FROM_S3 = Rule(lambda given: any(place.startswith(S3) for place in given.source), "if a source is on S3")

RULES: Rules = {
    **TABLE,
    **dict.fromkeys(("--source", "--force", "--yes", "--rejects", "--max-errors")),
    **dict.fromkeys(("--s3-endpoint-url", *S3_CALLS), _FROM_S3),
}

EXAMPLES = """\
examples:
  1. undo the changes in an incremental export; the command says how many there are, and asks for the table's name
       {command} -r us-east-1 -t Orders -s s3://my-bucket/AWSDynamoDB/01764500000000-1a2b3c4d/
  2. say what would be undone, and write nothing
       {command} -r us-east-1 -t Orders -s s3://my-bucket/AWSDynamoDB/01764500000000-1a2b3c4d/ --plan
  3. several exports, the newest first, in a script and under a cap of 500 write units per second
       {command} -r us-east-1 -t Orders -s s3://my-bucket/AWSDynamoDB/ --yes -c 500
  4. also the items that changed again since then
       {command} -r us-east-1 -t Orders -s s3://my-bucket/AWSDynamoDB/01764500000000-1a2b3c4d/ --force

exit codes: 0 all changes undone or skipped; 1 lines were rejected; 2 the command cannot work as given, or was not
confirmed (nothing was written); 3 the revert failed; 70 an internal error; 130 stopped
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Undo the changes in incremental exports by DynamoDB that have old images.",
        EXAMPLES,
        verb="revert",
        rules=RULES,
        surplus_hint="put a glob in quotes, and write -s before each of several sources",
    )
    parser.add_argument(
        "-s",
        "--source",
        action="append",
        required=True,
        metavar="EXPORT",
        help="the folder or s3://bucket/prefix of an incremental export with NEW_AND_OLD_IMAGES, or of several; "
        "repeatable",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="restore the old items whatever they are now: changes since then are lost (25 items a request)",
    )
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")
    arguments.add_table_options(parser, units="write")
    arguments.add_reject_options(parser, where="a file (default: NAME.rejects.jsonl)", noun="lines")
    arguments.add_endpoint_options(parser)
    arguments.add_run_options(parser, default_lanes="128")
    arguments.add_s3_call_options(parser)
    return parser


def options(given: argparse.Namespace) -> RevertOptions:
    return RevertOptions(
        **arguments.table_options(given),
        sources=tuple(given.source),
        force=given.force,
        rejects=given.rejects,
        max_errors=given.max_errors,
    )


def load() -> type[Revert]:
    from ddbio.verbs.revert import Revert

    return Revert


def ready(story: Story[RevertResult], given: argparse.Namespace) -> None:
    from ddbio.verbs.revert import Revert

    assert isinstance(story, Revert)
    confirm(story, "revert", "reverted", yes=given.yes)


def summary(result: RevertResult) -> str:
    """The last lines of the output; every count that is not 0 is in them."""
    tally = result.tally
    counts = [f"{tally.written - tally.deleted:,} restored"]
    counts += [f"{tally.deleted:,} deleted, which did not exist before"] * bool(tally.deleted)
    counts += [f"{tally.dropped:,} already as before"] * bool(tally.dropped)
    counts += [f"{tally.skipped:,} skipped because they had changed again"] * bool(tally.skipped)
    counts += [f"{tally.replaced:,} listed twice"] * bool(tally.replaced)
    counts += [f"{tally.rejected:,} rejected", f"{tally.read:,} read"]
    counts += [f"{summaries.counted(tally.blank, 'blank line')} skipped"] * bool(tally.blank)
    lines = [", ".join(counts), summaries.consumption(result, result.cap)]
    return "\n".join([*lines, *summaries.this_run(result), *summaries.rejected(result, "lines")])


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary, ready=ready)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
