"""`ddbio VERB ...`: passes the remaining arguments to the verb's command."""

from __future__ import annotations

import difflib
import importlib
import sys
from dataclasses import dataclass

from ddbio.cli.run import run
from ddbio.errors import EXIT_OK, UsageError
from ddbio.system.terminal import write_out
from ddbio.version import __version__


@dataclass(frozen=True, slots=True)
class Subcommand:
    """module: has `main()`. summary: one line on the verb, for `ddbio --help`."""

    module: str
    summary: str


VERBS = {
    "import": Subcommand("ddbio.cli.ddbimport", "load files from disk or S3 into a table (DDBImport.py)"),
    "export": Subcommand("ddbio.cli.ddbexport", "scan a table in parallel to disk or S3 (DDBExport.py)"),
    "count": Subcommand("ddbio.cli.ddbcount", "count the items of a table or index"),
    "generate": Subcommand("ddbio.cli.ddbgenerate", "make test data (GenerateTestData.py)"),
    "iam-policy": Subcommand("ddbio.cli.iam_policy", "print the IAM policy that a command needs"),
}


def main() -> int:
    words = sys.argv[1:]
    if words and words[0] in VERBS:
        sys.argv = [f"ddbio {words[0]}", *words[1:]]
        code: int = importlib.import_module(VERBS[words[0]].module).main()
        return code
    sys.argv = ["ddbio", *words]
    return run("ddbio", lambda command: _without_verb(words))


def _without_verb(words: list[str]) -> int:
    if words and words[0] == "--version":
        write_out(f"ddbio {__version__}\n")
        return EXIT_OK
    if words and words[0] in ("-h", "--help"):
        write_out(_help())
        return EXIT_OK
    if not words:
        raise UsageError("a verb is missing", f"use one of {', '.join(VERBS)}; ddbio --help describes them")
    nearest = difflib.get_close_matches(words[0], VERBS, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"use one of {', '.join(VERBS)}"
    raise UsageError(f"there is no verb {words[0]!r}", hint)


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:{width}}  {verb.summary}" for name, verb in VERBS.items())
    after = "ddbio VERB --help lists the options."
    return f"usage: ddbio VERB [options]\n\nMove DynamoDB tables.\n\nverbs:\n{verbs}\n\n{after}\n"
