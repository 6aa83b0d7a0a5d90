"""`ddbio __complete KIND ...`: the names that a shell offers for the word at the cursor, one a line. See
`ddbio.cli.completion`.

It must not disturb who types: it says nothing but names, whatever fails; asks nothing at the terminal; and ends after
`LIMIT_S`, whatever hangs, with the names that it has by then.
"""

from __future__ import annotations

import gc
import os
import shlex
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ddbio.errors import EXIT_OK

if TYPE_CHECKING:
    import argparse

    from ddbio.aws.settings import AwsSettings
    from ddbio.cli.parsing import Parser

LIMIT_S = 0.9
TABLE, TO_TABLE, INDEX, JOB, SETTINGS = KINDS = ("table", "to-table", "index", "job", "settings")


def main(words: Sequence[str], limit_s: float = LIMIT_S) -> int:
    """words: a kind; then either `--`, the verb, and the words before the one at the cursor, or `--line` and the line
    up to the cursor."""
    timer = threading.Timer(limit_s, lambda: os._exit(EXIT_OK))  # also if the main thread waits for a name server
    timer.daemon = True
    timer.start()
    gc.disable()  # a tenth of the time
    with suppress(OSError):
        os.setsid()  # away from the terminal: nobody is there to type the code of a device
    with suppress(Exception, SystemExit):  # also of argparse, for a line that is not complete
        kind, form, *rest = words
        _offer(kind, _words_of_line(rest[0]) if form == "--line" else rest)
    timer.cancel()
    return EXIT_OK


def _words_of_line(line: str) -> list[str]:
    """The words before the one at the end of the line, without the program."""
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = ""
    found = []
    with suppress(ValueError):  # a quote that is still open
        found = list(words)
    return found[1:] if line[-1:].isspace() else found[1:-1]


def _offer(kind: str, words: Sequence[str]) -> None:
    from ddbio.cli.main import VERBS

    verb, *options = words
    parser = VERBS[verb].parser()
    assert parser is not None
    if options and options[-1].startswith("-"):  # the option whose value is at the cursor
        options.pop()
    if kind == SETTINGS:
        _write(_profiles(parser.parse_incomplete(options).config))
        return
    given = _in_force(parser, options)
    if kind == JOB:
        from ddbio.job.listing import list_jobs
        from ddbio.job.state import state_root

        _write(job.id for job in list_jobs(state_root(given.state_dir)))
    else:
        _offer_names(kind, given)


def _in_force(parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """The options so far, with those that are configured."""
    from ddbio.cli.configuration import settings_of
    from ddbio.cli.parsing import given_options

    typed = parser.parse_incomplete(words)
    settings = settings_of(parser, typed.config, typed.settings).values()
    more = [word for each in settings if each.option not in given_options(typed) for word in each.words]
    return parser.parse_incomplete([*more, *words])


def _profiles(asked: str | None) -> Iterable[str]:
    from ddbio.cli.configuration_file import content_of, path_of_file, profiles_in

    path = path_of_file(asked)
    return [] if path is None else profiles_in(content_of(path), path)


def _offer_names(kind: str, given: argparse.Namespace) -> None:
    from ddbio.dynamodb.session import Session

    tables = given.table if isinstance(given.table, list) else [given.table] if given.table else []
    session = Session(_settings(kind, given), tables if kind == INDEX else ())
    if kind == INDEX:
        described = session.describe(tables[0]).description
        kinds = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes")
        _write(each["IndexName"] for kind in kinds for each in described.get(kind, []))
        return
    for page in session.pages_of_tables():
        _write(page)


def _settings(kind: str, given: argparse.Namespace) -> AwsSettings:
    from ddbio.cli import arguments

    given.to = ""  # as it is not complete yet
    options = arguments.to_table_options(given) if kind == TO_TABLE else arguments.table_options(given)
    settings: AwsSettings = options["to_aws" if kind == TO_TABLE else "aws"]
    return settings


def _write(names: Iterable[str]) -> None:
    """At once: the time may be over before there are more."""
    sys.stdout.write("".join(f"{name}\n" for name in names))
    sys.stdout.flush()
