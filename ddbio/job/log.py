"""The log of a run in a file: a line for each event, as text or as JSON, for people and for programs.

    event      further members in JSON
    start      total, unit (of the work; 0 if unknown), cap
    notice     text: a sentence about the run
    progress   done, cap (in force), budgets, and counts: those of this run, by name, without zeros
    throttle   throttled: requests refused and items sent back since the last such line; reasons: how often each
    rejects    of the whole job, at its end, if there are any: rejected, codes (how often each), place
    end        exit_code, error, and counts: those of the job

Each line has the time with its zone. The names are stable. A log that cannot be written changes nothing about the run
(`failure`).
"""

from __future__ import annotations

import datetime
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

from ddbio.aws.redaction import hide
from ddbio.dynamodb.throttling import is_throttling
from ddbio.errors import UsageError, on_one_line
from ddbio.job.accounts import Result
from ddbio.job.live import Budget, LiveRun
from ddbio.job.progress import LINE_EVERY_S
from ddbio.job.rejects import RejectingResult
from ddbio.messages import Tally
from ddbio.messages.counts import NAMES

FORMATS = ("text", "json")


def _now() -> datetime.datetime:
    return datetime.datetime.now().astimezone()


class RunLog:
    """failure: why lines were lost; None if none were."""

    def __init__(
        self,
        path: str,
        format: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime.datetime] = _now,
    ) -> None:
        """Opens the file, to append to it. Raises UsageError if that is impossible."""
        self.failure: OSError | None = None
        self._as_json = format == "json"
        self._clock = clock
        self._now = now
        self._file = _opened(Path(path))
        self._shown_s = clock()
        self._done = self._cap = 0.0
        self._live: LiveRun | None = None
        self._before = Tally()  # at the last line about throttling

    # -- as a `Progress`

    def say(self, text: str) -> None:
        text = hide(text)
        self._write("notice", text, text=text)

    def start(self, total: float, unit: str, cap: float, done: float = 0.0) -> None:
        self._done, self._cap, self._live, self._before = done, cap, None, Tally()
        of_total = f" of {total:,.0f} {unit}" if total else ""
        self._write("start", f"started: {done:,.0f}{of_total} done", total=total, unit=unit, cap=_finite(cap))

    def watch(self, live: LiveRun) -> None:
        self._live = live

    def update(self, amount: float, tally: Tally) -> None:
        self._done += amount
        now_s = self._clock()
        if now_s - self._shown_s < LINE_EVERY_S:
            return
        self._shown_s = now_s
        counts, budgets = _counts(tally), self._live.budgets() if self._live else ()
        cap = budgets[0].rates.in_force if budgets else self._cap
        of_budgets = [_as_json(each) for each in budgets]
        self._write("progress", _spoken(counts), done=self._done, cap=_finite(cap), budgets=of_budgets, counts=counts)
        since = tally.minus(self._before)
        if since.throttled:
            self._before = tally.copy()
            reasons = {name: count for name, count in since.reasons.items() if is_throttling(name)}
            self._write(
                "throttle",
                _spoken({"throttled": since.throttled, **reasons}),
                throttled=since.throttled,
                reasons=reasons,
            )

    def finish(self) -> None: ...

    # -- its end

    def end(self, result: Result) -> None:
        counts, error = _counts(result.tally), None if result.error is None else hide(str(result.error))
        if isinstance(result, RejectingResult) and result.reject_kinds:
            codes = {kind.code: kind.count for kind in result.reject_kinds}
            place = hide(result.rejects) if result.rejects else None
            spoken = f"{_spoken(codes)}; {place}"
            self._write("rejects", spoken, rejected=result.tally.rejected, codes=codes, place=place)
        text = f"ended with {result.exit_code}: {_spoken(counts)}" + (f"; {error}" if error else "")
        self._write("end", text, exit_code=result.exit_code, error=error, counts=counts)

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.failure = self.failure or error

    def _time(self) -> str:
        return self._now().isoformat(timespec="milliseconds")

    def _write(self, event: str, spoken: str, **members: Any) -> None:
        line = f"{self._time()} {event} {on_one_line(spoken)}"
        if self._as_json:
            line = json.dumps({"time": self._time(), "event": event, **members})
        try:
            self._file.write(f"{line}\n")
            self._file.flush()
        except OSError as error:
            self.failure = self.failure or error


def _opened(path: Path) -> TextIO:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return open(descriptor, "a", encoding="utf-8")  # noqa: PTH123 - a descriptor
    except OSError as error:
        raise UsageError(f'cannot write the log "{path}": {error.strerror}', "give another path") from None


def _counts(tally: Tally) -> dict[str, float]:
    return {name: value for name in NAMES if (value := getattr(tally, name))}


def _spoken(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:,.10g}" for name, value in counts.items()) or "nothing done yet"


def _as_json(budget: Budget) -> dict[str, object]:
    cap, in_force, consumed, _ = budget.rates
    rates = {"cap": _finite(cap), "in_force": _finite(in_force), "consumed": round(consumed, 1)}
    return {"role": budget.role, "table": budget.table, "index": budget.index, "kind": budget.kind, **rates}


def _finite(number: float) -> float | None:
    return None if math.isinf(number) else number
