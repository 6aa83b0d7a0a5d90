"""Asks before items are deleted or changed: at a terminal the user types the table's name; elsewhere --yes is needed.

Without an answer nothing has been read or written yet, beyond a sample of the items.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from ddbio.errors import UsageError
from ddbio.system.terminal import stderr, tell

if TYPE_CHECKING:
    from ddbio.job.run import Caller
    from ddbio.verbs.intent import Intent


class Destructive(Protocol):
    """A story that is confirmed first."""

    def intent(self, caller: Caller, *, asks: bool) -> Intent:
        """asks: whether the user decides by it; if not, no sample is read to find out how many items there are."""


def add_confirm_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask; needed where there is no terminal")
    parser.add_argument(
        "--count-first",
        action="store_true",
        help="count the items exactly before asking, by a scan of the whole table, rather than from a sample",
    )


def confirm(story: Destructive, verb: str, done: str, *, yes: bool) -> None:
    """Show what is about to happen, and go on only if the user wants it. verb, done: `delete` and `deleted`.

    Raises UsageError.
    """
    from ddbio.job.progress import new_progress
    from ddbio.job.run import Caller

    intent = story.intent(Caller(new_progress()), asks=not yes)
    for sentence in (*intent.sentences, *intent.warnings):
        tell(sentence)
    if not yes and not at_terminal():
        raise UsageError(
            f"{verb} asks first, and there is no terminal to ask at: nothing was {done}",
            "--plan shows more; if you are sure, add --yes",
        )
    if not yes:
        ask(intent.table, verb, done, sys.stdin.readline)


def ask(table: str, verb: str, done: str, readline: Callable[[], str]) -> None:
    """Raises UsageError unless the next line is the table's name."""
    stderr.write(f"To {verb} them, type the name of the table: ")
    stderr.flush()
    answer = readline().strip()
    if answer != table:
        given = f"{answer!r} is not its name" if answer else "no name was typed"
        raise UsageError(f"{given}: nothing was {done}", f"type {table} if you are sure")


def at_terminal() -> bool:
    """Whether a question can be seen and answered."""
    return sys.stdin is not None and sys.stdin.isatty() and stderr.isatty()
