"""The arithmetic of the governor: pure, time passed in, refilled lazily. All times are monotonic seconds.

A `TokenBucket` counts two totals of units. *Supply* is the total that the cap has allowed since the start, and grows
with time; *reserved* is the total of the reservations. A request may start as soon as the supply has reached its
ticket, the value of `reserved` just after its reservation. Two rules make the ceiling hold in **every** window:

- supply never runs ahead of the reservations by more than `burst`, so idle time is not saved up;
- a request that starts late, because the machine was busy, loses any allowance beyond `burst`.

So the requests that start in any window of `w` seconds cost at most `rate * w + burst + one request`. The supply
starts at zero, so the rule holds in the first second, too. With several budgets it is one request of each worker: one
that waited for a budget is late in the others, where requests after it have started; what it is late by is its own.

If the table throttles, the rate is cut to the recent consumption, and then rises again: slowly at first, because the
table's capacity is probably the same, and twice as fast every half second, because it may not be. At a table's limit
this loses about 3 % on average; a capacity that rises eightfold is found in five seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

Units = tuple[float, ...]  # capacity units, one amount a budget

UNCAPPED = math.inf
NO_TICKET = -math.inf  # of a budget without a reservation

BURST_S = 0.01  # of the rate: may be saved up or caught up; a window of 1 s then holds to 1 % and one request
NOTHING = 1e-6  # units: rounding errors of floats, which must not delay a request

CUT_INTERVAL_S = 0.5
CUT_TO_MEASURED = 0.98  # of the consumption while the table throttled
CUT_AT_LEAST = 0.97  # every cut has an effect
CUT_AT_MOST = 0.5  # a single cut does not stop the job: the measurement may be wrong
PROBE = 0.01  # of the rate after the cut: the first step up
PROBE_DOUBLES_S = 0.5  # the steps double in this time
UNCAPPED_AGAIN_S = 10.0  # without throttling: then a job without a cap is unlimited again
MEASURE_OVER_S = 0.5  # time constant of the measured consumption
UNMEASURED_RATE = 100.0  # units per second: the first rate of a job without a cap that is throttled from the start
SLOWEST_RATE = 1.0  # units per second: below it a cut would stop the job
BLAME_FOR_S = 5.0  # for this time unexplained refusals are attributed to the budget that the service named last


class BudgetRates(NamedTuple):
    """A budget at a moment, in units per second. cap: of the user or the table; infinite for none. in_force: the cap,
    or less while the table throttles. consumed: lately, a decaying average. total: units consumed so far."""

    cap: float
    in_force: float
    consumed: float
    total: float = 0.0


@dataclass(slots=True)
class TokenBucket:
    """One budget of capacity units.

    cap: units per second the user allows; infinite for none.
    rate: units per second in force: the cap, or less while the table throttles.
    """

    cap: float
    rate: float
    updated_s: float
    born_s: float
    supply: float = 0.0
    reserved: float = 0.0
    cut_to: float = UNCAPPED  # the rate just after the last cut
    cut_at_s: float = -math.inf
    measured: float = 0.0  # units per second, a decaying average
    measured_at_s: float = 0.0
    burst_s: float = BURST_S
    consumed: float = 0.0  # units since the start
    started: float = 0.0  # the highest ticket that has started

    FIELDS: ClassVar = (
        *("cap", "rate", "updated_s", "born_s", "supply", "reserved", "cut_to", "cut_at_s"),
        *("measured", "measured_at_s", "burst_s", "consumed", "started"),
    )
    RATE_AT: ClassVar = 1

    @classmethod
    def of(cls, cap: float, now_s: float) -> TokenBucket:
        return cls(cap=cap, rate=cap, updated_s=now_s, born_s=now_s, measured_at_s=now_s)

    def values(self) -> Sequence[float]:
        return [getattr(self, name) for name in self.FIELDS]

    @property
    def burst(self) -> float:
        return 0.0 if math.isinf(self.rate) else self.rate * self.burst_s

    def refill(self, now_s: float) -> None:
        elapsed_s = now_s - self.updated_s
        if elapsed_s <= 0:  # a clock read before another process's update
            return
        self.updated_s = now_s
        if math.isinf(self.rate):
            return
        rate_before = self.rate
        if self.rate < self.cap:
            self.rate = self._probing(now_s)
        if math.isinf(self.rate):
            return
        gained = (rate_before + self.rate) / 2 * elapsed_s
        # A refund may have raised the supply above its ceiling: then it stays there, but does not grow.
        self.supply = min(self.supply + gained, max(self.supply, self.reserved + self.burst))

    def _probing(self, now_s: float) -> float:
        since_s = now_s - self.cut_at_s
        if since_s >= UNCAPPED_AGAIN_S:
            return self.cap
        return min(self.cap, self.cut_to * (1 + PROBE * (2 ** (since_s / PROBE_DOUBLES_S) - 1)))

    def reserve(self, now_s: float, units: float) -> float:
        """Queue up for `units`; returns the ticket."""
        self.refill(now_s)
        self.reserved += units
        return self.reserved

    def wait_s(self, now_s: float, ticket: float) -> float:
        """0 if the holder of `ticket` may start, else seconds until it probably may."""
        self.refill(now_s)
        if math.isinf(self.rate) or ticket - self.supply <= NOTHING:
            return 0.0
        return (ticket - self.supply) / self.rate

    def start(self, ticket: float) -> None:
        """The holder of `ticket` starts: it loses any allowance beyond the burst that accrued while it was late.

        If it waited for another budget, requests after it have started, and the allowance is theirs.
        """
        self.started = max(self.started, ticket)
        self.supply = min(self.supply, self.started + self.burst)

    def settle(self, now_s: float, returned: float, consumed: float) -> None:
        """Return unused units of a reservation (negative if more were used), and record the consumption."""
        self.refill(now_s)
        self.supply += returned
        self.consumed += consumed
        self.measured = self._decayed(now_s) + consumed / MEASURE_OVER_S
        self.measured_at_s = max(self.measured_at_s, now_s)

    def _decayed(self, now_s: float) -> float:
        return self.measured * math.exp(-max(0.0, now_s - self.measured_at_s) / MEASURE_OVER_S)

    def measured_rate(self, now_s: float) -> float:
        """Recent consumption in units per second, corrected for a bucket younger than the time constant."""
        age_s = now_s - self.born_s
        return self._decayed(now_s) / -math.expm1(-age_s / MEASURE_OVER_S) if age_s > 0 else 0.0

    def cut(self, now_s: float) -> None:
        """The table's capacity is below the rate: lower the rate, at most once an interval."""
        self.refill(now_s)
        if now_s - self.cut_at_s < CUT_INTERVAL_S:
            return
        came_through = self.measured_rate(now_s) * CUT_TO_MEASURED
        if math.isinf(self.rate):
            self.supply = self.reserved  # requests under way continue; the queue begins here
            self.rate = max(came_through, UNMEASURED_RATE)
        else:
            self.rate = min(max(came_through, self.rate * CUT_AT_MOST), self.rate * CUT_AT_LEAST)
        self.rate = max(self.rate, min(SLOWEST_RATE, self.cap))
        self.cut_to, self.cut_at_s = self.rate, now_s

    def set_cap(self, now_s: float, cap: float) -> None:
        """Change the cap from now on."""
        self.refill(now_s)
        if math.isinf(self.rate) and not math.isinf(cap):
            self.supply = self.reserved
        self.rate = cap if self.rate >= self.cap else min(self.rate, cap)
        self.cap = cap


@dataclass(slots=True)
class Budgets:
    """All budgets of a job, the table's first, and their shared state.

    blamed: the cause that the service named with its last explained refusal: a budget's number, or `HOT_KEYS`.
        Unexplained refusals (unprocessed items always are) are attributed to it until `blamed_until_s`.
    progress_s: time of the last consumption.
    """

    buckets: list[TokenBucket]
    blamed: float
    blamed_until_s: float
    progress_s: float

    HOT_KEYS: ClassVar = -1.0
    SHARED_FIELDS: ClassVar = ("blamed", "blamed_until_s", "progress_s")
    PROGRESS_AT: ClassVar = -1

    @classmethod
    def of(cls, caps: Sequence[float], now_s: float) -> Budgets:
        return cls([TokenBucket.of(cap, now_s) for cap in caps], 0.0, -math.inf, now_s)

    @classmethod
    def from_values(cls, values: Sequence[float]) -> Budgets:
        width = len(TokenBucket.FIELDS)
        count = len(values) // width
        buckets = [TokenBucket(*values[at * width : (at + 1) * width]) for at in range(count)]
        return cls(buckets, *values[count * width :])

    def values(self) -> Sequence[float]:
        shared = (self.blamed, self.blamed_until_s, self.progress_s)
        return [*(value for bucket in self.buckets for value in bucket.values()), *shared]

    def rates(self) -> Units:
        return tuple([bucket.rate for bucket in self.buckets])

    def now(self, now_s: float) -> tuple[BudgetRates, ...]:
        return tuple(
            [BudgetRates(each.cap, each.rate, each.measured_rate(now_s), each.consumed) for each in self.buckets]
        )

    def reserve(self, now_s: float, costs: Units) -> Units:
        """Queue up in every budget with a cost; returns the tickets."""
        return tuple(
            [
                bucket.reserve(now_s, units) if units > 0 else NO_TICKET
                for bucket, units in zip(self.buckets, costs, strict=True)
            ]
        )

    def wait_s(self, now_s: float, tickets: Units) -> float:
        """0 if the holder of the tickets may start, which it then must; else seconds until it probably may."""
        held = [(bucket, ticket) for bucket, ticket in zip(self.buckets, tickets, strict=True) if ticket != NO_TICKET]
        longest_s = max((bucket.wait_s(now_s, ticket) for bucket, ticket in held), default=0.0)
        if longest_s <= 0:
            for bucket, ticket in held:
                bucket.start(ticket)
        return longest_s

    def settle(self, now_s: float, returned: Units, consumed: Units, *, progress: bool | None = None) -> None:
        """progress: whether the job made progress; None to judge by `consumed`."""
        for bucket, back, used in zip(self.buckets, returned, consumed, strict=True):
            bucket.settle(now_s, back, used)
        if any(consumed) if progress is None else progress:
            self.progress_s = max(self.progress_s, now_s)

    def throttled(self, now_s: float, budget: int | None, *, hot: bool) -> None:
        """budget: the one that was short; None if the service named none. hot: only a range of keys is short."""
        if hot or budget is not None:
            self.blamed, self.blamed_until_s = self.HOT_KEYS if hot else float(budget or 0), now_s + BLAME_FOR_S
        short = self.blamed if now_s < self.blamed_until_s else 0.0
        if short != self.HOT_KEYS:
            self.buckets[int(short)].cut(now_s)
