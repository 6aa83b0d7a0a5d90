"""The man page ddbio(1), made from the parsers of the verbs: `python -m checks.docs` writes it to docs/ddbio.1, from
where it is installed.

An option that several verbs have in the same words is described once, in a section of its own.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ddbio.cli import iam_policy
from ddbio.cli.main import VERBS
from ddbio.cli.parsing import Parser
from ddbio.version import __version__

SHARED_BY = 3  # verbs, from which on an option is described once
Entry = tuple[str, str]  # the option with its value, and its meaning

_HEAD = """\
.TH DDBIO 1 "" "ddbio {version}" "User Commands"
.nh
.ad l
.SH NAME
ddbio \\- move DynamoDB tables: import, export, copy, compare, delete and update under a capacity cap
.SH SYNOPSIS
.B ddbio
.I VERB
.RI [ options ]
.SH DESCRIPTION
ddbio moves the items of DynamoDB tables in parallel, under a cap on the capacity that all its processes together
consume. A job that was stopped or killed is resumed by the same command. Nothing is lost, and nothing is reported
that did not happen.
.PP
.B DDBImport.py
(ddbimport),
.B DDBExport.py
(ddbexport) and
.B GenerateTestData.py
(ddbgenerate) are the verbs import, export and generate.
.SH VERBS
"""
_TAIL = """\
.SH EXIT STATUS
.TP
.B 0
everything is done
.TP
.B 1
finished, but records were rejected, or the sides of a comparison differ
.TP
.B 2
the command cannot work as given; nothing was moved
.TP
.B 3
failed after it began; the same command resumes
.TP
.B 70
an internal error
.TP
.B 130
stopped by Ctrl\\-C or SIGTERM
.TP
.B 141
the reader of standard output went away
.SH ENVIRONMENT
Each long option has a variable:
.B DDBIO_CAPACITY
is \\-\\-capacity.
.B DDBIO_CONFIG
and
.B DDBIO_SETTINGS
choose the configuration file and a profile in it. Region, keys and endpoints are those of the AWS CLI.
.SH FILES
.TP
.I ~/.config/ddbio/config.toml
the configuration
.TP
.I ~/.local/state/ddbio
the state of unfinished jobs, and the reports of the last runs
"""


def man_page() -> str:
    """The page as roff."""
    with _parsers() as parsers:
        entries = {verb: list(_entries(parser)) for verb, parser in parsers.items()}
        users = _users(entries)
        shared = {entry: verbs for entry, verbs in users.items() if len(verbs) >= SHARED_BY}
        parts = [_HEAD.format(version=__version__)]
        parts += [f".TP\n.B {_roff(name)}\n{_roff(verb.summary)}\n" for name, verb in VERBS.items()]
        for verb, parser in parsers.items():
            parts += _section(verb, parser, [each for each in entries[verb] if each not in shared])
        parts.append(f'.SH "ddbio iam\\-policy"\n.EX\n{_verbatim(iam_policy.HELP)}.EE\n')  # it has no parser
    parts.append(".SH OPTIONS OF SEVERAL VERBS\n")
    for (usage, meaning), verbs in sorted(shared.items(), key=lambda each: _long_name(each[0][0])):
        others = [verb for verb in parsers if verb not in verbs]
        whose = ", ".join(verbs) if len(verbs) <= len(others) else f"all but {', '.join(others)}" if others else "all"
        parts.append(f".TP\n{usage}\n{_roff(meaning)}\n.br\nVerbs: {_roff(whose)}\n")
    return "".join([*parts, _TAIL])


@contextmanager
def _parsers() -> Iterator[dict[str, Parser]]:
    """By verb. Parsers take the name of the command from `sys.argv`."""
    before = sys.argv
    found = {}
    try:
        for verb, subcommand in VERBS.items():
            sys.argv = [f"ddbio {verb}"]
            parser = subcommand.parser()
            if parser is not None:
                found[verb] = parser
        yield found
    finally:
        sys.argv = before


def _entries(parser: Parser) -> Iterator[Entry]:
    for action in parser._actions:
        if {"--help", "--version"}.isdisjoint(action.option_strings):
            yield _usage(action), parser._get_formatter()._expand_help(action)


def _users(entries: Mapping[str, list[Entry]]) -> dict[Entry, list[str]]:
    """The verbs that have each option in the same words."""
    users: dict[Entry, list[str]] = {}
    for verb, of_verb in entries.items():
        for entry in of_verb:
            users.setdefault(entry, []).append(verb)
    return users


def _usage(action: argparse.Action) -> str:
    names = ", ".join(f"\\fB{_roff(name)}\\fR" for name in action.option_strings)
    value = "" if action.nargs == 0 else action.metavar or "|".join(action.choices or ()) or action.dest.upper()
    return f"{names} \\fI{_roff(str(value))}\\fR" if value else names


def _long_name(usage: str) -> str:
    return usage.rpartition("\\-\\-")[2]


def _section(verb: str, parser: Parser, own: list[Entry]) -> Iterator[str]:
    yield f'.SH "ddbio {_roff(verb)}"\n{_roff(parser.description or "")}\n'
    for usage, meaning in own:
        yield f".TP\n{usage}\n{_roff(meaning)}\n"
    if parser.epilog:
        yield f".PP\n.EX\n{_verbatim(parser.epilog)}.EE\n"


def _verbatim(text: str) -> str:
    return "".join(f"{_roff(line)}\n" for line in text.rstrip().splitlines())


def _roff(text: str) -> str:
    """Plain text: nothing in it is a request, an escape, or a hyphen for a minus sign."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    return re.sub(r"^([.'])", r"\\&\1", escaped.replace("'", "\\(aq"))
