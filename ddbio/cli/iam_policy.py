"""`ddbio iam-policy VERB ...`: prints the policy that a command with these options needs. Sends no request."""

from __future__ import annotations

import difflib
import json
import os
import sys
from typing import Any

from ddbio.cli.main import VERBS
from ddbio.cli.run import run
from ddbio.errors import EXIT_OK, UsageError
from ddbio.forecast.price_list import LIVE
from ddbio.options import TransferOptions
from ddbio.system.terminal import tell, write_out
from ddbio.verbs.iam_policy import Scope, policy_of

HELP = """\
usage: ddbio iam-policy VERB [--account ID] [options of the verb]

Print the IAM policy that a command needs, and no more. No request is sent to AWS. Parts of an ARN that are unknown
from the options, the environment and the profile are *.

examples:
  ddbio iam-policy import -r us-east-1 -t Orders -s s3://my-bucket/orders/
  ddbio iam-policy export -r us-east-1 -t Orders -d s3://my-bucket/orders/ --account 123456789012
"""


def main() -> int:
    return run("ddbio iam-policy", lambda command: _print(sys.argv[1:]))


def _print(words: list[str]) -> int:
    if {"-h", "--help"} & {*words}:
        write_out(HELP)
        return EXIT_OK
    command = VERBS[words[0]].command if words and words[0] in VERBS else None
    if command is None and words and not words[0].startswith("-"):
        raise _no_policy(words[0])
    if command is None:
        raise UsageError(
            "iam-policy needs the verb of a command",
            "write the command after it: ddbio iam-policy export -t ... -d ...",
        )
    account, rest = _account(words[1:])
    given = command.parser().parse(rest)
    options = command.options(given)
    policy = policy_of(options, _scope(options, account), plan=given.plan, live_prices=given.prices == LIVE)
    if not policy["Statement"]:  # which would not be a valid policy
        tell("this command needs no permission: it sends no request to AWS")
        return EXIT_OK
    write_out(text_of(policy))
    return EXIT_OK


def _no_policy(word: str) -> UsageError:
    """The error for a verb that has none."""
    having = [name for name, verb in VERBS.items() if name != "iam-policy" and verb.command is not None]
    if word in VERBS:
        return UsageError(f"{word} has no policy", f"those of {', '.join(having)} can be printed")
    nearest = difflib.get_close_matches(word, having, n=1)
    return UsageError(
        f"there is no verb {word!r}", f"did you mean {nearest[0]}?" if nearest else f"use one of {', '.join(having)}"
    )


def text_of(policy: dict[str, Any]) -> str:
    """The policy as readable JSON, each list on one line."""
    statements = [
        "    {"
        + ",\n     ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in statement.items())
        + "}"
        for statement in policy["Statement"]
    ]
    version = json.dumps(policy["Version"])
    return f'{{\n  "Version": {version},\n  "Statement": [\n' + ",\n".join(statements) + "\n  ]\n}\n"


def _account(words: list[str]) -> tuple[str, list[str]]:
    if "--account" not in words:
        return "*", words
    at = words.index("--account")
    account = "".join(words[at + 1 : at + 2])
    if not (account.isdigit() and len(account) == 12):
        raise UsageError(f"--account {account!r} is not an account", "give the 12 digits of its id")
    return account, words[:at] + words[at + 2 :]


def _scope(options: TransferOptions, account: str) -> Scope:
    region = options.aws.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "*"
    return Scope(_partition(region), region, account)


def _partition(region: str) -> str:
    import botocore.session

    if region == "*":
        return "aws"
    session: Any = botocore.session.get_session()
    return str(session.get_partition_for_region(region))
