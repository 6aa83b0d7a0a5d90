"""`ddbio worker`: lets this machine work on the jobs of a driver on another machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ddbio.cli import arguments
from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import Command, positive_int, run
from ddbio.errors import EXIT_OK, EXIT_STOPPED, UsageError
from ddbio.system.signals import signals_held
from ddbio.system.terminal import tell

if TYPE_CHECKING:
    from ddbio.cluster.crew import CrewSettings

PROGRAM = "ddbio worker"
DEFAULT_PATIENCE_S = 600
RULES: Rules = dict.fromkeys(("--join", "--token-file", "--processes", "--profile", "--wait"))

EXAMPLES = """\
examples:
  1. on the driver, which makes the token file
       ddbio export -t Orders -d s3://my-bucket/orders/ --engine hub --workers-expected 4 \\
         --hub-address 0.0.0.0 --hub-port 7070 --token-file token
  2. on each worker machine, with a copy of that file
       {command} --join driver.internal:7070 --token-file token

exit codes: 0 the driver has no more work; 2 the options cannot work, or the driver has another token; 3 there is no
driver, or no longer; 130 stopped
"""


def parser() -> Parser:
    parser = arguments.new_parser(
        "Work on the jobs of a driver (--engine hub), until it has no more. Start it on any number of machines.",
        EXAMPLES,
        verb="worker",
        rules=RULES,
        surplus_hint="put an option before each value",
    )
    parser.add_argument("--join", required=True, metavar="HOST:PORT", help="where the driver listens")
    parser.add_argument(
        "--token-file", required=True, metavar="PATH", help="a copy of the driver's token file; only you can read it"
    )
    parser.add_argument(
        "-p", "--processes", type=positive_int, metavar="N", help="worker processes (default: one per available CPU)"
    )
    parser.add_argument("--profile", help="a profile of this machine's AWS configuration (default: its role)")
    parser.add_argument(
        "--wait",
        type=positive_int,
        default=DEFAULT_PATIENCE_S,
        metavar="SECONDS",
        help="how long to look for a driver that is not there yet, or not any more (default: %(default)s)",
    )
    return parser


def address_of(text: str) -> tuple[str, int]:
    """HOST:PORT, or [IPv6]:PORT. Raises UsageError."""
    host, colon, number = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and number.isascii() and number.isdigit() and 0 < int(number) < 65_536):
        raise UsageError(f"--join {text!r} is not HOST:PORT", "write it like driver.internal:7070")
    return host, int(number)


def main() -> int:
    return run(PROGRAM, _perform)


def _perform(command: Command) -> int:
    given = parser().parse()
    address = address_of(given.join)
    with signals_held():
        from ddbio.cli.interrupts import stop_on_signals
        from ddbio.cluster.crew import CrewSettings, work_here
        from ddbio.cluster.token import read_token
        from ddbio.system.machine import allow_open_files, usable_cpus

    token = read_token(Path(given.token_file))
    allow_open_files()
    settings: CrewSettings = CrewSettings(address, given.processes or usable_cpus(), given.profile, float(given.wait))
    stop = stop_on_signals(command)
    stop.heeded = True
    end = work_here(settings, token, stop, tell)
    if stop.requests:
        tell("stopped: requests in flight were settled")
        return EXIT_STOPPED
    tell(f"finished: {end.reason}")
    return EXIT_OK


if __name__ == "__main__":
    raise SystemExit(main())
