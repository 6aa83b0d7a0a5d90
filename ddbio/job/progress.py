"""The display of a run in progress. The parent calls a `Progress`; workers never print.

`QuietProgress` is the library's default. A command uses `BarProgress`, which is tqdm, if stderr is a terminal, and
`LogProgress` if it is a file or a pipe.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from ddbio.messages import Tally
from ddbio.options import MEGABYTE
from ddbio.system.terminal import stderr, tell

WINDOW_S = 10.0  # of the rates that are shown
_SAMPLE_EVERY_S = 0.5
_SHOWN = ("share", "amount", "item rate", "unit rate", "rejected", "throttled", "left")
_IMPORTANT = ("share", "unit rate", "left", "item rate", "rejected", "throttled", "amount")
_USUAL_COLUMNS = 80
LINE_EVERY_S = 20.0  # in a log: a line or two a minute suffice for a run of hours


class Progress(Protocol):
    def say(self, text: str) -> None:
        """A sentence about the run."""

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        """The work begins. total: bytes of source, or estimated items; 0 if unknown. cap: units per second.
        done: the part of the total that earlier runs did."""

    def cap_in_force(self, units_per_s: float) -> None:
        """The units per second in force: less than the job's cap while the table throttles."""

    def update(self, amount: float, tally: Tally) -> None:
        """amount: done since the last call, in the unit of `start`. tally: the sum of this run."""

    def finish(self) -> None: ...


class QuietProgress:
    """Shows nothing."""

    def say(self, text: str) -> None: ...
    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None: ...
    def cap_in_force(self, units_per_s: float) -> None: ...
    def update(self, amount: float, tally: Tally) -> None: ...
    def finish(self) -> None: ...


class _LastSeconds:
    """The speed of a run over the last `WINDOW_S`, in amounts per second."""

    def __init__(self, now_s: float) -> None:
        self._samples: deque[tuple[float, float, int, float]] = deque([(now_s, 0.0, 0, 0.0)])

    def add(self, now_s: float, amount: float, items: int, units: float) -> None:
        """Add a measurement: totals since the start."""
        samples = self._samples
        if now_s - samples[-1][0] >= _SAMPLE_EVERY_S:
            samples.append((now_s, amount, items, units))
        while len(samples) > 2 and now_s - samples[1][0] >= WINDOW_S:
            samples.popleft()

    def rates(self, now_s: float, amount: float, items: int, units: float) -> tuple[float, float, float]:
        """Of the amount, of items and of units."""
        then_s, amount_then, items_then, units_then = self._samples[0]
        seconds = max(now_s - then_s, 0.001)
        return (amount - amount_then) / seconds, (items - items_then) / seconds, (units - units_then) / seconds


class Sentences(QuietProgress):
    """Timestamped sentences on stderr, and no progress."""

    def say(self, text: str) -> None:
        tell(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}")


class LogProgress(Sentences):
    """Timestamped sentences on stderr, with the progress from time to time: for logs and pipes."""

    _every_s = LINE_EVERY_S

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._total = self._done = self._done_before = 0.0
        self._cap = float("inf")
        self._shown_s = 0.0
        self._speed = _LastSeconds(0.0)
        self._tally = Tally()

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        self._total, self._done, self._done_before, self._cap = total, done, done, cap
        self._shown_s = self._clock()
        self._speed = _LastSeconds(self._shown_s)

    def cap_in_force(self, units_per_s: float) -> None:
        self._cap = units_per_s

    def update(self, amount: float, tally: Tally) -> None:
        self._done += amount
        self._tally = tally
        now_s = self._clock()
        self._speed.add(now_s, self._done - self._done_before, tally.read, tally.units - tally.target_units)
        if now_s - self._shown_s >= self._every_s:
            self._shown_s = now_s
            self._show(self._parts(now_s, tally))

    def show_now(self) -> None:
        """Show the progress in a line of its own; for a signal handler."""
        LogProgress._show(self, self._parts(self._clock(), self._tally))

    def _show(self, parts: dict[str, str]) -> None:
        share = f"{parts['share']} done: " if "share" in parts else ""
        rest = [f"{parts['items']} items", *(parts[name] for name in _SHOWN if name in parts and name != "share")]
        self.say(share + ", ".join(rest))

    def _parts(self, now_s: float, tally: Tally) -> dict[str, str]:
        """The parts of a progress line, by name."""
        done = self._done - self._done_before
        amount_rate, item_rate, unit_rate = self._speed.rates(
            now_s, done, tally.read, tally.units - tally.target_units
        )
        known = 0 < self._done <= self._total
        left_s = (self._total - self._done) / amount_rate if known and amount_rate > 0 else None
        of_cap = "" if self._cap == float("inf") else f" of {self._cap:,.0f}"
        about = "about " if tally.estimated else ""  # the service does not report all of them
        parts = {
            "share": f"{self._done / self._total:.0%}" if known else "",
            "items": f"{tally.read:,}",
            "item rate": f"{item_rate:,.0f} items/s",
            "unit rate": f"{about}{unit_rate:,.0f}{of_cap} units/s",
            "rejected": f"{tally.rejected:,} rejected" if tally.rejected else "",
            "throttled": f"{tally.throttled:,} throttled" if tally.throttled else "",
            "left": f"{timedelta(seconds=round(left_s))} left" if left_s is not None else "",
        }
        return {name: text for name, text in parts.items() if text}


class BarProgress(LogProgress):
    """One line at the bottom of a terminal, rewritten: amount done, speed, time left; as much as fits."""

    _every_s = 0.5

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        from tqdm import tqdm

        super().__init__(clock)
        self._tqdm = tqdm
        self._bar: tqdm | None = None  # type: ignore[type-arg]
        self._bytes = False

    def say(self, text: str) -> None:
        with self._tqdm.external_write_mode(file=stderr):
            super().say(text)

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        super().start(total, unit, cap, done)
        self.finish()
        self._bytes = unit == "B"
        self._bar = self._tqdm(file=stderr, leave=False, bar_format="{desc}", dynamic_ncols=True)

    def _show(self, parts: dict[str, str]) -> None:
        if self._bar is None:
            return
        if self._bytes and self._total:
            parts["amount"] = f"{self._done / MEGABYTE:,.1f} of {self._total / MEGABYTE:,.1f} MB"
        self._bar.set_description_str(line_of(parts, columns() - 1))

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def line_of(parts: Mapping[str, str], columns: int) -> str:
    """The most important parts that fit, in reading order."""
    chosen: list[str] = []
    for name in _IMPORTANT:
        if name in parts and len(", ".join([*(parts[each] for each in chosen), parts[name]])) <= columns:
            chosen.append(name)
    return ", ".join(parts[name] for name in _SHOWN if name in chosen)


def columns() -> int:
    try:
        return os.get_terminal_size(stderr.fileno()).columns or _USUAL_COLUMNS
    except (OSError, ValueError, AttributeError):
        return _USUAL_COLUMNS


def new_progress(*, data_on_stdout: bool = False) -> Progress:
    """A bar on a terminal; timestamped lines if stderr is a file or a pipe, or if the data go to a terminal too,
    where their lines would run into the bar."""
    shared = data_on_stdout and sys.stdout is not None and sys.stdout.isatty()
    return BarProgress() if stderr.isatty() and not shared else LogProgress()
