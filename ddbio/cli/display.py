"""What a command shows of its run while it works, and when it has to stop: the options, and what they do."""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddbio.errors import UsageError

if TYPE_CHECKING:
    from ddbio.job.log import RunLog
    from ddbio.job.progress import Progress
    from ddbio.options import TransferOptions
    from ddbio.system.stop import StopFlag

_LOG_LINE = re.compile(rb'\{"time": "|\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d ')
_LAST_PORT = 65_535
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?")


def duration_s(text: str) -> int:
    """An argparse type: `90`, `90s`, `30m`, `2h`, `1h30m`; in seconds."""
    found = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(each or 0) for each in found.groups()) if found else (0, 0, 0)
    if total := hours * 3600 + minutes * 60 + seconds:
        return total
    raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 90s, 30m or 1h30m")


def port(text: str) -> int:
    """An argparse type: 0 to 65535."""
    if text.isascii() and text.isdigit() and int(text) <= _LAST_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to {_LAST_PORT:,}")


def add_display_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("during the run")
    group.add_argument("-q", "--quiet", action="store_true", help="show nothing but errors and the summary")
    group.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="show details below the progress: budgets, workers, the slowest unit",
    )
    group.add_argument("--no-progress", action="store_true", help="show sentences, but no progress")
    group.add_argument("--log-file", metavar="PATH", help="append a line for each event to this file")
    group.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="format of the log file (default: %(default)s)"
    )
    group.add_argument(
        "--metrics",
        type=port,
        metavar="PORT",
        help="serve metrics for Prometheus at http://127.0.0.1:PORT/metrics; 0 takes a free port",
    )
    group.add_argument(
        "--max-duration",
        type=duration_s,
        metavar="TIME",
        help="stop in order after this time, such as 30m or 2h; the same command resumes",
    )


@dataclass(frozen=True, slots=True)
class Display:
    """How a run is shown. max_duration_s: None for no limit. metrics_port: 0 for any; None to serve none."""

    quiet: bool
    verbose: bool
    no_progress: bool
    log_file: str | None
    log_format: str
    max_duration_s: int | None
    metrics_port: int | None

    @classmethod
    def of(cls, given: argparse.Namespace, options: TransferOptions) -> Display:
        """Raises UsageError for a log file among the data."""
        if given.log_file is not None:
            _check_log(given.log_file, options)
        return cls(
            given.quiet,
            given.verbose,
            given.no_progress,
            given.log_file,
            given.log_format,
            given.max_duration,
            given.metrics,
        )

    @contextmanager
    def shown(
        self, command: str, stop: StopFlag, *, data_on_stdout: bool
    ) -> Iterator[tuple[Progress, RunLog | None]]:
        """The progress of a run, and its log. Until the end, SIGUSR1 shows where it is, and metrics are served.

        command: its name. Raises UsageError if the log cannot be written or the metrics not served.
        """
        from ddbio.job.log import RunLog
        from ddbio.job.progress import LogProgress, OnRequest, Several

        screen = self._screen(data_on_stdout=data_on_stdout)
        asked = screen if isinstance(screen, LogProgress) else OnRequest()
        with contextlib.ExitStack() as stack:
            log = RunLog(self.log_file, self.log_format) if self.log_file is not None else None
            if log is not None:
                stack.enter_context(_ended(log))
            several = (screen, *[asked] * (asked is not screen), log, self._metrics(command, screen, stack))
            shown = Several([each for each in several if each])
            timer = self._timer(stop, shown)
            signal.signal(signal.SIGUSR1, lambda _signal, _frame: asked.show_now())
            try:
                yield shown, log
            finally:
                if timer is not None:
                    timer.cancel()
                signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a late one must not end the command

    def _screen(self, *, data_on_stdout: bool) -> Progress:
        from ddbio.job.progress import QuietProgress, Sentences, new_progress

        if self.quiet:
            return QuietProgress()
        if self.no_progress:
            return Sentences()
        return new_progress(data_on_stdout=data_on_stdout, verbose=self.verbose)

    def _metrics(self, command: str, screen: Progress, stack: contextlib.ExitStack) -> Progress | None:
        """Serves them until the stack is closed."""
        if self.metrics_port is None:
            return None
        from ddbio.job.metrics import Metrics, served

        metrics = Metrics(command)
        screen.say(f"Metrics: {stack.enter_context(served(metrics, self.metrics_port))}")
        return metrics

    def _timer(self, stop: StopFlag, shown: Progress) -> threading.Timer | None:
        if self.max_duration_s is None:
            return None
        timer = threading.Timer(self.max_duration_s, stop_late, (stop, shown, self.max_duration_s))
        timer.daemon = True
        timer.start()
        return timer


@contextmanager
def _ended(log: RunLog) -> Iterator[None]:
    """Closes the log; a run that ends without a result has an end in it, too."""
    from ddbio.job.accounts import Result
    from ddbio.job.report import as_ours
    from ddbio.messages import Tally

    try:
        yield
    except BaseException as error:
        log.end(Result(Tally(), 0.0, as_ours(error)))
        raise
    finally:
        log.close()


def stop_late(stop: StopFlag, shown: Progress, after_s: int) -> None:
    """The longest duration is over: stop the run in order. If a job is just ending, that stops only the next of its
    story."""
    if stop.requests:
        return
    stop.ask()  # first: nothing may keep it from stopping
    if not stop.finishing:
        shown.say(f"Stopping: {after_s:,} s are over (--max-duration)")


def _check_log(path: str, options: TransferOptions) -> None:
    from ddbio.formats import data_suffixes
    from ddbio.storage.output_paths import Protected, resolved

    if "://" in path:
        raise UsageError(f'a log cannot be written to "{path}"', "give a path on this machine with --log-file")
    destination = getattr(options, "destination", "")
    folder = "" if "://" in destination or destination == "-" else destination
    sources = tuple(getattr(options, "sources", ()) or ())
    for name in ("report", "rejects", "output"):
        other = getattr(options, name, None)
        if other and resolved(Path(other)) == resolved(Path(path)):
            raise UsageError(f'the log "{path}" is also the file of --{name}', "give another path with --log-file")
    protected = Protected(sources, data_suffixes(getattr(options, "format", "auto")), folder)
    if why := protected.why_not(Path(path)):
        raise UsageError(f'the log "{path}" {why}', "give another path with --log-file")
    with contextlib.suppress(OSError):
        if Path(path).stat().st_size and not _is_log(Path(path)):
            raise UsageError(f'"{path}" exists and is not a log: nothing is appended to it', "give another path")


def _is_log(path: Path) -> bool:
    with path.open("rb") as file:
        return _LOG_LINE.match(file.read(40)) is not None
