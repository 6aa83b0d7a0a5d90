"""`ddbio update`: argv to `UpdateOptions`, and the result as text."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ddbio.cli import edits
from ddbio.cli.arguments import new_parser
from ddbio.cli.confirm import confirm
from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import positive_int
from ddbio.cli.verb_command import VerbCommand
from ddbio.verbs.options import UpdateOptions

if TYPE_CHECKING:
    from ddbio.job.spine import Story
    from ddbio.verbs.edits import EditResult
    from ddbio.verbs.update_items import Update

PROGRAM = "ddbio update"

RULES: Rules = {
    **edits.EDIT_RULES,
    **dict.fromkeys(("--set", "--remove", "--update-expression", "--transform", "--once", "--limit")),
    **dict.fromkeys(("--values", "--names")),
}

EXAMPLES = """\
examples:
  1. a new attribute for every item that has none
       {command} -r us-east-1 -t Orders --all --set 'state = if_not_exists(state, :s)' --values '{"s": "new"}'
  2. another value where the filter holds, under caps of 1,000 read and 500 write units per second
       {command} -r us-east-1 -t Orders --filter 'state = :old' --set 'state = :new' \\
           --values '{"old": "open", "new": "closed"}' -c 1000 --write-capacity 500
  3. rename an attribute, where it exists
       {command} -r us-east-1 -t Orders --all --set 'customer = client' --remove client
  4. add to a number, exactly once for each item: repriced marks the items that were changed
       {command} -r us-east-1 -t Orders --all --set 'price = price + :rise' --values '{"rise": 5}' --once repriced
  5. try it on ten items first
       {command} -r us-east-1 -t Orders --all --remove 'address.fax' --limit 10
  6. a Python function that returns the new item, or a dict of the changed attributes, or None
       {command} -r us-east-1 -t Orders --all --transform shape.py:shape

exit codes: 0 everything updated; 1 items were rejected; 2 the command cannot work as given, or was not confirmed
(nothing was changed); 3 the update failed; 70 an internal error; 130 stopped
"""


def parser() -> Parser:
    parser = new_parser(
        "Update items of a DynamoDB table: those that match a filter, or all of them.",
        EXAMPLES,
        verb="update",
        rules=RULES,
        surplus_hint="put an expression in quotes",
    )
    edits.add_edit_options(parser, done="updated", values_of="the expressions")
    group = parser.add_argument_group("the change")
    group.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="ASSIGNMENTS",
        help="as after SET in an UpdateExpression: 'price = :p, n = n + :one'; repeatable",
    )
    group.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="PATHS",
        help="attributes to remove, separated by commas: 'fax,address.fax'; repeatable",
    )
    group.add_argument(
        "--update-expression", metavar="EXPRESSION", help="a whole UpdateExpression, with SET, REMOVE, ADD and DELETE"
    )
    group.add_argument(
        "--transform",
        metavar="FILE.py:FUNCTION",
        help="a Python function that takes an item as Python values and returns the new item, a dict of the changed "
        "attributes (without the keys), or None",
    )
    group.add_argument(
        "--once",
        metavar="NAME",
        help="mark each changed item with this attribute, and change no item that has the mark of the same command; "
        "needed for changes such as n = n + :one, which an interrupted run might repeat",
    )
    group.add_argument("--limit", type=positive_int, metavar="N", help="update at most N items")
    edits.add_more_options(parser)
    return parser


def options(given: argparse.Namespace) -> UpdateOptions:
    return UpdateOptions(
        **edits.edit_options(given),
        assign=tuple(given.set),
        remove=tuple(given.remove),
        update_expression=given.update_expression,
        transform=given.transform,
        once=given.once,
    )


def load() -> type[Update]:
    from ddbio.verbs.update_items import Update

    return Update


def ready(story: Story[EditResult], given: argparse.Namespace) -> None:
    from ddbio.verbs.update_items import Update

    assert isinstance(story, Update)
    confirm(story, "update", "changed", yes=given.yes)


def summary(result: EditResult) -> str:
    return "\n".join([edits.counts(result, "updated", result.tally.written), *edits.ending(result)])


COMMAND = VerbCommand(PROGRAM, parser, options, load, summary, ready=ready)
main = COMMAND.main

if __name__ == "__main__":
    raise SystemExit(main())
