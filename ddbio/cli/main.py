"""`ddbio VERB ...`: passes the remaining arguments to the verb's command."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddbio.cli.run import run
from ddbio.errors import EXIT_OK, UsageError
from ddbio.system.terminal import write_out
from ddbio.version import __version__

if TYPE_CHECKING:
    from ddbio.cli.parsing import Parser
    from ddbio.cli.verb_command import VerbCommand

COMPLETE = "__complete"  # in place of a verb: a shell asks for names


@dataclass(frozen=True, slots=True)
class Subcommand:
    """module: has `main()` and `parser()`, and `COMMAND` for a verb that works on a table.

    summary: one line on the verb, for `ddbio --help`. script: its name as a script of the checkout, if it is one.
    """

    module: str
    summary: str
    script: str = ""

    @property
    def command(self) -> VerbCommand[Any, Any] | None:
        """None if the verb does not work on a table."""
        return getattr(importlib.import_module(self.module), "COMMAND", None)

    def parser(self) -> Parser | None:
        """None if the verb has no options of its own."""
        make = getattr(importlib.import_module(self.module), "parser", None)
        return None if make is None else make()


VERBS = {
    "import": Subcommand("ddbio.cli.ddbimport", "load files from disk or S3 into a table", "DDBImport.py"),
    "export": Subcommand("ddbio.cli.ddbexport", "scan a table in parallel to disk or S3", "DDBExport.py"),
    "copy": Subcommand("ddbio.cli.copy", "copy the items of a table into another table"),
    "count": Subcommand("ddbio.cli.count", "count the items of a table or index"),
    "diff": Subcommand("ddbio.cli.diff", "compare two tables, or a table and an export"),
    "delete": Subcommand("ddbio.cli.delete", "delete the items that match a filter, or that files list"),
    "sql": Subcommand("ddbio.cli.sql", "run a SELECT over the items of a table or of files"),
    "inspect": Subcommand("ddbio.cli.inspect", "show sizes, attributes, heavy keys and indexes of a table"),
    "find": Subcommand("ddbio.cli.find", "write the items that match a filter to standard output"),
    "sync": Subcommand("ddbio.cli.sync", "make a table equal to another one or to an export, with the fewest writes"),
    "verify": Subcommand("ddbio.cli.verify", "verify an export against its manifest, or a table against an export"),
    "update": Subcommand("ddbio.cli.update", "change the items that match a filter"),
    "revert": Subcommand("ddbio.cli.revert", "undo the changes in incremental exports by DynamoDB"),
    "generate": Subcommand("ddbio.cli.ddbgenerate", "make test data", "GenerateTestData.py"),
    "worker": Subcommand("ddbio.cli.worker", "work on the jobs of a driver on another machine (--engine hub)"),
    "jobs": Subcommand(
        "ddbio.cli.jobs", "list unfinished and recent jobs; show, resume or forget one, or change its cap"
    ),
    "report": Subcommand("ddbio.cli.report", "write a page in HTML about a job, with charts"),
    "doctor": Subcommand("ddbio.cli.doctor", "check this machine, the endpoint, the keys and permissions"),
    "config": Subcommand("ddbio.cli.config", "show the options that variables and the configuration file set"),
    "completion": Subcommand("ddbio.cli.completion", "print the script that completes commands in bash, zsh or fish"),
    "iam-policy": Subcommand("ddbio.cli.iam_policy", "print the IAM policy that a command needs"),
}


PLAN = "plan"
_HELP = ("-h", "--help", "help")


def main() -> int:
    words = sys.argv[1:]
    if words[:1] == [COMPLETE]:
        from ddbio.cli import candidates

        return candidates.main(words[1:])
    if words[:1] == ["help"] and len(words) > 1:  # `ddbio help export`
        words = [words[1], "--help"]
    if words[:1] == [PLAN] and _has_plan(words[1:2]):  # `ddbio plan export`
        words = [words[1], "--plan", *words[2:]]
    if words and words[0] in VERBS:
        sys.argv = [f"ddbio {words[0]}", *words[1:]]
        code: int = importlib.import_module(VERBS[words[0]].module).main()
        return code
    sys.argv = [f"ddbio {PLAN}" if words[:1] == [PLAN] else "ddbio", *words]
    return run("ddbio", lambda command: _without_verb(words))


def _has_plan(words: list[str]) -> bool:
    verb = VERBS.get(words[0]) if words else None
    return verb is not None and verb.command is not None


def _without_verb(words: list[str]) -> int:
    if words and words[0] == "--version":
        write_out(f"ddbio {__version__}\n")
        return EXIT_OK
    if words and (words[0] in _HELP or (words[0] == PLAN and words[1:2] == ["--help"])):
        write_out(_help())
        return EXIT_OK
    if not words:
        raise UsageError("a verb is missing", f"use one of {', '.join(VERBS)}; ddbio --help describes them")
    if words[0] == PLAN:
        having = ", ".join(name for name in VERBS if _has_plan([name]))
        wrong = f"{words[1]!r} has no plan" if len(words) > 1 else "a verb is missing"
        raise UsageError(wrong, f"use one of {having}")
    import difflib

    nearest = difflib.get_close_matches(words[0], VERBS, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"use one of {', '.join(VERBS)}"
    raise UsageError(f"there is no verb {words[0]!r}", hint)


def _line(verb: Subcommand) -> str:
    return f"{verb.summary} ({verb.script})" if verb.script else verb.summary


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:{width}}  {_line(verb)}" for name, verb in VERBS.items())
    after = f"""ddbio VERB --help lists the options.
ddbio {PLAN} VERB [options] says what a run would read, write, need and cost, and does nothing."""
    return f"usage: ddbio VERB [options]\n\nMove DynamoDB tables.\n\nverbs:\n{verbs}\n\n{after}\n"
