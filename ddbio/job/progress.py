"""The display of a run in progress. The parent calls a `Progress`; workers never print.

`QuietProgress` is the library's default. A command uses `BarProgress`, which is tqdm, if stderr is a terminal, and
`LogProgress` if it is a file or a pipe.
"""

from __future__ import annotations

import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, Protocol

from ddbio.job.live import LiveRun
from ddbio.job.meter import Meter
from ddbio.job.progress_text import block_of, fitted, log_line, parts_of
from ddbio.messages import Tally
from ddbio.system.terminal import stderr, tell

_COLOURS = {"rejected": "31", "throttled": "33"}  # red, yellow
_USUAL_COLUMNS = 80
LINE_EVERY_S = 20.0  # in a log: a line or two a minute suffice for a run of hours


class Progress(Protocol):
    def say(self, text: str) -> None:
        """A sentence about the run."""

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        """The work begins. total: bytes of source, or estimated items; 0 if unknown. cap: units per second.
        done: the part of the total that earlier runs did."""

    def watch(self, live: LiveRun) -> None:
        """The engine is open: more about the run, to be read at any time."""

    def update(self, amount: float, tally: Tally) -> None:
        """Called for every report, and a few times a second without any. amount: done since the last call, in the
        unit of `start`. tally: the sum of this run."""

    def finish(self) -> None: ...


class QuietProgress:
    """Shows nothing."""

    def say(self, text: str) -> None: ...
    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None: ...
    def watch(self, live: LiveRun) -> None: ...
    def update(self, amount: float, tally: Tally) -> None: ...
    def finish(self) -> None: ...


class Sentences(QuietProgress):
    """Timestamped sentences on stderr, and no progress."""

    def say(self, text: str) -> None:
        tell(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}")


class LogProgress(Sentences):
    """Timestamped sentences on stderr, with the progress from time to time: for logs and pipes.

    verbose: with the details of the run, too.
    """

    _every_s = LINE_EVERY_S

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, verbose: bool = False) -> None:
        self._meter = Meter(clock)
        self._verbose = verbose
        self._shown_s = 0.0

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        self._meter.start(total, unit, cap, done)
        self._shown_s = self._meter.clock()

    def watch(self, live: LiveRun) -> None:
        self._meter.live = live

    def update(self, amount: float, tally: Tally) -> None:
        self._meter.update(amount, tally)
        now_s = self._meter.clock()
        if now_s - self._shown_s >= self._every_s:
            self._shown_s = now_s
            self._show()

    def show_now(self) -> None:
        """Show the progress and the details in lines of their own; for a signal handler."""
        self._say_all(details=True)

    def _show(self) -> None:
        self._say_all(details=self._verbose)

    def _say_all(self, *, details: bool) -> None:
        self._write(log_line(self._meter.snapshot()))
        if details and self._meter.live is not None:
            for line in block_of(self._meter.live):
                self._write(f"  {line}")

    def _write(self, line: str) -> None:
        self.say(line)


class OnRequest(LogProgress):
    """Shows nothing but what `show_now` asks for: beside a display without progress."""

    _every_s = math.inf

    def say(self, text: str) -> None: ...

    def _write(self, line: str) -> None:
        super().say(line)


class BarProgress(LogProgress):
    """A line at the bottom of a terminal, rewritten, with as much as fits; if verbose, a block of lines below it."""

    _every_s = 0.5

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, verbose: bool = False) -> None:
        super().__init__(clock, verbose=verbose)
        self._tqdm = bar_class()
        self._lines: list[Any] = []
        self._colours = not in_notebook() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._started = False

    def say(self, text: str) -> None:
        with self._tqdm.external_write_mode(file=stderr):
            super().say(text)

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        super().start(total, unit, cap, done)
        self.finish()
        self._started = True
        self._draw([""])

    def _show(self) -> None:
        if not self._started:
            return
        width = columns() - 1
        separator, parts = fitted(parts_of(self._meter.snapshot()), width)
        lines = [separator.join(self._coloured(name, text) for name, text in parts)]
        if self._verbose and self._meter.live is not None:
            lines += [f"  {line}"[:width] for line in block_of(self._meter.live)]
        self._draw(lines)

    def _draw(self, lines: Sequence[str]) -> None:
        while len(self._lines) < len(lines):
            self._lines.append(self._tqdm(file=stderr, leave=False, bar_format="{desc}", dynamic_ncols=True))
        for place, line in zip_longest(self._lines, lines, fillvalue=""):
            assert not isinstance(place, str)
            place.set_description_str(line)

    def _coloured(self, name: str, text: str) -> str:
        colour = _COLOURS.get(name) if self._colours else None
        return f"\x1b[{colour}m{text}\x1b[0m" if colour else text

    def finish(self) -> None:
        self._started = False
        while self._lines:
            self._lines.pop().close()


def in_notebook() -> bool:
    """Whether the program is a kernel of Jupyter: its output is no terminal, but shows bars."""
    return "ipykernel" in sys.modules


def bar_class() -> Any:
    """tqdm, or its widget in a notebook that has them."""
    if in_notebook():
        with warnings.catch_warnings():  # without ipywidgets it warns, and shows a bar of text
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    else:
        from tqdm import tqdm  # type: ignore[assignment]
    return tqdm


class Several:
    """Shows a run in several ways."""

    def __init__(self, shown: Sequence[Progress]) -> None:
        self._shown = tuple(shown)

    def say(self, text: str) -> None:
        for each in self._shown:
            each.say(text)

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        for each in self._shown:
            each.start(total, unit, cap, done)

    def watch(self, live: LiveRun) -> None:
        for each in self._shown:
            each.watch(live)

    def update(self, amount: float, tally: Tally) -> None:
        for each in self._shown:
            each.update(amount, tally)

    def finish(self) -> None:
        for each in self._shown:
            each.finish()


def columns() -> int:
    try:
        return os.get_terminal_size(stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError, AttributeError):
        return _USUAL_COLUMNS


def new_progress(*, data_on_stdout: bool = False, verbose: bool = False) -> Progress:
    """A bar on a terminal and in a notebook; timestamped lines if stderr is a file or a pipe, or if the data go to a
    terminal too, where their lines would run into the bar."""
    shared = data_on_stdout and sys.stdout is not None and sys.stdout.isatty()
    kind = BarProgress if in_notebook() or (stderr.isatty() and not shared) else LogProgress
    return kind(verbose=verbose)
