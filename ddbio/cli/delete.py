"""`ddbio delete`: argv to `DeleteOptions`, and the result as text."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING

from ddbio.cli import edits
from ddbio.cli.arguments import new_parser
from ddbio.cli.confirm import confirm
from ddbio.cli.option_rules import Rule, Rules, needs
from ddbio.cli.parsing import Parser
from ddbio.cli.verb_command import VerbCommand
from ddbio.formats import FORMATS
from ddbio.options import AUTO
from ddbio.verbs.options import DeleteOptions

if TYPE_CHECKING:
    from ddbio.job.spine import Story
    from ddbio.verbs.delete_items import Delete
    from ddbio.verbs.edits import EditResult

PROGRAM = "ddbio delete"

_SCANNED = Rule(lambda given: not given.source, "with --filter or --all", "leave it out: -s reads no table")
_LISTED = Rule(lambda given: bool(given.source), "with -s")

RULES: Rules = {
    **edits.EDIT_RULES,
    **dict.fromkeys(("--capacity", "--segments", "--consistent-read", "--count-first", "--backup"), _SCANNED),
    **dict.fromkeys(("--source", "--if-unchanged")),
    "--format": _LISTED,
    "--values": needs("--filter"),
    "--names": needs("--filter"),
}

EXAMPLES = """\
examples:
  1. the items that match a filter; the command says how many there are, and asks for the table's name
       {command} -r us-east-1 -t Orders --filter 'expires < :now' --values '{"now": 1764500000}'
  2. say what would be deleted, and delete nothing
       {command} -r us-east-1 -t Orders --filter 'attribute_not_exists(customer)' --plan
  3. in a script, under caps of 1,000 read and 500 write units per second
       {command} -r us-east-1 -t Orders --filter 'attribute_not_exists(customer)' --yes -c 1000 --write-capacity 500
  4. export the items first, to be able to restore them with ddbio import -r us-east-1 -t Orders -s saved/
       {command} -r us-east-1 -t Orders --filter 'attribute_not_exists(customer)' --backup saved/
  5. only items that still match at the moment of their delete: one request an item
       {command} -r us-east-1 -t Orders --filter 'attribute_not_exists(customer)' --if-unchanged
  6. every item
       {command} -r us-east-1 -t Orders --all
  7. those that a file lists, by their keys or whole
       {command} -r us-east-1 -t Orders -s old.json

exit codes: 0 everything deleted; 1 items were rejected; 2 the command cannot work as given, or was not confirmed
(nothing was deleted); 3 the delete failed; 70 an internal error; 130 stopped
"""


def parser() -> Parser:
    parser = new_parser(
        "Delete items of a DynamoDB table: those that match a filter, all of them, or those that files list.",
        EXAMPLES,
        verb="delete",
        rules=RULES,
        surplus_hint="put a glob or an expression in quotes, and write -s before each of several sources",
    )
    edits.add_edit_options(parser, done="deleted", values_of="--filter")
    parser.add_argument(
        "-s",
        "--source",
        action="append",
        default=[],
        metavar="SOURCE",
        help="delete the items that a file, a folder, a glob or s3://bucket/prefix lists, by their keys or whole; "
        "repeatable",
    )
    parser.add_argument(
        "--format", choices=(AUTO, *FORMATS), default=AUTO, help="the format of -s (default: %(default)s)"
    )
    parser.add_argument(
        "--backup",
        metavar="DESTINATION",
        help="export the items to this folder or s3://bucket/prefix first, and delete exactly those",
    )
    parser.add_argument(
        "--if-unchanged",
        action="store_true",
        help="delete an item only if it still matches the filter; with --backup, only if it still is as it was saved "
        "(one request an item)",
    )
    edits.add_more_options(parser)
    return parser


def options(given: argparse.Namespace) -> DeleteOptions:
    return DeleteOptions(
        **edits.edit_options(given),
        sources=tuple(given.source),
        format=given.format,
        backup=given.backup,
        if_unchanged=given.if_unchanged,
    )


def load() -> type[Delete]:
    from ddbio.verbs.delete_items import Delete

    return Delete


def ready(story: Story[EditResult], given: argparse.Namespace) -> None:
    from ddbio.verbs.delete_items import Delete

    assert isinstance(story, Delete)
    confirm(story, "delete", "deleted", yes=given.yes)


def summary(result: EditResult) -> str:
    lines = [edits.counts(result, "deleted", result.tally.deleted)]
    if result.backup is not None:
        lines.append(
            f"{result.saved_items:,} saved in {result.backup}; to restore them: {shlex.join(result.restore)}"
        )
    return "\n".join(lines + edits.ending(result))


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary, ready=ready)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
