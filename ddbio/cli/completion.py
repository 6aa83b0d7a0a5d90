"""`ddbio completion SHELL`: prints the script by which a shell completes verbs, options, files, and names of tables.

shtab makes it from the parsers. For a name the script asks `ddbio __complete` (`ddbio.cli.candidates`).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ddbio.cli import arguments
from ddbio.cli.candidates import INDEX, JOB, KINDS, SETTINGS, TABLE, TO_TABLE
from ddbio.cli.parsing import Parser
from ddbio.cli.run import run
from ddbio.errors import EXIT_OK, UsageError
from ddbio.system.terminal import write_out

if TYPE_CHECKING:
    from ddbio.cli.main import Subcommand

PROGRAM = "ddbio completion"
SHELLS = ("bash", "zsh", "fish")

EXAMPLES = """\
to use it, once or in the file with which your shell starts:
  bash   source <({command} bash)
  zsh    eval "$({command} zsh)"         # after compinit
  fish   {command} fish | source

Names of tables and indexes come from ListTables and DescribeTable, with the region, profile and endpoint of the
command line, the configuration or the environment; what is not answered in 0.9 seconds is not offered.

exit codes: 0 done; 2 it cannot be done
"""

# What an option's value is, by its name or the name of its value.
_NAMES = {"--table": TABLE, "--to": TO_TABLE, "--index": INDEX, "--settings": SETTINGS}
_FOLDERS = {"--state-dir", "--spill-dir", "--destination", "--backup"}
_FILES = {"PATH", "FILE", "PLACE", "SOURCE", "WHERE", "FILE.py:FUNCTION"}

# Each asks for the names of one kind, with the words before the cursor. bash cuts words at colons: it gives the line.
_BASH = """\
_ddbio_{name}() {{
  compgen -W "$(ddbio __complete {kind} --line "${{COMP_LINE:0:COMP_POINT}}" 2>/dev/null </dev/null)" -- "$1"
}}
"""
_ZSH = """\
_ddbio_{name}() {{
  compadd -- ${{(f)"$(ddbio __complete {kind} -- "${{(Q@)words[1,CURRENT-1]}}" 2>/dev/null </dev/null)"}}
}}
"""
_FISH = """\
function _ddbio_{name}
  set -l words (commandline -opc)
  ddbio __complete {kind} -- $words[2..-1] 2>/dev/null </dev/null
end
"""
_FUNCTIONS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def parser() -> Parser:
    return arguments.new_parser(
        "Print a script with which bash, zsh or fish completes the commands of ddbio. Needs the extra `completion`.",
        EXAMPLES,
        verb=None,
        rules={},
        surplus_hint=f"choose one shell: {', '.join(SHELLS)}",
        usage="%(prog)s SHELL",
    )


def main() -> int:
    return run(PROGRAM, lambda command: _perform(sys.argv[1:]))


def _perform(words: list[str]) -> int:
    parser().parse([word for word in words if word not in SHELLS])
    if len(words) != 1:
        raise UsageError(
            "the shell is missing" if not words else "only one shell can be named",
            f"choose one of {', '.join(SHELLS)}",
        )
    write_out(script(words[0]))
    return EXIT_OK


def script(shell: str) -> str:
    """The script. Raises UsageError without shtab."""
    try:
        import shtab
    except ImportError:
        raise UsageError("completion needs the package shtab", "pip install 'ddbio[completion]'") from None
    from ddbio.cli.main import VERBS

    preamble = "\n".join(_FUNCTIONS[shell].format(name=kind.replace("-", "_"), kind=kind) for kind in KINDS)
    text: str = shtab.complete(_tree(VERBS, shtab.FILE, shtab.DIRECTORY), shell, preamble=preamble)
    return text if text.endswith("\n") else f"{text}\n"


def _tree(verbs: Mapping[str, Subcommand], file: object, folder: object) -> argparse.ArgumentParser:
    """One parser with all verbs. file, folder: shtab's marks of such values."""
    root = argparse.ArgumentParser("ddbio", description="Move DynamoDB tables.")
    below = root.add_subparsers(dest="verb", parser_class=argparse.ArgumentParser)
    for name, verb in verbs.items():
        own = verb.parser()
        parents = [] if own is None else [own]
        each = below.add_parser(
            name, help=verb.summary, description=verb.summary, parents=parents, add_help=own is None
        )
        for action in each._actions:
            action.help = _short(each._get_formatter()._expand_help(action))
            mark = _mark(action, file, folder)
            if mark is not None:
                action.complete = mark  # type: ignore[attr-defined] # of shtab
        _add_words(name, each, [*verbs])
    below.add_parser("help", help="the options of a verb").add_argument("verb", choices=[*verbs])
    return root


def _short(help: str) -> str:
    """Its first clause, without what a shell would take for quotes and variables."""
    return re.sub(r"[^\w ,.:/=-]", "", re.split(r"[;(]|: ", help)[0].strip())


def _mark(action: argparse.Action, file: object, folder: object) -> object:
    """What shtab takes for the completion of a value; None for no completion, or that of its choices."""
    option = action.option_strings[-1] if action.option_strings else ""
    if option in _NAMES:
        return _ask(_NAMES[option])
    if option in _FOLDERS:
        return folder
    return file if action.metavar in _FILES else None


def _ask(kind: str) -> dict[str, str]:
    function = f"_ddbio_{kind.replace('-', '_')}"
    return {"bash": function, "zsh": function, "fish": f"({function})"}


def _add_words(verb: str, parser: argparse.ArgumentParser, verbs: list[str]) -> None:
    """The words of a verb that are no options, which it parses itself."""
    if verb == "jobs":
        from ddbio.cli.jobs import ACTIONS

        parser.add_argument("action", nargs="?", choices=ACTIONS)
        parser.add_argument("id", nargs="?").complete = _ask(JOB)  # type: ignore[attr-defined] # of shtab
    elif verb == "completion":
        parser.add_argument("shell", choices=SHELLS)
    elif verb in ("config", "iam-policy"):
        parser.add_argument("of", nargs="?", choices=verbs)


if __name__ == "__main__":
    raise SystemExit(main())
