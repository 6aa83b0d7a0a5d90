"""`ddbio doctor`: what would keep a command from working here, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ddbio.aws.redaction import hide
from ddbio.aws.settings import AwsSettings
from ddbio.cli import arguments
from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import run
from ddbio.errors import EXIT_OK, EXIT_REJECTED, UsageError
from ddbio.options import TransferOptions
from ddbio.system.terminal import write_out

if TYPE_CHECKING:
    from ddbio.verbs.diagnosis import Finding

PROGRAM = "ddbio doctor"
FOR = "--for"
RULES: Rules = dict.fromkeys(("--region", "--profile", "--endpoint-url", "--state-dir", "--json"))

EXAMPLES = """\
examples:
  1. this machine, the endpoint and the keys
       {command} -r us-east-1
  2. the same for a command, with those of its permissions that can be tried; --for comes last
       {command} --for import -r us-east-1 -t Orders -s orders/

exit codes: 0 all is fine, or not known; 1 there is something to fix; 2 the options cannot work
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Check this machine, the endpoint and the keys. Changes nothing.",
        EXAMPLES,
        verb="doctor",
        rules=RULES,
        surplus_hint="write a command after --for, with its options",
        usage="%(prog)s [options] [--for VERB [options of the verb]]",
    )
    parser.add_argument("-r", "--region", help="the AWS region (default: as for the AWS CLI)")
    arguments.add_endpoint_options(parser)
    parser.add_argument("--state-dir", metavar="PATH", help="folder for the state of unfinished jobs")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def main() -> int:
    return run(PROGRAM, lambda command: _perform(sys.argv[1:]))


def _perform(words: list[str]) -> int:
    at = words.index(FOR) if FOR in words else len(words)
    given = parser().parse(words[:at])
    options = _options_of(words[at + 1 :]) if at < len(words) else None
    settings = AwsSettings(region=given.region, profile=given.profile, endpoint_url=given.endpoint_url)
    findings = _findings(options, settings if options is None else options.aws, given.state_dir)
    found = [_without_secrets(each) for each in findings]
    write_out(_as_json(found) if given.json else "".join(f"{_line(each)}\n" for each in found))
    return EXIT_REJECTED if any(each.state == "fix" for each in found) else EXIT_OK


def _options_of(words: list[str]) -> TransferOptions:
    from ddbio.cli.main import VERBS

    verb = VERBS.get(words[0]) if words else None
    if verb is None or verb.command is None:
        raise UsageError("--for needs the verb of a command", "write the command last: --for import -t ... -s ...")
    options: TransferOptions = verb.command.options_of(words[1:])
    return options


def _findings(options: TransferOptions | None, settings: AwsSettings, state_dir: str | None) -> Iterator[Finding]:
    from ddbio.job.state import state_root
    from ddbio.verbs.diagnosis import machine, permissions, service
    from ddbio.verbs.iam_policy import Scope, policy_of

    yield from machine(state_root(state_dir or (options.state_dir if options else None)))
    tables = [options.table] if options is not None and options.table else []
    found, session = service(settings, tables)
    yield from found
    if options is not None and session is not None and all(each.state != "fix" for each in found):
        yield from permissions(session, policy_of(options, Scope("aws", session.region, "*")), tables)


def _without_secrets(finding: Finding) -> Finding:
    """Endpoints and messages of other programs may have a password in them."""
    from ddbio.verbs.diagnosis import Finding

    return Finding(finding.name, finding.state, hide(finding.text), hide(finding.hint))


def _line(finding: Finding) -> str:
    hint = f"; {finding.hint}" if finding.hint else ""
    return f"{finding.state:8} {finding.name}: {finding.text}{hint}"


def _as_json(found: list[Finding]) -> str:
    import msgspec

    return msgspec.json.format(msgspec.json.encode({"version": 1, "findings": found}), indent=2).decode() + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
