"""The arithmetic of one budget of capacity units: pure, time passed in, refilled lazily. All times are monotonic
seconds.

A `TokenBucket` has a *level*, the units that may be spent now, which grows with time from zero, and a queue. A place
in the queue is a *ticket*, a position on a line of units: the queue reaches from `head` to `tail`, and a request may
start as soon as the level covers its own units and those of all requests before it. Two rules make the ceiling hold
in **every** window, in whatever order the requests start:

- a request starts only if the level covers it, and lowers the level by its units;
- before a start the level is at most `burst` and the largest request, and without requests that wait at most `burst`:
  idle time is not saved up, and if requests start late, because the machine was busy, the rest is lost.

So the requests that start in any window of `w` seconds cost at most `rate * w + burst + one request`, the largest.
The level starts at zero, so the rule holds in the first second, too.

A request whose turn has come and that does not start, because its process is late or dead, does not delay the others:
the next one starts as soon as the level covers both. The late one then starts with what is left of the level, or, if
that is too little, takes the first place of the queue.

If the table throttles, the rate is cut to the recent consumption, and then rises again: slowly at first, because the
table's capacity is probably the same, and twice as fast every half second, because it may not be. At a table's limit
this loses about 3 % on average; a capacity that rises eightfold is found in five seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar, NamedTuple

Units = tuple[float, ...]  # capacity units, one amount a budget

UNCAPPED = math.inf
NO_TICKET = -math.inf  # of a request that has no place in the queue

LARGEST_FOR_S = 1.0  # a request counts as the largest for this time after its last attempt to start
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
    level, head, tail: units; see the module's docstring.
    """

    cap: float
    rate: float
    updated_s: float
    born_s: float
    level: float = 0.0
    head: float = 0.0
    tail: float = 0.0
    cut_to: float = UNCAPPED  # the rate just after the last cut
    cut_at_s: float = -math.inf
    measured: float = 0.0  # units per second, a decaying average
    measured_at_s: float = 0.0
    burst_s: float = BURST_S
    consumed: float = 0.0  # units since the start
    largest: float = 0.0  # units of the largest request lately
    largest_until_s: float = -math.inf

    FIELDS: ClassVar = (
        *("cap", "rate", "updated_s", "born_s", "level", "head", "tail", "cut_to", "cut_at_s"),
        *("measured", "measured_at_s", "burst_s", "consumed", "largest", "largest_until_s"),
    )
    RATE_AT: ClassVar = 1

    @classmethod
    def of(cls, cap: float, now_s: float) -> TokenBucket:
        return cls(cap=cap, rate=cap, updated_s=now_s, born_s=now_s, measured_at_s=now_s)

    def values(self) -> Sequence[float]:
        return _values_of(self)

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
        waiting = max(self.tail - self.head, self.largest if now_s <= self.largest_until_s else 0.0)
        # A refund may have raised the level above its ceiling: then it stays there, but does not grow.
        self.level = min(self.level + gained, max(self.level, self.burst + waiting))

    def _probing(self, now_s: float) -> float:
        since_s = now_s - self.cut_at_s
        if since_s >= UNCAPPED_AGAIN_S:
            return self.cap
        return min(self.cap, self.cut_to * (1 + PROBE * (2 ** (since_s / PROBE_DOUBLES_S) - 1)))

    def queue_up(self, now_s: float, units: float) -> float:
        """Take the last place; returns the ticket."""
        self.refill(now_s)
        self.tail += units
        return self.tail

    def go_first(self, now_s: float, units: float) -> float:
        """Take the first place; returns the ticket."""
        self.refill(now_s)
        self.head -= units
        return self.head + units

    def leave(self, ticket: float, units: float) -> None:
        """The request will not start: those after it need not wait for its units."""
        if ticket > self.head:
            self.head = min(self.head + units, self.tail)

    def overtaken(self, ticket: float) -> bool:
        """Whether a request from after this place has started, or one that has no place yet asks."""
        return ticket <= self.head

    def wait_s(self, now_s: float, ticket: float, units: float) -> float:
        """0 if the request with this place may start, else seconds until it probably may.

        ticket: `NO_TICKET` for the wait in the first place.
        """
        self.refill(now_s)
        if units >= self.largest or now_s > self.largest_until_s:
            self.largest, self.largest_until_s = units, now_s + LARGEST_FOR_S
        return self._growth_s(max(ticket - self.head, units))

    def start(self, ticket: float, units: float) -> None:
        """The request starts."""
        self.head = max(self.head, ticket)
        self.level = min(self.level, self.burst + self.largest) - units

    def wait_on_credit_s(self, now_s: float, ticket: float, units: float) -> float:
        """The same for a request whose units are paid for by those after it: the level covers those before it."""
        self.refill(now_s)
        return self._growth_s(max(ticket - self.head, units) - units)

    def start_on_credit(self, ticket: float, units: float) -> None:
        self.head = max(self.head, ticket)
        self.level = min(self.level, self.burst) - units

    def _growth_s(self, level: float) -> float:
        """Seconds until the level is so high."""
        lacking = level - self.level
        return 0.0 if math.isinf(self.rate) or lacking <= NOTHING else lacking / self.rate

    def settle(self, now_s: float, returned: float, consumed: float) -> None:
        """Return unused units of a reservation (negative if more were used), and record the consumption."""
        self.refill(now_s)
        self.level += returned
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
            self.level = 0.0  # requests under way continue
            self.rate = max(came_through, UNMEASURED_RATE)
        else:
            self.rate = min(max(came_through, self.rate * CUT_AT_MOST), self.rate * CUT_AT_LEAST)
        self.rate = max(self.rate, min(SLOWEST_RATE, self.cap))
        self.cut_to, self.cut_at_s = self.rate, now_s

    def set_cap(self, now_s: float, cap: float) -> None:
        """Change the cap from now on."""
        self.refill(now_s)
        if math.isinf(self.rate) and not math.isinf(cap):
            self.level = 0.0
        self.rate = cap if self.rate >= self.cap else min(self.rate, cap)
        self.cap = cap


_values_of: Callable[[TokenBucket], tuple[float, ...]] = attrgetter(
    *TokenBucket.FIELDS
)  # at each change of the state
