"""`ddbio worker`: lets this machine work on the jobs of a driver on another machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ddbio.cli import arguments
from ddbio.cli.option_rules import Rules
from ddbio.cli.parsing import Parser
from ddbio.cli.run import Command, positive_int, run
from ddbio.errors import EXIT_OK, EXIT_STOPPED, UsageError
from ddbio.messages import Tally
from ddbio.system.signals import signals_held
from ddbio.system.terminal import tell

if TYPE_CHECKING:
    from ddbio.cluster.crew import CrewSettings
    from ddbio.job.progress import Progress

PROGRAM = "ddbio worker"
DEFAULT_PATIENCE_S = 600
RULES: Rules = dict.fromkeys(
    ("--join", "--token-file", "--processes", "--profile", "--wait", "--quiet", "--no-progress")
)
_SHOWN_FOR_S = 15.0  # after the last work: until the rates of the last seconds are 0

EXAMPLES = """\
examples:
  1. on the driver, which makes the token file
       ddbio export -t Orders -d s3://my-bucket/orders/ --engine hub --workers-expected 4 \\
         --hub-address 0.0.0.0 --hub-port 7070 --token-file token
  2. on each worker machine, with a copy of that file
       {command} --join driver.internal:7070 --token-file token

exit codes: 0 the driver has no more work, or was stopped; 2 the options cannot work, or the driver has another token;
3 there is no driver, or no longer; 130 stopped
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
    parser.add_argument("-q", "--quiet", action="store_true", help="show nothing but errors and the last line")
    parser.add_argument("--no-progress", action="store_true", help="show sentences, but no progress")
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
    shown = _Shown(_progress(quiet=given.quiet, no_progress=given.no_progress))
    try:
        end = work_here(settings, token, stop, shown)
    finally:
        shown.close()
    if stop.requests:
        tell(f"stopped: requests in flight were settled{shown.sum}")
        return EXIT_STOPPED
    tell(f"finished: {end.reason}{shown.sum}")
    return EXIT_OK


def _progress(*, quiet: bool, no_progress: bool) -> Progress:
    from ddbio.job.progress import QuietProgress, Sentences, new_progress

    if quiet:
        return QuietProgress()
    return Sentences() if no_progress else new_progress()


class _Shown:
    """What happens here, as the progress of a run. See `ddbio.cluster.crew.Onlooker`."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = progress
        self._clock = clock
        self._tally = Tally()  # as it was shown last
        self._shown_until_s: float | None = None

    def say(self, sentence: str) -> None:
        self._progress.say(sentence)

    def worked(self, tally: Tally) -> None:
        """Nothing is shown before there was any work, nor a while after it."""
        now_s, amount = self._clock(), tally.read - self._tally.read
        if tally != self._tally:
            if self._shown_until_s is None:
                self._progress.start(0.0, "items", math.inf)
            self._shown_until_s = now_s + _SHOWN_FOR_S
            self._tally = tally.copy()
        if self._shown_until_s is not None and now_s < self._shown_until_s:
            self._progress.update(amount, self._tally)

    def close(self) -> None:
        self._progress.finish()

    @property
    def sum(self) -> str:
        """Of all work, to follow the last sentence."""
        tally = self._tally
        if not tally.requests:
            return ""
        return f"; {tally.read:,} items and {tally.units:,.1f} capacity units here"


if __name__ == "__main__":
    raise SystemExit(main())
