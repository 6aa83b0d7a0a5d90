"""What a run shows while it works. The parent tells, a `Progress` shows; workers never print.

`QuietProgress` is the library's default. A command uses `BarProgress`, which is tqdm, where stderr is a terminal, and
`LogProgress` where it is a file or a pipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from ddbio.terminal import stderr, tell
from ddbio.units import Tally

LINE_EVERY_S = 20.0  # of a log: a line or two a minute tell what a run of hours does


class Progress(Protocol):
    def say(self, text: str) -> None:
        """A sentence about the run."""

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        """The work begins. total: bytes of source, or estimated items; 0 where unknown. cap: units per second.
        done: of the total, by earlier runs."""

    def update(self, amount: float, tally: Tally) -> None:
        """amount: done since the last call, in the unit of `start`. tally: the sum of this run."""

    def finish(self) -> None: ...


class QuietProgress:
    """Shows nothing."""

    def say(self, text: str) -> None: ...
    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None: ...
    def update(self, amount: float, tally: Tally) -> None: ...
    def finish(self) -> None: ...


class LogProgress(QuietProgress):
    """Sentences with the time before them, on stderr, and one in a while about how far it is: for logs and pipes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._total = self._done = self._done_before = self._cap = 0.0
        self._began_s = self._shown_s = 0.0

    def say(self, text: str) -> None:
        tell(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} {text}")

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        self._total, self._done, self._done_before, self._cap = total, done, done, cap
        self._began_s = self._shown_s = self._clock()

    def update(self, amount: float, tally: Tally) -> None:
        self._done += amount
        if self._clock() - self._shown_s >= LINE_EVERY_S:
            self._shown_s = self._clock()
            self.say(self._line(tally, self._shown_s - self._began_s))

    def _line(self, tally: Tally, seconds: float) -> str:
        share = f"{self._done / self._total:.0%} done: " if 0 < self._done <= self._total else ""
        rate = (self._done - self._done_before) / seconds
        left = f", {timedelta(seconds=round((self._total - self._done) / rate))} left" if share and rate > 0 else ""
        return f"{share}{tally.read:,} items, {_rates(tally, seconds, self._cap)}{left}"


def _rates(tally: Tally, seconds: float, cap: float) -> str:
    of_cap = "" if cap == float("inf") else f" of {cap:,.0f}"
    about = "about " if tally.estimated else ""  # the service does not report all of them
    parts = [f"{tally.read / seconds:,.0f} items/s", f"{about}{tally.units / seconds:,.0f}{of_cap} units/s"]
    parts += [f"{tally.rejected:,} rejected"] * bool(tally.rejected)
    parts += [f"{tally.throttled:,} throttled"] * bool(tally.throttled)
    return ", ".join(parts)


class BarProgress(LogProgress):
    """A tqdm bar on stderr: done, rate, ETA; items/s, units/s against the cap, rejected, throttled."""

    _POSTFIX_EVERY_S = 0.5

    def __init__(self) -> None:
        from tqdm import tqdm

        super().__init__()
        self._tqdm = tqdm
        self._bar: tqdm | None = None  # type: ignore[type-arg]

    def say(self, text: str) -> None:
        with self._tqdm.external_write_mode(file=stderr):
            super().say(text)

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        super().start(total, unit, cap, done)
        self._bar = self._tqdm(
            total=total or None,
            initial=done,
            file=stderr,
            leave=False,
            dynamic_ncols=True,
            unit=unit if unit == "B" else f" {unit}",
            unit_scale=True,
            unit_divisor=1024 if unit == "B" else 1000,
        )

    def update(self, amount: float, tally: Tally) -> None:
        if self._bar is None:
            return
        self._bar.update(amount)
        now_s = self._clock()
        if now_s - self._shown_s >= self._POSTFIX_EVERY_S:
            self._shown_s = now_s
            self._bar.set_postfix_str(_rates(tally, max(now_s - self._began_s, 0.001), self._cap), refresh=False)

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
