"""A run at one moment as text: a line that fits a terminal, a line of a log, and a block with details. Pure.

A line has parts, each in a long and a short form. As a terminal gets narrower, the parts become short, the least
important one first; then only blanks separate them; then they are dropped, again the least important one first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from ddbio.job.live import Budget, LiveRun
from ddbio.options import MEGABYTE
from ddbio.rate.latency import Histogram

_LOG_PARTS = ("item rate", "unit rate", "rejected", "throttled", "left")  # after the share and the items
_IMPORTANT = ("share", "left", "unit rate", "rejected", "throttled", "item rate", "amount")
_LONGEST_S = 10 * 365 * 86_400.0  # shown as time left
_SCALES = ("", "k", "M", "G", "T")


class Consumption(NamedTuple):
    """Units per second of a table, and its cap in force. kind: RCU or WCU, if there are several tables."""

    units_per_s: float
    cap: float
    kind: str = "units"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """done, total: the work, with that of earlier runs, in `unit`: B for bytes, or a noun. total: 0 if unknown.
    items: read in this run. The rates are those of the last seconds. estimated: whether some units are."""

    done: float
    total: float
    unit: str
    items: int
    amount_per_s: float
    items_per_s: float
    consumption: Sequence[Consumption]
    throttled: int = 0
    rejected: int = 0
    estimated: bool = False

    @property
    def share(self) -> float | None:
        """The part that is done; None if the total is not known, or was wrong."""
        return self.done / self.total if 0 < self.done <= self.total else None

    @property
    def left_s(self) -> float | None:
        """At the present rate; None if that is not known, or so long that the rate means nothing."""
        if self.share is None or self.amount_per_s * _LONGEST_S <= self.total:
            return None
        return (self.total - self.done) / self.amount_per_s


class Part(NamedTuple):
    name: str
    long: str
    short: str


def parts_of(shown: Snapshot) -> list[Part]:
    """The parts of a line, in reading order."""
    share, left_s = shown.share, shown.left_s
    parts = [
        Part("share", f"{share:.0%}", f"{share:.0%}") if share is not None else None,
        _amount(shown),
        Part("item rate", f"{shown.items_per_s:,.0f} items/s", f"{_scaled(shown.items_per_s)}/s"),
        _unit_rate(shown),
        Part("rejected", f"{shown.rejected:,} rejected", f"{_scaled(shown.rejected)} rej")
        if shown.rejected
        else None,
        Part("throttled", f"{shown.throttled:,} throttled", f"{_scaled(shown.throttled)} thr")
        if shown.throttled
        else None,
        Part("left", f"{timedelta(seconds=round(left_s))} left", _duration(left_s)) if left_s is not None else None,
    ]
    return [part for part in parts if part is not None]


def _amount(shown: Snapshot) -> Part | None:
    if shown.unit == "B":
        done, of = f"{shown.done / MEGABYTE:,.1f}", f"{shown.total / MEGABYTE:,.1f}"
        scale = _scale_of(max(shown.done, shown.total))
        short_done, short_of = (f"{each / 1000**scale:.1f}" for each in (shown.done, shown.total))
        long_unit, short_unit = "MB", f"{_SCALES[scale]}B"
    elif shown.unit:
        done, of, short_done, short_of = (
            f"{shown.done:,.0f}",
            f"{shown.total:,.0f}",
            *map(_scaled, (shown.done, shown.total)),
        )
        long_unit, short_unit = shown.unit, ""
    else:
        return None
    if shown.share is None:
        return Part("amount", f"{done} {long_unit}", f"{short_done}{short_unit}") if shown.done else None
    return Part("amount", f"{done} of {of} {long_unit}", f"{short_done}/{short_of}{short_unit}")


def _unit_rate(shown: Snapshot) -> Part:
    long, short = [], []
    for units_per_s, cap, kind in shown.consumption:
        capped = cap < math.inf
        about, roughly = ("about ", "~") if shown.estimated else ("", "")  # the service does not report all of them
        long.append(f"{about}{units_per_s:,.0f}{f' of {cap:,.0f}' * capped} {kind}/s")
        short.append(f"{roughly}{_scaled(units_per_s)}{f'/{_scaled(cap)}' * capped} {kind.replace('units', 'u/s')}")
    return Part("unit rate", ", ".join(long), " ".join(short))


def fitted(parts: Sequence[Part], columns: int) -> tuple[str, list[tuple[str, str]]]:
    """The separator, and the chosen parts of a line of at most so many columns, as names and texts."""
    chosen = {part.name: part.long for part in parts}
    shorts = {part.name: part.short for part in parts}
    order = [name for name in _order(shorts) if name in shorts]

    def width(separator: str) -> int:
        return len(separator.join(chosen.values()))

    for name in reversed(order):
        if width(", ") <= columns:
            return ", ", [*chosen.items()]
        chosen[name] = shorts[name]
    if width(", ") <= columns:
        return ", ", [*chosen.items()]
    while order and width(" ") > columns:
        del chosen[order.pop()]
    return " ", [*chosen.items()]


def _order(present: dict[str, str]) -> tuple[str, ...]:
    """Without a share, the amount is the only measure of how far a run is."""
    return _IMPORTANT if "share" in present else ("amount", *_IMPORTANT[:-1])


def line_of(shown: Snapshot, columns: int) -> str:
    """The line at the bottom of a terminal, in at most so many columns."""
    separator, parts = fitted(parts_of(shown), columns)
    return separator.join(text for _, text in parts)


def log_line(shown: Snapshot) -> str:
    """The line of a log."""
    by_name = {part.name: part.long for part in parts_of(shown)}
    share = f"{by_name['share']} done: " if "share" in by_name else ""
    rest = (by_name[name] for name in _LOG_PARTS if name in by_name)
    return share + ", ".join([_counted(shown.items, "item"), *rest])


def block_of(live: LiveRun) -> Iterator[str]:
    """The details of a run, a line each: workers, each budget with its answers, and the slowest unit if several are
    at work."""
    yield f"{_counted(live.workers, 'worker')}, {_counted(live.connections, 'connection')} at work"
    latencies = live.latencies()
    for budget in live.budgets():
        answers = "" if budget.index else _answers(latencies[budget.role])
        yield f"{f'index {budget.index}' if budget.index else budget.table}: {_rates(budget)}{answers}"
    if (unit := live.slowest()) is not None:
        yield f"slowest: {unit.place}, {unit.items_per_s:,.0f} items/s for {timedelta(seconds=round(unit.seconds))}"


def _rates(budget: Budget) -> str:
    cap, in_force, consumed, _ = budget.rates
    of_cap = f" of {in_force:,.0f}" if in_force < math.inf else ""
    less = f" (cap {cap:,.0f})" if in_force < cap < math.inf else ""
    return f"{consumed:,.0f}{of_cap} {budget.kind}/s{less}"


def _answers(latencies: Histogram) -> str:
    half_s, most_s = latencies.quantile_s(0.5), latencies.quantile_s(0.99)
    if half_s is None or most_s is None:
        return ""
    return f", answers in {half_s * 1000:,.0f} ms (99%: {most_s * 1000:,.0f} ms)"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _scale_of(number: float) -> int:
    """The power of 1,000 with which the number has at most three digits before the point."""
    scale = 0
    while round(number / 1000**scale, 1) >= 1000 and scale < len(_SCALES) - 1:
        scale += 1
    return scale


def _scaled(number: float) -> str:
    """`987`, `9.9k`, `12.3k`, `1.2M`."""
    scale = _scale_of(number)
    digits = f"{number / 1000**scale:.{1 if scale else 0}f}".removesuffix(".0")
    return f"{digits}{_SCALES[scale]}"


def _duration(seconds: float) -> str:
    """`34s`, `12m34s`, `3h12m`, `2d03h`."""
    whole = round(seconds)
    for first, second, size in (("d", "h", 3600), ("h", "m", 60), ("m", "s", 1)):
        ratio = 24 if first == "d" else 60
        if whole >= size * ratio:
            return f"{whole // (size * ratio)}{first}{whole // size % ratio:02}{second}"
    return f"{whole}s"
